"""Due dates: the first of all limits, by hand, and what must hold for any car."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from milepost_server.signals.flat import offsets_of
from milepost_server.signals.items.due import Due, FirstLimit, due
from milepost_server.signals.items.item import Band, Item
from milepost_server.signals.items.limits import ItemLimits, add_months, intervals_of, item_limits
from milepost_server.signals.items.starts import Starts
from milepost_server.signals.items.states import DueRules, State
from milepost_server.signals.items.wear import WearLimit
from milepost_server.signals.schedules.shipped import shipped
from milepost_server.signals.usage.ahead import HORIZON_D_MAX, Ahead
from milepost_server.signals.usage.rate import History, Usage, UsageRules

KM = 1_000.0
NOW_D = 20_000.0
"""Midnight at the end of the as-of date."""
SOURCE = "made up for this test"


def day(text: str) -> float:
    return float((dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days)


@dataclass
class Car:
    """One car of 40 km a day that was serviced 100 days ago at 50,000 km and stands at 54,000 km."""

    rows: list[tuple[float, float]] = field(default_factory=lambda: [(-100, 50_000), (0, 54_000)])
    rate_km: float = 40.0
    cv2: float = 0.04
    start: tuple[float, float] = (-100, 50_000)
    recorded: bool = True
    age_months: float = 24.0
    wear: WearLimit | None = None

    def due(self, item: Item, as_of_d: float = NOW_D) -> Due:
        history = History(
            offsets_of(np.array([len(self.rows)], dtype=np.int64)),
            np.array([NOW_D + days for days, _ in self.rows]),
            np.array([km * KM for _, km in self.rows]),
        )
        one = np.ones(1)
        usage = Usage(one * self.rate_km * KM, one * self.cv2, one * 0.0, one)
        limits = self.limits(item, as_of_d).limits
        return due(history, Ahead(usage, UsageRules()), limits, as_of_d, DueRules())

    def limits(self, item: Item, as_of_d: float = NOW_D) -> ItemLimits:
        one = np.ones(1)
        last = self.rows[-1] if self.rows else (np.nan, np.nan)
        starts = Starts(
            vehicle=np.array([0]),
            time_d=one * (NOW_D + self.start[0]),
            odometer_m=one * self.start[1] * KM,
            recorded=np.array([self.recorded]),
            age_months=one * self.age_months,
            anchor_d=one * (NOW_D + last[0]),
            anchor_m=one * last[1] * KM,
        )
        intervals = intervals_of([item], np.zeros(1, dtype=np.int64), starts.age_months)
        months_end_d = add_months(starts.time_d, intervals.months)
        return item_limits(intervals, starts, self.wear, as_of_d, months_end_d=months_end_d)


def interval(km: float | None = None, months: int | None = None) -> Item:
    band = Band(distance_km=km, time_months=months, source=SOURCE)
    return Item(key="thing", title="Thing", interval=[band])


def pads() -> Item:
    return next(item for item in shipped()["combustion"].item if item.key == "front-pads")


def worn_at(km: float, variance: float = 0.05, *, measured: bool = True) -> WearLimit:
    one = np.ones(1)
    row = np.array([0])
    return WearLimit(
        one * km * KM,
        one * variance,
        one * 0.5,
        one,
        np.array([measured]),
        row,
        row,
        row - 1,
        one * 54_000 * KM,
    )


def state(result: Due) -> State:
    return State(int(result.state[0]))


def test_a_distance_is_due_at_its_odometer_after_the_distance_at_the_rate() -> None:
    result = Car(cv2=1e-9).due(interval(km=15_000))
    # 65,000 km are 11,000 km away at 40 km a day.
    assert result.time_d[:, 0] - NOW_D == pytest.approx([275.0] * 3, rel=1e-3)
    assert result.odometer_m[:, 0].tolist() == [65_000 * KM] * 3
    assert (state(result), result.first_limit[0]) == (State.OK, FirstLimit.DISTANCE)
    assert (result.p_30d[0], result.p_90d[0]) == pytest.approx((0, 0))


def test_uncertain_usage_opens_the_interval_on_both_sides() -> None:
    result = Car(cv2=0.04).due(interval(km=15_000))
    p10, p50, p90 = result.time_d[:, 0] - NOW_D
    # Gamma with a coefficient of variation of 0.2: quantiles 0.7538, 0.987, 1.2633 of the rate.
    assert (p10, p50, p90) == pytest.approx((275 / 1.2633, 275 / 0.987, 275 / 0.7538), rel=0.005)


def test_time_is_due_on_its_day_and_the_odometer_is_what_is_uncertain() -> None:
    result = Car().due(interval(months=12))
    expected = add_months(np.array([NOW_D - 100]), np.array([12.0]))[0]
    assert result.time_d[:, 0].tolist() == [expected] * 3
    p10, p50, p90 = result.odometer_m[:, 0] / KM
    assert p10 < p50 < p90
    assert p50 == pytest.approx(54_000 + 0.987 * 40 * (expected - NOW_D), rel=1e-3)


def test_whichever_comes_first_cuts_the_distribution() -> None:
    result = Car(cv2=0.04).due(interval(km=15_000, months=12))
    by_distance, by_time = Car(cv2=0.04).due(interval(km=15_000)), Car().due(interval(months=12))
    assert result.time_d[:, 0].tolist() == np.minimum(by_distance.time_d, by_time.time_d)[:, 0].tolist()
    assert result.first_limit[0] == FirstLimit.TIME
    assert result.time_d[0, 0] < result.time_d[1, 0] == result.time_d[2, 0]


def test_a_limit_that_was_passed_is_dated_between_the_readings_around_it() -> None:
    car = Car(rows=[(-100, 50_000), (-40, 64_000), (-20, 66_000), (0, 67_000)])
    result = car.due(interval(km=15_000))
    assert result.time_d[:, 0] - NOW_D == pytest.approx([-38, -30, -22])
    assert (state(result), result.p_30d[0]) == (State.OVERDUE, 1.0)


def test_a_limit_passed_before_the_first_reading_is_dated_back_at_the_rate() -> None:
    car = Car(rows=[(-10, 67_000), (0, 67_400)], start=(-600, 50_000))
    assert car.due(interval(km=15_000)).time_d[:, 0] - NOW_D == pytest.approx([-10 - 50.0] * 3)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (-2, State.OVERDUE),
        (-1, State.DUE),
        (0, State.DUE),
        (29, State.DUE),
        (30, State.UPCOMING),
        (89, State.UPCOMING),
        (90, State.OK),
    ],
)
def test_states_follow_the_median_day(days: float, expected: State) -> None:
    started = add_months(np.array([NOW_D + days]), np.array([-12.0]))[0]
    assert state(Car(start=(started - NOW_D, 50_000)).due(interval(months=12))) is expected


def test_measured_wear_sets_the_odometer_and_its_spread() -> None:
    result = Car(cv2=1e-9, wear=worn_at(58_000)).due(pads())
    assert result.first_limit[0] == FirstLimit.WEAR
    p10, p50, p90 = result.odometer_m[:, 0] / KM
    assert p10 < p50 < p90
    assert p50 == pytest.approx(58_000, rel=0.01)
    assert result.time_d[1, 0] - NOW_D == pytest.approx(100, rel=0.03)


def stale(way_km: float, gone_km: float, variance: float = 0.05) -> Due:
    """What a car at 54,000 km is told of wear measured ``gone_km`` ago, when ``way_km`` were left."""
    from_km = 54_000 - gone_km
    limit = replace(worn_at(from_km + way_km, variance), from_m=np.ones(1) * from_km * KM)
    rows = [(-300.0, 42_000.0), (-200.0, 46_000.0), (-100.0, 50_000.0), (0.0, 54_000.0)]
    return Car(rows=rows, cv2=1e-9, recorded=False, wear=limit).due(pads())


def test_old_wear_may_have_reached_its_limit_or_not() -> None:
    p10, p50, p90 = (stale(way_km=8_000, gone_km=8_000).time_d[:, 0] - NOW_D).tolist()
    # A part that wears out after 8,000 km at the mean rate, 22 % more or less: 40 km are a day.
    assert p10 == pytest.approx(-40, abs=15)
    assert p50 == pytest.approx(3, abs=3)
    assert p90 == pytest.approx(75, abs=15)
    result = stale(way_km=8_000, gone_km=8_000)
    assert 0.6 < result.p_30d[0] < 0.8
    assert np.all(np.diff(result.odometer_m[:, 0]) > 0)
    assert result.odometer_m[0, 0] < 54_000 * KM < result.odometer_m[2, 0]
    assert state(result) is State.DUE


def test_old_wear_that_is_far_past_its_limit_is_overdue_for_sure() -> None:
    result = stale(way_km=4_000, gone_km=9_000)
    assert (result.time_d[:, 0] < NOW_D).all()
    assert state(result) is State.OVERDUE
    assert result.p_30d[0] == pytest.approx(1)


def test_wear_that_was_just_measured_is_not_behind() -> None:
    result = stale(way_km=1_000, gone_km=0, variance=0.5)
    assert (result.time_d[:, 0] > NOW_D).all()


@given(
    way_km=st.floats(100, 60_000),
    gone_km=st.floats(0, 11_000),
    variance=st.floats(0.005, 0.8),
    later_km=st.floats(0, 1_000),
)
def test_dates_of_old_wear_are_in_order_and_a_longer_way_is_not_due_earlier(
    way_km: float, gone_km: float, variance: float, later_km: float
) -> None:
    near, far = stale(way_km, gone_km, variance), stale(way_km + later_km, gone_km, variance)
    assert np.all(np.diff(near.time_d[:, 0]) >= 0)
    assert near.p_30d[0] <= near.p_90d[0]
    assert far.time_d[1, 0] >= near.time_d[1, 0] - 1e-6


def test_wear_that_nobody_measured_can_be_due_for_a_look_but_never_overdue() -> None:
    past = {"start": (-900.0, 20_000.0), "rows": [(-900.0, 20_000.0), (0.0, 54_000.0)]}
    assert state(Car(**past, wear=worn_at(50_000, measured=False)).due(pads())) is State.DUE
    assert state(Car(**past, wear=worn_at(50_000, measured=True)).due(pads())) is State.OVERDUE


def test_what_wear_usually_is_does_not_go_before_the_schedule() -> None:
    result = Car(wear=worn_at(51_000, measured=False)).due(interval(km=15_000))
    assert result.first_limit[0] == FirstLimit.DISTANCE


def test_late_for_its_first_service_is_a_question_and_never_overdue() -> None:
    oil = interval(km=15_000, months=12)
    late = {"start": (-380.0, 0.0), "rows": [(-10.0, 12_000.0), (0.0, 12_400.0)]}
    assert state(Car(**late, recorded=False).due(oil)) is State.DUE
    assert state(Car(**late, recorded=True).due(oil)) is State.OVERDUE


@pytest.mark.parametrize(
    ("months", "age_d", "expected"),
    [
        pytest.param(12, 450, State.DUE, id="a quarter of a short interval late: one asks"),
        pytest.param(12, 460, State.UNKNOWN, id="later: it was serviced somewhere"),
        pytest.param(120, 10 * 365 + 150, State.DUE, id="ten years and a few months"),
        pytest.param(120, 10 * 365 + 200, State.UNKNOWN, id="tyres of an old car: more than half a year"),
    ],
)
def test_how_long_a_car_may_be_late_without_a_record(months: int, age_d: int, expected: State) -> None:
    car = Car(start=(-age_d, 0), recorded=False, rows=[(-age_d, 0), (0, 9_000)])
    assert state(car.due(interval(months=months))) is expected


def test_a_distance_that_was_passed_long_ago_without_a_record_is_forgotten() -> None:
    for km, expected in ((18_000, State.DUE), (19_000, State.UNKNOWN)):
        car = Car(start=(-300, 0), recorded=False, rows=[(-300, 0), (0, km)])
        assert state(car.due(interval(km=15_000))) is expected


def test_measured_wear_may_be_overdue_without_any_record() -> None:
    car = Car(start=(-3_000, 0), recorded=False, wear=worn_at(50_000))
    assert state(car.due(pads())) is State.OVERDUE


def test_measured_wear_is_overdue_also_where_a_guess_comes_first() -> None:
    oil = Item(key="oil", title="Oil", interval=interval(km=50_000).interval, wear=pads().wear)
    car = Car(start=(-1_000, 0), recorded=False, wear=worn_at(53_000))
    result = car.due(oil)
    # The wear is measured, and has come: what the distance only might say counts no more.
    assert (state(result), result.first_limit[0]) == (State.OVERDUE, FirstLimit.WEAR)
    assert result.odometer_m[1, 0] == pytest.approx(53_000 * KM, rel=0.01)
    assert state(Car(start=(-1_000, 0), recorded=False, wear=worn_at(56_000)).due(oil)) is State.DUE


def test_without_any_record_nothing_is_said_of_an_old_car() -> None:
    oil = interval(km=15_000, months=12)
    old = Car(start=(-3_000, 0), recorded=False)
    result = old.due(oil)
    assert state(result) is State.UNKNOWN
    assert np.isnan(result.time_d).all()
    assert np.isnan(result.p_30d[0])


def test_nothing_known_is_unknown() -> None:
    result = Car(rows=[], start=(np.nan, np.nan), recorded=False).due(interval(km=15_000, months=12))
    assert (state(result), result.first_limit[0]) == (State.UNKNOWN, FirstLimit.NONE)


def test_without_an_odometer_the_distance_runs_from_the_service() -> None:
    result = Car(rows=[], cv2=1e-9).due(interval(km=15_000))
    assert result.time_d[1, 0] - NOW_D == pytest.approx(-100 + 375, rel=1e-3)


def test_a_car_that_hardly_moves_is_due_at_the_horizon() -> None:
    result = Car(rate_km=0.001).due(interval(km=15_000))
    assert (result.time_d[:, 0] - NOW_D == HORIZON_D_MAX).all()


def test_months_end_where_the_month_ends() -> None:
    days = np.array([day("2024-02-29"), day("2025-01-31"), day("2025-03-15"), np.nan, day("2025-03-15")])
    result = add_months(days, np.array([12.0, 1.0, 24.0, 12.0, np.nan]))
    expected = [day("2025-02-28"), day("2025-02-28"), day("2027-03-15"), np.nan, np.nan]
    np.testing.assert_array_equal(result, expected)


@given(date=st.dates(max_value=dt.date(9979, 12, 31)), months=st.integers(0, 240), hour=st.floats(0.0, 0.99))
@example(date=dt.date(1, 1, 1), months=0, hour=0.0)
@example(date=dt.date(1900, 1, 31), months=1, hour=0.5)
def test_months_later_is_what_the_calendar_says(date: dt.date, months: int, hour: float) -> None:
    later = date.year * 12 + date.month - 1 + months
    year, month = divmod(later, 12)
    last = calendar.monthrange(year, month + 1)[1]
    expected = dt.date(year, month + 1, min(date.day, last))
    result = add_months(np.array([day(date.isoformat()) + hour]), np.array([float(months)]))
    assert result[0] == day(expected.isoformat())


BANDS = st.lists(st.integers(1, 200), max_size=3, unique=True).map(sorted)


@given(
    ends=st.lists(BANDS, min_size=1, max_size=4),
    ages=st.lists(st.floats(0, 300) | st.just(np.nan), max_size=8),
)
def test_intervals_in_columns_are_those_of_each_item_at_each_age(
    ends: list[list[int]], ages: list[float]
) -> None:
    items = [
        Item(
            key="thing",
            title="Thing",
            interval=[
                Band(from_months=first, to_months=last, time_months=1 + n, source=SOURCE)
                for n, (first, last) in enumerate(zip([0, *months], [*months, None], strict=True))
            ],
        )
        for months in ends
    ]
    items.append(pads())
    which = np.arange(len(ages)) % len(items)
    found = intervals_of(items, which, np.array(ages, dtype=np.float64))
    for place, age in enumerate(ages):
        item = items[which[place]]
        band = item.band_at(np.inf if np.isnan(age) else age)
        if band is None:
            assert (found.band[place], np.isnan(found.months[place])) == (-1, True)
        else:
            assert (item.interval[found.band[place]], found.months[place]) == (band, band.time_months)


def test_the_odds_of_a_day_are_those_of_the_quantile_that_stands_on_it() -> None:
    car, oil = Car(cv2=0.04), interval(km=15_000)
    for quantile_d, odds in zip(car.due(oil).time_d[:, 0], (0.1, 0.5, 0.9), strict=True):
        assert car.due(oil, as_of_d=quantile_d - 90).p_90d[0] == pytest.approx(odds, abs=1e-3)


def first_of_both(km: float, worn_km: float, variance: float) -> tuple[np.ndarray, Due]:
    """Days to the first of a distance and a wear, simulated with a pace and a rate of wear of their own."""
    rng = np.random.default_rng(1)
    car = Car(cv2=0.04, wear=worn_at(54_000 + worn_km, variance))
    item = Item(key="thing", title="Thing", interval=interval(km + 4_000).interval, wear=pads().wear)
    pace_km = 40 * rng.gamma(1 / 0.04, 0.04, 200_000)
    rate = rng.gamma(1 / variance, variance, 200_000)
    return np.minimum(km / pace_km, worn_km / rate / pace_km), car.due(item)


@pytest.mark.parametrize("variance", [0.01, 0.05, 0.2])
def test_of_limits_that_meet_one_day_the_first_comes_a_little_earlier_than_said(variance: float) -> None:
    """The worst case for limits that are taken as moving together: both are as far."""
    days, said = first_of_both(4_000, 4_000, variance)
    late = (said.time_d[:, 0] - NOW_D) / np.quantile(days, (0.1, 0.5, 0.9)) - 1
    # Never said too early, but for rounding, and late by no more than half a standard deviation of the wear.
    assert (late > -0.02).all()
    assert (late < 0.5 * np.sqrt(variance)).all()


@pytest.mark.parametrize("worn_km", [2_000.0, 12_000.0])
def test_of_limits_that_lie_apart_the_first_is_exact(worn_km: float) -> None:
    days, said = first_of_both(6_000, worn_km, 0.04)
    assert said.time_d[:, 0] - NOW_D == pytest.approx(np.quantile(days, (0.1, 0.5, 0.9)), rel=0.03)
    assert said.p_90d[0] == pytest.approx(np.mean(days < 90), abs=0.03)


CAR = st.builds(
    Car,
    rows=st.lists(st.tuples(st.floats(0, 300), st.floats(0, 20_000)), max_size=5).map(
        lambda steps: [
            (float(d - sum(s[0] for s in steps)), 40_000 + float(k))
            for d, k in zip(np.cumsum([s[0] for s in steps]), np.cumsum([s[1] for s in steps]), strict=True)
        ]
    ),
    rate_km=st.floats(0.1, 500),
    cv2=st.floats(0.001, 0.5),
    start=st.tuples(st.floats(-2_000, 0).map(np.floor), st.floats(30_000, 60_000)),
    recorded=st.booleans(),
    wear=st.one_of(
        st.none(),
        st.builds(worn_at, st.floats(20_000, 200_000), st.floats(0.01, 0.5), measured=st.booleans()),
    ),
)


@given(car=CAR, km=st.floats(100, 100_000), more=st.floats(1, 10), months=st.integers(1, 100))
def test_quantiles_are_in_order_and_a_longer_interval_is_never_due_earlier(
    car: Car, km: float, more: float, months: int
) -> None:
    intervals = (interval(km, months), interval(km * more, months))
    shorter, longer = (car.due(item) for item in intervals)
    for result in (shorter, longer):
        known = state(result) is not State.UNKNOWN
        assert np.isfinite(result.time_d).all() == known
        assert np.isfinite([result.p_30d[0], result.p_90d[0]]).all() == known
        if known:
            assert (np.diff(result.time_d[:, 0]) >= 0).all()
            assert 0 <= result.p_30d[0] <= result.p_90d[0] <= 1
    # Long past the shorter interval without a record, it is forgotten, and what is measured may come later.
    forgotten = {bool(car.limits(item).forgotten[0]) for item in intervals}
    if State.UNKNOWN not in {state(shorter), state(longer)} and len(forgotten) == 1:
        assert (longer.time_d >= shorter.time_d - 0.01).all()
        assert longer.p_90d[0] <= shorter.p_90d[0] + 1e-6


@given(car=CAR, km=st.floats(100, 100_000), months=st.integers(1, 100))
def test_odometers_of_known_items_are_in_order_too(car: Car, km: float, months: int) -> None:
    result = car.due(interval(km, months))
    odometer = result.odometer_m[:, 0]
    if car.rows and state(result) is not State.UNKNOWN and result.time_d[0, 0] > NOW_D:
        assert np.isfinite(odometer).all()
        assert (np.diff(odometer) >= -1e-6).all()
