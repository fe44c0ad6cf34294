"""A scorecard learned from a fleet's own outcomes: of other owners, on earlier days than it is tried on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import DAYS_PER_MONTH
from milepost_server.signals.readiness.learning import Seen, learn_model
from milepost_server.signals.readiness.priors import shipped
from milepost_server.signals.readiness.tuning import TuningRules

if TYPE_CHECKING:
    from milepost_server.evaluation.truth.ranking import Candidates
    from milepost_server.signals.flat import Bools, Floats, Ints
    from milepost_server.signals.readiness.model import Scorecard

AHEAD_D = 6 * DAYS_PER_MONTH
EVENTS_MIN = 40
"""Fewer replacements than this teach nothing."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


def is_for_training(owner: Ints) -> Bools:
    """Half of the owners (N), by their number alone: the same half for every day and seed."""
    mixed = (owner.astype(np.uint64) + np.uint64(1)) * _MIX
    half: Bools = (mixed >> np.uint64(63)) == 1
    return half


def events_seen(train: Candidates, followed_d: Floats) -> int:
    """Replacements within half a year that one has seen who followed each row for ``followed_d`` (N)."""
    return int((train.ended_d < np.minimum(followed_d, AHEAD_D)).sum())


def learned(train: Candidates, followed_d: Floats, *, fitted_on: str, rules: TuningRules) -> Scorecard:
    """The model of what has become of ``train``, each of whose rows was followed for ``followed_d`` (N)."""
    prior, firmness = shipped()
    seen = Seen(
        values=train.columns,
        months_to_event=np.where(train.ended_d < followed_d, train.ended_d / DAYS_PER_MONTH, np.nan),
        months_followed=followed_d / DAYS_PER_MONTH,
    )
    return learn_model(seen, prior=prior, firmness=firmness, rules=rules, fitted_on=fitted_on)
