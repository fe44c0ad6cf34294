"""Figures of a learned ranking are of owners it has not seen, and chance is called chance."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from milepost_server.signals import bootstrap
from milepost_server.signals.ranking import Ranking
from milepost_server.signals.readiness import backtest, priors
from milepost_server.signals.readiness.baselines import BASELINES
from milepost_server.signals.readiness.features import FEATURES
from milepost_server.signals.readiness.learning import Seen, learn_dealers
from milepost_server.signals.readiness.model import Scorecard
from milepost_server.signals.readiness.tuning import TuningRules

PRIOR, FIRMNESS = priors.shipped()
DAYS = 2
OWNERS = 200
DEALER = np.repeat(np.arange(OWNERS) % 2 + 1, DAYS)


def learn(seen: Seen, dealer: np.ndarray) -> tuple[Scorecard, dict[int, Scorecard]]:
    rules = TuningRules(pairs=0)
    return learn_dealers(seen, dealer, prior=PRIOR, firmness=FIRMNESS, rules=rules, fitted_on="2027-03-01")


def drawn(seed: int, odds: float = 0.0) -> Seen:
    """Owners who look the same on several days; one in five replaces a car, by ``odds`` the older."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(OWNERS), DAYS)
    values = {name: rng.integers(0, 2, OWNERS).astype(float)[owner] for name in FEATURES}
    values["age_months"] = rng.uniform(0, 120, OWNERS)[owner]
    log_odds = odds * (values["age_months"] / 60 - 1) - 1.4
    came = rng.random(len(owner)) < 1 / (1 + np.exp(-log_odds))
    return Seen(values, np.where(came, 1.0, np.nan), np.full(len(owner), 4.0), owner=owner)


def test_no_owner_is_scored_by_a_model_that_saw_one_of_its_days() -> None:
    seen = drawn(1)
    assert seen.owner is not None
    learned_of: list[set[int]] = []

    def spy(part: Seen, dealer: np.ndarray) -> tuple[Scorecard, dict[int, Scorecard]]:
        assert part.owner is not None
        learned_of.append(set(part.owner.tolist()))
        return learn(part, dealer)

    held = backtest.held_out(seen, DEALER, spy, seed=3)
    assert held is not None
    left_out = [set(seen.owner.tolist()) - some for some in learned_of]
    assert sorted(np.concatenate([list(some) for some in left_out]).tolist()) == list(range(OWNERS))
    for some in left_out:
        (model, alone), mine = learn(rest(seen, some), rest_of(seen, some)), np.isin(held.owner, list(some))
        scored = seen.of(np.flatnonzero(mine))
        assert held.pooled[mine] == pytest.approx(model.score(scored.values).p_90d)
        first = held.dealer[mine] == 1
        assert held.own[mine][first] == pytest.approx(alone[1].score(scored.values).p_90d[first])


def rest(seen: Seen, left_out: set[int]) -> Seen:
    assert seen.owner is not None
    return seen.of(np.flatnonzero(~np.isin(seen.owner, list(left_out))))


def rest_of(seen: Seen, left_out: set[int]) -> np.ndarray:
    assert seen.owner is not None
    return DEALER[~np.isin(seen.owner, list(left_out))]


def test_where_there_is_nothing_to_learn_the_figures_say_so_though_the_fit_remembers() -> None:
    seen = drawn(2)
    held = backtest.held_out(seen, DEALER, learn, seed=1)
    assert held is not None
    judged = backtest.judge(held, None, seed=1)
    assert judged is not None
    assert judged.auc.low < 0.5 < judged.auc.high
    assert judged.lift_10.low < 1 < judged.lift_10.high
    in_sample = learn(seen, DEALER)[0].score(seen.values).p_90d
    assert Ranking.of(in_sample, held.event).auc(np.ones(len(in_sample))) > judged.auc.value + 0.02


def test_figures_are_those_of_the_rows_and_the_best_rule_is_seen_as_such() -> None:
    held = backtest.held_out(drawn(3, odds=2.0), DEALER, learn, seed=1)
    assert held is not None
    for whose in (None, 1, 2):
        judged = backtest.judge(held, whose, seed=1)
        assert judged == backtest.judge(held, whose, seed=1), "the same seed draws the same"
        assert judged is not None
        rows = held.dealer == whose if whose else np.ones(len(held.event), dtype=bool)
        score = held.own if whose else held.pooled
        assert judged.auc.value == pytest.approx(roc_auc_score(held.event[rows], score[rows]))
        assert judged.auc.low > 0.5
        assert list(judged.baselines) == list(BASELINES)
        lifts = {key: lift.value for key, lift in judged.baselines.items()}
        assert lifts["oldest_first"] > 1 > lifts["youngest_first"]
        assert lifts["random"] == pytest.approx(1)


def test_too_few_owners_of_either_kind_have_no_figures() -> None:
    seen = drawn(4)
    assert seen.owner is not None
    few = seen.of(np.flatnonzero(seen.owner < backtest.OWNERS_MIN))
    assert backtest.held_out(few, DEALER[: len(few.months_followed)], learn, seed=1) is None
    held = backtest.held_out(seen, np.minimum(seen.owner, 1), learn, seed=1)
    assert held is not None
    assert backtest.judge(held, 0, seed=1) is None
    assert backtest.judge(held, None, seed=1) is not None


def test_weights_of_owners_draw_like_their_rows() -> None:
    rng = np.random.default_rng(7)
    values, cluster = rng.normal(size=300), rng.integers(0, 60, 300)
    quick = bootstrap.mean(values, cluster, seed=1)
    means = bootstrap.of_weights(
        lambda weight: np.array([weight @ values / weight.sum(), weight @ -values / weight.sum()]),
        cluster,
        seed=2,
    )
    assert means[0].value == pytest.approx(quick.value)
    assert (means[0].low, means[0].high) == pytest.approx((quick.low, quick.high), abs=0.03)
    assert (means[1].low, means[1].high) == pytest.approx((-means[0].high, -means[0].low))
