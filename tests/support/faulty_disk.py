"""The disk of ``faulty_disk.c`` under a process: what fails is decided here, what was done is read here."""

from __future__ import annotations

import mmap
import os
import struct
from enum import IntFlag
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from support.shims import built

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_suffix(".c")
CONTROL = struct.Struct("<IiqqI28sq")
RECORD = struct.Struct("<cxHIQQ")


class Call(IntFlag):
    """What a process asks of a disk."""

    WRITE = 1
    SYNC = 2
    OPEN = 4
    TRUNCATE = 8
    UNLINK = 16
    RENAME = 32
    ALL = 63


class Event(NamedTuple):
    """One call that changed the disk, or a mark.

    ``kind``: C(reate), W(rite), T(runcate), S(ync), F(older sync), U(nlink), R(ename), M(ark). ``file`` is
    the inode, ``offset`` also the size after a cut; ``data`` also a mark's text, or the new name.
    """

    kind: str
    path: str
    file: int
    offset: int
    data: bytes


class FaultyDisk:
    """The disk below one folder, for processes that are started with its ``environment``.

    Args:
        below: the folder, as the processes name it.
        log: where what they do is written down; None for nowhere.
    """

    def __init__(self, below: Path, log: Path | None = None) -> None:
        self._below = below
        self._log = log
        self._shared = os.memfd_create("faults")
        os.ftruncate(self._shared, CONTROL.size)
        self._control = mmap.mmap(self._shared, CONTROL.size)

    @property
    def environment(self) -> dict[str, str]:
        """What a process on this disk needs in its environment."""
        found = {
            "LD_PRELOAD": built(SOURCE),
            "FAULTY_DISK_BELOW": str(self._below),
            "FAULTY_DISK_CONTROL": f"/proc/{os.getpid()}/fd/{self._shared}",
        }
        return found | ({"FAULTY_DISK_LOG": str(self._log)} if self._log else {})

    @property
    def within(self) -> list[str]:
        """A command that runs the one after it on this disk."""
        return ["env", *(f"{name}={value}" for name, value in self.environment.items())]

    def fail(
        self,
        calls: Call,
        error: int,
        *,
        skip: int = 0,
        count: int = -1,
        name_end: str = "",
        is_after: bool = False,
    ) -> None:
        """From now on ``calls`` fail with errno ``error``.

        ``skip`` succeed first, then ``count`` fail (-1: all); only for files whose names end with
        ``name_end``. ``is_after``: a sync does its work all the same.
        """
        self.heal()
        end = name_end.encode().ljust(28, b"\0")
        self._control[:] = CONTROL.pack(calls, error, skip, count, is_after, end, 0)

    def heal(self) -> None:
        """Nothing fails any more; ``struck`` is kept."""
        self._control[:4] = bytes(4)

    @property
    def struck(self) -> int:
        """How many calls have failed since the last ``fail``."""
        return int(CONTROL.unpack(self._control[:])[-1])

    def close(self) -> None:
        """Let the shared page go."""
        self._control.close()
        os.close(self._shared)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_log(log: Path) -> Iterator[Event]:
    """What processes did, in its order; a last record that was cut off by a kill is left out."""
    data = log.read_bytes()
    at = 0
    while at + RECORD.size <= len(data):
        kind, path_bytes, data_bytes, file, offset = RECORD.unpack_from(data, at)
        text_at = at + RECORD.size
        data_at = text_at + path_bytes
        at = data_at + data_bytes
        if at <= len(data):
            path = data[text_at:data_at].decode()
            yield Event(kind.decode(), path, file, offset, data[data_at:at])
