"""Robust lines: against scipy's Theil-Sen, and when a line falls below a limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from milepost_server.signals import gamma
from milepost_server.signals.flat import offsets_of
from milepost_server.signals.health.trend import (
    BINS,
    DAYS_PER_YEAR,
    HORIZON_D_MAX,
    Spans,
    Trend,
    Usual,
    median_rows,
    recent,
    since_last_rise,
    spans,
    theil_sen,
    trend,
)

USUAL = Usual(-0.2, 0.3, 0.1, 16.0)
AS_OF = 20_000.0


def rows(*values: float) -> Spans:
    """One vehicle with these medians, NaN where a span has none, two months apart."""
    padded = np.array([[np.nan] * (BINS - len(values)) + list(values)])
    time_d = np.arange(1 - BINS, 1)[None, :] * 60.0 - 30.0
    return Spans(np.where(np.isnan(padded), np.nan, time_d), padded)


SLOPE_V = 0.1  # a span


def straight() -> list[float]:
    return [12 - SLOPE_V * n for n in range(BINS)]


def line(slope_per_year: float = -1.0, value: float = 10.0, slope_sd: float = 0.3) -> Trend:
    one = [np.array([x]) for x in (-100.0, value, 0.04, slope_per_year / DAYS_PER_YEAR)]
    return Trend(*one, np.array([(slope_sd / DAYS_PER_YEAR) ** 2]), np.array([12]))


@given(
    st.lists(st.one_of(st.just(np.nan), st.floats(8, 13)), min_size=BINS, max_size=BINS).filter(
        lambda values: np.isfinite(values).sum() >= 2
    )
)
def test_the_slope_is_that_of_scipy(values: list[float]) -> None:
    found = rows(*values)
    known = np.isfinite(found.value[0])
    oracle = stats.theilslopes(found.value[0][known], found.time_d[0][known])
    assert theil_sen(found.time_d, found.value, np.array([known.sum()]))[0] == pytest.approx(
        oracle.slope, abs=1e-12
    )


@given(st.lists(st.lists(st.one_of(st.just(np.nan), st.floats(-5, 5)), min_size=5, max_size=5), max_size=6))
def test_medians_are_those_of_numpy(table: list[list[float]]) -> None:
    values = np.array(table, dtype=np.float64).reshape(-1, 5)
    known = [row[np.isfinite(row)] for row in values]
    oracle = [np.median(row) if len(row) else np.nan for row in known]
    count = np.array([len(row) for row in known], dtype=np.int64)
    assert median_rows(values, count).tolist() == pytest.approx(oracle, nan_ok=True)


def test_spans_are_medians_of_equal_times_and_pass_over_what_is_no_reading() -> None:
    time_d = AS_OF - np.array([799, 700, 10, 5, 5, 4, 3, 0, -1], dtype=np.float64)
    value = np.array([1, 12, 10, 11, 900, np.nan, 13, 12, 1], dtype=np.float64)
    seen = recent(np.array([0, 0, 9]), time_d, value, np.full(2, AS_OF - 730), AS_OF, value_max=16.0)
    assert (seen.vehicle.tolist(), seen.count.tolist()) == ([1], [5])
    assert seen.row[[seen.first[0], seen.last[0]]].tolist() == [1, 7]
    found = spans(seen, 730.0, 16.0)
    assert np.flatnonzero(np.isfinite(found.value[0])).tolist() == [0, BINS - 1]
    assert found.value[0, [0, -1]].tolist() == pytest.approx([12, 11.5])
    assert found.time_d[0, [0, -1]].tolist() == pytest.approx([-700, -(10 + 5 + 3 + 0) / 4])


@given(st.lists(st.lists(st.floats(0, 15.9), max_size=9), max_size=5))
def test_medians_of_spans_agree_with_numpy_for_any_counts(table: list[list[float]]) -> None:
    offsets = offsets_of(np.array([len(row) for row in table], dtype=np.int64))
    value = np.array([x for row in table for x in row], dtype=np.float64)
    time_d, begin_d = np.full(len(value), AS_OF - 1), np.full(len(table), AS_OF - 730)
    found = spans(recent(offsets, time_d, value, begin_d, AS_OF, value_max=16.0), 730.0, 16.0)
    oracle = [np.median(row) for row in table if row]
    assert found.value[:, -1].tolist() == pytest.approx(oracle, abs=1e-9)


def test_one_wild_span_moves_the_line_little() -> None:
    clean = straight()
    wild = [*clean[:3], 5.0, *clean[4:]]
    today = [float(trend(rows(*values), USUAL).mean(np.zeros(1))[0]) for values in (clean, wild)]
    assert today[1] == pytest.approx(today[0], abs=0.05)


def test_a_slope_is_shrunk_to_the_usual_one_as_by_hand() -> None:
    found = trend(rows(*straight()), USUAL)  # without scatter: the usual noise counts as four spans
    noise_var = 1.15 * 4 * USUAL.noise**2 / (4 + BINS - 2)
    spread = float(((np.arange(BINS) - (BINS - 1) / 2) ** 2).sum() * 60**2)
    prior, prior_var = -0.2 / DAYS_PER_YEAR, (0.3 / DAYS_PER_YEAR) ** 2
    precision = 1 / prior_var + spread / noise_var
    mean = (prior / prior_var + (-SLOPE_V / 60) * spread / noise_var) / precision
    assert found.slope_per_d[0] == pytest.approx(mean)
    assert found.slope_var[0] == pytest.approx(1 / precision)
    assert found.mean(found.centre_d)[0] == pytest.approx(12 - SLOPE_V * (BINS - 1) / 2)


def test_one_span_alone_has_the_usual_slope_and_none_has_nothing() -> None:
    alone = trend(rows(11.0), USUAL)
    assert alone.slope_per_d[0] == pytest.approx(-0.2 / DAYS_PER_YEAR)
    assert alone.mean(alone.centre_d)[0] == 11.0
    nothing = trend(rows(), USUAL)
    assert np.isnan([nothing.value[0], nothing.slope_per_d[0], nothing.days_until(9.0, 0.0)[0]]).all()


def test_a_limit_is_reached_where_the_line_meets_it() -> None:
    days = float(line().days_until(9.0, gamma.Z50)[0])
    assert days == pytest.approx(DAYS_PER_YEAR - 100, abs=0.06)
    assert line().odds_below(9.0, np.array([days]))[0] == pytest.approx(0.5, abs=1e-3)


@given(st.floats(-2, 0.2), st.floats(9.1, 12), st.floats(0.01, 1), st.sampled_from([gamma.Z10, gamma.Z90]))
def test_days_and_odds_agree(slope: float, value: float, slope_sd: float, z: float) -> None:
    found = line(slope, value, slope_sd)
    days = found.days_until(9.0, z)
    below = float(found.odds_below(9.0, days)[0])
    share = 0.1 if z < 0 else 0.9
    if 0 < days[0] < HORIZON_D_MAX - 1:
        assert below == pytest.approx(share, abs=1e-3)
    early, middle, late = (found.days_until(9.0, at)[0] for at in (gamma.Z10, gamma.Z50, gamma.Z90))
    assert 0 <= early <= middle <= late <= HORIZON_D_MAX


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([10, 9.5, 9.0, 11.0, 10.9], 2),  # renewed
        ([10, 9.5, 9.0, 11.0, 9.0], 5),  # one odd span
        ([10, 9.5, 9.0, np.nan, 11.0], 1),  # renewed lately
        ([9, 9.3, 9.6, 9.9, 10.2], 5),  # rises slowly
        ([9.0, 11, 10.5, 9.2, 11, 10.8], 2),  # twice: the last counts
    ],
)
def test_a_part_that_was_renewed_unseen_begins_anew(values: list[float], kept: int) -> None:
    found = since_last_rise(rows(*values), 0.8)
    assert int(np.isfinite(found.value).sum()) == kept
    assert np.isfinite(found.time_d).tolist() == np.isfinite(found.value).tolist()
