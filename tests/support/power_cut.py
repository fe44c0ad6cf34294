"""The disk after a power cut: what was synced is there; of what was not, some is, some is not, some is torn.

Names and contents are independent, as POSIX leaves them: a name is durable once its folder was synced (until
then as many of the pending changes hold as one likes, in their order), data once their file was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from support.faulty_disk import Event

SECTOR_BYTES = 512
PAGE_BYTES = 4096

Way = Literal["kept", "dropped", "sectors", "pages", "prefix"]
WAYS: tuple[Way, ...] = ("dropped", "kept", "sectors", "pages", "prefix")
"""What becomes of what was not synced: nothing or all of it is there; each sector or page by itself; or what
came first."""


@dataclass
class Inode:
    """A file: what of it is on the disk, and what waits: (offset, data), data None for a cut to offset."""

    durable: bytearray = field(default_factory=bytearray)
    waiting: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        """All that waits is on the disk."""
        for offset, data in self.waiting:
            _apply(self.durable, offset, data)
        self.waiting.clear()

    def after_cut(self, way: Way, random: Random) -> bytes:
        """What one finds after a power cut."""
        found = bytearray(self.durable)
        upto = random.randint(0, len(self.waiting)) if way == "prefix" else len(self.waiting)
        for offset, data in self.waiting[:upto] if way != "dropped" else ():
            if way in ("kept", "prefix"):
                _apply(found, offset, data)
            elif data is None:
                if random.random() < 0.5:
                    _apply(found, offset, None)
            else:
                _apply_torn(found, offset, data, SECTOR_BYTES if way == "sectors" else PAGE_BYTES, random)
        return bytes(found)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    end = offset if data is None else offset + len(data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if data is None:
        del content[end:]
    else:
        content[offset:end] = data


def _apply_torn(content: bytearray, offset: int, data: bytes, unit: int, random: Random) -> None:
    """Each ``unit`` of the disk is written or not; the file may have grown nevertheless."""
    at = offset
    while at < offset + len(data):
        end = min((at // unit + 1) * unit, offset + len(data))
        if random.random() < 0.5:
            _apply(content, at, data[at - offset : end - offset])
        at = end
    if random.random() < 0.5 and len(content) < offset + len(data):
        _apply(content, offset + len(data), None)


class Disk:
    """Follows what processes do in one folder, one event after the other."""

    def __init__(self) -> None:
        self._now: dict[str, Inode] = {}
        self._durable: dict[str, Inode] = {}
        self._waiting: list[tuple[str, str | None, Inode | None]] = []
        self._inodes: dict[int, Inode] = {}

    def feed(self, event: Event) -> None:
        """The next event."""
        name = Path(event.path).name
        match event.kind:
            case "C":
                self._inodes[event.file] = self._now[name] = Inode()
                self._waiting.append((name, None, self._now[name]))
            case "W":
                self._inodes[event.file].waiting.append((event.offset, event.data))
            case "T":
                self._inodes[event.file].waiting.append((event.offset, None))
            case "S":
                self._inodes[event.file].sync()
            case "F":
                self._durable = dict(self._now)
                self._waiting.clear()
            case "U":
                del self._now[name]
                self._waiting.append((name, None, None))
            case "R":
                to = Path(event.data.decode()).name
                self._now[to] = self._now.pop(name)
                self._waiting.append((name, to, self._now[to]))

    def after_cut(self, way: Way, random: Random) -> Mapping[str, bytes]:
        """The files that one finds after a power cut, by name."""
        names = dict(self._durable)
        chosen = {"dropped": 0, "kept": len(self._waiting)}.get(way, random.randint(0, len(self._waiting)))
        for name, to, inode in self._waiting[:chosen]:
            names.pop(name, None)
            if inode is not None:
                names[to or name] = inode
        # One name or two, a file's content is what it is.
        contents = {id(inode): inode.after_cut(way, random) for inode in names.values()}
        return {name: contents[id(inode)] for name, inode in names.items()}
