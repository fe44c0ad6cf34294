"""Thinning: fine series lose every second sample, and again, before anything is dropped."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost_agent.buffer import blocks, thinning
from milepost_agent.buffer.policy import HALF, QUARTER, WAL_BYTES_MAX, BufferLimits
from milepost_agent.readings import Reading
from milepost_protocol.samples import GapReason
from support.stores import CLOCK, ODOMETER, RPM, SPEED, all_batches, commit, open_store, readings

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_agent.buffer.store import BufferStore

CAP = BufferLimits(bytes_max=WAL_BYTES_MAX + 64 * 4096, free_bytes_min=0, free_inodes_min=0, age_ms_max=0)
STATE = "Vehicle.LowVoltageSystemState"


def numbered(signal: str, count: int) -> list[Reading]:
    """Readings, one a second, that say which one they are."""
    return [Reading(signal, float(n % 500), CLOCK.mono_s + n) for n in range(count)]


def grades(rows: list[Reading], signal: str) -> list[str]:
    tiers = thinning.tiers(rows, is_graded=True)
    return [tier for tier, row in zip(tiers, rows, strict=True) if row.signal == signal]


@given(counts=st.lists(st.integers(0, 200), min_size=3, max_size=3), seed=st.integers(0, 999))
def test_what_is_left_of_each_signal_is_evenly_spaced_and_has_its_last_sample(
    counts: list[int], seed: int
) -> None:
    rows = [*numbered(RPM, counts[0]), *numbered(SPEED, counts[1]), *numbered(ODOMETER, counts[2])]
    Random(seed).shuffle(rows)
    assert set(grades(rows, ODOMETER)) <= {"odometer"}
    for signal in (RPM, SPEED):
        found = grades(rows, signal)
        halved = [place for place, tier in enumerate(found) if tier != HALF]
        quartered = [place for place, tier in enumerate(found) if tier not in (HALF, QUARTER)]
        if found and HALF in found:
            assert {after - before for before, after in pairwise(halved)} <= {2}
            assert {after - before for before, after in pairwise(quartered)} <= {4}
            assert halved[-1] == quartered[-1] == len(found) - 1


def test_coarse_signals_and_states_are_not_thinned() -> None:
    rows = [*numbered(RPM, 500), *numbered(SPEED, thinning.SIGNAL_SAMPLES_MIN - 1)]
    rows += [Reading(STATE, "ON" if n % 2 else "OFF", CLOCK.mono_s + n) for n in range(200)]
    assert set(grades(rows, RPM)) == {HALF, QUARTER, "series"}
    assert set(grades(rows, SPEED)) == set(grades(rows, STATE)) == {"series"}
    few = numbered(RPM, 2 * thinning.TIER_SAMPLES_MIN - 1)
    assert set(grades(few, RPM)) == {"series"}


@given(count=st.integers(0, 300), others=st.integers(0, 20))
@settings(max_examples=30)
def test_within_a_commit_each_signal_keeps_its_last_seq_for_its_last_sample(count: int, others: int) -> None:
    rows = [*numbered(RPM, count), *numbered(ODOMETER, others)]
    stamped = blocks.stamp(rows, 7, CLOCK.read(), is_graded=True)
    assert [sample.seq for _, sample in stamped] == list(range(7, 7 + len(rows)))
    assert Counter((sample.signal, sample.value) for _, sample in stamped) == Counter(row[:2] for row in rows)
    if count:
        newest = max(sample for _, sample in stamped if sample.signal == RPM)
        assert newest.time_ms == max(sample.time_ms for _, sample in stamped if sample.signal == RPM)


@pytest.fixture
def store(tmp_path: Path) -> BufferStore:
    return open_store(tmp_path / "buffer.db", CAP)


def noise(count: int, random: Random) -> list[Reading]:
    return [Reading(RPM, float(random.randrange(16_000)), CLOCK.mono_s + n / 10) for n in range(count)]


def test_fine_series_are_thinned_all_over_before_any_of_it_is_dropped_whole(store: BufferStore) -> None:
    random, commits = Random(1), 0
    stored: dict[float, None] = {}
    while len(store.facts().dropped) < 1 or store.facts().dropped["series"] < 12_000:
        rows = noise(400, random)
        commit(store, rows, readings(1, ODOMETER, start=commits))
        stored |= dict.fromkeys(row.value for row in rows)
        commits += 1
    batches = all_batches(store, store.current.epoch)
    gaps = [gap for batch in batches for gap in batch.gaps]
    kept = [row for batch in batches for row in batch.samples()]
    assert {gap.reason for gap in gaps} == {GapReason.DISK_BUDGET}
    assert sum(dict(gap.counts)["series"] for gap in gaps) == store.facts().dropped["series"]
    assert [row.value for row in kept if row.signal == ODOMETER] == list(range(commits))
    fine = [row for row in kept if row.signal == RPM]
    assert len(fine) + store.facts().dropped["series"] == 400 * commits
    assert {row.value for row in fine} <= set(stored)
    # One gap a commit at most, however often it was thinned.
    assert store.facts().waiting_gaps == len(gaps) <= commits
    thinned = [gap for gap in gaps if gap.samples < 400]
    assert len(thinned) > len(gaps) / 2
    assert {gap.samples for gap in thinned} <= {200, 300}
    store.close()


def test_blocks_are_numbered_by_time_as_long_as_the_file_is_far_from_full(store: BufferStore) -> None:
    commit(store, noise(400, Random(2)))
    (batch,) = all_batches(store, store.current.epoch)
    times = [row.time_ms for row in batch.samples()]
    assert times == sorted(times)
    for _ in range(20):
        commit(store, noise(400, Random(2)))
    last = all_batches(store, store.current.epoch)[-1]
    times = [row.time_ms for row in last.samples()]
    assert times != sorted(times)
    store.close()
