"""What wear is usual on a fleet: empirical Bayes over the parts of the vehicles that have the same item.

Each measured part has a slope and an uncertainty of it. Slopes differ between drivers (pads five-fold) far
more than measurement explains, and that difference is what a part that nobody measured has to be given. A
group (say, a model) leans on the whole fleet, and the fleet on what the schedule says is usual, each as if
the latter had been seen in a few parts more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.wear import VARIANCE_MAX, UsualWear, WearLine


@dataclass(frozen=True, slots=True)
class WearPriorRules:
    """The numbers behind a fleet's wear; part of the configuration version."""

    fleet_weight_parts: float = 10.0  # what the schedule says counts as this many parts
    group_weight_parts: float = 5.0  # the fleet counts as this many parts in each group
    noise_share_max: float = (
        1.0  # a slope says something where its variance is at most this much of the usual
    )
    ratio_max: float = 10.0  # a slope beyond this many usual ones is an error of measurement
    variance_min: float = 0.01  # relative: no two drivers are the same


@dataclass(frozen=True, slots=True)
class WearPrior:
    """The usual wear of G groups."""

    per_m: Floats  # (G)
    variance: Floats  # (G) relative, between vehicles
    parts: Ints  # (G) how many measured ones stand behind it

    def of(self, group: Ints) -> UsualWear:
        """What is usual for each part (S) of ``group`` (S)."""
        return UsualWear(self.per_m[group], self.variance[group])


_ROUNDS = 5
"""Weights need the variance and the variance needs weights; five rounds settle both to a few per mille."""


def wear_prior(
    line: WearLine, group: Ints, groups: int, usual: UsualWear, rules: WearPriorRules
) -> WearPrior:
    """The prior of each group (G) from its parts (S); ``usual`` is the schedule's, one for all.

    Rates are moment estimates, weighted by what is known of each slope (DerSimonian and Laird, 1986). A group
    without a measured part gets the fleet's, an empty fleet gets ``usual``.
    """
    unit, published = float(usual.per_m), float(usual.variance)
    noise = np.divide(
        line.noise_variance,
        line.square_m2 * unit**2,
        out=np.full(len(group), np.inf),
        where=line.square_m2 > 0,
    )
    told = noise <= rules.noise_share_max * published
    ratio = np.clip(line.slope_per_m[told] / unit, 0.0, rules.ratio_max)
    member, noise = group[told], noise[told]
    variance = published
    for _ in range(_ROUNDS):
        weight = 1 / (noise + variance)
        lean = rules.fleet_weight_parts / variance
        fleet = (float(weight @ ratio) + lean) / (float(weight.sum()) + lean)
        lean = rules.group_weight_parts / variance
        mass = np.bincount(member, weights=weight, minlength=groups) + lean
        means = (np.bincount(member, weights=weight * ratio, minlength=groups) + lean * fleet) / mass
        between = weight @ ((ratio - means[member]) ** 2 - noise) + rules.fleet_weight_parts
        total = float(weight.sum()) + rules.fleet_weight_parts / (published * fleet**2)
        variance = max(float(between) / total, rules.variance_min * fleet**2)
    relative = np.clip(variance / means**2, rules.variance_min, VARIANCE_MAX)
    return WearPrior(means * unit, relative, np.bincount(member, minlength=groups))
