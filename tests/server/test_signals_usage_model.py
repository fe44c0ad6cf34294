"""What a fleet's past teaches: of what was known then, only where it helps, the same from a document."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from milepost_server.signals.flat import DAYS_PER_MONTH, offsets_of
from milepost_server.signals.usage import calibration
from milepost_server.signals.usage.features import FEATURES, features
from milepost_server.signals.usage.model import VEHICLES_MIN, Held, PaceModel, fit, untaught
from milepost_server.signals.usage.months import month_steps
from milepost_server.signals.usage.pace import KNOTS_MONTHS, Curves, curves
from milepost_server.signals.usage.past import (
    Examples,
    days_until,
    examples,
    known_at,
    rolling_origins,
)
from milepost_server.signals.usage.rate import (
    History,
    UsageRules,
    group_prior,
    month_variances,
    observe,
    scatter_of,
    shrink,
)
from milepost_server.signals.usage.regimes import RegimeRules, regimes
from milepost_server.signals.usage.trees import TreeRules, Trees, grow, weighted_median

RULES = UsageRules()
FEW = TreeRules(trees=40)
BEGIN_D = 15_000.0
KM = 1_000.0
NAMES = [feature.name for feature in FEATURES]


def fleet(vehicles: int, months: int, seed: int, *, fading: float = 0.0) -> History:
    """Monthly readings; with ``fading``, every vehicle goes that much less far from month to month."""
    rng = np.random.default_rng(seed)
    level = rng.gamma(8, 150, vehicles) * KM
    scatter = rng.gamma(6, 1 / 6, (vehicles, months))
    begun = rng.uniform(0, 1, vehicles)
    trend = np.exp(-fading * np.arange(months) * begun[:, None])
    odometer = np.cumsum(np.column_stack([np.zeros(vehicles), level[:, None] * scatter * trend]), axis=1)
    time_d = np.tile(BEGIN_D + np.arange(months + 1) * DAYS_PER_MONTH, vehicles)
    return History(offsets_of(np.full(vehicles, months + 1)), time_d, odometer.ravel())


def past_of(history: History) -> Examples:
    group = np.zeros(len(history.offsets) - 1, dtype=np.int64)
    return examples(history, group, 1, rolling_origins(history, 4, 3), RULES)


def cut(history: History, until_d: float) -> History:
    """Only the rows up to a time; all vehicles begin before it."""
    kept = history.time_d <= until_d
    counts = np.add.reduceat(kept, history.offsets[:-1])
    return History(offsets_of(counts), history.time_d[kept], history.odometer_m[kept])


def test_months_are_steps_back_from_the_last_reading() -> None:
    time_d = np.array([0.0, 10, 70, 100]) * DAYS_PER_MONTH / 10
    history = History(offsets_of(np.array([4, 0, 1])), np.append(time_d, 5.0), np.array([0.0, 5, 35, 95, 7]))
    expected = np.full((3, 12), np.nan)
    expected[0, :10] = [20, 20, 20, 5, 5, 5, 5, 5, 5, 5]
    np.testing.assert_allclose(month_steps(history, 12), expected)
    assert month_steps(History(np.zeros(1, dtype=np.int64), np.zeros(0), np.zeros(0)), 3).shape == (0, 3)


def test_what_was_known_at_an_origin_does_not_change_with_what_came_later() -> None:
    history = fleet(20, 36, seed=1)
    group = np.arange(20) % 3
    origins = rolling_origins(history, 4, 3)
    as_of_d = BEGIN_D + 20 * DAYS_PER_MONTH
    early = cut(history, as_of_d + 1)
    before = np.flatnonzero(history.time_d[origins.row] <= as_of_d)
    later = known_at(history, group, 3, origins, RULES).of(before)
    then = known_at(early, group, 3, rolling_origins(early, 4, 3), RULES)
    np.testing.assert_allclose(then.features, later.features)
    np.testing.assert_allclose(then.usage.rate_m_per_d, later.usage.rate_m_per_d)


def test_an_origin_knows_what_a_derivation_of_that_day_would_know() -> None:
    history = fleet(20, 36, seed=2)
    group = np.arange(20) % 3
    origins = rolling_origins(history, 4, 3)
    known = known_at(history, group, 3, origins, RULES)
    as_of_d = float(np.max(history.time_d[origins.row]))
    now = cut(history, as_of_d)
    observed = observe(now, as_of_d, RULES)
    prior = group_prior(observed, month_variances(now), group, 3, RULES).of(group)
    breaks = regimes(now, RegimeRules())
    observed = observe(now, as_of_d, RULES, breaks.counts_from_d)
    usage = shrink(observed, prior, RULES, scatter_of(now))
    last = np.flatnonzero(history.time_d[origins.row] == as_of_d)
    np.testing.assert_allclose(known.usage.rate_m_per_d[last], usage.rate_m_per_d)
    np.testing.assert_allclose(known.features[last], features(now, usage, prior))


def test_features_of_a_steady_vehicle_say_nothing_but_its_rate() -> None:
    time_d = BEGIN_D + np.arange(37) * DAYS_PER_MONTH
    history = History(offsets_of(np.array([37, 0])), time_d, np.arange(37) * 1_000 * KM)
    observed = observe(history, float(time_d[-1]), RULES)
    prior = group_prior(observed, month_variances(history), np.zeros(2, dtype=np.int64), 1, RULES).of(
        np.zeros(2, dtype=np.int64)
    )
    usage = replace(shrink(observed, prior, RULES), rate_m_per_d=np.full(2, 1_000 * KM / DAYS_PER_MONTH))
    steady, unknown = features(history, usage, prior)
    found = dict(zip(NAMES, steady, strict=True))
    for name in ("last_month", "last_weeks", "last_months", "last_year", "always", "year_ago", "steadiness"):
        assert found[name] == pytest.approx(0, abs=1e-6)
    assert found["history_months"] == pytest.approx(36)
    assert 1 <= found["season"] <= 12
    assert np.isnan(unknown).all()


def test_days_until_are_read_off_the_history() -> None:
    history = History(offsets_of(np.array([3])), np.array([0.0, 10, 20]), np.array([0.0, 100, 400]))
    origins = rolling_origins(history, 0.1, 0.0)
    assert days_until(history, origins, np.full(3, 50.0)).tolist() == pytest.approx([5, 10 / 6, np.inf])


def test_an_origin_tells_only_of_what_could_be_watched_for_long_enough() -> None:
    past = past_of(fleet(5, 13, seed=3))
    months_left = 12 - 4 * np.arange(3) - 2
    for rows in past.longer.reshape(5, 3, -1):
        for left, row in zip(months_left, rows, strict=True):
            told = np.isfinite(row)
            assert told.tolist() == [2 * months <= left + 1e-6 for months in KNOTS_MONTHS] or left <= 1.5


def test_trees_find_medians_and_a_product_of_two_columns_as_well_as_the_oracle() -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(4_000, 3))
    clean = np.sign(rows[:, 0]) * np.sign(rows[:, 1]) * 0.5
    # Lopsided noise with median 0: a mean would be far off.
    wanted = clean + np.where(rng.random(4_000) < 0.5, -rng.random(4_000) * 0.2, rng.gamma(1, 1, 4_000))
    train, test = slice(0, 3_000), slice(3_000, 4_000)
    ours = grow(rows[train], wanted[train, None], np.ones(3_000), TreeRules(), seed=1)
    oracle = HistGradientBoostingRegressor(loss="absolute_error", max_iter=200, max_leaf_nodes=8)
    theirs = oracle.fit(rows[train], wanted[train]).predict(rows[test])
    error = np.abs(ours.run(rows[test])[:, 0] - wanted[test]).mean()
    assert error < np.abs(theirs - wanted[test]).mean() * 1.05
    assert error < 0.8 * np.abs(np.median(wanted[train]) - wanted[test]).mean()


def test_trees_give_the_same_from_a_document_and_of_pieces() -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(20_000, 4))
    rows[::7, 2] = np.nan
    wanted = np.column_stack([rows[:, 0] > 0, np.full(20_000, np.nan)]).astype(np.float64)
    trees = grow(rows[:500], wanted[:500], np.ones(500), FEW, seed=1)
    again = Trees.from_document(json.loads(json.dumps(trees.to_document())))
    np.testing.assert_allclose(again.run(rows), trees.run(rows), atol=2e-4)
    np.testing.assert_array_equal(trees.run(rows)[-5:], trees.run(rows[-5:]))
    assert (trees.run(rows)[:, 1] == 0).all(), "nothing was known of this output"


def test_the_weighted_median() -> None:
    assert weighted_median(np.array([3.0, 1, 2]), np.array([1.0, 1, 1])) == 2
    assert weighted_median(np.array([3.0, 1, 2]), np.array([9.0, 1, 1])) == 3
    assert weighted_median(np.zeros(0), np.zeros(0)) == 0


@pytest.mark.parametrize("held", Held)
def test_a_trend_of_the_whole_fleet_is_learned(held: Held) -> None:
    past = past_of(fleet(60, 36, seed=6, fading=0.15))
    model = fit(past, RULES, FEW, 1, held)
    assert model.trust > 0
    assert model.gain > 0.05
    longer = model.learned(past.known).longer
    assert np.median(longer[:, 1]) > 0.02


@pytest.mark.parametrize("held", Held)
def test_where_there_is_little_to_learn_the_rate_nearly_stands_as_it_is(held: Held) -> None:
    past = past_of(fleet(40, 30, seed=7))
    model = fit(past, RULES, FEW, 1, held)
    shift = np.abs(model.learned(past.known).longer[:, :3])
    assert model.gain < 0.12, "steady vehicles: a longer memory than the rate's is all that helps"
    assert np.median(shift) < 0.08


def test_a_small_fleet_is_taught_nothing() -> None:
    model = fit(past_of(fleet(VEHICLES_MIN - 1, 30, seed=8, fading=0.2)), RULES, FEW, 1, Held.LATER)
    assert model.trees is None
    assert model.early.tolist() == [1.0] * len(KNOTS_MONTHS)


def test_no_vehicles_teach_nothing() -> None:
    nobody = History(np.zeros(1, dtype=np.int64), np.zeros(0), np.zeros(0))
    past = examples(nobody, np.zeros(0, dtype=np.int64), 1, rolling_origins(nobody, 4, 3), RULES)
    assert fit(past, RULES, FEW, 1, Held.LATER).trees is None


def test_the_same_past_and_seed_give_the_same_model_and_a_document_keeps_it() -> None:
    past = past_of(fleet(30, 30, seed=9, fading=0.2))
    model, again = (fit(past, RULES, FEW, 3, Held.LATER) for _ in range(2))
    assert model.to_document() == again.to_document()
    kept = PaceModel.from_document(json.loads(json.dumps(model.to_document())))
    np.testing.assert_allclose(kept.learned(past.known).longer, model.learned(past.known).longer, atol=1e-4)
    with pytest.raises(ValueError, match="version 0"):
        PaceModel.from_document(model.to_document() | {"version": 0})


def test_what_was_learned_fades_with_silence_and_says_nothing_of_the_unknown() -> None:
    past = past_of(fleet(30, 30, seed=10, fading=0.2))
    model = fit(past, RULES, FEW, 1, Held.LATER)
    known = past.known.of(np.arange(2))
    fresh = model.learned(known).longer
    known.features[1] = np.nan
    silent = model.learned(known, np.array([12.0, 0.0])).longer
    assert silent[0] == pytest.approx(fresh[0] * 0.8**12)
    assert (silent[1] == 0).all()


def test_the_untaught_model_is_no_correction() -> None:
    past = past_of(fleet(4, 12, seed=11))
    learned = untaught().learned(past.known)
    assert not learned.longer.any()
    assert (learned.early == 1).all()
    assert np.isnan(untaught().coverage.overall)


@pytest.mark.parametrize("held", Held)
def test_widths_are_made_true_and_counted_on_what_was_held_out(held: Held) -> None:
    past = past_of(fleet(80, 48, seed=12))
    model = fit(past, RULES, FEW, 1, held)
    # Of long distances little is known by the time that they are foretold: then widths stay untaught, wide.
    tolerance = {Held.VEHICLES: 0.03, Held.LATER: 0.08}[held]
    assert model.coverage.overall == pytest.approx(0.8, abs=tolerance)
    if held is Held.VEHICLES:
        assert model.coverage.share == pytest.approx(0.8, abs=0.06)


def test_a_shock_to_all_vehicles_at_once_is_no_lesson_for_later_times() -> None:
    """Other vehicles at the same time know of it, and would make believe that it could have been foretold."""
    rng = np.random.default_rng(14)
    calm = fleet(60, 60, seed=14)
    shocks = np.repeat(rng.gamma(2, 1 / 2, 15), 4)  # the whole fleet, four months at a time
    steps = np.diff(calm.odometer_m.reshape(60, 61), axis=1) * shocks
    odometer = np.column_stack([np.zeros(60), np.cumsum(steps, axis=1)])
    past = past_of(History(calm.offsets, calm.time_d, odometer.ravel()))
    by_vehicle, by_time = (fit(past, RULES, FEW, 1, held) for held in (Held.VEHICLES, Held.LATER))
    assert by_vehicle.gain > by_time.gain + 0.1
    assert by_time.early.mean() + by_time.late.mean() > by_vehicle.early.mean() + by_vehicle.late.mean()


def test_what_had_come_by_a_time_is_what_could_be_watched_until_then() -> None:
    past = past_of(fleet(3, 40, seed=15))
    until_d = BEGIN_D + 20 * DAYS_PER_MONTH
    told = np.isfinite(past.longer_by(until_d))
    watched_d = (until_d - past.as_of_d)[:, None] >= 2 * np.array(KNOTS_MONTHS) * DAYS_PER_MONTH
    assert (told == (watched_d & np.isfinite(past.longer))).all()


def test_a_knot_that_few_can_tell_of_leans_on_the_nearer_one() -> None:
    rng = np.random.default_rng(16)
    came = rng.normal(0, 0.1, (1_000, 3))
    came[:, 2] = np.nan  # too far ahead to be told yet
    came[20:, 1] = np.nan
    came[:20, 1] *= 3  # the few that were there first, by chance
    wide = np.ones((1_000, 3))
    for sides in calibration.factors(Curves(0 * wide, 0.2 * wide, 0.2 * wide), came, np.arange(1_000)):
        near, few, none = sides
        assert near == pytest.approx(0.5, abs=0.05)
        assert near < few < near + 0.4 * (1.5 - near)
        assert none == few


def test_widths_that_the_newest_prior_makes_wider_are_not_widened_twice() -> None:
    past = past_of(fleet(80, 48, seed=17))
    newest, twice = past.as_of_d == past.as_of_d.max(), 1.5
    assert 0 < newest.sum() < 0.1 * len(newest)
    growth = np.where(newest, twice, 1.0)
    usage, prior = past.known.usage, past.known.prior
    known = replace(
        past.known,
        usage=replace(usage, level_variance=usage.level_variance * growth**2),
        prior=replace(prior, between_cv=prior.between_cv * growth),
    )
    plain, grown = (fit(each, RULES, FEW, 1) for each in (past, replace(past, known=known)))
    said = replace(usage, level_variance=usage.level_variance * twice**2)
    before, after = (curves(each, RULES) for each in (usage, said))
    near = slice(0, 3)
    for side in ("early", "late"):
        was = np.median(getattr(before, side)[:, near], axis=0) * getattr(plain, side)[near]
        becomes = np.median(getattr(after, side)[:, near], axis=0) * getattr(grown, side)[near]
        assert becomes == pytest.approx(was, rel=0.1)


def test_factors_are_the_steps_beyond_which_one_in_ten_lies() -> None:
    rng = np.random.default_rng(13)
    one = np.ones((20_000, 1))
    curves = Curves(0 * one, 0.1 * one, 0.1 * one)
    came = np.where(rng.random((20_000, 1)) < 0.5, -1.5, 0.7) * np.abs(rng.normal(size=(20_000, 1))) * 0.1
    early, late = calibration.factors(curves, came, np.arange(20_000))
    assert (early[0], late[0]) == pytest.approx((1.5, 0.7), rel=0.03)
    unknown = calibration.factors(curves, came * np.nan, np.arange(20_000))
    assert np.concatenate(unknown).tolist() == [1.0, 1.0]
    counted = calibration.coverage(Curves(0 * one, early * 0.1 * one, late * 0.1 * one), came)
    assert counted.overall == pytest.approx(0.8, abs=0.01)
    assert calibration.Coverage.from_document(counted.to_document()).told.tolist() == [20_000]
