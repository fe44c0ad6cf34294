"""A disk that remembers what was not synced yet, and loses some of it when the power goes.

What programs see is the page cache: each write at once. What a power cut leaves is decided block by block:
what was last synced, what was written last, something in between, or a mixture of their sectors (a torn
write). Names are kept likewise: creations, renames and removals last once their folder is synced; until then
a power cut keeps the first few of them (a journal keeps the order).
"""

from __future__ import annotations

import enum
import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

SECTOR_BYTES: Final = 512
BLOCK_BYTES: Final = 4096
DEVICE: Final = 66


class Outcome(enum.Enum):
    """What a power cut does to a block that was not synced."""

    OLD = "old"
    NEW = "new"
    BETWEEN = "between"
    TORN = "torn"


MIXTURES: Final = (
    (1, 0, 0, 0),
    (0, 1, 0, 0),
    (1, 1, 0, 0),
    (3, 3, 1, 3),
    (0, 0, 0, 1),
)
"""Weights of the outcomes, one row drawn for each power cut: a disk that lost all, none, some, and so on."""


@dataclass(eq=False, slots=True)
class Inode:
    """One file: ``data`` as programs see it, and what its blocks and its size were since the last sync."""

    number: int
    data: bytearray = field(default_factory=bytearray)
    earlier: dict[int, list[bytes]] = field(default_factory=dict)
    """Block number -> its contents before each write since the last sync, the synced one first."""
    sizes: list[int] = field(default_factory=list)
    doomed: dict[int, list[bytes]] = field(default_factory=dict)
    """Blocks whose sync failed: the kernel calls them clean, and a later sync does not write them again."""

    before_cuts: list[Inode] = field(default_factory=list)
    """What it was before each cut since the last sync: to be cut shorter happens as a whole or not at all."""
    writes: int = 0
    """How often it was changed: what a time of modification tells."""

    def block(self, number: int) -> bytes:
        return bytes(self.data[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES])

    def write(self, offset: int, data: bytes) -> None:
        """Put ``data`` into the page cache."""
        self._remember(offset, offset + len(data))
        if offset > len(self.data):
            self.data.extend(bytes(offset - len(self.data)))
        self.data[offset : offset + len(data)] = data

    def resize(self, size: int) -> None:
        """Cut, or extend with zeros."""
        if size >= len(self.data):
            self._remember(len(self.data), size)
            self.data.extend(bytes(size - len(self.data)))
            return
        self.before_cuts.append(self._copy())
        self.writes += 1
        del self.data[size:]
        for contents in (self.earlier, self.doomed):
            for number in [number for number in contents if number * BLOCK_BYTES >= size]:
                del contents[number]
        self.sizes = [size]

    def _copy(self) -> Inode:
        return Inode(
            self.number,
            bytearray(self.data),
            {number: list(contents) for number, contents in self.earlier.items()},
            list(self.sizes),
            {number: list(contents) for number, contents in self.doomed.items()},
        )

    def _remember(self, start: int, end: int) -> None:
        self.writes += 1
        self.sizes.append(len(self.data))
        for number in range(start // BLOCK_BYTES, -(-end // BLOCK_BYTES)):
            doomed = self.doomed.pop(number, [])
            self.earlier.setdefault(number, doomed).append(self.block(number))

    def sync(self) -> None:
        """Make all that was written last."""
        self.earlier.clear()
        self.sizes.clear()
        self.before_cuts.clear()

    def fail_sync(self) -> None:
        """A sync that failed: what is in the cache stays there, and may never reach the disk."""
        self.doomed.update(self.earlier)
        self.earlier.clear()

    def lose_power(self, random: Random) -> None:
        """Become what the disk has of this file, and forget what it might have had."""
        states = [*self.before_cuts, self]
        if (state := random.choice(states)) is not self:
            self.data, self.earlier, self.sizes, self.doomed = (
                state.data,
                state.earlier,
                state.sizes,
                state.doomed,
            )
        self.before_cuts.clear()
        weights = random.choice(MIXTURES)
        sizes = [*self.sizes, len(self.data)]
        size = random.choice(sizes)
        for number, contents in sorted({**self.doomed, **self.earlier}.items()):
            outcome = random.choices(list(Outcome), weights)[0]
            self._put(number, _left(outcome, [*contents, self.block(number)], random))
        del self.data[size:]
        self.data.extend(bytes(size - len(self.data)))
        self.earlier.clear()
        self.doomed.clear()
        self.sizes.clear()

    def _put(self, number: int, content: bytes) -> None:
        start = number * BLOCK_BYTES
        if start > len(self.data):
            self.data.extend(bytes(start - len(self.data)))
        self.data[start : start + BLOCK_BYTES] = content.ljust(
            min(BLOCK_BYTES, max(len(self.data) - start, len(content))), b"\0"
        )


def _left(outcome: Outcome, contents: list[bytes], random: Random) -> bytes:
    """What is left of a block that had ``contents`` one after another, the first of them synced."""
    if outcome is Outcome.OLD:
        return contents[0]
    if outcome is Outcome.NEW:
        return contents[-1]
    if outcome is Outcome.BETWEEN:
        return random.choice(contents)
    width = max(map(len, contents))
    padded = [content.ljust(width, b"\0") for content in contents]
    starts = range(0, width, SECTOR_BYTES)
    return b"".join(random.choice(padded)[start : start + SECTOR_BYTES] for start in starts)


Change = tuple[str, Inode | None]
"""A name, and what it names from now on; None: nothing."""


class Disk:
    """Files by name, as programs see them; ``lose_power`` makes them what they really are.

    Args:
        random: the chances of power cuts.
        bytes_max, inodes_max: what it holds, files of others (``foreign_*``) included.
    """

    def __init__(self, random: Random, bytes_max: int, inodes_max: int) -> None:
        self._random = random
        self._bytes_max = bytes_max
        self._inodes_max = inodes_max
        self._numbers = 0
        self._durable: dict[str, Inode] = {}
        self._journal: list[tuple[Change, ...]] = []
        """What happened to names since the last sync of their folder; of each step all lasts, or nothing."""
        self.names: dict[str, Inode] = {}
        self.foreign_bytes = 0
        self.foreign_inodes = 0

    def inode(self, path: str) -> Inode:
        """The file at ``path``.

        Raises:
            FileNotFoundError: there is none.
        """
        try:
            return self.names[path]
        except KeyError:
            raise refusal(errno.ENOENT, path) from None

    def create(self, path: str) -> Inode:
        """A new empty file.

        Raises:
            FileExistsError: there is one.
            OSError: ENOSPC, no inode is left.
        """
        if path in self.names:
            raise refusal(errno.EEXIST, path)
        if self.free_inodes <= 0:
            raise refusal(errno.ENOSPC, path)
        self._numbers += 1
        inode = Inode(self._numbers)
        self._change((path, inode))
        return inode

    def put(self, path: str, content: bytes) -> None:
        """Somebody puts a file of this content there, whatever was there and however full the disk is."""
        self._numbers += 1
        self._change((path, Inode(self._numbers, bytearray(content))))

    def rename(self, path: str, to: str) -> None:
        """Give a file another name; what had it loses it."""
        self._change((to, self.inode(path)), (path, None))

    def remove(self, path: str) -> None:
        """Take a file's name away; whoever has it open may go on."""
        self.inode(path)
        self._change((path, None))

    def sync_folder(self) -> None:
        """Make all names last."""
        self._durable = dict(self.names)
        self._journal.clear()

    def check_room(self, inode: Inode, size: int) -> None:
        """Whether a file may grow to ``size``.

        Raises:
            OSError: ENOSPC.
        """
        growth = blocks(size) - blocks(len(inode.data))
        if growth > 0 and growth * BLOCK_BYTES > self.free_bytes:
            raise refusal(errno.ENOSPC, f"inode {inode.number}")

    @property
    def free_bytes(self) -> int:
        used = sum(blocks(len(inode.data)) for inode in self.names.values()) * BLOCK_BYTES
        return max(0, self._bytes_max - self.foreign_bytes - used)

    @property
    def free_inodes(self) -> int:
        return max(0, self._inodes_max - self.foreign_inodes - len(self.names))

    def lose_power(self) -> None:
        """Keep what was synced, and of the rest what chance leaves."""
        names = dict(self._durable)
        for step in self._journal[: self._random.randint(0, len(self._journal))]:
            _apply(names, step)
        self.names = names
        for inode in sorted(names.values(), key=lambda inode: inode.number):
            inode.lose_power(self._random)
        self.sync_folder()

    def settle(self) -> None:
        """Write everything back, as an idle system does sooner or later."""
        for inode in self.names.values():
            inode.sync()
        self.sync_folder()

    def _change(self, *step: Change) -> None:
        self._journal.append(step)
        _apply(self.names, step)


def _apply(names: dict[str, Inode], step: tuple[Change, ...]) -> None:
    for path, inode in step:
        if inode is None:
            names.pop(path, None)
        else:
            names[path] = inode


def blocks(size: int) -> int:
    """Blocks that a file of ``size`` bytes takes."""
    return -(-size // BLOCK_BYTES)


def refusal(number: int, path: str) -> OSError:
    """The error that a system call which ends with this errno raises."""
    return OSError(number, os.strerror(number), path)
