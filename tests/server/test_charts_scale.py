"""Scales and ticks: round numbers that enclose the values, months that fit the axis."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.web.charts.scale import Scale, month_ticks, nice_ticks


@given(low=st.floats(0, 1e9), span=st.floats(1, 1e9), count=st.integers(2, 10))
def test_ticks_enclose_the_values_evenly_and_are_few(low: float, span: float, count: int) -> None:
    ticks = nice_ticks(low, low + span, count)
    assert ticks[0] <= low * (1 + 1e-6)
    assert ticks[-1] >= (low + span) * (1 - 1e-6)
    steps = {round(later - earlier, 6) for earlier, later in pairwise(ticks)}
    assert max(steps) - min(steps) <= 1e-6 * max(steps) + 1e-6
    assert 2 <= len(ticks) <= count + 2


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (61_200, 98_400, [60_000, 70_000, 80_000, 90_000, 100_000]),
        (0, 1, [0, 0.25, 0.5, 0.75, 1.0]),
        (5, 5, [5]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert nice_ticks(low, high, 5)[: len(expected)] == pytest.approx(expected)


@given(
    first=st.dates(dt.date(2000, 1, 1), dt.date(2080, 1, 1)),
    days=st.integers(40, 6000),
    count_max=st.integers(2, 12),
)
def test_month_ticks_lie_within_and_are_bounded(first: dt.date, days: int, count_max: int) -> None:
    last = first + dt.timedelta(days=days)
    ticks = month_ticks(first, last, count_max)
    assert 1 <= len(ticks) <= count_max or days > 60 * 30 * count_max
    assert all(first <= tick <= last and tick.day == 1 for tick in ticks)
    assert ticks == sorted(set(ticks))


def test_a_scale_runs_straight_beyond_its_ends() -> None:
    scale = Scale(10, 20, 100, 200)
    assert [scale(value) for value in (5, 10, 15, 20, 25)] == [50, 100, 150, 200, 250]


def test_a_scale_of_one_value_puts_it_in_the_middle() -> None:
    assert Scale(3, 3, 0, 10)(3) == 5
