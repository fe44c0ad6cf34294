"""Where items begin: the last record by its own date, also a late one; its odometer only where it can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.axis import OdometerAxis
from milepost_server.signals.flat import count_up_to, offsets_of
from milepost_server.signals.items.starts import (
    METRES_PER_D_MAX,
    ServiceRecords,
    Starts,
    last_services,
    starts_of,
)
from milepost_server.signals.usage.rate import History

KM = 1_000.0
NOW_D = 20_000.0
NAN = float("nan")


def axis(*cars: list[tuple[float, float]], rate_km: float = 50.0) -> OdometerAxis:
    """Cars with readings of (days from now, km)."""
    rows = [row for car in cars for row in car]
    last = [car[-1] if car else (NAN, NAN) for car in cars]
    return OdometerAxis(
        History(
            offsets_of(np.array([len(car) for car in cars], dtype=np.int64)),
            np.array([NOW_D + days for days, _ in rows]),
            np.array([km * KM for _, km in rows]),
        ),
        np.full(len(cars), rate_km * KM),
        np.array([NOW_D + days for days, _ in last]),
        np.array([km * KM for _, km in last]),
        np.array([0.0 if car else NAN for car in cars]),
    )


def records(*rows: tuple[int, int, float, float]) -> ServiceRecords:
    """Records of (vehicle, item, days from now, km)."""
    vehicle, item, days, km = zip(*rows, strict=True) if rows else ((), (), (), ())
    return ServiceRecords(
        np.array(vehicle, dtype=np.int64),
        np.array(item, dtype=np.int64),
        NOW_D + np.array(days, dtype=np.float64),
        np.array(km, dtype=np.float64) * KM,
    )


CAR = [(-100.0, 50_000.0), (-50.0, 52_000.0), (0.0, 54_000.0)]


def start(days: float, km: float, *, car: list[tuple[float, float]] | None = None) -> Starts:
    made = records((0, 0, days, km))
    last = last_services(made, 1, 1, NOW_D + 1)[:, 0]
    return starts_of(axis(CAR if car is None else car), made, last, np.array([0]), np.array([NOW_D - 1_000]))


def test_the_last_service_of_each_item_is_the_one_done_last_not_the_one_entered_last() -> None:
    made = records((1, 0, -10, 1), (0, 1, -300, 2), (1, 0, -400, 3), (0, 1, -200, 4), (0, 0, -5, 5))
    assert last_services(made, 2, 3, NOW_D).tolist() == [[4, 3, -1], [0, -1, -1]]


def test_of_two_on_one_day_the_one_entered_last_counts() -> None:
    assert last_services(records((0, 0, -10, 1), (0, 0, -10, 2)), 1, 1, NOW_D).tolist() == [[1]]


def test_services_of_the_future_of_no_date_and_of_no_item_are_left_out() -> None:
    made = records((0, 0, -10, 1), (0, 0, 3, 2), (0, 0, NAN, 3), (0, -1, -1, 4))
    assert last_services(made, 1, 1, NOW_D).tolist() == [[0]]
    assert last_services(records(), 2, 1, NOW_D).tolist() == [[-1], [-1]]
    assert last_services(records(), 0, 3, NOW_D).shape == (0, 3)


RECORD = st.tuples(st.integers(0, 3), st.integers(-1, 2), st.integers(-500, 20), st.just(0.0))


@given(rows=st.lists(RECORD, max_size=40))
def test_last_services_agree_with_a_loop(rows: list[tuple[int, int, int, float]]) -> None:
    expected = np.full((4, 3), -1)
    for place, (vehicle, item, days, _) in enumerate(rows):
        held = expected[vehicle, item]
        if days < 0 <= item and (held < 0 or rows[held][2] <= days):
            expected[vehicle, item] = place
    np.testing.assert_array_equal(last_services(records(*rows), 4, 3, NOW_D), expected)


@pytest.mark.parametrize(
    ("days", "km", "expected_km"),
    [
        pytest.param(-80, 51_000, 51_000, id="its own odometer, where the readings around it allow it"),
        pytest.param(-80, NAN, 50_820, id="none: between the readings, at noon"),
        pytest.param(-80, 30_000, 50_820, id="below an earlier reading: an error"),
        pytest.param(-80, 53_000, 50_820, id="above a later reading: an error"),
        pytest.param(-50, 52_000, 52_000, id="a reading on the same day"),
        pytest.param(0, 54_300, 54_300, id="above the latest reading, as far as one can go"),
        pytest.param(0, 540_000, 54_000, id="far above the latest reading: an error of typing"),
        pytest.param(-120, 49_000, 49_000, id="before the first reading"),
        pytest.param(-120, NAN, 49_025, id="before the first reading, without odometer: back at the rate"),
        pytest.param(-120, 51_000, 49_025, id="before the first reading, above it: an error"),
    ],
)
def test_a_service_begins_at_its_own_odometer_where_that_can_be(
    days: float, km: float, expected_km: float
) -> None:
    result = start(days, km)
    assert result.odometer_m[0] / KM == pytest.approx(expected_km)
    assert result.time_d[0] == NOW_D + days
    assert result.sure[0]
    assert result.age_months[0] == pytest.approx((1_000 + days) / 30.44, rel=0.01)


def test_the_room_above_the_latest_reading_grows_by_the_day() -> None:
    beyond_km = METRES_PER_D_MAX / KM
    assert start(0, 54_000 + beyond_km).odometer_m[0] == 54_000 * KM + METRES_PER_D_MAX
    assert start(0, 54_000 + beyond_km + 1).odometer_m[0] == 54_000 * KM


def test_without_any_reading_a_service_has_a_date_and_no_odometer() -> None:
    result = start(-80, NAN, car=[])
    assert result.time_d[0] == NOW_D - 80
    assert np.isnan(result.odometer_m[0])


def test_without_a_record_an_item_is_as_old_as_the_car() -> None:
    nothing = np.array([-1, -1])
    result = starts_of(axis(CAR, CAR), records(), nothing, np.array([0, 1]), np.array([NOW_D - 1_000, NAN]))
    np.testing.assert_array_equal(result.time_d, [NOW_D - 1_000, NAN])
    np.testing.assert_array_equal(result.odometer_m, [0.0, NAN])
    assert not result.sure.any()
    assert result.age_months.tolist() == [0.0, 0.0]


def test_a_renewal_that_was_seen_counts_where_it_is_later_than_the_record() -> None:
    record = start(-80, 51_000)
    later = record.renewed(np.array([NOW_D - 20.3]), np.array([53_000 * KM]), np.array([NOW_D - 1_000]))
    assert (later.time_d[0], later.odometer_m[0]) == (NOW_D - 21, 53_000 * KM)
    assert (later.recorded[0], later.sure[0]) == (False, True)
    assert record.renewed(np.array([NOW_D - 90]), np.array([0.0]), np.array([NAN])) is record
    assert record.renewed(np.array([NAN]), np.array([NAN]), np.array([NAN])) is record


STEPS = st.lists(st.tuples(st.floats(0, 300), st.floats(0, 20_000)), max_size=6)


@given(cars=st.lists(STEPS, min_size=1, max_size=4), days=st.floats(-2_000, 500))
def test_the_axis_never_falls_and_agrees_with_interpolation(
    cars: list[list[tuple[float, float]]], days: float
) -> None:
    made = axis(
        *(
            [
                (float(d) - 1_000, float(k))
                for d, k in zip(np.cumsum([s[0] for s in car]), np.cumsum([s[1] for s in car]), strict=True)
            ]
            for car in cars
        )
    )
    vehicle = np.arange(len(cars))
    found = [made.at(vehicle, np.full(len(cars), NOW_D + days + more)) for more in (0.0, 1.0)]
    history = made.history
    row, first, _ = made.around(vehicle, np.full(len(cars), NOW_D + days))
    counted = count_up_to(history.offsets, history.time_d, vehicle, np.full(len(cars), NOW_D + days))
    np.testing.assert_array_equal(row - first, counted)
    for car, (early, late) in enumerate(zip(*found, strict=True)):
        x = history.time_d[history.offsets[car] : history.offsets[car + 1]]
        y = history.odometer_m[history.offsets[car] : history.offsets[car + 1]]
        if not len(x):
            assert np.isnan(early)
            continue
        assert late >= early - 1e-6
        if x[0] <= NOW_D + days and len(np.unique(x)) == len(x):
            assert early == pytest.approx(np.interp(NOW_D + days, x, y), abs=1.0)
