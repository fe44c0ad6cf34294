"""Usage and what lies ahead: hand-computed rates, and what must hold for any history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals import gamma
from milepost_server.signals.flat import DAYS_PER_MONTH, interpolate, offsets_of
from milepost_server.signals.usage.ahead import HORIZON_D_MAX, PACES, Ahead, fan
from milepost_server.signals.usage.rate import (
    PUBLISHED_RATE_M_PER_D,
    GroupPrior,
    History,
    Observed,
    Scatter,
    Usage,
    UsageRules,
    aged_until,
    group_prior,
    month_variances,
    observe,
    published_prior,
    scatter_of,
    shrink,
)

RULES = UsageRules()
NOW_D = 20_000.0
KM = 1_000.0


def history(*cars: list[tuple[float, float]]) -> History:
    """Cars as lists of (months before now, kilometres)."""
    rows = [row for car in cars for row in car]
    return History(
        offsets_of(np.array([len(car) for car in cars], dtype=np.int64)),
        np.array([NOW_D - months * DAYS_PER_MONTH for months, _ in rows]),
        np.array([km * KM for _, km in rows]),
    )


def usage(rate_m_per_d: float = 40_000.0, level: float = 0.05, month: float = 0.16) -> Usage:
    return Usage(*(np.array([value]) for value in (rate_m_per_d, level, month, 4.0)))


def test_the_rate_is_decayed_and_shrunk_as_by_hand() -> None:
    # Three whole months of 900, 1,200 and 1,500 km, the last one newest; the group does 1,000 km a month.
    observed = observe(history([(3, 0), (2, 900), (1, 2_100), (0, 3_600)]), NOW_D, RULES)
    prior = GroupPrior(np.array([1_000 * KM / DAYS_PER_MONTH]), np.array([0.3]), np.array([0.4]))
    result = shrink(observed, prior, RULES)
    weights = 1 + 0.8 + 0.64
    by_hand = (1_500 + 0.8 * 1_200 + 0.64 * 900 + 1.5 * 1_000) / (weights + 1.5)
    assert result.rate_m_per_d[0] * DAYS_PER_MONTH / KM == pytest.approx(by_hand)
    assert result.weight_months[0] == pytest.approx(weights)
    assert result.level_variance[0] == pytest.approx(0.09 * 1.5 / (weights + 1.5))


def test_how_finely_a_history_is_read_does_not_matter() -> None:
    coarse = history([(6, 0), (0, 6_000)])
    fine = history([(6 - n / 100, n * 10) for n in range(601)])
    for rows in (coarse, fine):
        result = observe(rows, NOW_D, RULES)
        assert result.distance_m[0] / result.weight_months[0] == pytest.approx(1_000 * KM)


def test_silence_leads_back_to_the_group_and_widens() -> None:
    car = history([(6, 0), (0, 12_000)])
    prior = published_prior(1)
    results = [shrink(observe(car, NOW_D + days, RULES), prior, RULES) for days in (0, 90, 365, 3_650)]
    variances = [result.level_variance[0] for result in results]
    assert variances == sorted(variances)
    assert results[-1].rate_m_per_d[0] == pytest.approx(PUBLISHED_RATE_M_PER_D, rel=1e-3)
    assert results[0].rate_m_per_d[0] > 1.3 * PUBLISHED_RATE_M_PER_D


def test_a_silence_of_a_month_ages_nothing_and_a_longer_one_by_what_is_over() -> None:
    month_d = RULES.silence_months * DAYS_PER_MONTH
    last_d = NOW_D - np.array([0.0, month_d, month_d + 10, np.nan])
    until_d = aged_until(last_d, NOW_D, RULES)
    assert (until_d - last_d)[:3] == pytest.approx([0, 0, 10])
    assert until_d[3] <= NOW_D
    car = history([(6, 0), (0, 12_000)])
    fresh, quiet, silent = (
        observe(car, aged_until(np.array([NOW_D]), NOW_D + days, RULES), RULES).weight_months[0]
        for days in (0, 30, 90)
    )
    assert fresh == quiet > silent


def test_vehicles_without_steps_have_the_prior_and_an_empty_fleet_has_the_published_one() -> None:
    cars = history([], [(1, 5_000)])
    observed = observe(cars, NOW_D, RULES)
    result = shrink(observed, published_prior(2), RULES)
    assert result.rate_m_per_d.tolist() == pytest.approx([PUBLISHED_RATE_M_PER_D] * 2)
    nobody = observe(history(), NOW_D, RULES)
    prior = group_prior(nobody, np.zeros(0), np.zeros(0, dtype=np.int64), 1, RULES)
    assert prior.rate_m_per_d.tolist() == pytest.approx([PUBLISHED_RATE_M_PER_D])


def test_a_group_of_its_own_leans_on_the_fleet_by_its_size() -> None:
    monthly_km = [1_000.0] * 100 + [3_000.0] * 3
    observed = Observed(np.array(monthly_km) * KM * 4, np.full(103, 4.0))
    group = np.array([1] * 100 + [2] * 3, dtype=np.int64)
    prior = group_prior(observed, np.full(103, np.nan), group, 3, RULES)
    per_month = prior.rate_m_per_d * DAYS_PER_MONTH / KM
    fleet = (103 * 1_000 + 5 * PUBLISHED_RATE_M_PER_D * DAYS_PER_MONTH / KM) / 108
    assert per_month.tolist() == pytest.approx([fleet, (100 * 1_000 + fleet) / 101, (3 * 3_000 + fleet) / 4])


def test_the_variance_of_months_is_that_of_whole_months() -> None:
    car = history([(4, 0), (3, 500), (2, 2_000), (1, 2_500), (0, 4_000)])
    short = history([(1, 0), (0, 900)])
    assert month_variances(car).tolist() == pytest.approx([np.var([500, 1_500] * 2, ddof=1) / 1_000**2])
    assert np.isnan(month_variances(short)).all()


def test_a_vehicle_of_even_months_is_foretold_more_narrowly_and_few_months_say_little() -> None:
    months = {"even": [1_000.0] * 12, "uneven": [200.0, 1_800.0] * 6, "short": [200.0, 1_800.0, 200.0]}
    cars = history(*([(len(m) - n, sum(m[:n])) for n in range(len(m) + 1)] for m in months.values()))
    prior = published_prior(3)
    alone = scatter_of(cars)
    found = shrink(observe(cars, NOW_D, RULES), prior, RULES, alone).month_variance
    variance, weight = prior.month_cv[0] ** 2, RULES.scatter_weight_months
    assert alone.months.tolist() == [12, 12, 3]
    assert found[0] == pytest.approx(weight * variance / (12 + weight))
    assert found[0] < variance < found[2] < found[1]
    unknown = shrink(observe(cars, NOW_D, RULES), prior, RULES, Scatter(np.full(3, np.nan), np.zeros(3)))
    assert unknown.month_variance == pytest.approx(variance)


def test_interpolation_respects_vehicles() -> None:
    offsets = offsets_of(np.array([2, 0, 3], dtype=np.int64))
    x, y = np.array([0.0, 10, 0, 5, 10]), np.array([0.0, 100, 0, 0, 50])
    asked = np.array([0, 0, 1, 2, 2, 2], dtype=np.int64)
    at = np.array([5.0, 11, 5, 5, 7.5, 10])
    np.testing.assert_allclose(
        interpolate(offsets, x, y, asked, at), [50, np.nan, np.nan, 0, 25, 50], equal_nan=True
    )


@pytest.mark.parametrize(
    ("variance", "p10", "p90"),
    # From tables of the chi-square distribution with 2 / v degrees of freedom, divided by these.
    [(0.04, 0.7538, 1.2633), (0.1, 0.6221, 1.4206), (0.25, 0.4362, 1.6702), (0.5, 0.2659, 1.9449)],
)
def test_gamma_quantiles(variance: float, p10: float, p90: float) -> None:
    spread = np.array([variance, variance])
    result = gamma.quantile(spread, np.array([gamma.Z10, gamma.Z90]))
    assert result.tolist() == pytest.approx([p10, p90], rel=0.005)
    assert gamma.below(spread, result).tolist() == pytest.approx([0.1, 0.9], abs=1e-6)


CARS = st.lists(
    st.lists(st.tuples(st.floats(0.01, 40), st.floats(0, 5_000)), max_size=10), min_size=1, max_size=4
)


@given(cars=CARS, metres=st.floats(1, 1e9), more=st.floats(1.0, 50.0))
def test_more_distance_is_never_reached_earlier(
    cars: list[list[tuple[float, float]]], metres: float, more: float
) -> None:
    walked = []
    for car in cars:
        months = np.cumsum([step for step, _ in car])
        km = np.cumsum([step for _, step in car])
        walked.append([(float(months[-1] - m), float(k)) for m, k in zip(months, km, strict=True)])
    prior = published_prior(len(cars))
    ahead = Ahead(shrink(observe(history(*walked), NOW_D, RULES), prior, RULES), RULES)
    vehicle, none = np.arange(len(cars)), np.zeros(len(cars))
    days = np.array([ahead.days_to(vehicle, np.full(len(cars), metres), none, pace) for pace in PACES])
    longer = np.array(
        [ahead.days_to(vehicle, np.full(len(cars), metres * more), none, pace) for pace in PACES]
    )
    assert np.isfinite(days).all()
    assert (days > 0).all()
    assert (longer >= days * (1 - 1e-4)).all()
    assert (np.diff(days, axis=0) >= 0).all()
    odds = ahead.odds_within(vehicle, np.full(len(cars), metres), none, np.full(len(cars), 30.0))
    assert ((odds >= 0) & (odds <= 1)).all()


@given(rate=st.floats(500, 400_000), level=st.floats(0, 0.3), month=st.floats(0.01, 0.5))
def test_fan_dates_and_odds_tell_the_same_story(rate: float, level: float, month: float) -> None:
    ahead = Ahead(usage(rate, level, month), RULES)
    first, metres, none = np.array([0]), np.array([10_000 * KM]), np.zeros(1)
    for pace, odds in zip(PACES, (0.1, 0.5, 0.9), strict=True):
        days = ahead.days_to(first, metres, none, pace)
        if days[0] < HORIZON_D_MAX:
            assert ahead.metres_in(first, days, pace) == pytest.approx(metres, rel=1e-3)
            if pace:  # the median of a gamma variable is not quite at z = 0 of its mean
                assert ahead.odds_within(first, metres, none, days) == pytest.approx(odds, abs=2e-3)


def test_the_fan_opens_from_the_last_reading() -> None:
    drawn = fan(Ahead(usage(), RULES), NOW_D, 50_000 * KM, NOW_D + 100, 11)
    assert drawn.time_d.tolist() == pytest.approx([NOW_D + 10 * n for n in range(11)])
    assert drawn.p10_m[0] == drawn.p90_m[0] == 50_000 * KM
    assert (np.diff(drawn.p90_m - drawn.p10_m) > 0).all()
    assert (drawn.p10_m[1:] < drawn.p50_m[1:]).all()
    past = fan(Ahead(usage(), RULES), NOW_D, 50_000 * KM, NOW_D - 1, 11)
    assert past.time_d.tolist() == [NOW_D]
