"""The audit at the end of a history: every sample that was ever stored, and where it is now."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from milepost_agent.buffer.policy import signal_class
from milepost_protocol.codec import decode_batch
from milepost_protocol.samples import UNKNOWN_CLASS, GapReason
from milepost_simulator.world.car import BELIEVED, is_unique
from milepost_simulator.world.life import DEVICE
from milepost_simulator.world.server import Archive, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_protocol.samples import Gap
    from milepost_protocol.signals import Value
    from milepost_simulator.world.ledger import Stored
    from milepost_simulator.world.world import World

TIME_TOLERANCE_MS: Final = 1_000
EXCUSE_OF: Final[Mapping[GapReason, frozenset[str]]] = {
    GapReason.RESTORED: frozenset({"restored"}),
    GapReason.CORRUPT: frozenset({"damaged", "older_copy"}),
    GapReason.DISK_FULL: frozenset({"disk"}),
    GapReason.DISK_BUDGET: frozenset({"disk", "small"}),
    GapReason.AGE: frozenset({"age"}),
}
"""What must have been done from outside for a gap of each reason to be honest."""
NOWHERE_MAX: Final = 5


def audit(world: World) -> None:
    """Find each stored sample at the server, or the gap that tells of it."""
    if world.scenario.buffer_bytes_max:
        world.excuses.add("small")
    _Audit(world).run()


class _Audit:
    def __init__(self, world: World) -> None:
        self._world = world
        self._ledger = world.ledger
        self._counts = world.ledger.counts
        self._streams = world.ingest.archive.streams
        self._nowhere: list[str] = []
        self._in_gaps: dict[str, dict[int, Gap]] = {}
        self._is_copy = "older_copy" in world.excuses
        self._contents = _contents(world.ingest.archive) if self._is_copy else frozenset()

    def run(self) -> None:
        for epoch, books in self._ledger.epochs.items():
            stream = self._streams.get((DEVICE, epoch), Stream())
            self._in_gaps[epoch] = stream.in_gaps()
            for seq, stored in books.stored.items():
                self._find(epoch, stream, seq, stored)
            self._check_gaps(epoch, stream)
        for epoch, sample in self._ledger.overwritten:
            is_told = sample.seq in self._in_gaps[epoch] or self._has_moved(epoch, sample.seq)
            if not is_told and (sample.signal, sample.value) not in self._contents:
                self._counts["lost_to_copies"] += 1
        for reason, _ in self._world.ingest.archive.quarantine:
            if not self._is_copy:
                self._ledger.violate(f"a payload of the agent went to quarantine: {reason}")
        self._count_doubles()
        if self._nowhere:
            self._counts["lost"] += len(self._nowhere)
            some = ", ".join(self._nowhere[:NOWHERE_MAX])
            self._ledger.violate(f"{len(self._nowhere)} stored samples are nowhere: {some}")

    def _count_doubles(self) -> None:
        """Find readings that the server has under two seqs."""
        arrived = Counter(
            (sample.signal, sample.value)
            for stream in self._streams.values()
            for sample in stream.samples.values()
            if is_unique(sample)
        )
        doubled = [content for content, times in arrived.items() if times > 1]
        if not doubled:
            return
        self._counts["doubled_by_copies" if self._is_copy else "doubled"] += len(doubled)
        if not self._is_copy:
            some = ", ".join(f"{signal} = {value!r:.20}" for signal, value in doubled[:NOWHERE_MAX])
            self._ledger.violate(f"{len(doubled)} readings are at the server twice: {some}")

    def _find(self, epoch: str, stream: Stream, seq: int, stored: Stored) -> None:
        sample = stream.samples.get(seq)
        if sample is not None:
            self._compare(epoch, seq, stored)
            return
        if seq in self._in_gaps[epoch]:
            self._counts["in_gaps"] += 1
            return
        if stream.is_held(seq):
            self._counts["in_quarantine"] += 1
            return
        if self._has_moved(epoch, seq):
            self._counts["moved"] += 1
            return
        self._find_elsewhere(epoch, seq, stored)

    def _has_moved(self, epoch: str, seq: int) -> bool:
        """Whether the sample got a seq in a later epoch, and the server has that, whatever its fate."""
        moved = self._ledger.epochs[epoch].moved_to
        if moved is None or seq <= moved[1]:
            return False
        return self._streams.get((DEVICE, moved[0]), Stream()).covers(seq - moved[1])

    def _find_elsewhere(self, epoch: str, seq: int, stored: Stored) -> None:
        """Find a sample whose seq is not its own any more, or an excuse for it."""
        if (stored.sample.signal, stored.sample.value) in self._contents:
            self._counts["elsewhere"] += 1
            return
        if seq <= self._ledger.epochs[epoch].excused:
            self._counts["lost_to_damage"] += 1
            return
        self._nowhere.append(f"{epoch} {seq}")

    def _compare(self, epoch: str, seq: int, stored: Stored) -> None:
        sample = self._streams[DEVICE, epoch].samples[seq]
        known = stored.sample
        if (sample.signal, sample.value) != (known.signal, known.value):
            if not self._is_copy:
                self._ledger.violate(
                    f"seq {seq} of {epoch} is {sample.signal} = {sample.value!r:.40} at the server, "
                    f"was stored as {known.signal} = {known.value!r:.40}"
                )
            self._find_elsewhere(epoch, seq, stored)
            return
        self._counts["arrived"] += 1
        if stored.true_ms is None or sample.trust not in BELIEVED:
            return
        if abs(sample.time_ms - stored.true_ms) > TIME_TOLERANCE_MS:
            self._ledger.violate(
                f"seq {seq} of {epoch} is {sample.trust} at {sample.time_ms}, "
                f"{sample.time_ms - stored.true_ms} ms from its true time"
            )

    def _check_gaps(self, epoch: str, stream: Stream) -> None:
        stored = self._ledger.epochs[epoch].stored
        for gap, spans in stream.gaps:
            self._counts[f"gap_{gap.reason}"] += sum(last - first + 1 for first, last in spans)
            if not EXCUSE_OF[gap.reason] & self._world.excuses:
                self._ledger.violate(f"gap {gap.first}..{gap.last} of {epoch} is {gap.reason}, for no reason")
            if spans == ((gap.first, gap.last),) and not self._is_copy:
                self._check_counts(epoch, gap, stored)

    def _check_counts(self, epoch: str, gap: Gap, stored: dict[int, Stored]) -> None:
        """Where each seq of a gap was seen when it was stored, the gap must count them by their class."""
        said = dict(gap.counts)
        if UNKNOWN_CLASS in said or not all(seq in stored for seq in range(gap.first, gap.last + 1)):
            return
        seen = Counter(signal_class(stored[seq].sample.signal) for seq in range(gap.first, gap.last + 1))
        if dict(seen) != said:
            self._ledger.violate(
                f"gap {gap.first}..{gap.last} of {epoch} says {said}, stored were {dict(seen)}"
            )


def _contents(archive: Archive) -> frozenset[tuple[str, Value]]:
    """All that the server has, in quarantine too, wherever it stands."""
    found = {
        (sample.signal, sample.value)
        for stream in archive.streams.values()
        for sample in stream.samples.values()
    }
    for _, payload in archive.quarantine:
        found.update((sample.signal, sample.value) for sample in decode_batch(payload).samples())
    return frozenset(found)
