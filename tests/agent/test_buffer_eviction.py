"""Eviction: by value, by age, by room on the disk; each drop is a gap with its counts."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from milepost_agent.buffer.policy import BufferLimits, DiskFacts
from milepost_agent.errors import StoreFullError
from milepost_agent.readings import Reading
from milepost_protocol.samples import Gap, GapReason, TimeTrust
from support.stores import (
    CLOCK,
    DAY_MS,
    DTC,
    ODOMETER,
    SPEED,
    TRIPS,
    all_batches,
    commit,
    open_store,
    readings,
)

if TYPE_CHECKING:
    from pathlib import Path

SMALL = BufferLimits(bytes_max=9 << 16, free_bytes_min=0, free_inodes_min=0, age_ms_max=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "buffer.db"


def noisy(count: int, signal: str, random: Random, highest: int = 4_000_000) -> list[Reading]:
    """Readings that do not compress away."""
    return [Reading(signal, float(random.randrange(highest)), CLOCK.mono_s) for _ in range(count)]


def codes(count: int, random: Random) -> list[Reading]:
    """Fault events; incompressible, too."""
    return [Reading(DTC, f"{random.randbytes(40).hex()} pending", CLOCK.mono_s) for _ in range(count)]


def counts(gaps: list[Gap]) -> dict[str, int]:
    total: dict[str, int] = {}
    for gap in gaps:
        for name, count in gap.counts:
            total[name] = total.get(name, 0) + count
    return total


def test_over_the_cap_the_least_valuable_class_goes_first_and_leaves_gaps(path: Path) -> None:
    store, random = open_store(path, SMALL), Random(1)
    for number in range(40):
        commit(store, noisy(2000, SPEED, random, 400), noisy(20, TRIPS, random), noisy(2, ODOMETER, random))
        commit(store, readings(1, DTC, start=number))
    facts = store.facts()
    assert facts.file_bytes <= SMALL.bytes_max
    assert set(facts.dropped) == {"series"}
    assert facts.waiting == 40 * 2023
    batches = all_batches(store, store.current.epoch)
    lost = counts([gap for batch in batches for gap in batch.gaps])
    kept = [row.signal for batch in batches for row in batch.samples()]
    assert lost == {"series": facts.dropped["series"]}
    assert kept.count(SPEED) + lost["series"] == 40 * 2000
    assert (kept.count(TRIPS), kept.count(ODOMETER), kept.count(DTC)) == (800, 80, 40)
    store.close()


def test_faults_outlive_all_others(path: Path) -> None:
    store, random = open_store(path, SMALL), Random(2)
    commits = 0
    while "odometer" not in store.facts().dropped:
        commit(store, noisy(500, SPEED, random, 400), noisy(4000, ODOMETER, random), codes(1, random))
        commits += 1
    assert set(store.facts().dropped) == {"series", "odometer"}
    signals = [row.signal for batch in all_batches(store, store.current.epoch) for row in batch.samples()]
    assert signals.count(DTC) == commits
    assert SPEED not in signals
    store.close()


def test_a_fine_series_never_costs_a_stored_fault(path: Path) -> None:
    store, random = open_store(path, SMALL), Random(3)
    faults = 0
    while "fault" not in store.facts().dropped:
        commit(store, codes(1000, random))
        faults += 1000
    dropped = store.facts().dropped["fault"]
    for _ in range(40):
        commit(store, noisy(4000, SPEED, random, 400))
    assert store.facts().dropped["fault"] == dropped
    assert store.facts().dropped["series"] > 0
    assert store.facts().waiting == faults + 160_000
    store.close()


def test_a_long_run_of_drops_stays_one_gap(path: Path) -> None:
    store, random = open_store(path, SMALL), Random(4)
    for _ in range(80):
        commit(store, noisy(2000, ODOMETER, random))
    facts = store.facts()
    assert (facts.waiting_gaps, facts.waiting_gap_samples) == (1, facts.dropped["odometer"])
    assert facts.waiting_gap_samples > 10_000
    store.close()


def test_when_others_fill_the_disk_only_fine_series_give_way(path: Path) -> None:
    store, random = open_store(path), Random(5)
    for _ in range(20):
        commit(store, noisy(2000, SPEED, random, 400), readings(1))
    full = DiskFacts(free_bytes=0, free_inodes=None)
    stored = 0
    while True:
        before = store.facts()
        try:
            commit(store, noisy(2000, ODOMETER, random), disk=full)
        except StoreFullError:
            break
        stored += 2000
    assert stored > 0
    assert store.facts() == before
    assert set(before.dropped) == {"series"}
    store.close()


def test_old_samples_go_by_class(path: Path) -> None:
    limits = BufferLimits(bytes_max=64 << 20, free_bytes_min=0, free_inodes_min=0, age_ms_max=100 * DAY_MS)
    store = open_store(path, limits)
    commit(store, readings(5, SPEED), readings(5, TRIPS), readings(5))
    commit(store, readings(1), clock=CLOCK.later(30 * 86_400))
    assert store.facts().dropped == {"series": 5}
    commit(store, readings(1), clock=CLOCK.later(120 * 86_400))
    assert store.facts().dropped == {"series": 5, "counter": 5}
    (batch,) = all_batches(store, store.current.epoch)
    assert [(gap.reason, gap.samples) for gap in batch.gaps] == [(GapReason.AGE, 10)]
    store.close()


@pytest.mark.parametrize("trust", [TimeTrust.UNTRUSTED, TimeTrust.RTC])
def test_a_clock_that_is_not_synced_makes_nothing_old(path: Path, trust: TimeTrust) -> None:
    limits = BufferLimits(bytes_max=64 << 20, free_bytes_min=0, free_inodes_min=0, age_ms_max=DAY_MS)
    store = open_store(path, limits)
    commit(store, readings(5, SPEED))
    five_years_s = 5 * 365 * 86_400
    commit(store, readings(1), clock=replace(CLOCK.later(five_years_s), trust=trust))
    assert store.facts().dropped == {}
    store.close()


def test_after_a_step_back_of_the_clock_age_is_looked_at_again(path: Path) -> None:
    limits = BufferLimits(bytes_max=64 << 20, free_bytes_min=0, free_inodes_min=0, age_ms_max=100 * DAY_MS)
    store = open_store(path, limits)
    commit(store, readings(1), clock=CLOCK.later(300 * 86_400))
    commit(store, readings(5, SPEED))
    commit(store, readings(1), clock=CLOCK.later(30 * 86_400))
    assert store.facts().dropped == {"series": 5}
    store.close()


def test_after_a_new_epoch_the_oldest_still_goes_first(path: Path) -> None:
    store, random = open_store(path, SMALL), Random(5)
    while not store.facts().dropped:
        commit(store, codes(100, random))
    store.receive(store.current.epoch, store.current.next_seq // 2)
    store.renew_epoch()
    for _ in range(30):
        commit(store, codes(100, random))
    batches = all_batches(store, store.current.epoch)
    oldest = min(row.seq for batch in batches for row in batch.samples())
    assert all(gap.last < oldest for batch in batches for gap in batch.gaps)
    store.close()
