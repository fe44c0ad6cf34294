"""How the time to a distance is spread: for each vehicle, curves over the expected time.

Expected is the distance over the vehicle's rate. At a few knots of it stand the logarithm of how much longer
the median takes, and the spread around it: to the early side, where the car goes fast, and to the late side.
On straight lines between the knots, and level outside, days to a distance, the distance in days and the odds
are closed forms that agree with each other; they are kept rising, so that no quantile crosses another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, Ints

if TYPE_CHECKING:
    from milepost_server.signals.usage.rate import Usage, UsageRules

KNOTS_MONTHS = (0.75, 1.5, 3.0, 6.0, 12.0)
"""Expected times at which curves are held; even in the logarithm."""
KNOTS = np.log(np.array(KNOTS_MONTHS))
STEP = float(KNOTS[1] - KNOTS[0])
RISE_MIN = 0.2
"""Twice the distance takes at least 2 ** 0.2 times as long, at any pace between P10 and P90."""
SPREAD_MIN = 1e-6


@dataclass(frozen=True, slots=True)
class Learned:
    """What a fleet's own past says beside the rate: at K knots, for V vehicles."""

    longer: Floats  # (V, K) logarithm: the median takes that much longer
    early: Floats  # (K) > 0 the early side is that many times as wide,
    late: Floats  # (K) and the late side


@dataclass(frozen=True, slots=True)
class Curves:
    """At K knots, for V vehicles; logarithms of time over the expected time."""

    median: Floats  # (V, K)
    early: Floats  # (V, K) > 0, of one standard normal step
    late: Floats  # (V, K) > 0

    def of(self, vehicle: Ints) -> Curves:
        """Those of some vehicles."""
        return Curves(self.median[vehicle], self.early[vehicle], self.late[vehicle])

    def side(self, pace: float) -> Floats:
        """The spread (V, K) on the side of ``pace``: who goes fast is early."""
        return self.early if pace > 0 else self.late


def curves(usage: Usage, rules: UsageRules, learned: Learned | None = None) -> Curves:
    """The curves of V vehicles: rates are gamma distributed, and what was ``learned`` bends them."""
    months = np.array(KNOTS_MONTHS)
    ahead = usage.month_variance[:, None] * (rules.lasting_share + rules.passing_share / months)
    variance = np.minimum(usage.level_variance[:, None] + ahead, rules.cv_max**2)
    at_z = {z: -np.log(gamma.quantile(variance, z)) for z in (gamma.Z10, gamma.Z50, gamma.Z90)}
    median = at_z[gamma.Z50]
    early, late = (median - at_z[gamma.Z90]) / gamma.Z90, (at_z[gamma.Z10] - median) / gamma.Z90
    if learned is not None:
        median, early, late = median + learned.longer, early * learned.early, late * learned.late
    early, late = np.maximum(early, SPREAD_MIN), np.maximum(late, SPREAD_MIN)
    middle = _rising(median)
    fast, slow = _rising(median - gamma.Z90 * early), _rising(median + gamma.Z90 * late)
    return Curves(middle, (middle - fast) / gamma.Z90, (slow - middle) / gamma.Z90)


def _rising(curve: Floats) -> Floats:
    """``curve`` (V, K), lifted where time would hardly grow, or fall, from one knot to the next."""
    slack = curve + (1 - RISE_MIN) * KNOTS
    lifted: Floats = np.maximum.accumulate(slack, axis=1) - (1 - RISE_MIN) * KNOTS
    return lifted


@dataclass(frozen=True, slots=True)
class Place:
    """Where Q queries stand between the knots: they share it for all curves."""

    low: Ints  # (Q) index of the left knot in a curve laid flat
    share: Floats  # (Q) 0 at the left knot, 1 at the right one

    @classmethod
    def of(cls, vehicle: Ints, log_months: Floats) -> Place:
        """Of the expected times exp(``log_months``) (Q) of ``vehicle`` (Q)."""
        steps = np.clip((log_months - KNOTS[0]) / STEP, 0.0, len(KNOTS) - 1)
        left = np.minimum(steps.astype(np.int64), len(KNOTS) - 2)
        return cls(vehicle * len(KNOTS) + left, steps - left)

    def on(self, curve: Floats) -> Floats:
        """The values (Q) of ``curve`` (V, K)."""
        flat = curve.reshape(-1)
        low = flat[self.low]
        value: Floats = low + self.share * (flat[self.low + 1] - low)
        return value


def expected_log_months(ends: Floats, vehicle: Ints, log_months: Floats) -> Floats:
    """The expected time (Q, log) of which a curve makes exp(``log_months``) (Q): the way back.

    ``ends`` (V, K) is what it makes of the knots.
    """
    own = ends[vehicle]
    left = np.zeros(len(vehicle), dtype=np.int64)
    for inner in range(1, len(KNOTS) - 1):
        left += own[:, inner] <= log_months
    every = np.arange(len(vehicle))
    low, high = own[every, left], own[every, left + 1]
    share = np.minimum(np.maximum((log_months - low) / (high - low), 0.0), 1.0)
    back: Floats = KNOTS[left] + share * STEP
    outside = np.minimum(log_months - own[:, 0], 0.0)
    outside += np.maximum(log_months - own[:, -1], 0.0)
    back += outside
    return back


def log_months(days: Floats) -> Floats:
    """The logarithm of ``days`` > 0 in months."""
    logs: Floats = np.log(days / DAYS_PER_MONTH)
    return logs
