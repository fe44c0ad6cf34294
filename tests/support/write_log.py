"""A disk whose writes QEMU records (its driver ``blklogwrites``), and what a power cut leaves of it.

The file is that of dm-log-writes, little-endian::

    sector 0       magic, version, number of entries (u64 each), bytes of a sector (u32)
    each entry     at the start of a sector: first sector, sectors, flags, bytes of a mark (u64 each),
                   then in the next sectors what was written

What was written before the last flush that is in the log was on the disk. Of what came after, a cut keeps
what ``way`` says: a disk may have written any of it, in any order, and tears a request between its blocks.
"""

from __future__ import annotations

import shutil
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from support.power_cut import Way

MAGIC = 0x6A736677736872
BLOCKS = {"sectors": 512, "pages": 4096}
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")


class Write(NamedTuple):
    """A request: ``data`` at ``offset``, in bytes; a flush brings all before it to the disk."""

    offset: int
    data: bytes
    is_flush: bool
    is_through: bool
    """Whether this write itself was on the disk when it returned."""


class Cut(NamedTuple):
    """What a cut came to: requests on the disk, and requests in its cache when the power went."""

    durable: int
    waiting: int
    flushes: int


def requests(log: bytes) -> Iterator[Write]:
    """What was asked of the disk, in order.

    The number of entries in the file is that of its last update: what came later stands behind it.
    """
    magic, _, _, sector_bytes = _SUPER.unpack_from(log)
    assert magic == MAGIC, "no log of writes"
    at = sector_bytes
    while at + sector_bytes <= len(log):
        sector, sectors, flags, _ = _ENTRY.unpack_from(log, at)
        if not (sectors or flags):
            return
        at += sector_bytes
        size = 0 if flags & (DISCARD | MARK) else sectors * sector_bytes
        if at + size > len(log):
            return  # its data did not get there any more
        yield Write(
            sector * sector_bytes, log[at : at + size], bool(flags & FLUSH), bool(flags & FUA and size)
        )
        at += size


def after_cut(before: Path, log: Path, into: Path, way: Way, random: Random) -> Cut:
    """Write the image of the disk after the cut; ``before`` is the image when the log began."""
    asked = list(requests(log.read_bytes()))
    last_flush = max((at for at, one in enumerate(asked) if one.is_flush), default=-1)
    waiting = [at for at, one in enumerate(asked) if at > last_flush and one.data and not one.is_through]
    upto = random.randint(0, len(waiting)) if way == "prefix" else len(waiting)
    lost = set(waiting[upto:]) if way == "prefix" else set(waiting) if way == "dropped" else set()
    torn = set(waiting) if way in BLOCKS else set()
    shutil.copyfile(before, into)
    with into.open("r+b") as image:
        for at, one in enumerate(asked):
            if at in lost:
                continue
            step = BLOCKS[way] if at in torn else max(1, len(one.data))
            for start in range(0, len(one.data), step):
                if at not in torn or random.random() < 0.5:
                    image.seek(one.offset + start)
                    image.write(one.data[start : start + step])
    return Cut(len(asked) - len(waiting), len(waiting), sum(one.is_flush for one in asked))
