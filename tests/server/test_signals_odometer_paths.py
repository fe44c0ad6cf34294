"""The cheapest story against all stories there are, one by one, in plain Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.flat import offsets_of
from milepost_server.signals.odometer import OdometerRules
from milepost_server.signals.odometer.paths import SKIPS_MAX, cheapest, reach_m, step_prices, unsurprising
from milepost_server.signals.odometer.track import Track, holders, pace_of

RULES = OdometerRules()
NEVER = 1e29

HISTORIES = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.one_of(
            st.integers(-5, 3_000), st.sampled_from([0, 10, 1_000, 1_100, -50_000, 9_000, 100_000, -100_000])
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


def track_of(*cars: list[tuple[int, int, bool]]) -> Track:
    """Cars as lists of (days since the last reading, kilometres since it, whether staff keep it)."""
    days = [np.cumsum([row[0] for row in car], dtype=np.float64) + 18_000 for car in cars]
    metres = [np.maximum(np.cumsum([row[1] for row in car], dtype=np.float64) + 1e5, 0) * 1e3 for car in cars]
    return Track(
        offsets_of(np.array([len(car) for car in cars], dtype=np.int64)),
        np.concatenate(days),
        np.concatenate(metres),
        np.full(sum(map(len, cars)), RULES.fall_m_max),
        np.array([row[2] for car in cars for row in car], dtype=np.bool_),
    )


def stories(count: int) -> Iterator[tuple[tuple[int, ...], tuple[bool, ...]]]:
    """All choices of believed readings, and before which of them another segment begins."""
    for kept in itertools.product((False, True), repeat=count):
        rows = tuple(row for row in range(count) if kept[row])
        for cuts in itertools.product((False, True), repeat=max(len(rows) - 1, 0)):
            if rows:
                yield rows, cuts


def price_of(
    rows: tuple[int, ...], cuts: tuple[bool, ...], must: np.ndarray, lags: list[np.ndarray]
) -> float:
    price = sum(1e6 if must[row] else RULES.reject_price for row in range(len(must)) if row not in rows)
    for earlier, later, cut in zip(rows, rows[1:], cuts, strict=False):
        if cut:
            price += RULES.swap_price
        elif later - earlier > len(lags):
            return math.inf
        else:
            price += float(lags[later - earlier - 1][later])
    return price


@given(history=HISTORIES)
def test_no_story_is_cheaper(history: list[tuple[int, int, bool]]) -> None:
    track = track_of(history)
    pace = pace_of(track, RULES)
    lags = [step_prices(track, pace, RULES, lag) for lag in range(1, SKIPS_MAX + 2)]
    path = cheapest(track, pace, RULES)
    rows = tuple(np.flatnonzero(path.kept).tolist())
    found = price_of(rows, tuple(path.begins[list(rows)][1:].tolist()), track.must, lags)
    best = min(price_of(*story, track.must, lags) for story in stories(len(history)))
    assert found == pytest.approx(best, abs=1e-6)
    assert path.kept[track.must].all()
    assert not path.begins[rows[0]]


@given(history=HISTORIES)
def test_where_no_step_surprises_no_other_story_is_cheaper(history: list[tuple[int, int, bool]]) -> None:
    track = track_of(history)
    pace = pace_of(track, RULES)
    if unsurprising(track, pace, RULES)[0]:
        assert cheapest(track, pace, RULES).kept.all()


@given(cars=st.lists(HISTORIES, min_size=1, max_size=5))
def test_a_vehicle_s_story_is_its_own(cars: list[list[tuple[int, int, bool]]]) -> None:
    together = track_of(*cars)
    path = cheapest(together, pace_of(together, RULES), RULES)
    for place, car in enumerate(cars):
        alone = track_of(car)
        rows = slice(together.offsets[place], together.offsets[place + 1])
        own = cheapest(alone, pace_of(alone, RULES), RULES)
        assert own.kept.tolist() == path.kept[rows].tolist()
        assert own.begins.tolist() == path.begins[rows].tolist()


def test_how_far_a_car_can_go() -> None:
    days = np.array([0.0, 1.0, 7.0, 30.0])
    assert reach_m(days, RULES).tolist() == [200e3, 1_700e3, 10_700e3, 22_200e3]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=20).map(sorted))
def test_the_highest_so_far_of_each_group(rows: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(len(rows))
    group = np.array([group for group, _ in rows], dtype=np.int64)
    value = rng.permuted(np.array([float(value) for _, value in rows]))
    highest = value[holders(value, group)]
    for place in range(len(rows)):
        mine = [value[other] for other in range(place + 1) if group[other] == group[place]]
        assert highest[place] == max(mine)
