"""The disk as one life of an agent sees it: every call may be the last one, or fail as a real one would."""

from __future__ import annotations

import contextlib
import enum
import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from milepost_simulator.world.disk import Disk, Inode, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random


class Call(enum.StrEnum):
    """Kinds of calls on a disk, as faults name them."""

    OPEN = "open"
    READ = "read"
    WRITE = "write"
    SYNC = "sync"
    NAME = "name"


class End(enum.StrEnum):
    """How a life ends that was not asked to end."""

    KILL = "kill"
    """SIGKILL: what was written stays in the page cache."""
    POWER_CUT = "power_cut"
    """What was not synced may be lost."""


@dataclass(slots=True)
class Trouble:
    """What is wrong with the disk now.

    Attributes:
        is_read_only: as after a remount.
        errors: for a kind of call, how many still succeed, and how many then fail with EIO.
    """

    is_read_only: bool = False
    errors: dict[Call, tuple[int, int]] = field(default_factory=dict)

    def is_due(self, call: Call) -> bool:
        """Whether this call is one that fails."""
        if call not in self.errors:
            return False
        good, bad = self.errors[call]
        if good > 0:
            self.errors[call] = (good - 1, bad)
            return False
        self.errors[call] = (0, bad - 1)
        if bad <= 1:
            del self.errors[call]
        return True


class Mount:
    """Calls of one life. After its end each call fails and has no effect.

    Args:
        disk: what lasts from life to life.
        trouble: of the disk, changed from outside.
        random: whether an end comes before or after the effect of the call that it strikes.
        on_end: called at the end of this life.
        on_growth: called whenever files take more room.
    """

    def __init__(
        self,
        disk: Disk,
        trouble: Trouble,
        random: Random,
        on_end: Callable[[End], None],
        on_growth: Callable[[], None],
    ) -> None:
        self.disk = disk
        self._trouble = trouble
        self._random = random
        self._on_end = on_end
        self._on_growth = on_growth
        self._strike: tuple[int, End] | None = None
        self._is_dead = False
        self._is_observed = True
        self.calls = 0

    @property
    def is_dead(self) -> bool:
        return self._is_dead

    def end_after(self, calls: int, end: End) -> None:
        """Let the ``calls``-th call from now on be the last one."""
        self._strike = (self.calls + calls, end)

    def spare(self) -> None:
        """Let no call be the last one any more."""
        self._strike = None

    @contextlib.contextmanager
    def unobserved(self) -> Iterator[None]:
        """Calls of a checker: not counted, not struck, never failing."""
        self._is_observed = False
        try:
            yield
        finally:
            self._is_observed = True

    def end(self, end: End) -> None:
        """End this life now."""
        if self._is_dead:
            return
        self._is_dead = True
        self._on_end(end)
        if end is End.POWER_CUT:
            self.disk.lose_power()

    def retire(self) -> None:
        """The process has ended by itself; whatever of it still stirs has no effect."""
        self._is_dead = True

    def _enter(self, call: Call, path: str) -> End | None:
        """Count a call; the end that comes after it, if one does.

        Raises:
            OSError: this life is over, or the disk fails the call.
        """
        if not self._is_observed:
            return None
        if self._is_dead:
            raise refusal(errno.EIO, path)
        self.calls += 1
        end = None
        if self._strike and self.calls >= self._strike[0]:
            end = self._strike[1]
            if self._random.random() < 0.5:
                self.end(end)
                raise refusal(errno.EIO, path)
        if call is not Call.SYNC and self._trouble.is_due(call):
            raise refusal(errno.EIO, path)
        if self._trouble.is_read_only and call in (Call.WRITE, Call.NAME):
            raise refusal(errno.EROFS, path)
        return end

    def _leave(self, end: End | None, path: str) -> None:
        if end is not None:
            self.end(end)
            raise refusal(errno.EIO, path)

    def find(self, path: str) -> Inode | None:
        """The file at ``path``, None where there is none."""
        end = self._enter(Call.OPEN, path)
        found = self.disk.names.get(path)
        self._leave(end, path)
        return found

    def under(self, prefix: str) -> list[str]:
        """The names that begin with ``prefix``."""
        end = self._enter(Call.OPEN, prefix)
        found = [path for path in self.disk.names if path.startswith(prefix)]
        self._leave(end, prefix)
        return found

    def create(self, path: str) -> Inode:
        """A new empty file."""
        end = self._enter(Call.NAME, path)
        inode = self.disk.create(path)
        self._leave(end, path)
        return inode

    def rename(self, path: str, to: str) -> None:
        """Give a file another name."""
        end = self._enter(Call.NAME, path)
        self.disk.rename(path, to)
        self._leave(end, path)

    def remove(self, path: str) -> None:
        """Take a file's name away."""
        end = self._enter(Call.NAME, path)
        self.disk.remove(path)
        self._leave(end, path)

    def sync_folder(self, path: str) -> None:
        """Make names last."""
        end = self._enter(Call.SYNC, path)
        if self._trouble.is_due(Call.SYNC):
            raise refusal(errno.EIO, path)
        self.disk.sync_folder()
        self._leave(end, path)

    def read(self, inode: Inode, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes, fewer at the end of the file."""
        path = f"inode {inode.number}"
        end = self._enter(Call.READ, path)
        data = bytes(inode.data[offset : offset + size])
        self._leave(end, path)
        return data

    def write(self, inode: Inode, offset: int, data: bytes) -> None:
        """Write into the page cache."""
        path = f"inode {inode.number}"
        end = self._enter(Call.WRITE, path)
        size = offset + len(data)
        is_growth = size > len(inode.data)
        if is_growth:
            self.disk.check_room(inode, size)
        inode.write(offset, data)
        if is_growth:
            self._on_growth()
        self._leave(end, path)

    def resize(self, inode: Inode, size: int) -> None:
        """Cut a file, or extend it with zeros."""
        path = f"inode {inode.number}"
        end = self._enter(Call.WRITE, path)
        self.disk.check_room(inode, size)
        inode.resize(size)
        self._leave(end, path)

    def sync(self, inode: Inode) -> None:
        """Make a file's content last; one that fails may have written, and never tries those blocks again."""
        path = f"inode {inode.number}"
        end = self._enter(Call.SYNC, path)
        if self._trouble.is_due(Call.SYNC):
            inode.fail_sync()
            raise refusal(errno.EIO, path)
        inode.sync()
        self._leave(end, path)
