"""Engine hours, revolutions and the car's own countdown: what begins anew, and figures that mean nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_protocol.signals import catalogue
from milepost_server.signals.flat import offsets_of
from milepost_server.signals.items.countdown import LEFT_D_MAX, CountdownReadings, ends, set_back
from milepost_server.signals.items.counters import (
    SIGNALS,
    USUAL_M_PER_UNIT,
    CounterReadings,
    counter_limit,
    running_total,
)
from milepost_server.signals.items.due import FirstLimit
from milepost_server.signals.items.wear import WearLimit, WearRules

KM = 1_000.0
NAN = float("nan")
HOURS = USUAL_M_PER_UNIT[FirstLimit.ENGINE_HOURS]


def hours(*rows: tuple[float, float]) -> CounterReadings:
    """One car's (km, engine hours)."""
    offsets = offsets_of(np.array([len(rows)], dtype=np.int64))
    value = np.array([row[1] for row in rows], dtype=np.float64)
    return CounterReadings(
        offsets, np.array([row[0] * KM for row in rows], dtype=np.float64), running_total(offsets, value)
    )


def limit(readings: CounterReadings, start_km: float, interval: float = 500.0) -> WearLimit:
    return counter_limit(readings, np.array([start_km * KM]), np.array([interval]), HOURS, WearRules())


def test_the_signals_are_in_the_catalogue() -> None:
    assert [catalogue()[path].unit for path in SIGNALS.values()] == ["h", ""]


def test_a_counter_that_began_anew_goes_on_from_there() -> None:
    offsets = offsets_of(np.array([4, 0, 3], dtype=np.int64))
    total = running_total(offsets, np.array([100.0, 110, 5, 8, 50, 50, 70]))
    assert total.tolist() == [0, 10, 15, 18, 0, 0, 20]
    assert running_total(offsets_of(np.array([0, 0])), np.zeros(0)).shape == (0,)


@given(
    cars=st.lists(st.lists(st.floats(0, 1e6), max_size=6), max_size=4),
)
def test_totals_never_fall_and_begin_at_nothing(cars: list[list[float]]) -> None:
    offsets = offsets_of(np.array([len(car) for car in cars], dtype=np.int64))
    total = running_total(offsets, np.array([value for car in cars for value in car], dtype=np.float64))
    for first, end in pairwise(offsets):
        own = total[first:end]
        assert (np.diff(own) >= -1e-6).all()
        assert (own[:1] == 0).all()


def test_hours_become_an_odometer_at_the_car_s_own_hours_a_kilometre() -> None:
    # 25 km/h, known over 20,000 km: 500 h are 12,500 km.
    rows = [(float(km), km / 25.0) for km in range(50_000, 70_001, 2_000)]
    result = limit(hours(*rows), 60_000)
    assert result.at_m[0] / KM == pytest.approx(72_500, rel=0.005)
    assert result.worn[0] == pytest.approx(0.8, rel=0.01)
    assert result.variance[0] < 0.05
    assert (result.first_row[0], result.last_row[0]) == (0, 10)


def test_what_was_not_counted_before_the_device_came_is_filled_in_at_the_same_rate() -> None:
    rows = [(float(km), (km - 60_000) / 25.0) for km in range(60_000, 70_001, 1_000)]
    assert limit(hours(*rows), 58_000).at_m[0] / KM == pytest.approx(58_000 + 12_500, rel=0.005)


def test_a_counter_that_was_passed_lies_behind() -> None:
    rows = [(float(km), km / 25.0) for km in range(50_000, 70_001, 2_000)]
    assert limit(hours(*rows), 55_000).at_m[0] / KM == pytest.approx(67_500, rel=0.005)


@pytest.mark.parametrize(
    ("rows", "start_km", "interval"),
    [
        pytest.param([], 50_000, 500, id="no reading"),
        pytest.param([(50_000.0, 10.0), (51_000.0, 40.0)], NAN, 500, id="no start"),
        pytest.param([(50_000.0, 10.0), (51_000.0, 40.0)], 50_500, NAN, id="no interval"),
        pytest.param([(50_000.0, 10.0), (51_000.0, 40.0)], 60_000, 500, id="no reading since the service"),
    ],
)
def test_where_nothing_is_known_a_counter_says_nothing(
    rows: list[tuple[float, float]], start_km: float, interval: float
) -> None:
    result = limit(hours(*rows), start_km, interval)
    assert np.isnan(result.at_m[0])
    assert not result.measured[0]
    assert np.isfinite(result.variance[0])


def test_no_vehicle_is_no_limit() -> None:
    nothing = CounterReadings(np.zeros(1, dtype=np.int64), np.zeros(0), np.zeros(0))
    assert counter_limit(nothing, np.zeros(0), np.zeros(0), HOURS, WearRules()).at_m.shape == (0,)


def counts(*rows: tuple[float, float, float]) -> CountdownReadings:
    """One car's (day, km, left)."""
    day, km, left = (np.array([row[n] for row in rows], dtype=np.float64) for n in range(3))
    return CountdownReadings(offsets_of(np.array([len(rows)], dtype=np.int64)), day, km * KM, left)


def test_a_countdown_ends_where_the_latest_reading_says() -> None:
    rows = counts((10, 50_000, 6_000), (40, 52_000, 3_500))
    assert ends(rows, np.array([NAN]), in_km=True).tolist() == [55_500 * KM]
    assert ends(counts((10, 0, 90), (40, 0, -5)), np.array([NAN]), in_km=False).tolist() == [35.0]


@pytest.mark.parametrize(
    "left", [pytest.param(2**31 / 86_400, id="int32"), pytest.param(-LEFT_D_MAX, id="ten years"), NAN]
)
def test_a_figure_that_means_nothing_is_no_countdown(left: float) -> None:
    assert np.isnan(ends(counts((10, 0, left)), np.array([NAN]), in_km=False)[0])


def test_a_countdown_from_before_the_last_service_is_over() -> None:
    rows = counts((10, 50_000, 600))
    assert np.isnan(ends(rows, np.array([11.0]), in_km=True)[0])
    assert ends(rows, np.array([10.0]), in_km=True)[0] == 50_600 * KM
    assert np.isnan(ends(counts(), np.array([NAN]), in_km=True)[0])
    assert np.isnan(ends(counts((10, NAN, 600)), np.array([NAN]), in_km=True)[0])


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ([5_000, 3_000, 15_000, 14_000], 2),
        ([5_000, 3_000, 4_500], -1),
        ([500, 15_000, 200, 15_000], 3),
        ([500, 200_000, 400], -1),
        ([], -1),
    ],
)
def test_a_countdown_that_was_set_back_tells_of_a_service(left: list[float], expected: int) -> None:
    rows = counts(*((float(day), 0.0, value) for day, value in enumerate(left)))
    assert set_back(rows, np.array([NAN]), in_km=True).tolist() == [expected]
