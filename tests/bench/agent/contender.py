"""What the benchmark asks of each contender, and what it tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


class Steady(NamedTuple):
    """The job in real time with a good link; memory in MB of 10^6 bytes, the rest a sample."""

    rss_mb: float
    cpu_percent: float
    disk_bytes_per_sample: float
    wire_bytes_per_sample: float


class Outage(NamedTuple):
    """Samples handed over while the link was cut, before a SIGKILL; what came of them when both were back.

    ``repeated`` are arrivals of what had come before; the drain is from the first arrival to the last.
    """

    handed_over: int
    lost: int
    repeated: int
    drain_samples_per_s: float


class Run(Protocol):
    """A contender that runs, with its uplink through a link of its own."""

    def steady(self, seconds: int) -> Steady:
        """Do the job for so many seconds."""
        ...

    def outage(self, samples: int, settle_s: float) -> Outage:
        """Cut the link, hand over, give ``settle_s`` to store, SIGKILL, start, mend, wait for silence."""
        ...


class Contender(Protocol):
    """One row of the table."""

    name: str

    def running(self, folder: Path) -> AbstractContextManager[Run]:
        """Start it with its files in ``folder``."""
        ...
