"""What may lie in the buffer, and what goes first when it is too much. Pure: facts in, decisions out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_protocol.errors import UnknownSignalError
from milepost_protocol.samples import UNKNOWN_CLASS
from milepost_protocol.signals import SignalClass, catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

DROP_ORDER: Final = (UNKNOWN_CLASS, *(member.value for member in SignalClass))
"""Signal classes, least valuable first; a signal that the catalogue no longer has comes before all."""

HALF: Final = f"{SignalClass.SERIES}/2"
QUARTER: Final = f"{SignalClass.SERIES}/4"
TIERS: Final = (UNKNOWN_CLASS, HALF, QUARTER, *(member.value for member in SignalClass))
"""What is dropped in one go, least valuable first: classes, the fine series in three parts.

Without ``HALF`` every second sample of a series is left, without ``QUARTER`` too every fourth.
"""
RANK: Final = {name: rank for rank, name in enumerate(TIERS)}

AGE_FACTOR: Final[Mapping[str, float]] = {
    UNKNOWN_CLASS: 0.25,
    SignalClass.SERIES: 0.25,
    SignalClass.EVENT: 0.5,
    SignalClass.COUNTER: 1.0,
    SignalClass.WEAR: 1.0,
    SignalClass.ODOMETER: 4.0,
    SignalClass.FAULT: 4.0,
}
"""A class is dropped at this multiple of the age cap: fine series long before odometer and faults."""

YIELDS_TO_DISK: Final = (UNKNOWN_CLASS, HALF, QUARTER, SignalClass.SERIES.value)
"""What is evicted when others have filled the disk; all else waits in memory, that may pass."""

WAL_BYTES_MAX: Final = 512 * 1024
"""What the write-ahead log may keep of the disk between commits; part of the byte cap."""
PAGES_SLACK: Final = 4
"""Pages that a commit may need beside its blocks: the stream's row and inner nodes of the tree."""
GRADING_SHARE: Final = 8
"""From this fraction (1 / n) of the cap on, blocks are made ready for thinning: that costs the link bytes."""
MARGIN_SHARE: Final = 32
"""Eviction frees this fraction (1 / n) of the cap beyond the need, so that not every commit must evict."""


@dataclass(frozen=True, slots=True)
class BufferLimits:
    """The caps of one buffer file.

    Attributes:
        bytes_max: the file and its log together.
        free_bytes_min: what the buffer leaves free on its file system; below, it reuses its own pages only.
        free_inodes_min: below, no new file is made.
        age_ms_max: age cap, multiplied by ``AGE_FACTOR`` for each class; 0 means none.
    """

    bytes_max: int
    free_bytes_min: int
    free_inodes_min: int
    age_ms_max: int


class DiskFacts(NamedTuple):
    """What is free on the buffer's file system; ``free_inodes`` is None where it does not count them."""

    free_bytes: int
    free_inodes: int | None


class FileFacts(NamedTuple):
    """Pages of the database file, how many of them are free for reuse, and how large one is."""

    pages: int
    free_pages: int
    page_bytes: int


class Shortfall(NamedTuple):
    """Pages to free before a commit: ``must`` or it is refused, ``should`` so that the next need not.

    ``is_disk``: it is the disk that is short, not the buffer's own cap.
    """

    must: int
    should: int
    is_disk: bool


def signal_class(path: str) -> str:
    """The class of the signal at ``path``, ``unknown`` where the catalogue does not have it."""
    try:
        return catalogue()[path].signal_class.value
    except UnknownSignalError:
        return UNKNOWN_CLASS


def tier_class(tier: str) -> str:
    """The class that a tier is part of."""
    return tier.partition("/")[0]


def is_filling(limits: BufferLimits, file: FileFacts) -> bool:
    """Whether so much waits that thinning may come."""
    return (file.pages - file.free_pages) * GRADING_SHARE > _cap_pages(limits, file)


def _cap_pages(limits: BufferLimits, file: FileFacts) -> int:
    return (limits.bytes_max - WAL_BYTES_MAX) // file.page_bytes


def shortfall(limits: BufferLimits, disk: DiskFacts, file: FileFacts, incoming_bytes: int) -> Shortfall:
    """How many pages eviction has to free so that ``incoming_bytes`` of blocks can be committed.

    A commit without blocks always fits: gaps and counters must not cost a stored fault.
    """
    need_pages = -(-incoming_bytes // file.page_bytes) + PAGES_SLACK if incoming_bytes else 0
    cap_pages = _cap_pages(limits, file)
    over_cap = file.pages - file.free_pages + need_pages - cap_pages
    may_grow = disk.free_bytes >= limits.free_bytes_min + need_pages * file.page_bytes
    over_disk = 0 if may_grow else need_pages - file.free_pages
    must = max(over_cap, over_disk, 0)
    return Shortfall(
        must, must + cap_pages // MARGIN_SHARE if must else 0, is_disk=over_disk > max(over_cap, 0)
    )


def has_inodes(limits: BufferLimits, disk: DiskFacts) -> bool:
    """Whether a new file may be made."""
    return disk.free_inodes is None or disk.free_inodes >= limits.free_inodes_min


def oldest_kept_ms(limits: BufferLimits, name: str, now_ms: int) -> int:
    """Samples of class ``name`` stored before this time are too old."""
    return now_ms - round(limits.age_ms_max * AGE_FACTOR[name])
