"""How well learned models would have ranked owners they had not seen, beside what dealers go by today.

The owners are cut into folds by chance. Those of a fold are ranked by models that were learned from the
others alone, all over again: of all dealers together and of each. Nothing of an owner is in the model that
ranks it, neither on another day nor through the pooled model that is the prior of a dealer's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals import bootstrap
from milepost_server.signals.flat import Bools, Floats, Ints
from milepost_server.signals.ranking import Ranking
from milepost_server.signals.readiness.baselines import BASELINES
from milepost_server.signals.readiness.hazard import NEAR_MONTHS, at_risk
from milepost_server.signals.readiness.tuning import folds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from milepost_server.signals.bootstrap import Interval
    from milepost_server.signals.readiness.learning import Seen
    from milepost_server.signals.readiness.model import Scorecard

FOLDS = 4
OWNERS_MIN = 20
"""With fewer owners who replaced a car, or who kept it, the figures would say nothing."""
BEST_SHARE = 0.1
DRAWS_MAX, DRAWS_MIN = 1_000, 100
_ROWS_DRAWN_MAX = 20_000_000  # of all draws together: bounds the time that large fleets take


@dataclass(frozen=True, slots=True)
class Held:
    """N rows whose first 90 days are known, scored by models that had not seen their owners."""

    dealer: Ints  # (N)
    owner: Ints  # (N)
    event: Floats  # (N) 1 where the car was replaced within 90 days
    pooled: Floats  # (N) probability of that by the model of all dealers together
    own: Floats  # (N) by that of the dealer; by the pooled one where it had none
    baselines: dict[str, Floats]  # (N) each, the larger the sooner called

    def of(self, rows: Ints) -> Held:
        """Those of ``rows``."""
        return Held(
            self.dealer[rows],
            self.owner[rows],
            self.event[rows],
            self.pooled[rows],
            self.own[rows],
            {key: score[rows] for key, score in self.baselines.items()},
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures on the same rows, and at the same capacity: the best tenth is called."""

    auc: Interval
    lift_10: Interval
    baselines: dict[str, Interval]  # the lift of each


def held_out(
    seen: Seen,
    dealer: Ints,
    learn: Callable[[Seen, Ints], tuple[Scorecard, dict[int, Scorecard]]],
    *,
    seed: int,
    say: Callable[[str], None] = lambda _: None,
) -> Held | None:
    """Score what was ``seen`` (N) by dealers (N) by models that ``learn`` makes of the owners of other folds.

    None where too few owners replaced a car, or kept it, to hold some of them out. ``say`` hears of progress.
    """
    near = at_risk(seen.months_to_event, seen.months_followed, 0, NEAR_MONTHS)
    owner = np.arange(len(dealer)) if seen.owner is None else seen.owner
    known = np.flatnonzero((near.months >= NEAR_MONTHS) | (near.events > 0))
    if not _are_enough(owner[known], near.events[known]):
        return None
    fold = folds_of(owner, near.events, FOLDS, seed)
    pooled, own = np.empty((2, len(dealer)))
    for each in range(FOLDS):
        say(f"learning anew without some of the owners, to judge the models by them: {each + 1} of {FOLDS}")
        rows, others = np.flatnonzero(fold == each), np.flatnonzero(fold != each)
        model, alone = learn(seen.of(others), dealer[others])
        pooled[rows] = own[rows] = model.score(seen.of(rows).values).p_90d
        for number, its in alone.items():
            mine = rows[dealer[rows] == number]
            own[mine] = its.score(seen.of(mine).values).p_90d
    baselines = {key: score(seen.values) for key, score in BASELINES.items()}
    return Held(dealer, owner, near.events, pooled, own, baselines).of(known)


def judge(held: Held, whose: int | None, *, seed: int) -> Judged | None:
    """How a dealer's own model ranked its owners; the pooled model those of all, with ``whose`` None.

    Intervals draw owners again. None where too few of them replaced a car, or kept it.
    """
    its = held if whose is None else held.of(np.flatnonzero(held.dealer == whose))
    if not _are_enough(its.owner, its.event):
        return None
    model = Ranking.of(its.pooled if whose is None else its.own, its.event)
    others = [Ranking.of(score, its.event) for score in its.baselines.values()]

    def figures(weight: Floats) -> Floats:
        lifts = [ranking.lift(BEST_SHARE, weight) for ranking in (model, *others)]
        return np.array([model.auc(weight), *lifts])

    draws = int(np.clip(_ROWS_DRAWN_MAX // len(its.event), DRAWS_MIN, DRAWS_MAX))
    auc, lift, *lifts = bootstrap.of_weights(figures, its.owner, seed=seed, draws=draws)
    return Judged(auc, lift, dict(zip(its.baselines, lifts, strict=True)))


def _with_event(owner: Ints, events: Floats) -> tuple[Bools, Ints]:
    """Whether each owner (O) has any event, and the owner's place (N) of each row."""
    _, place = np.unique(owner, return_inverse=True)
    return np.bincount(place, events) > 0, place


def _are_enough(owner: Ints, events: Floats) -> bool:
    came, _ = _with_event(owner, events)
    return min(int(came.sum()), int((~came).sum())) >= OWNERS_MIN
