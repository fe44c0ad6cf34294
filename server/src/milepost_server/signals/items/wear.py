"""Measured wear: where on the odometer each worn part will reach its limit.

Each part, a position of an item on a vehicle, has a slope of its own: a line through its readings (and
through "new at its start" where that is on record), shrunk to what is usual for its group (`wear_prior`
makes that from the fleet). A reading has noise; how much is declared per item and corrected by how far the
part's own readings lie from their line. What is left of the part is gamma distributed around its mean, with
a variance of three parts: the slope's, the level's today, and that drivers change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import Bools, Floats, Ints, owners_of

VARIANCE_MAX = 0.81
"""Relative; beyond this a gamma distribution says nothing but "some time"."""


@dataclass(frozen=True, slots=True)
class WearRules:
    """The numbers behind wear; part of the configuration version. Shares are of the way from new to limit."""

    renewal_fall: float = 0.2  # wear that falls by this share, and stays there, is a new part
    noise: float = 0.03  # standard deviation of a reading, a share, where the schedule does not say it
    noise_weight: float = 6.0  # the declared noise counts as if it had been seen in this many readings
    change_variance: float = 0.005  # relative, of what lies ahead: drivers and roads change (an assumption)
    rate_share_min: float = 0.1  # no part wears slower than this share of the usual rate
    rate_ratio_max: float = 6.0  # nor faster than this many usual rates


@dataclass(frozen=True, slots=True)
class UsualWear:
    """The rate of wear per metre that is usual for a part, before it is measured: one, or (S)."""

    per_m: Floats | float
    variance: Floats | float  # relative


@lru_cache(maxsize=1_024)
def usual_wear(metres_p10: float, metres_p90: float) -> UsualWear:
    """The rate whose lives have these two quantiles."""
    ratio = np.log(metres_p90 / metres_p10)
    low, high = 1e-6, VARIANCE_MAX
    for _ in range(60):
        middle = np.array((low + high) / 2)
        spread = np.log(gamma.quantile(middle, gamma.Z90) / gamma.quantile(middle, gamma.Z10))
        low, high = (float(middle), high) if spread < ratio else (low, float(middle))
    fast = float(gamma.quantile(np.array(low), gamma.Z90))
    return UsualWear(per_m=1 / (metres_p10 * fast), variance=low)


@dataclass(frozen=True, slots=True)
class WearReadings:
    """Wear readings of S parts (a position of an item of a vehicle), N rows in the order of time."""

    offsets: Ints  # (S + 1)
    odometer_m: Floats  # (N) continuous; never falls within a part
    worn: Floats  # (N) 0 new, 1 at the limit


@dataclass(frozen=True, slots=True)
class WearLine:
    """What the readings of S parts say by themselves: the least squares line of each part that is fitted now.

    The line goes through (``middle_m``, ``middle_worn``) with ``slope_per_m``; a start counts as a reading of
    a new part. Rows are -1 where there are none.
    """

    points: Floats  # (S) how many it goes through
    middle_m: Floats  # (S) NaN without points
    middle_worn: Floats  # (S)
    slope_per_m: Floats  # (S) 0 where one point, or one place, gives none
    square_m2: Floats  # (S) sum of squares of odometers around their middle
    noise_variance: Floats  # (S) of one reading
    first_row: Ints  # (S) of the part that is fitted now
    last_row: Ints
    renewal_row: Ints  # (S) first reading of a part whose renewal is seen in its readings only


@dataclass(frozen=True, slots=True)
class WearLimit:
    """Where each of S parts reaches its limit."""

    at_m: Floats  # (S) odometer at the mean rate; behind the last reading where the part is past its limit
    variance: Floats  # (S) relative, of what wears a metre from ``from_m`` to the limit
    worn: Floats  # (S) at the last reading; NaN where none
    rate_per_m: Floats  # (S) mean
    measured: Bools  # (S)
    first_row: Ints  # (S) rows of the readings that it rests on, -1 where none
    last_row: Ints
    renewal_row: Ints
    from_m: Floats  # (S) odometer at the last reading, else at the start; NaN where neither was read

    def variance_from(self, odometer_m: Floats) -> Floats:
        """The relative variance (S) of what wears a metre from ``odometer_m`` (S) to the limit.

        Who has driven on since the last reading is nearer to the limit, and knows no better where it lies.
        """
        way_m, left_m = self.at_m - self.from_m, self.at_m - odometer_m
        on = (left_m > 0) & (left_m < way_m)
        times = np.divide(way_m, left_m, out=np.ones(len(way_m)), where=on)
        variance: Floats = np.minimum(self.variance * times**2, np.maximum(self.variance, VARIANCE_MAX))
        return variance


def wear_limit(
    readings: WearReadings,
    start_m: Floats,
    usual: UsualWear,
    rules: WearRules,
    *,
    noise: float | None = None,
) -> WearLimit:
    """Project the wear of S parts; ``start_m`` (S) is where each was new, NaN where that is not known.

    ``noise`` is the standard deviation of a reading as a share of the way (``rules.noise`` by default). A
    part without reading and without start gets a NaN limit; one without reading but with a start is projected
    by what is usual.
    """
    line = wear_line(readings, start_m, rules, noise=noise, usual_per_m=usual.per_m)
    usual_rate = np.broadcast_to(np.asarray(usual.per_m, dtype=np.float64), start_m.shape)
    usual_variance = np.broadcast_to(np.asarray(usual.variance, dtype=np.float64), start_m.shape)
    prior = 1 / (usual_variance * usual_rate**2)
    seen = line.square_m2 / line.noise_variance
    rate = (seen * line.slope_per_m + prior * usual_rate) / (seen + prior)
    rate = np.maximum(rate, rules.rate_share_min * usual_rate)

    measured = line.last_row >= 0
    # Without a reading the start alone is the line: new there, and nothing to be noisy.
    left_of_middle = (1 - line.middle_worn) / rate
    at_m = line.middle_m + left_of_middle
    last_m = np.append(readings.odometer_m, np.nan)[line.last_row]
    level_variance = np.divide(
        line.noise_variance, line.points, out=np.zeros(len(rate)), where=measured & (line.points > 0)
    )
    variance = 1 / (seen + prior) / rate**2 + level_variance / np.maximum((1 - line.middle_worn) ** 2, 1e-6)
    # Said of the way from the middle of the readings; what is asked is the way from the last one.
    left = np.where(measured, at_m - last_m, left_of_middle)
    stretched = variance * (left_of_middle / np.where(left > 0, left, np.inf)) ** 2
    spread = np.where(measured, stretched + rules.change_variance, usual_variance)
    return WearLimit(
        at_m=at_m,
        variance=np.clip(spread, rules.change_variance, np.maximum(usual_variance, VARIANCE_MAX)),
        worn=np.append(readings.worn, np.nan)[line.last_row],
        rate_per_m=rate,
        measured=measured,
        first_row=line.first_row,
        last_row=line.last_row,
        renewal_row=line.renewal_row,
        from_m=np.where(measured, last_m, start_m),
    )


def wear_line(
    readings: WearReadings,
    start_m: Floats,
    rules: WearRules,
    *,
    noise: float | None = None,
    usual_per_m: Floats | float = 1.0,
) -> WearLine:
    """The line through the readings of S parts since each was fitted.

    A record is of a look, not of a new part, where the part is read as worn sooner after it than many times
    ``usual_per_m`` allows (by default, a life in a metre: any): then it has no start.
    """
    declared = (rules.noise if noise is None else noise) ** 2
    fastest_per_m = np.broadcast_to(rules.rate_ratio_max * np.asarray(usual_per_m), start_m.shape)
    read = np.flatnonzero(np.diff(readings.offsets))
    own = replace(readings, offsets=np.append(readings.offsets[read], readings.offsets[-1]))
    found = _line_of_read(own, start_m[read], fastest_per_m[read], declared, rules)
    line = _line_of_unread(start_m, declared)
    for field in fields(WearLine):
        getattr(line, field.name)[read] = getattr(found, field.name)
    return line


def _line_of_unread(start_m: Floats, noise_variance: float) -> WearLine:
    """The line of S parts without readings: each start alone."""
    size, known = len(start_m), np.isfinite(start_m)
    worn, slope, square = (np.zeros(size) for _ in range(3))
    first, last, renewal = (np.full(size, -1, dtype=np.int64) for _ in range(3))
    return WearLine(
        points=known.astype(np.float64),
        middle_m=np.where(known, start_m, np.nan),
        middle_worn=worn,
        slope_per_m=slope,
        square_m2=square,
        noise_variance=np.full(size, noise_variance),
        first_row=first,
        last_row=last,
        renewal_row=renewal,
    )


def _line_of_read(
    readings: WearReadings, start_m: Floats, fastest_per_m: Floats, declared: float, rules: WearRules
) -> WearLine:
    """The line of S parts with readings; none of them wears faster than ``fastest_per_m`` (S)."""
    owner = owners_of(readings.offsets)
    kept = ~_outliers(readings, owner, rules)
    first, renewed, start_m = _first_rows(
        readings, owner, start_m, kept, fastest_per_m=fastest_per_m, rules=rules
    )
    row = np.flatnonzero(kept & (np.arange(len(owner)) >= first[owner]))
    part, odometer_m, worn = owner[row], readings.odometer_m[row], readings.worn[row]
    from_start = ~renewed & np.isfinite(start_m)
    points = np.bincount(part, minlength=len(start_m)).astype(np.float64) + from_start

    def total(values: Floats, at_start: Floats | float = 0.0) -> Floats:
        read = np.bincount(part, weights=values, minlength=len(start_m)).astype(np.float64)
        return read + np.where(from_start, at_start, 0.0)

    some = np.maximum(points, 1.0)
    middle_m = np.where(points > 0, total(odometer_m, start_m) / some, np.nan)
    middle_worn = total(worn) / some
    x, y = odometer_m - middle_m[part], worn - middle_worn[part]
    start_x, start_y = start_m - middle_m, -middle_worn
    xx, xy = total(x * x, start_x**2), total(x * y, start_x * start_y)
    slope = np.divide(xy, xx, out=np.zeros(len(xx)), where=xx > 1.0)
    off = np.maximum(total(y * y, start_y**2) - slope * xy, 0.0)
    spare = np.maximum(points - 2, 0.0)
    first_row, last_row = (np.full(len(start_m), -1, dtype=np.int64) for _ in range(2))
    first_row[part[::-1]] = row[::-1]
    last_row[part] = row
    return WearLine(
        points=points,
        middle_m=middle_m,
        middle_worn=middle_worn,
        slope_per_m=slope,
        square_m2=np.where(xx > 1.0, xx, 0.0),
        noise_variance=(rules.noise_weight * declared + off) / (rules.noise_weight + spare),
        first_row=first_row,
        last_row=last_row,
        renewal_row=np.where(renewed, first_row, -1),
    )


def _outliers(readings: WearReadings, owner: Ints, rules: WearRules) -> Bools:
    """Rows (N) that stand out from both neighbours to the same side, while these agree with each other."""
    worn = readings.worn
    result = np.zeros(len(worn), dtype=np.bool_)
    step = np.diff(worn)
    jump = np.abs(step) >= rules.renewal_fall
    row = np.flatnonzero(jump[:-1] & jump[1:]) + 1
    back = np.sign(step[row - 1]) == -np.sign(step[row])
    agree = np.abs(worn[row + 1] - worn[row - 1]) < rules.renewal_fall / 2
    result[row] = (owner[row - 1] == owner[row + 1]) & back & agree
    return result


def _first_rows(
    readings: WearReadings,
    owner: Ints,
    start_m: Floats,
    kept: Bools,
    *,
    fastest_per_m: Floats,
    rules: WearRules,
) -> tuple[Ints, Bools, Floats]:
    """The first row (S) of each part that is fitted now, whether it was renewed after its start, and the
    start (S), NaN where the first reading after it does not allow it."""
    before = np.flatnonzero(readings.odometer_m < start_m[owner])
    begin = readings.offsets[:-1] + np.bincount(owner[before], minlength=len(start_m))
    renewal = _renewals(readings, owner, kept, rules)
    late = _too_worn(readings, np.maximum(begin, renewal), start_m, fastest_per_m, rules)
    start_m = start_m.copy()
    start_m[late] = np.nan
    begin[late] = readings.offsets[late]
    # A fall right at the start is the very renewal that the service record tells of.
    return np.maximum(begin, renewal), renewal > begin, start_m


def _too_worn(
    readings: WearReadings, first: Ints, start_m: Floats, fastest_per_m: Floats, rules: WearRules
) -> Ints:
    """The parts that the row ``first`` (S) shows more worn than any is so soon after ``start_m`` (S)."""
    part = np.flatnonzero(first < readings.offsets[1:])
    row = first[part]
    gone_m = np.maximum(readings.odometer_m[row] - start_m[part], 0.0)
    return part[readings.worn[row] > rules.renewal_fall + fastest_per_m[part] * gone_m]


def _renewals(readings: WearReadings, owner: Ints, kept: Bools, rules: WearRules) -> Ints:
    """The row (S) at which each part was seen to be renewed last, -1 where never."""
    row = np.flatnonzero(kept)
    worn = readings.worn[row]
    fell = np.flatnonzero(worn[:-1] - worn[1:] >= rules.renewal_fall)
    before, after = row[fell], row[fell + 1]
    after = after[owner[before] == owner[after]]
    renewal = np.full(len(readings.offsets) - 1, -1, dtype=np.int64)
    renewal[owner[after]] = after  # rows rise, and of several the last one is written last
    return renewal


def first_to_wear(limits: Sequence[WearLimit]) -> tuple[Ints, WearLimit]:
    """Of P positions on the same Q cars, the one (Q) that reaches its limit first, and its limit.

    Where any position is measured, the guesses about the others are no news.
    """
    measured = np.stack([limit.measured for limit in limits])
    at_m = np.stack([limit.at_m for limit in limits])
    usable = np.isfinite(at_m) & (measured | ~measured.any(axis=0))
    position = np.argmin(np.where(usable, at_m, np.inf), axis=0)
    columns = [getattr(limits[0], name).copy() for name in WearLimit.__slots__]
    for place, limit in enumerate(limits[1:], start=1):
        row = np.flatnonzero(position == place)
        for column, name in zip(columns, WearLimit.__slots__, strict=True):
            column[row] = getattr(limit, name)[row]
    return position, WearLimit(*columns)
