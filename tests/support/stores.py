"""Buffers for tests: limits, clocks and disks that a test sets, and crash images of an open file."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from milepost_agent.buffer.files import POSIX
from milepost_agent.buffer.policy import BufferLimits, DiskFacts
from milepost_agent.buffer.store import BufferStore
from milepost_agent.clock import BUILT_MS, ClockReading
from milepost_agent.readings import Reading
from milepost_protocol.codec import decode_batch
from milepost_protocol.samples import TimeTrust

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_agent.buffer.checks import Patience
    from milepost_agent.buffer.files import Files
    from milepost_protocol.batch import Batch

DEVICE = "gw-000017"
ODOMETER = "Vehicle.TraveledDistance"
SPEED = "Vehicle.Speed"
RPM = "Vehicle.Powertrain.CombustionEngine.Speed"
DTC = "Vehicle.Milepost.Diagnostics.Dtc"
TRIPS = "Vehicle.Milepost.Trip.Count"
LIMITS = BufferLimits(bytes_max=64 << 20, free_bytes_min=1 << 20, free_inodes_min=10, age_ms_max=0)
DISK = DiskFacts(free_bytes=1 << 40, free_inodes=1_000_000)
DAY_MS = 86_400_000


@dataclass(frozen=True)
class FakeClock:
    """Clocks that stand still until the test moves them."""

    wall_ms: int = BUILT_MS + 400 * DAY_MS
    mono_s: float = 1_000.0
    trust: TimeTrust = TimeTrust.SYNCED
    boot: str = "boot-1"

    def read(self) -> ClockReading:
        """One look at them."""
        offset_ms = self.wall_ms - round(self.mono_s * 1000)
        return ClockReading(self.wall_ms, self.mono_s, offset_ms, self.trust, self.boot)

    def later(self, seconds: float) -> FakeClock:
        """The same clocks after some time."""
        return replace(self, wall_ms=self.wall_ms + round(seconds * 1000), mono_s=self.mono_s + seconds)


CLOCK = FakeClock()


class Entropy:
    """Random bytes that are not: each call gives other ones, the same in each run."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, count: int) -> bytes:
        self._calls += 1
        return self._calls.to_bytes(count, "big")


def open_store(
    path: Path,
    limits: BufferLimits = LIMITS,
    disk: DiskFacts = DISK,
    device: str = DEVICE,
    entropy: Entropy | None = None,
    files: Files = POSIX,
    patience: Patience | None = None,
) -> BufferStore:
    """The buffer at ``path``."""
    return BufferStore.open(path, device, limits, entropy or Entropy(), disk, files=files, patience=patience)


def readings(
    count: int, signal: str = ODOMETER, mono_s: float = CLOCK.mono_s, start: int = 0
) -> list[Reading]:
    """``count`` readings of one signal whose values tell them apart."""
    texts = signal == DTC
    return [
        Reading(signal, f"P{start + n:04d} pending" if texts else float(start + n), mono_s)
        for n in range(count)
    ]


def commit(
    store: BufferStore, *groups: list[Reading], clock: FakeClock = CLOCK, disk: DiskFacts = DISK
) -> int:
    """Commit the readings of all groups; the last seq."""
    return store.commit([row for group in groups for row in group], {}, clock.read(), disk)


def all_batches(store: BufferStore, epoch: str, clock: FakeClock = CLOCK, first: int = 1) -> list[Batch]:
    """Everything of an epoch that waits, as a server would decode it."""
    found: list[Batch] = []
    while cut := store.cut(epoch, first, 2**60, clock.read()):
        found.append(decode_batch(cut.payload))
        assert (found[-1].first, found[-1].last) == (cut.first, cut.last)
        first = cut.last + 1
    return found


def crash_image(path: Path, folder: Path) -> Path:
    """A copy of the open buffer as SIGKILL would leave it: file and log, no clean end."""
    folder.mkdir(parents=True)
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, folder / file.name)
    return folder / path.name
