"""When an item is due: at the first of its limits, as a distribution.

One future is one pace: in a future where the car goes far, all of its limits come early. So the quantile of
the first of several limits is the first of their quantiles, and the odds are those of the likeliest one.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.ahead import HORIZON_D_MAX, PACES, Ahead
from milepost_server.signals.flat import Bools, Floats, Ints, count_up_to, interpolate
from milepost_server.signals.usage import History

QUANTILES = (0.1, 0.5, 0.9)


class State(enum.IntEnum):
    """Where an item stands on the way to its due date."""

    UNKNOWN = 0
    OK = 1
    UPCOMING = 2
    DUE = 3
    OVERDUE = 4


class FirstLimit(enum.IntEnum):
    """Which limit comes first at the median."""

    NONE = -1
    DISTANCE = 0
    TIME = 1
    WEAR = 2


@dataclass(frozen=True, slots=True)
class DueRules:
    """From how many days ahead an item is called due or upcoming; part of the configuration version."""

    due_d: float = 30.0
    upcoming_d: float = 90.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of K items of V vehicles; NaN where an item has no such limit, or none that is known."""

    vehicle: Ints  # (K)
    start_d: Floats  # (K) last service, or first registration
    anchor_d: Floats  # (K) the reading from which distance is projected: the vehicle's last one
    anchor_m: Floats  # (K) the continuous odometer there
    distance_at_m: Floats  # (K) odometers, on the same axis
    wear_at_m: Floats  # (K)
    wear_variance: Floats  # (K) relative, of the rate of wear
    time_at_d: Floats  # (K)
    inspected: Bools  # (K) False where wear is only what is usual: it can be due for a look, never overdue
    recorded: Bools  # (K) False where counting begins at first registration: due to be asked, never overdue


@dataclass(frozen=True, slots=True)
class Due:
    """When K items are due. Rows of an unknown item are NaN."""

    time_d: Floats  # (3, K) P10, P50, P90, days since 1970
    odometer_m: Floats  # (3, K) P10, P50, P90 on the continuous axis; NaN where no odometer is known
    p_30d: Floats  # (K) probability of being due by then
    p_90d: Floats  # (K)
    state: Ints  # (K) of `State`
    first_limit: Ints  # (K) of `FirstLimit`


def due(history: History, ahead: Ahead, limits: Limits, as_of_d: float, rules: DueRules) -> Due:
    """The due distribution of K items as seen at ``as_of_d``, the end of the as-of day (days since 1970)."""
    no_spread = np.zeros(len(limits.vehicle))
    by_distance = _reached_at(history, ahead, limits, limits.distance_at_m, no_spread)
    by_wear = _reached_at(history, ahead, limits, limits.wear_at_m, limits.wear_variance)
    by_time = np.broadcast_to(limits.time_at_d, by_distance.shape)
    each = np.stack([by_distance, by_time, by_wear])
    time_d = np.minimum(np.fmin.reduce(each), as_of_d + HORIZON_D_MAX)
    known = np.isfinite(time_d[1])
    first = np.argmin(np.where(np.isfinite(each[:, 1]), each[:, 1], np.inf), axis=0)
    return Due(
        time_d=time_d,
        odometer_m=_odometers(history, ahead, limits),
        p_30d=_odds(ahead, limits, time_d[1], as_of_d + 30),
        p_90d=_odds(ahead, limits, time_d[1], as_of_d + 90),
        state=_states(time_d[1], _may_be_overdue(limits, first), as_of_d, rules),
        first_limit=np.where(known, first, FirstLimit.NONE),
    )


def _may_be_overdue(limits: Limits, first: Ints) -> Bools:
    """Whether (K) the first limit rests on something that somebody has measured or noted down."""
    may: Bools = np.where(first == FirstLimit.WEAR, limits.inspected, limits.recorded)
    return may


def _states(median_d: Floats, may_be_overdue: Bools, as_of_d: float, rules: DueRules) -> Ints:
    state = np.full(len(median_d), State.UNKNOWN, dtype=np.int64)
    state[np.isfinite(median_d)] = State.OK
    state[median_d < as_of_d + rules.upcoming_d] = State.UPCOMING
    state[median_d < as_of_d + rules.due_d] = State.DUE
    state[(median_d < as_of_d - 1) & may_be_overdue] = State.OVERDUE
    return state


def _reached_at(history: History, ahead: Ahead, limits: Limits, at_m: Floats, variance: Floats) -> Floats:
    """Days (3, K) at which the odometer reaches ``at_m`` (K): projected, or looked up where it has."""
    result = np.full((3, len(at_m)), np.nan)
    left_m = at_m - limits.anchor_m
    coming = np.flatnonzero(left_m > 0)
    for row, pace in zip(result, PACES, strict=True):
        row[coming] = limits.anchor_d[coming] + ahead.days_to(
            limits.vehicle[coming], left_m[coming], variance[coming], pace
        )
    gone = np.flatnonzero(left_m <= 0)
    early, late = _crossing(history, ahead, limits, gone, at_m[gone])
    for row, share in zip(result, QUANTILES, strict=True):
        row[gone] = early + share * (late - early)
    return result


def _crossing(
    history: History, ahead: Ahead, limits: Limits, items: Ints, at_m: Floats
) -> tuple[Floats, Floats]:
    """Between which days (Q, Q) the odometer passed ``at_m`` (Q): those of the readings around it."""
    vehicle = limits.vehicle[items]
    if not len(history.time_d):
        return limits.anchor_d[items], limits.anchor_d[items]
    first = history.offsets[vehicle]
    size = np.diff(history.offsets)[vehicle]
    below = count_up_to(history.offsets, history.odometer_m, vehicle, np.nextafter(at_m, -np.inf))
    row = np.clip(first + below, 0, len(history.time_d) - 1)
    late = np.where(below < size, history.time_d[row], limits.anchor_d[items])
    early = np.where((below > 0) & (size > 0), history.time_d[np.maximum(row - 1, 0)], late)
    # Before the first reading there is nothing to look up: go back from it at the vehicle's rate.
    back = (below == 0) & (size > 0)
    ago = late - (history.odometer_m[row] - at_m) / ahead.usage.rate_m_per_d[vehicle]
    ago = np.fmin(np.fmax(ago, limits.start_d[items]), late)
    return np.where(back, ago, early), np.where(back, ago, late)


def _odometers(history: History, ahead: Ahead, limits: Limits) -> Floats:
    """The odometer (3, K) at which each item is due."""
    result = np.full((3, len(limits.vehicle)), np.nan)
    ahead_d = limits.time_at_d - limits.anchor_d
    coming, gone = np.flatnonzero(ahead_d > 0), np.flatnonzero(ahead_d <= 0)
    past_m = interpolate(
        history.offsets, history.time_d, history.odometer_m, limits.vehicle[gone], limits.time_at_d[gone]
    )
    wear_left = limits.wear_at_m - limits.anchor_m
    for row, pace in zip(result, reversed(PACES), strict=True):
        row[coming] = limits.anchor_m[coming] + ahead.metres_in(limits.vehicle[coming], ahead_d[coming], pace)
        row[gone] = past_m
        slow = gamma.quantile(np.nan_to_num(limits.wear_variance), -pace)
        by_wear = limits.anchor_m + np.where(wear_left > 0, wear_left / slow, wear_left)
        row[:] = np.fmin(np.fmin(row, limits.distance_at_m), by_wear)
    result[:] = np.maximum(result, 0.0)
    return result


def _odds(ahead: Ahead, limits: Limits, median_d: Floats, until_d: float) -> Floats:
    """The probability (K) that the first limit has come by ``until_d``; NaN for an unknown item."""
    odds = np.where(limits.time_at_d < until_d, 1.0, 0.0)
    spreads = (np.zeros(len(odds)), limits.wear_variance)
    for at_m, variance in zip((limits.distance_at_m, limits.wear_at_m), spreads, strict=True):
        left_m = at_m - limits.anchor_m
        odds[left_m <= 0] = 1.0
        coming = np.flatnonzero(left_m > 0)
        reached = ahead.odds_within(
            limits.vehicle[coming],
            left_m[coming],
            variance[coming],
            until_d - limits.anchor_d[coming],
        )
        odds[coming] = np.maximum(odds[coming], reached)
    return np.where(np.isfinite(median_d), odds, np.nan)
