"""The buffer against a model, by hypothesis: whatever happens, nothing stored is lost unsaid."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from milepost_agent.buffer import blocks
from milepost_agent.buffer.policy import (
    GRADING_SHARE,
    HALF,
    WAL_BYTES_MAX,
    BufferLimits,
    DiskFacts,
    signal_class,
)
from milepost_agent.errors import StoreFullError
from milepost_agent.readings import Reading
from milepost_protocol.samples import UNKNOWN_CLASS, GapReason
from milepost_protocol.signals import SignalClass
from support.receipts import Committed
from support.stores import (
    CLOCK,
    DISK,
    DTC,
    ODOMETER,
    RPM,
    TRIPS,
    Entropy,
    all_batches,
    crash_image,
    open_store,
)

if TYPE_CHECKING:
    from milepost_agent.buffer.store import BufferStore
    from milepost_protocol.samples import Gap

CAP = BufferLimits(bytes_max=WAL_BYTES_MAX + 16 * 4096, free_bytes_min=0, free_inodes_min=0, age_ms_max=0)
FULL = DiskFacts(free_bytes=-1, free_inodes=None)


class BufferMachine(RuleBasedStateMachine):
    """Commits, crashes, receipts, evictions and restores against a list of what was stored."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "0" / "buffer.db"
        self.lives = 0
        self.entropy = Entropy()
        self.store: BufferStore = open_store(self.path, CAP, entropy=self.entropy)
        self.epoch = self.store.current.epoch
        self.stored: dict[int, Reading] = {}
        self.tiers: dict[int, str] = {}
        self.state: dict[str, int] | None = None
        self.server = Committed()
        self.receipted = 0
        self.told: list[tuple[int, int]] = []
        self.evicted: set[str] = set()
        self.thinned = False

    def teardown(self) -> None:
        event(f"evicted: {', '.join(sorted(self.evicted)) or 'nothing'}")
        event(f"thinned: {self.thinned}")
        self.store.close()
        self.folder.cleanup()

    @initialize(seed=st.integers(0, 2**32))
    def seed(self, seed: int) -> None:
        self.random = Random(seed)

    @rule(
        faults=st.integers(0, 40),
        odometers=st.integers(0, 100),
        trips=st.integers(0, 50),
        fine=st.integers(0, 400),
        is_disk_full=st.sampled_from([False, False, False, True]),
    )
    def commit(self, faults: int, odometers: int, trips: int, fine: int, is_disk_full: bool) -> None:
        self._commit(faults, odometers, trips, fine, is_disk_full=is_disk_full)

    @rule(fine=st.integers(200, 500), commits=st.integers(1, 12))
    def drive(self, fine: int, commits: int) -> None:
        for _ in range(commits):
            self._commit(1, 2, 3, fine, is_disk_full=False)

    def _commit(self, faults: int, odometers: int, trips: int, fine: int, *, is_disk_full: bool) -> None:
        rows = self._readings(faults, odometers, trips, fine)
        state = {"commits": len(self.stored)}
        first = max(self.stored, default=0) + 1
        is_graded = self.store.facts().used_bytes * GRADING_SHARE > CAP.bytes_max - WAL_BYTES_MAX
        try:
            last = self.store.commit(rows, state, CLOCK.read(), FULL if is_disk_full else DISK)
        except StoreFullError:
            # The invariants then see to it that nothing of it was stored; with room it must not happen.
            assert is_disk_full
            return
        assert last == first + len(rows) - 1
        self.state = state
        for tier, sample in blocks.stamp(rows, first, CLOCK.read(), is_graded=is_graded):
            assert sample.seq not in self.stored, "a seq was given out twice"
            self.tiers[sample.seq] = tier
            self.stored[sample.seq] = Reading(sample.signal, sample.value, CLOCK.mono_s)

    def _readings(self, faults: int, odometers: int, trips: int, fine: int) -> list[Reading]:
        number = self.random.randrange
        rows = [
            Reading(DTC, f"{self.random.randbytes(40).hex()} pending", CLOCK.mono_s) for _ in range(faults)
        ]
        rows += [Reading(ODOMETER, float(number(4_000_000)), CLOCK.mono_s) for _ in range(odometers)]
        rows += [Reading(TRIPS, float(number(4_000_000)), CLOCK.mono_s) for _ in range(trips)]
        rows += [Reading(RPM, float(number(20_000)), CLOCK.mono_s) for _ in range(fine)]
        self.random.shuffle(rows)
        return rows

    @rule()
    def crash(self) -> None:
        self.lives += 1
        image = crash_image(self.path, Path(self.folder.name) / str(self.lives))
        self.store.close()
        self.path = image
        self.store = open_store(self.path, CAP, entropy=self.entropy)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = open_store(self.path, CAP, entropy=self.entropy)

    @rule(share=st.floats(0, 1))
    def the_server_takes_some_batches(self, share: float) -> None:
        batches = all_batches(self.store, self.epoch, first=self.receipted + 1)
        for batch in batches[: round(share * len(batches) + 0.5)]:
            self.server.add(batch)
        self.receipted = max(self.receipted, self.server.receipt(self.epoch).seq)
        self.store.receive(self.epoch, self.receipted)

    @rule(share=st.floats(0, 1))
    def the_server_is_restored_to_an_older_state(self, share: float) -> None:
        self.receipted = round(self.receipted * share)
        for seq in [seq for seq in (*self.server.samples, *self.server.lost) if seq > self.receipted]:
            self.server.samples.pop(seq, None)
            self.server.lost.pop(seq, None)
        self.store.rewind(self.epoch, self.receipted)

    @invariant()
    def all_that_waits_is_a_sample_or_a_gap(self) -> None:
        last = max(self.stored, default=0)
        current = self.store.current
        assert (current.epoch, current.next_seq, current.receipted) == (self.epoch, last + 1, self.receipted)
        assert self.store.state() == self.state
        covered = self.receipted
        self.told = self.store.ranges_with(self.epoch, SignalClass.FAULT, self.receipted, 1_000)
        self.evicted |= set(self.store.facts().dropped)
        for batch in all_batches(self.store, self.epoch, first=self.receipted + 1):
            assert batch.first <= covered + 1 <= batch.last
            covered = batch.last
            for row in batch.samples():
                assert (row.signal, row.value) == self.stored[row.seq][:2]
                assert row.signal != DTC or row.seq <= self.receipted or self._is_told(row.seq)
            for gap in batch.gaps:
                self._check(gap)
        assert covered == last

    def _is_told(self, seq: int) -> bool:
        return any(first <= seq <= last for first, last in self.told)

    def _check(self, gap: Gap) -> None:
        assert gap.reason in (GapReason.DISK_BUDGET, GapReason.RESTORED)
        if gap.reason is GapReason.DISK_BUDGET:
            self.thinned |= any(self.tiers[seq] == HALF for seq in (gap.first, gap.last))
            truth: dict[str, int] = {}
            for seq in range(gap.first, gap.last + 1):
                name = signal_class(self.stored[seq].signal)
                truth[name] = truth.get(name, 0) + 1
            assert dict(gap.counts) == truth
        else:
            assert [name for name, _ in gap.counts] == [UNKNOWN_CLASS]

    @invariant()
    def the_file_stays_under_its_cap(self) -> None:
        assert self.store.facts().file_bytes <= CAP.bytes_max


TestBufferMachine = BufferMachine.TestCase
TestBufferMachine.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
