"""Readiness against the truth: our rankings beside those that dealers go by, on owners not learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.plots import Chart, Series, draw
from milepost_server.evaluation.table import Table
from milepost_server.evaluation.truth.learning import EVENTS_MIN, events_seen, is_for_training, learned
from milepost_server.evaluation.truth.ranking import (
    AGE_RULES,
    BASELINES,
    CAPACITIES,
    LEASE_END,
    WITHIN_D,
    Candidates,
    Judged,
)
from milepost_server.signals.readiness.priors import shipped
from milepost_server.signals.readiness.tuning import TuningRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.signals.bootstrap import Interval

PRIOR, LEARNED, TRUTH = "readiness, prior", "readiness, learned", "the true odds"
RULES = TuningRules(folds=4, pairs=6)
DRAWN = (LEARNED, PRIOR, LEASE_END, *AGE_RULES, TRUTH)


@dataclass(frozen=True, slots=True)
class Trial:
    """The test rows of the last day, judged for one horizon; and what stood behind the learned ranking."""

    days: float
    judged: Judged
    learned_from: int
    """Replacements; 0 where there were too few to learn from."""

    @property
    def ours(self) -> str:
        """The ranking that the product would use: the learned one where there is one."""
        return LEARNED if self.learned_from else PRIOR


def trials(rows: Candidates, as_of_d: Sequence[float], seed: int) -> list[Trial]:
    """Both horizons, on the last of ``as_of_d``: half of the owners, from whom nothing was learned.

    What is learned comes from the other owners on the days before, as far as it had come out by the last one.
    """
    last = len(as_of_d) - 1
    training = is_for_training(rows.owner)
    test, train = rows.where(~training & (rows.as_of == last)), rows.where(training & (rows.as_of < last))
    followed_d = as_of_d[last] - np.array(as_of_d)[train.as_of]
    events = events_seen(train, followed_d)
    models = {PRIOR: shipped()[0]}
    if events >= EVENTS_MIN:
        day = np.datetime64(int(as_of_d[last]), "D")
        models = {LEARNED: learned(train, followed_d, fitted_on=str(day), rules=RULES), **models}
    scores = {name: model.score(test.columns) for name, model in models.items()}
    baselines = {name: ranked(test.columns) for name, ranked in BASELINES.items()}
    found = []
    for days in WITHIN_D:
        ours = {name: of.p_90d if days == WITHIN_D[0] else of.p_180d for name, of in scores.items()}
        judged = Judged(test, {**ours, **baselines, TRUTH: test.odds[days]}, seed)
        found.append(Trial(days, judged, events if LEARNED in models else 0))
    return found


def gains(trial: Trial) -> dict[str, Interval]:
    """More replacements per thousand calls than by the lease-end list, and by the better of the age rules."""
    ours, suffix = trial.ours, f"_{trial.days:.0f}d"
    rules = {rule: trial.judged.found(rule, trial.days).value for rule in AGE_RULES}
    better = max(rules, key=lambda rule: rules[rule])
    return {
        f"readiness_gain_over_leaseend{suffix}": trial.judged.gain(ours, LEASE_END, trial.days),
        f"readiness_gain_over_agerule{suffix}": trial.judged.gain(ours, better, trial.days),
        f"readiness_prior_gain_over_leaseend{suffix}": trial.judged.gain(PRIOR, LEASE_END, trial.days),
        f"readiness_prior_gain_over_agerule{suffix}": trial.judged.gain(PRIOR, better, trial.days),
    }


def all_gains(trial: Trial) -> Table:
    """Both of our rankings over each baseline."""
    rows = [
        (ours, over, trial.judged.gain(ours, over, trial.days))
        for ours in (LEARNED, PRIOR)
        if ours in trial.judged.scores
        for over in BASELINES
    ]
    title = f"More replacements within {trial.days:.0f} days per 1,000 calls than by"
    return Table(title, ("ranking", "over", "gain (95 %)"), rows, digits=1)


def verdicts(trial: Trial, found: dict[str, Interval]) -> list[str]:
    """What has to be said where a gain is not clear of nothing."""
    return [
        f"{name} is {gain.value:.1f} ({gain.low:.1f} to {gain.high:.1f}) per 1,000 calls: "
        f"at {trial.days:.0f} days this ranking is not shown to be better than that baseline."
        for name, gain in found.items()
        if not gain.low > 0
    ]


def gain_picture(trial: Trial) -> str:
    """Replacements found at each capacity, by the rankings that matter."""
    judged = trial.judged
    base = 1_000 * float(judged.rows.happened(trial.days).mean())
    lead = judged.gain(trial.ours, LEASE_END, trial.days)
    return draw(
        Chart(
            title=f"{lead.value:+.0f} replacements per 1,000 calls over the lease-end list, 5 % called",
            subtitle=f"Within {trial.days:.0f} days; {len(judged.rows):,} vehicles of other owners",
            x_label="share of the owned vehicles that is called, %",
            y_label="replacements per 1,000 calls",
            series=[
                Series(name, 100 * np.array(CAPACITIES), judged.curve(name, trial.days))
                for name in DRAWN
                if name in judged.scores
            ],
            reference=((0.0, base), (100 * CAPACITIES[-1], base)),
            y_from_zero=True,
        )
    )
