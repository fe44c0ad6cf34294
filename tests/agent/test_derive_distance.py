"""Distance and odometer: what integration gives, what it does not know, and who speaks for the odometer."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_agent import paths
from milepost_agent.derive.distance import (
    CAR_SILENT_M_MAX,
    GAP_S_MAX,
    GAP_UNKNOWN_S_MAX,
    RESTART_S,
    SCALE_SIGMA,
    Distance,
)
from milepost_agent.errors import EdgeStateError
from milepost_agent.readings import Reading
from milepost_simulator.car import pids
from milepost_simulator.car.recorded import load_drive

if TYPE_CHECKING:
    from pathlib import Path


def drive(distance: Distance, kmh: float, seconds: int, begin_s: float = 0.0) -> list[Reading]:
    """Constant speed at one reading a second."""
    return [
        out
        for second in range(seconds + 1)
        for out in distance.feed(Reading(paths.SPEED, kmh, begin_s + second))
    ]


def last(readings: list[Reading]) -> dict[str, object]:
    return {reading.signal: reading.value for reading in readings}


def test_constant_speed_is_speed_times_time() -> None:
    distance = Distance()
    assert last(drive(distance, 36.0, 100))[paths.DISTANCE] == pytest.approx(1000.0)
    assert distance.sigma_m == pytest.approx(SCALE_SIGMA * 1000.0, rel=0.01)


def test_a_ramp_is_a_trapezoid() -> None:
    distance = Distance()
    for second in range(11):
        distance.feed(Reading(paths.SPEED, 3.6 * second, float(second)))
    assert distance.integrated_m == pytest.approx(50.0)


@given(
    st.lists(st.tuples(st.floats(0, 250), st.floats(0, 4_000)), min_size=2, max_size=50),
)
def test_no_gap_is_ever_driven_through_and_nothing_ever_falls(steps: list[tuple[float, float]]) -> None:
    distance = Distance()
    now_s, at_most_m, before = 0.0, 0.0, (0.0, 0.0)
    for (kmh, wait_s), (last_kmh, _) in zip(steps, [steps[0], *steps], strict=False):
        now_s += wait_s
        at_most_m += max(kmh, last_kmh) / 3.6 * min(wait_s, GAP_S_MAX)
        distance.feed(Reading(paths.SPEED, kmh, now_s))
        after = (distance.integrated_m, distance.sigma_m)
        assert after[0] >= before[0]
        assert after[1] >= before[1]
        before = after
    assert distance.integrated_m <= at_most_m * 1.000001 + 1e-6


def test_what_was_not_seen_is_uncertain_up_to_a_limit() -> None:
    seen, gap, long_gap = Distance(), Distance(), Distance()
    for distance, wait_s in ((seen, GAP_S_MAX), (gap, 65.0), (long_gap, 1e6)):
        distance.feed(Reading(paths.SPEED, 36.0, 0.0))
        distance.feed(Reading(paths.SPEED, 36.0, wait_s))
    assert seen.integrated_m == gap.integrated_m == long_gap.integrated_m == pytest.approx(50.0)
    assert seen.sigma_m < 3
    assert gap.sigma_m == pytest.approx(600.0, rel=0.01)
    assert long_gap.sigma_m == pytest.approx(10 * GAP_UNKNOWN_S_MAX, rel=0.01)


def test_time_that_stands_still_or_goes_back_adds_nothing() -> None:
    distance = Distance()
    for at_s in (10.0, 10.0, 5.0):
        distance.feed(Reading(paths.SPEED, 100.0, at_s))
    assert distance.integrated_m == 0.0


def test_the_cars_own_odometer_wins_and_has_no_uncertainty() -> None:
    distance = Distance(anchor_odometer_m=5_000_000, anchor_id="2026-01-01")
    assert last(distance.feed(Reading(paths.ODOMETER, 123_456_700, 0.0))) == {
        paths.ODOMETER: 123_456_700,
        paths.ODOMETER_SOURCE: "car",
        paths.ODOMETER_UNCERTAINTY: 0.0,
    }
    assert paths.ODOMETER not in last(drive(distance, 72.0, 60))


def test_where_the_cars_odometer_falls_silent_its_last_word_is_carried_on() -> None:
    distance = Distance()
    distance.feed(Reading(paths.ODOMETER, 1_000_000, 0.0))
    found = last(drive(distance, 72.0, 110))
    assert distance.integrated_m > CAR_SILENT_M_MAX
    assert found[paths.ODOMETER] == 1_002_200
    assert found[paths.ODOMETER_SOURCE] == "anchored"


def test_an_entered_reading_is_carried_on_with_growing_uncertainty() -> None:
    distance = Distance(anchor_odometer_m=5_000_000, anchor_id="2026-01-01", anchor_sigma_m=500)
    first, second = last(drive(distance, 72.0, 1)), last(drive(distance, 72.0, 10_000, 10.0))
    assert first[paths.ODOMETER] == 5_000_020
    assert second[paths.ODOMETER] == pytest.approx(5_200_000, abs=200)
    assert first[paths.ODOMETER_UNCERTAINTY] == pytest.approx(500, abs=1)
    assert second[paths.ODOMETER_UNCERTAINTY] == pytest.approx(4_031, rel=0.01)


def test_the_same_entry_does_not_anchor_again_and_another_does() -> None:
    distance = Distance(anchor_odometer_m=5_000_000, anchor_id="2026-01-01")
    drive(distance, 72.0, 500)
    saved = json.loads(json.dumps(distance.state()))

    same = Distance(anchor_odometer_m=5_000_000, anchor_id="2026-01-01")
    same.restore(saved)
    assert last(drive(same, 72.0, 50))[paths.ODOMETER] == 5_011_000

    other = Distance(anchor_odometer_m=5_020_000, anchor_id="2026-02-01")
    other.restore(saved)
    found = last(drive(other, 72.0, 50))
    assert found[paths.ODOMETER] == 5_021_000
    assert found[paths.DISTANCE] == pytest.approx(11_000)


def test_a_restart_does_not_join_what_came_before_to_what_comes_after() -> None:
    distance = Distance()
    drive(distance, 36.0, 100)
    restarted = Distance()
    restarted.restore(json.loads(json.dumps(distance.state())))
    restarted.feed(Reading(paths.SPEED, 36.0, 101.0))
    assert restarted.integrated_m == pytest.approx(1000.0)
    assert restarted.sigma_m == pytest.approx(10 * RESTART_S, rel=0.01), (
        "what was driven meanwhile is not known"
    )


@pytest.mark.parametrize("broken", [{"integrated_m": "x"}, {"anchor": 5}, {"anchor": {}, "integrated_m": -1}])
def test_a_broken_state_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(EdgeStateError, match="distance"):
        Distance().restore(broken)


@pytest.mark.data
def test_real_drives_are_integrated_within_a_hundredth(data: Path) -> None:
    for name, at_hz in itertools.product(("long3", "live11", "drive1"), (1, 2)):
        recorded = load_drive(data / "drives" / f"{name}.csv")
        distance = Distance()
        next_s = 0.0
        for at_s, row in zip(recorded.times_s, recorded.rows, strict=True):
            if at_s >= next_s:
                distance.feed(Reading(paths.SPEED, row[pids.SPEED], at_s))
                next_s = at_s + 1 / at_hz - 1e-6
        assert distance.integrated_m == pytest.approx(recorded.distance_m(), rel=0.01), name
