"""What is usual on a fleet: empirical Bayes finds it, and leans on the schedule where the fleet is small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from milepost_server.signals.flat import offsets_of
from milepost_server.signals.items.wear import (
    UsualWear,
    WearLine,
    WearReadings,
    WearRules,
    usual_wear,
    wear_limit,
    wear_line,
)
from milepost_server.signals.items.wear_prior import WearPrior, WearPriorRules, WearSlopes, wear_prior

KM = 1_000.0
USUAL = usual_wear(15_000 * KM, 80_000 * KM)
RULES, PRIOR_RULES = WearRules(), WearPriorRules()
LIFE_KM = 1 / USUAL.per_m / KM


def fleet(lives_km: np.ndarray, seed: int, readings_each: int = 4) -> tuple[WearReadings, np.ndarray]:
    """Readings of parts with these lives, and where each was new."""
    rng = np.random.default_rng(seed)
    start_m = rng.uniform(0, 4e7, len(lives_km))
    way = np.sort(rng.uniform(0.1, 0.9, (len(lives_km), readings_each)), axis=1)
    worn = way + rng.normal(0, RULES.noise, way.shape)
    odometer_m = start_m[:, None] + way * lives_km[:, None] * KM
    return WearReadings(
        offsets_of(np.full(len(lives_km), readings_each)), odometer_m.ravel(), worn.ravel()
    ), start_m


def prior_of(line: WearLine, group: np.ndarray, groups: int, usual: UsualWear = USUAL) -> WearPrior:
    return wear_prior(WearSlopes.of(line, usual, group, PRIOR_RULES), groups, USUAL.variance, PRIOR_RULES)


def test_cars_whose_schedules_differ_learn_from_each_other() -> None:
    """Electric cars wear half as fast, as their schedule says: both are 1.3 times as fast as said."""
    rng = np.random.default_rng(4)
    usual = UsualWear(np.repeat([USUAL.per_m, USUAL.per_m / 2], 1_000), np.full(2_000, USUAL.variance))
    km = np.concatenate([lives(rng, LIFE_KM / 1.3, 0.2, 1_000), lives(rng, 2 * LIFE_KM / 1.3, 0.2, 1_000)])
    prior = prior_of(wear_line(*fleet(km, 4), RULES), np.zeros(2_000, dtype=np.int64), 1, usual)
    assert prior.ratio[0] == pytest.approx(1.3, rel=0.05)
    assert prior.variance[0] == pytest.approx(0.2, rel=0.15)
    assert prior.of(np.zeros(2_000, dtype=np.int64), usual).per_m == pytest.approx(
        usual.per_m * prior.ratio[0]
    )


def lives(rng: np.random.Generator, mean_km: float, variance: float, parts: int) -> np.ndarray:
    return mean_km / rng.gamma(1 / variance, variance, parts)


def test_a_large_fleet_tells_its_own_mean_and_spread_by_group() -> None:
    rng = np.random.default_rng(3)
    km = np.concatenate([lives(rng, 22_000, 0.15, 3_000), lives(rng, 60_000, 0.15, 3_000)])
    group = np.repeat([0, 1], 3_000)
    line = wear_line(*fleet(km, 3), RULES)
    prior = prior_of(line, group, 3)
    assert LIFE_KM / prior.ratio[:2] == pytest.approx([22_000, 60_000], rel=0.05)
    assert prior.variance == pytest.approx(0.15, rel=0.1)
    assert prior.parts.tolist()[2] == 0
    # A group that nobody measured is like the fleet.
    assert prior.ratio[1] < prior.ratio[2] < prior.ratio[0]


def test_one_group_agrees_with_a_meta_analysis_of_its_slopes() -> None:
    """With parts that are measured alike, the weights of all methods are the same."""
    rng = np.random.default_rng(5)
    ratio, noise = rng.gamma(5, 0.2, 2_000) + rng.normal(0, 0.3, 2_000), np.full(2_000, 0.09)
    slopes = WearSlopes(ratio, noise, np.zeros(2_000, dtype=np.int64))
    prior = wear_prior(slopes, 1, USUAL.variance, PRIOR_RULES)
    oracle = combine_effects(ratio, noise, method_re="iterated")
    assert prior.ratio[0] == pytest.approx(oracle.mean_effect_re, rel=0.01)
    assert prior.variance[0] == pytest.approx(oracle.tau2 / oracle.mean_effect_re**2, rel=0.02)


def test_a_small_fleet_hardly_moves_what_the_schedule_says() -> None:
    line = wear_line(*fleet(np.array([20_000.0]), 1), RULES)
    prior = prior_of(line, np.zeros(1, dtype=np.int64), 1)
    assert 1 < prior.ratio[0] < 1.2


@pytest.mark.parametrize("parts", [0, 3])
def test_nothing_measured_is_what_the_schedule_says(parts: int) -> None:
    empty = WearReadings(offsets_of(np.zeros(parts, dtype=np.int64)), np.zeros(0), np.zeros(0))
    line = wear_line(empty, np.full(parts, 1e6), RULES)
    prior = prior_of(line, np.zeros(parts, dtype=np.int64), 2)
    assert prior.ratio.tolist() == [1.0, 1.0]
    assert prior.variance == pytest.approx(USUAL.variance)
    assert prior.parts.tolist() == [0, 0]


def test_the_fleet_s_own_prior_foretells_better_than_the_schedule_s() -> None:
    km = lives(np.random.default_rng(11), 25_000, 0.1, 2_000)
    readings, start_m = fleet(km, 11, readings_each=1)
    group = np.zeros(len(km), dtype=np.int64)
    own = prior_of(wear_line(readings, start_m, RULES), group, 1).of(group, USUAL)
    truth_m = start_m + km * KM
    errors = [
        np.abs(wear_limit(readings, start_m, usual, RULES).at_m - truth_m).mean() for usual in (own, USUAL)
    ]
    assert errors[0] < errors[1]


@given(
    km=st.lists(st.floats(500, 1_000_000), max_size=12),
    groups=st.integers(1, 3),
    readings_each=st.integers(1, 4),
)
def test_any_fleet_has_a_usable_prior(km: list[float], groups: int, readings_each: int) -> None:
    line = wear_line(*fleet(np.array(km), 2, readings_each), RULES)
    prior = prior_of(line, np.arange(len(km)) % groups, groups)
    assert (prior.ratio > 0).all()
    assert np.isfinite(prior.ratio).all()
    assert ((prior.variance > 0) & (prior.variance <= 0.81)).all()
