"""Figures of rankings and probabilities against scikit-learn and statsmodels, with ties and weights."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from milepost_server.evaluation.outcomes.logistic import plain_logistic
from milepost_server.signals import ranking
from milepost_server.signals.ranking import Ranking
from milepost_server.signals.readiness.calibration import reliability, wilson

SEEDS = st.integers(0, 10_000)


def drawn(seed: int, rows: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities with ties, events, and weights that count rows."""
    rng = np.random.default_rng(seed)
    probability = rng.integers(1, 20, rows) / 21
    event = (rng.random(rows) < probability).astype(float)
    event[:2] = 0.0, 1.0
    weight = rng.integers(0, 4, rows).astype(float)
    weight[:2] = 1.0
    return probability, event, weight


@given(seed=SEEDS)
def test_auc_brier_and_log_loss_are_those_of_scikit_learn(seed: int) -> None:
    probability, event, weight = drawn(seed)
    assert Ranking.of(probability, event).auc(weight) == pytest.approx(
        roc_auc_score(event, probability, sample_weight=weight)
    )
    assert ranking.brier(probability, event, weight) == pytest.approx(
        brier_score_loss(event, probability, sample_weight=weight)
    )
    assert ranking.log_loss(probability, event, weight) == pytest.approx(
        log_loss(event, probability, sample_weight=weight)
    )


@given(seed=SEEDS)
def test_a_weight_counts_like_that_many_rows(seed: int) -> None:
    probability, event, weight = drawn(seed)
    times = weight.astype(int)
    many = Ranking.of(np.repeat(probability, times), np.repeat(event, times))
    assert Ranking.of(probability, event).lift(0.1, weight) == pytest.approx(
        many.lift(0.1, np.ones(times.sum()))
    )


def test_lift_counts_ties_evenly_whatever_their_order() -> None:
    event = np.array([1.0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    assert Ranking.of(np.zeros(10), event).lift(0.1, np.ones(10)) == pytest.approx(1)
    assert Ranking.of(np.arange(10.0)[::-1], event).lift(0.1, np.ones(10)) == pytest.approx(10)
    assert Ranking.of(np.arange(10.0), event).lift(0.1, np.ones(10)) == 0


def test_the_calibration_line_is_the_regression_of_statsmodels() -> None:
    probability, event, weight = drawn(5, 400)
    intercept, slope = ranking.calibration_line(probability, event, weight)
    log_odds = np.log(probability / (1 - probability))
    theirs = sm.GLM(event, sm.add_constant(log_odds), sm.families.Binomial(), freq_weights=weight).fit()
    assert [intercept, slope] == pytest.approx(theirs.params, abs=1e-6)


def test_what_cannot_be_told_is_nan_and_no_error() -> None:
    event = np.array([0.0, 1.0, 0.0])
    assert np.isnan(ranking.calibration_line(np.full(3, 0.3), event, np.ones(3))).all()
    assert np.isnan(Ranking.of(np.arange(3.0), np.zeros(3)).auc(np.ones(3)))
    assert np.isnan(Ranking.of(np.arange(3.0), np.zeros(3)).lift(0.1, np.ones(3)))


@given(events=st.integers(0, 50), more=st.integers(0, 50))
def test_wilson_intervals_are_those_of_statsmodels(events: int, more: int) -> None:
    rows = events + more
    low, high = wilson(np.array([float(events)]), np.array([float(rows)]))
    theirs = proportion_confint(events, rows, method="wilson") if rows else (0.0, 1.0)
    assert [low[0], high[0]] == pytest.approx(theirs, abs=1e-9)


@given(seed=SEEDS, bins=st.integers(1, 12))
def test_a_reliability_table_holds_every_row_once_and_rises(seed: int, bins: int) -> None:
    probability, event, _ = drawn(seed)
    table = reliability(probability, event, bins)
    assert table.rows.sum() == len(event)
    assert 1 <= len(table) <= bins
    assert (np.diff(table.expected) > 0).all()
    assert table.rows @ table.expected == pytest.approx(probability.sum())
    assert table.rows @ table.observed == pytest.approx(event.sum())
    assert ((table.low <= table.observed) & (table.observed <= table.high)).all()


def test_the_plain_logistic_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(500, 3)) * [1, 10, 0.1] + [0, 5, 1]
    event = (rng.random(500) < 1 / (1 + np.exp(-values[:, 0]))).astype(float)
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    theirs = LogisticRegression(C=1e4, tol=1e-10).fit(scaled, event).predict_proba(scaled)[:, 1]
    assert plain_logistic(values, event, values) == pytest.approx(theirs, abs=1e-6)


def test_the_plain_logistic_takes_gaps_constants_and_separation() -> None:
    values = np.array([[np.nan, 3.0], [0.0, 3.0], [1.0, 3.0], [4.0, 3.0]])
    chance = plain_logistic(values, np.array([0.0, 0.0, 0.0, 1.0]), values)
    assert np.isfinite(chance).all()
    assert chance[3] > 0.9 > 0.1 > chance[1]
