"""What wear is usual on a fleet: empirical Bayes over the parts of the vehicles that have the same item.

Each measured part has a slope and an uncertainty of it. Slopes differ between drivers (pads five-fold) far
more than measurement explains, and that difference is what a part that nobody measured has to be given. A
group (say, a model) leans on the whole fleet, and the fleet on what the schedule says is usual, each as if
the latter had been seen in a few parts more. All is said in times the schedule's usual rate, so that petrol
cars, hybrids and electric cars, whose usual rates differ, learn from each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.items.wear import VARIANCE_MAX, UsualWear, WearLine


@dataclass(frozen=True, slots=True)
class WearPriorRules:
    """The numbers behind a fleet's wear; part of the configuration version."""

    fleet_weight_parts: float = 10.0  # what the schedule says counts as this many parts
    group_weight_parts: float = 5.0  # the fleet counts as this many parts in each group
    noise_share_max: float = (
        1.0  # a slope says something where its variance is at most this much of the usual
    )
    ratio_max: float = 4.0  # a slope beyond this many usual ones is an error of measurement
    variance_min: float = 0.01  # relative: no two drivers are the same


@dataclass(frozen=True, slots=True)
class WearSlopes:
    """The slopes of S measured parts, in times what the schedule says is usual."""

    ratio: Floats  # (S)
    noise: Floats  # (S) variance of ``ratio`` by measurement alone
    group: Ints  # (S)

    @classmethod
    def of(cls, line: WearLine, usual: UsualWear, group: Ints, rules: WearPriorRules) -> WearSlopes:
        """Those parts of ``line`` that tell anything; ``usual`` is the schedule's, ``group`` (S) theirs."""
        rate = np.broadcast_to(np.asarray(usual.per_m, dtype=np.float64), group.shape)
        known = line.square_m2 * rate**2
        noise = np.divide(line.noise_variance, known, out=np.full(len(group), np.inf), where=known > 0)
        told = np.flatnonzero(noise <= rules.noise_share_max * np.asarray(usual.variance))
        ratio = np.clip(line.slope_per_m[told] / rate[told], 0.0, rules.ratio_max)
        return cls(ratio, noise[told], group[told])

    @classmethod
    def together(cls, parts: Sequence[WearSlopes]) -> WearSlopes:
        """All parts as one."""
        nothing = cls(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
        each = [nothing, *parts]
        return cls(*(np.concatenate([getattr(part, name) for part in each]) for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class WearPrior:
    """The usual wear of G groups."""

    ratio: Floats  # (G) times what the schedule says
    variance: Floats  # (G) relative, between vehicles
    parts: Ints  # (G) how many measured ones stand behind it

    def of(self, group: Ints, usual: UsualWear) -> UsualWear:
        """What is usual for each part (S) of ``group`` (S); ``usual`` is the schedule's."""
        return UsualWear(np.asarray(usual.per_m) * self.ratio[group], self.variance[group])


def wear_prior(slopes: WearSlopes, groups: int, published: float, rules: WearPriorRules) -> WearPrior:
    """The prior of each group (G); ``published`` is the relative variance that the schedule gives.

    Moments with equal weights (Hedges and Olkin, 1985): weights by precision would favour slow wear, which is
    measured over longer distances. The relative variance between vehicles is one for all groups. A group
    without a measured part gets the fleet's rate, an empty fleet what the schedule says.
    """
    ratio, member = slopes.ratio, slopes.group
    parts = np.bincount(member, minlength=groups)
    lean = rules.fleet_weight_parts
    fleet = (float(ratio.sum()) + lean) / (len(ratio) + lean)
    total = np.bincount(member, weights=ratio, minlength=groups)
    means = (total + rules.group_weight_parts * fleet) / (parts + rules.group_weight_parts)
    off = ((ratio - means[member]) ** 2 - slopes.noise) / means[member] ** 2
    variance = (float(off.sum()) + lean * published) / (len(ratio) + lean)
    variance = min(max(variance, rules.variance_min), VARIANCE_MAX)
    return WearPrior(means, np.full(groups, variance), parts)
