"""A fleet's own past as examples: what was known at many origins, and what came of it.

An origin is a vehicle at one of its readings. What was known then is worked out from the readings up to it,
and from the other vehicles' readings up to it, and from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, Ints, count_up_to, interpolate, offsets_of
from milepost_server.signals.usage.features import FEATURES, features
from milepost_server.signals.usage.months import month_steps
from milepost_server.signals.usage.pace import KNOTS_MONTHS
from milepost_server.signals.usage.rate import (
    GroupPrior,
    History,
    Usage,
    UsageRules,
    group_prior,
    month_variances,
    observe,
    scatter_of,
    shrink,
)
from milepost_server.signals.usage.regimes import MONTHS as LOOK_BACK_MONTHS
from milepost_server.signals.usage.regimes import RegimeRules, regimes

PRIORS_EVERY_D = 15.0
"""Priors of the past are worked out this often; an origin uses the last ones before it."""
PRIORS_MAX = 480
"""At most this many times: 20 years of them; a longer past has them less often."""
FOLLOWED_UP = 2.0
"""An origin tells of a distance only if it could be watched for twice the expected time: else those who went
far would be in the sample, and those who did not would be missing."""


@dataclass(frozen=True, slots=True)
class Origins:
    """O rows of a history, each as the last one that was known."""

    vehicle: Ints  # (O)
    row: Ints  # (O)


@dataclass(frozen=True, slots=True)
class Known:
    """What was known at O origins."""

    usage: Usage  # (O)
    prior: GroupPrior  # (O)
    features: Floats  # (O, F)

    def of(self, origins: Ints) -> Known:
        """That of some origins."""
        return Known(self.usage.of(origins), self.prior.of(origins), self.features[origins])


@dataclass(frozen=True, slots=True)
class Examples:
    """O origins of vehicles, what was known and what came of it."""

    vehicle: Ints  # (O)
    as_of_d: Floats  # (O) when what is known was known
    known: Known
    longer: Floats  # (O, K) log of the time to the knot's distance over the expected time; NaN if not told

    def of(self, rows: Ints) -> Examples:
        """Some of the examples."""
        return Examples(self.vehicle[rows], self.as_of_d[rows], self.known.of(rows), self.longer[rows])

    def longer_by(self, time_d: float) -> Floats:
        """What had come of the examples (O, K) by ``time_d``; NaN where nobody could know then."""
        expected_d = np.array(KNOTS_MONTHS) * DAYS_PER_MONTH
        told_d = self.as_of_d[:, None] + FOLLOWED_UP * expected_d
        return np.where(told_d <= time_d, self.longer, np.nan)


def rolling_origins(history: History, every_months: float, history_months_min: float) -> Origins:
    """Readings with at least so much history, and at least so far apart, of each vehicle."""
    offsets = history.offsets
    counts = np.diff(offsets)
    owner = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    begin_d = history.time_d[offsets[:-1][owner]] if len(owner) else np.zeros(0)
    # Half a month of grace: months have 28 to 31 days, and readings are not taken to the day.
    since = (history.time_d - begin_d) / DAYS_PER_MONTH - history_months_min + 0.5
    turn = np.floor(since / every_months)
    first = np.ones(len(owner), dtype=np.bool_)
    first[1:] = (owner[1:] != owner[:-1]) | (turn[1:] != turn[:-1])
    row = np.flatnonzero(first & (since >= 0))
    return Origins(owner[row], row)


def known_at(history: History, group: Ints, groups: int, origins: Origins, rules: UsageRules) -> Known:
    """What was known at ``origins`` (O) of vehicles (V) in ``group`` (V), each from readings up to it."""
    as_of_d = history.time_d[origins.row]
    prior = _priors_at(history, group, groups, origins, rules)
    past = up_to(history, origins.vehicle, origins.row - history.offsets[origins.vehicle] + 1)
    return known_now(past, as_of_d, prior, rules)


def known_now(history: History, as_of_d: float | Floats, prior: GroupPrior, rules: UsageRules) -> Known:
    """What is known of V vehicles at ``as_of_d`` (one time, or V), with the ``prior`` (V) of their groups."""
    steps = month_steps(history, LOOK_BACK_MONTHS)
    breaks = regimes(history, RegimeRules(), steps).counts_from_d
    observed = observe(history, as_of_d, rules, breaks)
    usage = shrink(observed, prior, rules, scatter_of(history, steps))
    return Known(usage, prior, features(history, usage, prior, steps))


def examples(history: History, group: Ints, groups: int, origins: Origins, rules: UsageRules) -> Examples:
    """The examples of ``origins`` (O); what came of them is looked up in all of ``history``."""
    if not len(origins.row):
        none = np.zeros(0)
        empty = Known(
            Usage(none, none, none, none),
            GroupPrior(none, none, none),
            np.zeros((0, len(FEATURES))),
        )
        return Examples(origins.vehicle, none, empty, np.zeros((0, len(KNOTS_MONTHS))))
    known = known_at(history, group, groups, origins, rules)
    longer = [
        _longer(history, origins, known.usage.rate_m_per_d, months * DAYS_PER_MONTH)
        for months in KNOTS_MONTHS
    ]
    return Examples(origins.vehicle, history.time_d[origins.row], known, np.stack(longer, axis=1))


def days_until(history: History, origins: Origins, metres: Floats) -> Floats:
    """Days (O) until each origin's vehicle had gone ``metres`` (O > 0); infinite where it had not yet."""
    goal = history.odometer_m[origins.row] + metres
    days = interpolate(history.offsets, history.odometer_m, history.time_d, origins.vehicle, goal)
    days -= history.time_d[origins.row]
    return np.where(np.isfinite(days), days, np.inf)


def _longer(history: History, origins: Origins, rate_m_per_d: Floats, expected_d: float) -> Floats:
    watched_d = history.time_d[history.offsets[origins.vehicle + 1] - 1] - history.time_d[origins.row]
    days = days_until(history, origins, rate_m_per_d * expected_d)
    ratio = np.clip(days / expected_d, 1 / 50, FOLLOWED_UP)
    return np.where(watched_d >= FOLLOWED_UP * expected_d, np.log(ratio), np.nan)


def up_to(history: History, vehicle: Ints, counts: Ints) -> History:
    """The first ``counts`` (O) rows of ``vehicle`` (O), as if each were a vehicle of its own."""
    offsets = offsets_of(counts)
    first = np.repeat(history.offsets[vehicle] - offsets[:-1], counts)
    row = first + np.arange(offsets[-1])
    return History(offsets, history.time_d[row], history.odometer_m[row])


def _priors_at(history: History, group: Ints, groups: int, origins: Origins, rules: UsageRules) -> GroupPrior:
    """The prior (O) of each origin's group, as it was at or shortly before the origin."""
    as_of_d = history.time_d[origins.row]
    start_d = float(as_of_d.min())
    every_d = max(PRIORS_EVERY_D, (float(as_of_d.max()) - start_d) / PRIORS_MAX)
    turn = np.floor((as_of_d - start_d) / every_d).astype(np.int64)
    rate, between, month = (np.empty(len(as_of_d)) for _ in range(3))
    everyone = np.arange(len(history.offsets) - 1, dtype=np.int64)
    for one in np.unique(turn):
        chosen = np.flatnonzero(turn == one)
        when_d = float(as_of_d[chosen].min())
        seen = count_up_to(history.offsets, history.time_d, everyone, np.full(len(everyone), when_d))
        past = up_to(history, everyone, seen)
        observed = observe(past, when_d, rules)
        prior = group_prior(observed, month_variances(past), group, groups, rules)
        mine = prior.of(group[origins.vehicle[chosen]])
        rate[chosen], between[chosen], month[chosen] = mine.rate_m_per_d, mine.between_cv, mine.month_cv
    return GroupPrior(rate, between, month)
