"""What a fleet's own wear is, chunk by chunk, until it is asked for: by item, position and model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from milepost_server.signals.flat import Ints
from milepost_server.signals.fleet.inputs import Fleet, ItemRules, UsualOf
from milepost_server.signals.fleet.measured import usual_of_schedule
from milepost_server.signals.fleet.results import wear_lines
from milepost_server.signals.items.wear import UsualWear
from milepost_server.signals.items.wear_prior import WearPrior, WearPriorRules, WearSlopes, wear_prior


class Part(NamedTuple):
    """A position of an item; each is learned by itself, since front tyres wear as rear ones do not."""

    key: str
    signal: str


class WearSample:
    """Collects the slopes of measured parts."""

    def __init__(self, rules: WearPriorRules | None = None) -> None:
        self._rules = rules or WearPriorRules()
        self._slopes: dict[Part, list[WearSlopes]] = {}
        self._published: dict[Part, float] = {}

    def add(self, fleet: Fleet, as_of_d: float, rules: ItemRules, model: Ints) -> None:
        """Add a chunk; ``model`` (V) is the number of each vehicle's model in the whole fleet."""
        for group, signal, line in wear_lines(fleet, as_of_d, rules):
            usual, part = usual_of_schedule(group), Part(group.key, signal)
            slopes = WearSlopes.of(line, usual, model[group.vehicle], self._rules)
            self._slopes.setdefault(part, []).append(slopes)
            self._published.setdefault(part, float(np.mean(usual.variance)))

    def priors(self, models: int) -> dict[Part, WearPrior]:
        """The usual wear of each part, on each of ``models`` models."""
        return {
            part: wear_prior(WearSlopes.together(found), models, self._published[part], self._rules)
            for part, found in self._slopes.items()
        }


def usual_of(priors: Mapping[Part, WearPrior], model: Ints) -> UsualOf:
    """What `ItemRules` ask, for vehicles of ``model`` (V); without a prior, what the schedule says."""

    def usual(key: str, signal: str, vehicle: Ints, scheduled: UsualWear) -> UsualWear:
        prior = priors.get(Part(key, signal))
        return scheduled if prior is None else prior.of(model[vehicle], scheduled)

    return usual
