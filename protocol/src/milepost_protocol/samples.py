"""What flows: samples, and gaps where samples were dropped."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from milepost_protocol.errors import LimitError

if TYPE_CHECKING:
    from milepost_protocol.signals import Value


class TimeTrust(enum.StrEnum):
    """How far the device believed its clock when it stamped a sample."""

    SYNCED = "synced"
    RTC = "rtc"
    UNTRUSTED = "untrusted"
    REPAIRED = "repaired"
    """Stamped untrusted, then moved by the offset found when the clock synced in the same boot."""


class GapReason(enum.StrEnum):
    """Why samples were dropped."""

    DISK_BUDGET = "disk_budget"
    AGE = "age"
    DISK_FULL = "disk_full"
    CORRUPT = "corrupt"
    RESTORED = "restored"
    """The server, restored from an older state, asks for what was receipted and deleted before."""


UNKNOWN_CLASS = "unknown"
"""Counts samples whose class the device can no longer tell, as after a corrupt file."""


class Sample(NamedTuple):
    """One value of one signal at one time."""

    seq: int
    time_ms: int
    trust: TimeTrust
    signal: str
    value: Value


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of consecutive seqs, ``first`` to ``last`` inclusive, all of which were dropped.

    ``counts`` are (signal class or ``unknown``, number of samples); the numbers add up to the run's length.

    Raises:
        LimitError: the counts do not add up, or the run is empty.
    """

    first: int
    last: int
    reason: GapReason
    counts: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        if sum(count for _, count in self.counts) != self.last - self.first + 1 or self.first > self.last:
            raise LimitError(f"gap {self.first}..{self.last}: its counts {self.counts} do not add up")

    @property
    def samples(self) -> int:
        """How many samples were dropped."""
        return self.last - self.first + 1
