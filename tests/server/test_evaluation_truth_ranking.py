"""Rankings at equal capacity against who truly replaced: by hand, and learned on planted outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from milepost_server.derivation.configuration import Configuration
from milepost_server.evaluation.truth import readiness
from milepost_server.evaluation.truth.asked import asked
from milepost_server.evaluation.truth.derive import Deriver
from milepost_server.evaluation.truth.files import read_facts, read_parts
from milepost_server.evaluation.truth.learning import is_for_training
from milepost_server.evaluation.truth.ranking import (
    BASELINES,
    WITHIN_D,
    Candidates,
    Judged,
    candidates,
    in_top,
    joined,
)
from milepost_server.signals.readiness.features import FEATURES
from support.columns import AS_OF_DAY, GRID, EvenFleet

if TYPE_CHECKING:
    from pathlib import Path


def planted(rng: np.random.Generator, rows: int, as_of: int) -> Candidates:
    """Owners who replace cars that they have had for long, and the sooner the more faults there were."""
    columns = {name: rng.normal(12, 6, rows) for name in FEATURES}
    for flag in ("is_lease", "bought_new"):
        columns[flag] = (rng.random(rows) < 0.3).astype(np.float64)
    columns["recurring_faults"] = rng.poisson(0.5, rows).astype(np.float64)
    columns["months_owned_over_usual"] = rng.normal(0, 20, rows)
    columns["months_to_contract_end"] = np.where(rng.random(rows) < 0.7, np.nan, rng.uniform(0, 40, rows))
    log_hazard = -4.5 + columns["months_owned_over_usual"] / 12 + 0.8 * columns["recurring_faults"]
    ended_d = rng.exponential(30.4 / np.exp(log_hazard))
    return Candidates(
        owner=np.arange(rows) + 10_000 * as_of,
        as_of=np.full(rows, as_of),
        columns=columns,
        ended_d=ended_d,
        odds={days: 1 - np.exp(-days / 30.4 * np.exp(log_hazard)) for days in WITHIN_D},
    )


def test_the_top_has_room_for_its_share_and_ties_are_broken_by_seed() -> None:
    score = np.array([3.0, -np.inf, 5.0, 1.0, 1.0, 1.0, 1.0, 0.0, 2.0, -np.inf])
    assert np.flatnonzero(in_top(score, 0.3, seed=1)).tolist() == [0, 2, 8]
    tops = {tuple(np.flatnonzero(in_top(score, 0.5, seed=seed))) for seed in range(40)}
    assert len(tops) > 3
    assert all({0, 2, 8} < set(top) for top in tops)
    assert in_top(score, 0.5, 7).tolist() == in_top(score, 0.5, 7).tolist()
    assert in_top(np.zeros(0), 0.5, 7).tolist() == []


def test_gains_are_replacements_more_per_thousand_calls() -> None:
    rows = planted(np.random.default_rng(2), 100, 0)
    ended = np.full(100, np.inf)
    ended[:10] = 50.0
    rows = Candidates(rows.owner, rows.as_of, rows.columns, ended, rows.odds)
    first, last = -np.arange(100.0), np.arange(100.0)
    judged = Judged(rows, {"first": first, "last": last}, seed=1)
    assert judged.found("first", 90.0, 0.05).value == 1_000
    assert judged.gain("first", "last", 90.0, 0.05).value == 1_000
    assert judged.gain("last", "first", 90.0, 0.2).value == -500
    assert judged.gain("first", "first", 90.0).value == 0
    assert judged.found("first", 40.0, 0.05).value == 0


def test_baselines_put_the_unknown_last() -> None:
    rows = planted(np.random.default_rng(3), 50, 0)
    rows.columns["age_months"][:5] = np.nan
    for name in ("oldest first", "youngest first"):
        assert not in_top(BASELINES[name](rows.columns), 0.5, 1)[:5].any()
    lease = BASELINES["lease end"](rows.columns)
    runs = (rows.columns["is_lease"] == 1) & (rows.columns["months_to_contract_end"] >= 0)
    assert (np.isfinite(lease) == runs).all()


def test_owners_are_split_by_half_and_stay_where_they_are() -> None:
    owner = np.arange(20_000)
    half = is_for_training(owner)
    assert half.mean() == pytest.approx(0.5, abs=0.01)
    assert (is_for_training(owner[::-1])[::-1] == half).all()


def test_a_planted_hazard_is_learned_and_beats_what_dealers_go_by() -> None:
    rng = np.random.default_rng(5)
    rows = joined([planted(rng, 4_000, number) for number in range(3)])
    near, far = readiness.trials(rows, [1_000.0, 1_182.0, 1_364.0], seed=1)
    assert near.learned_from > 100
    assert not is_for_training(near.judged.rows.owner).any()
    assert set(near.judged.rows.as_of) == {2}
    for trial in (near, far):
        found = readiness.gains(trial)
        assert all(gain.low > 0 for name, gain in found.items() if "prior" not in name)
        truth = trial.judged.found(readiness.TRUTH, trial.days).value
        assert trial.judged.found(trial.ours, trial.days).value > 0.75 * truth
    picture = readiness.gain_picture(near)
    assert "the true odds" in picture


def test_nothing_to_learn_from_leaves_the_prior_and_says_that_nothing_is_shown() -> None:
    rows = planted(np.random.default_rng(6), 600, 0)
    never = Candidates(rows.owner, rows.as_of, rows.columns, np.full(600, np.inf), rows.odds)
    near, _ = readiness.trials(never, [1_000.0], seed=1)
    assert near.learned_from == 0
    assert near.ours == readiness.PRIOR
    said = readiness.verdicts(near, readiness.gains(near))
    assert len(said) == 4
    assert "is not shown to be better than that baseline" in said[0]


def test_candidates_are_owned_and_their_odds_those_of_the_hazard(tmp_path: Path) -> None:
    fleet = EvenFleet()
    fleet.truth["tenures"]["replaced_day"][:3] = (AS_OF_DAY - 5, AS_OF_DAY + 30, AS_OF_DAY + 120)
    fleet.truth["tenures"]["hazard"][:, :] = 0.02
    folder = fleet.write(tmp_path)
    (part,) = read_parts(folder, read_facts(folder))
    found = candidates(
        part, asked(part, Deriver(float(AS_OF_DAY), Configuration()).derive(part)), AS_OF_DAY, 0
    )
    assert len(found) == fleet.cars - 1
    assert found.ended_d[:2].tolist() == [30, 120]
    assert found.happened(90.0).sum() == 1
    assert found.happened(180.0).sum() == 2
    assert (GRID[1] - GRID[0]) == 30
    assert found.odds[90.0] == pytest.approx(1 - 0.98**3)
    assert set(found.columns) == set(FEATURES)
    assert (found.columns["months_since_service"] < 36).all()
    assert (found.columns["services_2y"] == 2).all()
    assert np.isnan(found.columns["months_to_contract_end"]).all()
