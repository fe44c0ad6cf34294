"""From an item's schedule, its last service and what is measured to its limits, on many vehicles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import DAYS_PER_MONTH, METRES_PER_KM, Bools, Floats, Ints
from milepost_server.signals.items.due import FirstLimit, Limit, Limits, Stale

if TYPE_CHECKING:
    from milepost_server.signals.items.countdown import CountdownLimit
    from milepost_server.signals.items.item import Item
    from milepost_server.signals.items.starts import Starts
    from milepost_server.signals.items.wear import WearLimit

INTERVALS_WITHOUT_RECORD_MAX = 1.25
"""A car that has come further than this since it was new, without a record, has been serviced somewhere:
nothing is known, and one asks. Up to here it may be late for its first service, and one asks too."""
LATE_WITHOUT_RECORD_D_MAX = 183.0
"""By time, that is at most half a year after the first limit: a quarter of ten years would be no news."""
LIVES_WITHOUT_RECORD_MAX = 2.0
"""The same for wear that nobody measures: in usual lives of the part."""
_MONTH_BEGINS_D: Ints = (
    np.arange("0001-01", "10101-01", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int64)
)
"""The first day (days since 1970) of each month since the year 1: looked up faster than reckoned."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """What the schedule says of one item on Q vehicles; NaN where it has no such limit."""

    band: Ints  # (Q) which interval of the vehicle's item applies, -1 none
    distance_m: Floats  # (Q)
    months: Floats  # (Q)
    engine_hours: Floats  # (Q)
    revolutions: Floats  # (Q)


@dataclass(frozen=True, slots=True)
class Lapsed:
    """Which of Q items are so late that the service has probably been done elsewhere since."""

    record: Bools  # (Q) by the last record and the schedule: then both say nothing more
    wear: Bools  # (Q) by what was measured last: then nothing says anything more


@dataclass(frozen=True, slots=True)
class ItemLimits:
    """The limits of one item, and what the words about them need."""

    limits: Limits
    band: Ints  # (Q) which interval of the item applies, -1 none
    forgotten: Bools  # (Q) so long past the first limit that it must have been done, and nobody knows when


def add_months(day: Floats, months: Floats) -> Floats:
    """The same day of the month, ``months`` later, or the month's last where it is shorter; NaN stays NaN.

    For days of the years 1 to 9999, as dates are.
    """
    known = np.isfinite(day) & np.isfinite(months)
    if not known.any():
        return np.full(len(day), np.nan)
    date = np.floor(np.where(known, day, _MONTH_BEGINS_D[0])).astype(np.int64)
    month = ((date - _MONTH_BEGINS_D[0]) / DAYS_PER_MONTH).astype(np.int64)  # or the one before, or after
    month += _MONTH_BEGINS_D[month + 1] <= date
    month -= _MONTH_BEGINS_D[month] > date
    target = month + np.where(known, months, 0.0).astype(np.int64)
    begin, end = _MONTH_BEGINS_D[target], _MONTH_BEGINS_D[target + 1]
    result = np.minimum(begin + date - _MONTH_BEGINS_D[month], end - 1)
    return np.where(known, result.astype(np.float64), np.nan)


def intervals_of(items: Sequence[Item], which: Ints, age_months: Floats) -> Intervals:
    """The intervals of Q vehicles: ``which`` (Q) of ``items`` each has, at its age at the last service (Q).

    An age that is not known (NaN) counts as old.
    """
    first = np.zeros(len(items) + 1, dtype=np.int64)
    np.cumsum([len(item.interval) for item in items], out=first[1:])
    bands = [band for item in items for band in item.interval]
    if not bands:
        nothing = np.full(len(which), np.nan)
        return Intervals(np.full(len(which), -1, dtype=np.int64), nothing, nothing, nothing, nothing)
    begins = np.array([band.from_months for band in bands], dtype=np.float64)
    age = np.where(np.isnan(age_months), np.inf, age_months)
    band = np.full(len(which), -1, dtype=np.int64)
    for place in range(max(len(item.interval) for item in items)):
        row = np.minimum(first[which] + place, len(bands) - 1)
        is_there = first[which] + place < first[which + 1]
        band[is_there & ((begins[row] <= age) | (place == 0))] = place
    row = np.where(band < 0, len(bands), first[which] + band)
    distance_km, *others = (
        np.array([np.nan if (value := getattr(each, name)) is None else value for each in bands] + [np.nan])[
            row
        ]
        for name in ("distance_km", "time_months", "engine_hours", "revolutions")
    )
    return Intervals(band, distance_km * METRES_PER_KM, *others)


def item_limits(
    intervals: Intervals,
    starts: Starts,
    wear: WearLimit | None,
    as_of_d: float,
    *,
    months_end_d: Floats,
    counters: Sequence[tuple[FirstLimit, WearLimit]] = (),
    countdown: CountdownLimit | None = None,
    lapsed: Lapsed | None = None,
) -> ItemLimits:
    """The limits of one item on Q vehicles.

    ``wear`` (Q) where it is a thing whose wear has a limit; ``counters`` (Q each) where it has one in engine
    hours or revolutions; ``countdown`` (Q) where cars may count down to it; ``lapsed`` (Q) where some
    may have been done elsewhere since. ``months_end_d`` (Q) is the day of the limit in months.
    """
    size = len(starts.vehicle)
    # Without any odometer, the distance since the start is projected from the start itself.
    anchorless = ~np.isfinite(starts.anchor_d)
    anchor_d = np.where(anchorless, starts.time_d, starts.anchor_d)
    anchor_m = np.where(anchorless, 0.0, starts.anchor_m)
    from_start_m = np.where(np.isnan(starts.time_d), np.nan, 0.0)
    start_m = np.where(anchorless, from_start_m, starts.odometer_m)

    measured = np.zeros(size, dtype=np.bool_) if wear is None else wear.measured
    # What wear usually is says no more than the schedule's distance, so that goes before it.
    silent = anchorless | (~measured & np.isfinite(intervals.distance_m))
    wear_at_m = np.full(size, np.nan) if wear is None else np.where(silent, np.nan, wear.at_m)
    lives_m = np.where(measured, np.nan, wear_at_m - starts.odometer_m)
    forgotten = ~starts.sure & _is_forgotten(starts, intervals, lives_m, as_of_d)
    if lapsed is not None:
        forgotten |= lapsed.record | lapsed.wear
        wear_at_m = np.where(lapsed.wear, np.nan, wear_at_m)
    hidden = np.where(forgotten, np.nan, 0.0)

    each = [
        Limit(FirstLimit.DISTANCE, starts.sure, at_m=start_m + intervals.distance_m + hidden),
        Limit(FirstLimit.TIME, starts.sure, at_d=months_end_d + hidden),
    ]
    if wear is not None:
        at_m = wear_at_m + np.where(measured, 0.0, hidden)
        each.append(_foretold(FirstLimit.WEAR, measured, at_m, wear, anchor_m))
    for kind, counter in counters:
        each.append(_foretold(kind, starts.sure, counter.at_m + hidden, counter, anchor_m))
    if countdown is not None:
        sure = np.ones(size, dtype=np.bool_)
        each.append(Limit(FirstLimit.COUNTDOWN, sure, at_m=np.where(anchorless, np.nan, countdown.at_m)))
        each.append(Limit(FirstLimit.COUNTDOWN, sure, at_d=countdown.at_d))
    limits = Limits(starts.vehicle, starts.time_d, anchor_d, anchor_m, ~anchorless, tuple(each))
    return ItemLimits(limits, intervals.band, forgotten)


def _foretold(kind: FirstLimit, firm: Bools, at_m: Floats, wear: WearLimit, anchor_m: Floats) -> Limit:
    """The limit at ``at_m`` (Q) that ``wear`` foretold where it was measured last, from ``anchor_m`` on."""
    way_m = at_m - wear.from_m
    row = np.flatnonzero((way_m > 0) & (wear.from_m < anchor_m))
    early_m = wear.from_m[row] + way_m[row] / gamma.quantile(wear.variance[row], gamma.Z90)
    row = row[early_m <= anchor_m[row]]
    stale = Stale(row, wear.from_m[row], way_m[row], wear.variance[row])
    return Limit(kind, firm, at_m=at_m, variance=wear.variance_from(anchor_m), stale=stale)


def _is_forgotten(starts: Starts, intervals: Intervals, lives_m: Floats, as_of_d: float) -> Bools:
    interval_d = intervals.months * DAYS_PER_MONTH
    late_d = np.minimum((INTERVALS_WITHOUT_RECORD_MAX - 1) * interval_d, LATE_WITHOUT_RECORD_D_MAX)
    gone_m = starts.anchor_m - starts.odometer_m
    by_time: Bools = as_of_d - starts.time_d > interval_d + late_d
    by_distance: Bools = gone_m > INTERVALS_WITHOUT_RECORD_MAX * intervals.distance_m
    return by_time | by_distance | (gone_m > LIVES_WITHOUT_RECORD_MAX * lives_m)
