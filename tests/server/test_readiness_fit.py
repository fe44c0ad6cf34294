"""The fit of a card against scikit-learn, scipy and the truth; its penalties, directions and priors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from sklearn.linear_model import LogisticRegression

from milepost_server.signals.readiness import fit as fitting
from milepost_server.signals.readiness.columns import Column
from milepost_server.signals.readiness.errors import FitError
from milepost_server.signals.readiness.fit import Outcomes, Tables, fit, nothing_known, outcomes, singles
from milepost_server.signals.readiness.pairs import candidates, search
from milepost_server.signals.readiness.penalty import Penalties, precision
from milepost_server.signals.readiness.tuning import TuningRules, learn
from support.outcome_tables import outcome_table

DIRECTIONS = st.sampled_from([-1, 0, 1])


def columns(*directions: int) -> tuple[Column, ...]:
    """Columns of four bins and one for what is not known."""
    return tuple(
        Column(f"c{place}", f"column {place}", edges=(1.5, 2.5, 3.5), direction=direction)
        for place, direction in enumerate(directions)
    )


def some(seed: int, rows: int = 600, directions: tuple[int, ...] = (0, 0)) -> Outcomes:
    """Rows whose event depends on both columns and a little on their pair."""
    rng = np.random.default_rng(seed)
    bins = rng.integers(0, 5, size=(rows, len(directions)))
    log_odds = -1 + 0.6 * bins[:, 0] - 0.4 * bins[:, 1] + 1.0 * ((bins[:, 0] > 2) & (bins[:, 1] > 2))
    return outcomes(
        columns(*directions), bins, (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(float)
    )


def test_a_ridge_is_that_of_scikit_learn() -> None:
    data = some(1)
    ridge = 0.7
    ours = fit(data, singles(data.columns), Penalties(1e-12, ridge, 0.0), nothing_known(data))
    design = np.concatenate([np.eye(5)[data.bins[:, place]] for place in range(2)], axis=1)
    theirs = LogisticRegression(C=1 / ridge, tol=1e-10, max_iter=5_000).fit(design, data.events)
    assert np.concatenate(ours.tables) == pytest.approx(theirs.coef_[0], abs=2e-5)
    assert ours.base == pytest.approx(theirs.intercept_[0], abs=2e-5)


def test_fused_penalties_trials_offset_and_prior_are_those_of_a_general_minimiser() -> None:
    rng = np.random.default_rng(2)
    plain = some(2)
    trials = rng.integers(1, 4, len(plain)).astype(float)
    events = rng.binomial(1, 0.3, len(plain)) * 1.0
    data = outcomes(plain.columns, plain.bins, events, trials, rng.normal(size=len(plain)))
    terms = ((0,), (0, 1))
    penalties = Penalties(2.0, 0.5, 1.5, 0.8, 2.5)
    prior = Tables(terms, -0.5, (rng.normal(size=5), rng.normal(size=(5, 5))))
    ours = fit(data, terms, penalties, prior)

    at_prior = np.concatenate([[prior.base], *(table.ravel() for table in prior.tables)])
    weight = np.zeros((31, 31))
    weight[0, 0] = penalties.base
    weight[1:6, 1:6] = precision((data.columns[0],), penalties)
    weight[6:, 6:] = precision(data.columns, penalties)

    def objective(at: np.ndarray) -> float:
        log_odds = (
            data.offset
            + at[0]
            + at[1:6][data.bins[:, 0]]
            + at[6:].reshape(5, 5)[data.bins[:, 0], data.bins[:, 1]]
        )
        likelihood = trials * np.logaddexp(0, log_odds) - events * log_odds
        return float(likelihood.sum() + (at - at_prior) @ weight @ (at - at_prior) / 2)

    theirs = optimize.minimize(objective, at_prior, method="BFGS", options={"gtol": 1e-7, "maxiter": 5_000})
    found = np.concatenate([[ours.base], *(table.ravel() for table in ours.tables)])
    assert objective(found) <= theirs.fun + 1e-9
    assert found == pytest.approx(theirs.x, abs=1e-3)


@given(seed=st.integers(0, 10_000), directions=st.tuples(DIRECTIONS, DIRECTIONS))
def test_declared_directions_hold_exactly_in_single_columns_and_pairs(
    seed: int, directions: tuple[int, int]
) -> None:
    data = some(seed, 150, directions)
    found = fit(data, ((0,), (1,), (0, 1)), Penalties(), nothing_known(data))
    for term, table in zip(found.terms, found.tables, strict=True):
        for axis, place in enumerate(term):
            known = np.moveaxis(table, axis, 0)[:4]
            assert (directions[place] * np.diff(known, axis=0) >= 0).all()


def test_a_direction_that_the_data_follow_costs_nothing() -> None:
    free, bound = some(3, 4_000, (0, 0)), some(3, 4_000, (1, 0))
    fits = [fit(data, singles(data.columns), Penalties(), nothing_known(data)) for data in (free, bound)]
    assert np.concatenate(fits[0].tables) == pytest.approx(np.concatenate(fits[1].tables), abs=1e-6)


def test_the_start_does_not_matter() -> None:
    data = some(4)
    terms = ((0,), (1,), (0, 1))
    cold = fit(data, terms, Penalties(), nothing_known(data))
    far = Tables(terms, 3.0, tuple(np.full(table.shape, -2.0) for table in cold.tables))
    warm = fit(data, terms, Penalties(), nothing_known(data), start=far)
    assert warm.base == pytest.approx(cold.base, abs=1e-3)
    assert all(np.allclose(a, b, atol=1e-3) for a, b in zip(cold.tables, warm.tables, strict=True))


def test_few_outcomes_leave_the_prior_and_many_leave_it_behind() -> None:
    shape = np.array([-1.0, -0.5, 0.5, 1.0, 0.0])
    prior = Tables(((0,),), -1.0, (shape,))
    firm = Penalties(base=4.0, ridge=4.0, fused=4.0)
    gaps = []
    for rows in (4, 200_000):
        rng = np.random.default_rng(5)
        bins = rng.integers(0, 5, size=(rows, 1))
        truth = -1 - shape[bins[:, 0]]
        events = (rng.random(rows) < 1 / (1 + np.exp(-truth))).astype(float)
        events[0], events[1] = 0.0, 1.0
        found = fit(outcomes(columns(0), bins, events), ((0,),), firm, prior)
        gaps.append(np.abs(found.tables[0] + shape - (found.tables[0] + shape).mean()).max())
        if rows == 4:
            assert np.abs(found.tables[0] - shape).max() < 0.25
    assert gaps[1] < 0.1 < gaps[0]


@pytest.mark.parametrize(
    ("events", "trials", "what"),
    [
        ([], [], "no rows"),
        ([0, 0], [1, 1], "no row"),
        ([1, 1], [1, 1], "every row"),
        ([2, 0], [1, 1], "0 <= events"),
        ([np.nan, 0], [1, 1], "finite"),
    ],
)
def test_outcomes_that_say_nothing_are_errors(events: list[float], trials: list[float], what: str) -> None:
    bins = np.zeros((len(events), 1), dtype=np.int64)
    with pytest.raises(FitError, match=what):
        outcomes(columns(0), bins, np.array(events, float), np.array(trials, float))


def test_too_many_cells_are_an_error_and_not_a_full_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "CELLS_MAX", 20)
    data = some(6)
    with pytest.raises(FitError, match="cells"):
        fit(data, ((0, 1),), Penalties(), nothing_known(data))


def test_pairs_that_matter_are_found_and_the_same_seed_finds_the_same_card() -> None:
    rng = np.random.default_rng(8)
    bins = rng.integers(0, 4, size=(6_000, 4))
    odd = ((bins[:, 1] < 2) ^ (bins[:, 3] < 2)).astype(float)
    events = (rng.random(6_000) < 0.03 + 0.3 * odd).astype(float)
    data = outcomes(columns(0, 0, 0, 0), bins, events)
    cards = [learn(data, TuningRules(pairs=4, seed=3)) for _ in range(2)]
    assert (1, 3) in cards[0].tables.terms
    assert sum(len(term) == 2 for term in cards[0].tables.terms) == 1
    assert [table.tolist() for table in cards[0].tables.tables] == [
        table.tolist() for table in cards[1].tables.tables
    ]


def test_pairs_are_found_as_long_as_there_is_room_for_their_tables() -> None:
    rng = np.random.default_rng(8)
    bins = rng.integers(0, 26, size=(4_000, 6))
    odd = sum(((bins[:, a] < 13) ^ (bins[:, a + 1] < 13)).astype(float) for a in range(5))
    events = (rng.random(4_000) < 1 / (1 + np.exp(3 - odd))).astype(float)
    fine = tuple(Column(f"c{place}", "", edges=tuple(np.arange(1.0, 25))) for place in range(6))
    data = outcomes(fine, bins, events)
    path = search(data, data, nothing_known(data), penalties=Penalties(), prior=nothing_known(data), most=20)
    assert len(path.pairs) == (fitting.CELLS_MAX - 1) // 26**2
    assert len(path.held_out) == len(path.pairs) + 1


def test_what_was_foretold_of_rows_that_were_not_seen_is_calibrated() -> None:
    table = outcome_table(12_000, 3, "weak")
    bins = np.where(np.isnan(table.values), 10, table.values - 1).astype(np.int64)[:, :6]
    tens = tuple(Column(f"c{place}", "", edges=tuple(np.arange(1.5, 10))) for place in range(6))
    learned = learn(outcomes(tens, bins, table.event), TuningRules(pairs=2))
    expected = 1 / (1 + np.exp(-learned.foretold))
    assert expected.mean() == pytest.approx(table.event.mean(), rel=1e-2)
    slope = LogisticRegression(C=np.inf).fit(learned.foretold[:, None], table.event).coef_[0, 0]
    assert slope == pytest.approx(1, abs=0.02)


def test_rows_of_one_owner_are_held_out_together() -> None:
    table = outcome_table(6_000, 3, "weak")
    bins = np.where(np.isnan(table.values), 10, table.values - 1).astype(np.int64)[:, :8]
    tens = tuple(Column(f"c{place}", "", edges=tuple(np.arange(1.5, 10))) for place in range(8))
    owner = np.repeat(np.arange(3_000), 4)
    learned = learn(outcomes(tens, bins[owner], table.event[owner], owner=owner + 70), TuningRules(pairs=3))
    fresh, event = learned.tables.log_odds(bins[3_000:]), table.event[3_000:]
    slope = LogisticRegression(C=np.inf).fit(fresh[:, None], event).coef_[0, 0]
    assert slope == pytest.approx(1, abs=0.25)


def test_columns_that_say_nothing_are_kept_flat() -> None:
    rng = np.random.default_rng(4)
    bins = rng.integers(0, 10, size=(4_000, 40))
    events = (rng.random(4_000) < 0.05).astype(float)
    tens = tuple(Column(f"c{place}", "", edges=tuple(np.arange(1.0, 10))) for place in range(40))
    learned = learn(outcomes(tens, bins, events), TuningRules(pairs=0))
    assert learned.slope > 0.4  # the penalty, rather than the correction of the slope


def test_columns_that_say_nothing_have_no_table_but_those_of_a_prior_and_declared_ones_keep_theirs() -> None:
    rng = np.random.default_rng(14)
    bins = rng.integers(0, 10, size=(3_000, 60))
    log_odds = -8 + 1.5 * bins[:, 3] - 1.2 * bins[:, 7]
    events = (rng.random(3_000) < 1 / (1 + np.exp(-log_odds))).astype(float)
    tens = tuple(Column(f"c{place}", "", edges=tuple(np.arange(1.0, 10))) for place in range(60))
    data = outcomes(tens, bins, events)
    said: list[str] = []
    learned = learn(data, TuningRules(pairs=0), declared=((1, 2),), say=said.append)
    assert {(3,), (7,), (1, 2)} <= set(learned.tables.terms)
    assert len(learned.tables.terms) < 25
    assert any("columns that seem to foretell nothing" in words for words in said)
    believed = nothing_known(data).of(((5,), (9,)), tens)
    assert {(5,), (9,)} <= set(learn(data, TuningRules(pairs=0), believed).tables.terms)


def test_of_very_many_pairs_those_with_a_column_that_matters_are_weighed() -> None:
    few, many = columns(*[0] * 6), columns(*[0] * 40)
    assert len(candidates(few, ((2,),))) == 15
    assert candidates(many, ((2,),)) == [(min(2, other), max(2, other)) for other in range(40) if other != 2]


def test_too_few_events_to_hold_some_out_are_an_error() -> None:
    data = some(9)
    events = np.zeros(len(data))
    events[:3] = 1
    with pytest.raises(FitError, match="too few"):
        learn(outcomes(data.columns, data.bins, events), TuningRules(folds=4))
    events[:9] = 1
    with pytest.raises(FitError, match="too few"):
        learn(
            outcomes(data.columns, data.bins, events, owner=np.arange(len(data)) // 3), TuningRules(folds=4)
        )
