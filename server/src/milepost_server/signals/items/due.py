"""When an item is due: at the first of its limits, as a distribution.

One future is one pace: in a future where the car goes far, all of its limits come early. So the quantile of
the first of several limits is the first of their quantiles, and the odds are those of the likeliest one. For
days and distances, however many, that is exact: they all hang on the one pace. Wear and counters have a rate
of their own beside it; taken as moving together with the pace, the first of *several* of them comes a little
earlier than is said here (a few days of an interval of months: the tests hold it against a simulation).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import Bools, Floats, Ints, count_up_to, interpolate
from milepost_server.signals.items.states import DueRules, states
from milepost_server.signals.usage.ahead import HORIZON_D_MAX, PACES, Ahead, Ways
from milepost_server.signals.usage.rate import History

QUANTILES = (0.1, 0.5, 0.9)
NEAR_D, FAR_D = 30.0, 90.0
"""The horizons of ``p_30d`` and ``p_90d``."""
_LEAST_D = 0.01  # keeps odds finite where the days of a limit fall together


class FirstLimit(enum.IntEnum):
    """Which limit comes first at the median."""

    NONE = -1
    DISTANCE = 0
    TIME = 1
    WEAR = 2
    ENGINE_HOURS = 3
    REVOLUTIONS = 4
    COUNTDOWN = 5


@dataclass(frozen=True, slots=True)
class Stale:
    """The R of K vehicles whose limit was foretold so long ago that it may lie behind their last reading.

    There the uncertain distance, more than the pace, says when it was or will be reached.
    """

    row: Ints  # (R) of the vehicles
    from_m: Floats  # (R) the odometer at which it was foretold
    way_m: Floats  # (R) > 0, from there to the limit at the mean rate
    variance: Floats  # (R) relative, of what a metre of this way uses up

    def at_m(self, pace: float) -> Floats:
        """The odometer (R) of the limit at the quantile ``pace`` of what a metre uses up."""
        at_m: Floats = self.from_m + self.way_m / gamma.quantile(self.variance, pace)
        return at_m


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of an item on K vehicles: an odometer or a day; NaN where there is none, or none known."""

    kind: FirstLimit
    firm: Bools  # (K) whether it rests on something that somebody has measured or noted down
    at_m: Floats | None = None  # (K) on the continuous axis, at the mean rate
    variance: Floats | None = None  # (K) relative, of what a metre uses up; None: ``at_m`` is exact
    at_d: Floats | None = None  # (K) days since 1970
    stale: Stale | None = None  # of ``at_m``; None: of none


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one item on K vehicles."""

    vehicle: Ints  # (K)
    start_d: Floats  # (K) last service, or first registration
    anchor_d: Floats  # (K) the reading from which distance is projected: the vehicle's last one
    anchor_m: Floats  # (K) the continuous odometer there
    has_odometer: Bools  # (K) False where there is none at all: distances count from the start then
    each: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """When one limit is reached."""

    kind: FirstLimit
    time_d: Floats  # (3, K) P10, P50, P90, days since 1970; infinite where there is no such limit


@dataclass(frozen=True, slots=True)
class Due:
    """When K items are due. Rows of an unknown item are NaN."""

    time_d: Floats  # (3, K) P10, P50, P90, days since 1970
    odometer_m: Floats  # (3, K) P10, P50, P90 on the continuous axis; NaN where no odometer is known
    p_30d: Floats  # (K) probability of being due by then if nobody acts: 1 where it is due for sure
    p_90d: Floats  # (K)
    state: Ints  # (K) of `State`
    first_limit: Ints  # (K) of `FirstLimit`
    reached: tuple[Reached, ...]  # of each limit


def due(
    history: History,
    ahead: Ahead,
    limits: Limits,
    as_of_d: float,
    rules: DueRules,
    *,
    previous: Ints | None = None,
) -> Due:
    """The due distribution of K items as seen at ``as_of_d``, the end of the as-of day (days since 1970).

    ``previous`` (K) are the states of the day before (see `states`).
    """
    known = _Known(history, ahead, limits)
    ways = [known.way(limit) for limit in limits.each]
    reached = [known.reached(limit, way) for limit, way in zip(limits.each, ways, strict=True)]
    firm_d = _earliest(
        np.where(limit.firm, row[1], np.inf) for limit, row in zip(limits.each, reached, strict=True)
    )
    # What has come for sure answers the questions: what only might have come before it counts no more.
    settled = firm_d < as_of_d
    reached = [
        row if limit.firm.all() else np.where(settled & ~limit.firm, np.inf, row)
        for limit, row in zip(limits.each, reached, strict=True)
    ]
    first, median_d = _first([row[1] for row in reached], len(limits.vehicle))
    # NaN, not infinity, is how an unknown item looks from outside.
    unknown = ~np.isfinite(median_d)
    hidden = np.where(unknown, np.nan, 0.0)
    time_d = np.where(unknown, np.nan, np.minimum(_earliest(reached), as_of_d + HORIZON_D_MAX))
    kinds = np.array([limit.kind for limit in limits.each], dtype=np.int64)
    return Due(
        time_d=time_d,
        odometer_m=np.where(unknown | ~limits.has_odometer, np.nan, known.odometers(settled)),
        p_30d=known.odds(ways, reached, as_of_d + NEAR_D) + hidden,
        p_90d=known.odds(ways, reached, as_of_d + FAR_D) + hidden,
        state=states(time_d[1], firm_d, as_of_d, rules, previous),
        first_limit=np.where(unknown, int(FirstLimit.NONE), kinds[first]),
        reached=tuple(Reached(limit.kind, row) for limit, row in zip(limits.each, reached, strict=True)),
    )


def _earliest(rows: Iterable[Floats]) -> Floats:
    return reduce(np.minimum, rows)


def _first(medians: list[Floats], size: int) -> tuple[Ints, Floats]:
    """Which of the medians is the earliest (K), the one that stands first among equals, and that day."""
    first = np.zeros(size, dtype=np.int64)
    earliest = medians[0]
    for place, median in enumerate(medians[1:], start=1):
        earlier = median < earliest
        first[earlier] = place
        earliest = np.where(earlier, median, earliest)
    return first, earliest


@dataclass(frozen=True, slots=True)
class _Way:
    """The way from the last reading to a limit on the odometer, for the R of K vehicles before it."""

    row: Ints  # (R) of the vehicles
    ways: Ways  # (R)
    gone: Ints  # rows of the vehicles that have passed it since it was known


@dataclass(frozen=True, slots=True)
class _Known:
    """What dates and odds are made of."""

    history: History
    ahead: Ahead
    limits: Limits

    def way(self, limit: Limit) -> _Way | None:
        """The way to one limit; None for one that is a day."""
        if limit.at_m is None:
            return None
        left_m: Floats = limit.at_m - self.limits.anchor_m
        if limit.stale is not None:
            left_m[limit.stale.row] = np.nan
        row = np.flatnonzero(left_m > 0)
        ways = self.ahead.ways(self.limits.vehicle[row], left_m[row], _at(limit.variance, row))
        return _Way(row, ways, np.flatnonzero(left_m <= 0))

    def reached(self, limit: Limit, way: _Way | None) -> Floats:
        """The days (3, K) of one limit, infinite where there is none."""
        if limit.at_m is None or way is None:
            return np.broadcast_to(_or_never(limit.at_d), (3, len(limit.firm)))
        result = np.full((3, len(limit.firm)), np.inf)
        from_d = self.limits.anchor_d[way.row]
        for row, pace in zip(result, PACES, strict=True):
            row[way.row] = from_d + way.ways.days(pace)
        if len(way.gone):
            early, late = self._crossing(way.gone, limit.at_m[way.gone])
            for row, share in zip(result, QUANTILES, strict=True):
                row[way.gone] = early + share * (late - early)
        if limit.stale is not None:
            for row, pace in zip(result, PACES, strict=True):
                row[limit.stale.row] = self._passing(limit.stale, pace)
        return result

    def _passing(self, stale: Stale, pace: float) -> Floats:
        """When (R) a stale limit was passed, or will be, if it lies where ``pace`` has it."""
        history, at_m = self.history, stale.at_m(pace)
        vehicle, anchor_d = self.limits.vehicle[stale.row], self.limits.anchor_d[stale.row]
        left_m = at_m - self.limits.anchor_m[stale.row]
        result = anchor_d.copy()
        row = np.flatnonzero(left_m > 0)
        result[row] += self.ahead.days_to(
            vehicle[row], np.maximum(left_m[row], 1.0), np.zeros(len(row)), gamma.Z50
        )
        row = np.flatnonzero(~(left_m > 0))
        who = vehicle[row]
        passed_d = interpolate(history.offsets, history.odometer_m, history.time_d, who, at_m[row])
        # Before the first reading there is nothing to look up: go back at the vehicle's rate.
        ago_d = -left_m[row] / self.ahead.usage.rate_m_per_d[who]
        result[row] = np.where(np.isnan(passed_d), anchor_d[row] - ago_d, passed_d)
        return result

    def _crossing(self, items: Ints, at_m: Floats) -> tuple[Floats, Floats]:
        """Between which days (Q, Q) the odometer passed ``at_m`` (Q): those of the readings around it."""
        history, limits = self.history, self.limits
        vehicle = limits.vehicle[items]
        if not len(history.time_d):
            return limits.anchor_d[items], limits.anchor_d[items]
        first = history.offsets[vehicle]
        size = history.offsets[vehicle + 1] - first
        below = count_up_to(history.offsets, history.odometer_m, vehicle, np.nextafter(at_m, -np.inf))
        row = np.clip(first + below, 0, len(history.time_d) - 1)
        late = np.where(below < size, history.time_d[row], limits.anchor_d[items])
        early = np.where((below > 0) & (size > 0), history.time_d[np.maximum(row - 1, 0)], late)
        # Before the first reading there is nothing to look up: go back from it at the vehicle's rate.
        back = (below == 0) & (size > 0)
        ago = late - (history.odometer_m[row] - at_m) / self.ahead.usage.rate_m_per_d[vehicle]
        ago = np.fmin(np.fmax(ago, limits.start_d[items]), late)
        return np.where(back, ago, early), np.where(back, ago, late)

    def odometers(self, settled: Bools) -> Floats:
        """The odometer (3, K) at which each item is due; NaN where none is known.

        Where it is ``settled`` (K), limits that are not firm do not count.
        """
        result = np.full((3, len(self.limits.vehicle)), np.inf)
        for limit in self.limits.each:
            open_ = np.where(settled & ~limit.firm, np.nan, 0.0)
            if limit.at_d is not None:
                self._lower_to_day(result, limit.at_d + open_)
            if limit.at_m is None:
                continue
            at_m = limit.at_m + open_
            if limit.variance is None:
                np.fmin(result, at_m, out=result)
            else:
                self._lower_to_wear(result, at_m, limit.variance, limit.stale)
        return np.where(np.isfinite(result), np.maximum(result, 0.0), np.nan)

    def _lower_to_wear(self, result: Floats, at_m: Floats, variance: Floats, stale: Stale | None) -> None:
        """Lower ``result`` (3, K) to where the limit at ``at_m`` (K) is reached, as fast as it wears."""
        anchor_m = self.limits.anchor_m
        left_m = at_m - anchor_m
        coming = np.flatnonzero(left_m > 0)
        from_m, metres, spread = anchor_m[coming], left_m[coming], variance[coming]
        reached_m = anchor_m + left_m
        for row, pace in zip(result, reversed(PACES), strict=True):
            reached_m[coming] = from_m + metres / gamma.quantile(spread, -pace)
            if stale is not None:
                reached_m[stale.row] = np.where(np.isnan(at_m[stale.row]), np.nan, stale.at_m(-pace))
            np.fmin(row, reached_m, out=row)

    def _lower_to_day(self, result: Floats, at_d: Floats) -> None:
        """Lower ``result`` (3, K) to the odometers at which the days ``at_d`` (K) come."""
        ahead_d = at_d - self.limits.anchor_d
        coming, gone = np.flatnonzero(ahead_d > 0), np.flatnonzero(ahead_d <= 0)
        vehicle, from_m, days = self.limits.vehicle[coming], self.limits.anchor_m[coming], ahead_d[coming]
        past_m = interpolate(
            self.history.offsets,
            self.history.time_d,
            self.history.odometer_m,
            self.limits.vehicle[gone],
            at_d[gone],
        )
        for row, pace in zip(result, reversed(PACES), strict=True):
            row[coming] = np.fmin(row[coming], from_m + self.ahead.metres_in(vehicle, days, pace))
            row[gone] = np.fmin(row[gone], past_m)

    def odds(self, ways: Sequence[_Way | None], reached: Sequence[Floats], until_d: float) -> Floats:
        """The probability (K) that the first limit has come by ``until_d``: that of the likeliest one."""
        each = zip(self.limits.each, ways, reached, strict=True)
        likeliest: Floats = reduce(np.maximum, (self._odds_of(*one, until_d) for one in each))
        return likeliest

    def _odds_of(self, limit: Limit, way: _Way | None, reached: Floats, until_d: float) -> Floats:
        """The probability (K) for one limit, whose days are ``reached`` (3, K); 0 where there is none."""
        odds: Floats = (reached[1] < until_d).astype(np.float64)
        if way is None:
            return odds
        coming = way.ways.odds(until_d - self.limits.anchor_d[way.row])
        odds[way.row] = np.where(np.isfinite(reached[1, way.row]), coming, 0.0)
        if limit.stale is not None:
            row = limit.stale.row[np.isfinite(reached[1, limit.stale.row])]
            odds[row] = _between(reached[:, row], until_d)
        return odds


def _between(time_d: Floats, until_d: float) -> Floats:
    """The probability (R) of ``until_d``; P10, P50 and P90 are ``time_d`` (3, R), each side is normal."""
    early, middle, late = time_d
    side = np.where(until_d < middle, middle - early, late - middle)
    return gamma.normal_below(gamma.Z90 * (until_d - middle) / np.maximum(side, _LEAST_D))


def _or_never(values: Floats | None) -> Floats:
    assert values is not None, "a limit is an odometer or a day"
    return np.where(np.isnan(values), np.inf, values)


def _at(variance: Floats | None, rows: Ints) -> Floats:
    return np.zeros(len(rows)) if variance is None else variance[rows]
