"""From an item's schedule and its last service to the limits of that item on many vehicles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.due import Limits
from milepost_server.signals.flat import DAYS_PER_MONTH, Bools, Floats
from milepost_server.signals.items import METRES_PER_KM

if TYPE_CHECKING:
    from milepost_server.signals.flat import Ints
    from milepost_server.signals.items import Item
    from milepost_server.signals.wear import WearLimit

INTERVALS_WITHOUT_RECORD_MAX = 1.25
"""A car that has come further than this since it was new, without a record, has been serviced somewhere:
nothing is known, and one asks. Up to here it may be late for its first service, and one asks too."""
LATE_WITHOUT_RECORD_D_MAX = 183.0
"""By time, that is at most half a year after the first limit: a quarter of ten years would be no news."""
LIVES_WITHOUT_RECORD_MAX = 2.0
"""The same for wear that nobody measures: in usual lives of the part."""


@dataclass(frozen=True, slots=True)
class Starts:
    """Where one item began anew on each of Q vehicles: its last service, or the first registration."""

    vehicle: Ints  # (Q)
    time_d: Floats  # (Q) NaN where neither is known
    odometer_m: Floats  # (Q) on the continuous axis; NaN where not known
    recorded: Bools  # (Q) whether it is a service record
    age_months: Floats  # (Q) age of the vehicle then; NaN where not known, which counts as old
    anchor_d: Floats  # (Q) the vehicle's last odometer reading; NaN where none
    anchor_m: Floats  # (Q)


@dataclass(frozen=True, slots=True)
class ItemLimits:
    """The limits of one item, and what the words about them need."""

    limits: Limits
    band: Ints  # (Q) which interval of the item applies, -1 none
    forgotten: Bools  # (Q) long past the first limit since first registration, and no service on record


def add_months(day: Floats, months: Floats) -> Floats:
    """The same day of the month, ``months`` later, or the month's last where it is shorter; NaN stays NaN."""
    known = np.isfinite(day) & np.isfinite(months)
    date = np.floor(np.where(known, day, 0.0)).astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    target = month + np.where(known, months, 0.0).astype(np.int64)
    day_of_month = date - month.astype("datetime64[D]")
    length = (target + 1).astype("datetime64[D]") - target.astype("datetime64[D]")
    result = target.astype("datetime64[D]") + np.minimum(day_of_month, length - 1)
    return np.where(known, result.astype(np.int64).astype(np.float64), np.nan)


def item_limits(item: Item, starts: Starts, wear: WearLimit | None, as_of_d: float) -> ItemLimits:
    """The limits of ``item`` on Q vehicles; ``wear`` (Q) where it is a thing whose wear has a limit."""
    band, distance_m, months = _intervals(item, starts)
    # Without any odometer, the distance since the start is projected from the start itself.
    anchorless = ~np.isfinite(starts.anchor_d)
    anchor_d = np.where(anchorless, starts.time_d, starts.anchor_d)
    anchor_m = np.where(anchorless, 0.0, starts.anchor_m)
    start_m = np.where(anchorless, 0.0, starts.odometer_m)

    measured = np.zeros(len(band), dtype=np.bool_) if wear is None else wear.measured
    # What wear usually is says no more than the schedule's distance, so that goes before it.
    silent = anchorless | (~measured & np.isfinite(distance_m))
    wear_at_m = np.full(len(band), np.nan) if wear is None else np.where(silent, np.nan, wear.at_m)
    lives_m = np.where(measured, np.nan, wear_at_m - starts.odometer_m)
    forgotten = ~starts.recorded & _is_forgotten(starts, distance_m, lives_m, months, as_of_d)
    hidden = np.where(forgotten, np.nan, 0.0)
    limits = Limits(
        vehicle=starts.vehicle,
        start_d=starts.time_d,
        anchor_d=anchor_d,
        anchor_m=anchor_m,
        distance_at_m=start_m + distance_m + hidden,
        wear_at_m=wear_at_m + np.where(measured, 0.0, hidden),
        wear_variance=np.zeros(len(band)) if wear is None else wear.variance,
        time_at_d=add_months(starts.time_d, months) + hidden,
        inspected=measured,
        recorded=starts.recorded,
    )
    return ItemLimits(limits, band, forgotten)


def _intervals(item: Item, starts: Starts) -> tuple[Ints, Floats, Floats]:
    """Band, distance (metres) and months (Q) that apply to each vehicle; NaN where there is no such limit."""
    size = len(starts.vehicle)
    if not item.interval:
        return np.full(size, -1), np.full(size, np.nan), np.full(size, np.nan)
    begins = np.array([band.from_months for band in item.interval], dtype=np.float64)
    band = np.searchsorted(begins, np.nan_to_num(starts.age_months, nan=np.inf), side="right") - 1
    band = np.maximum(band, 0)
    km = np.array([np.nan if b.distance_km is None else b.distance_km for b in item.interval])
    months = np.array([np.nan if b.time_months is None else float(b.time_months) for b in item.interval])
    return band, km[band] * METRES_PER_KM, months[band]


def _is_forgotten(
    starts: Starts, distance_m: Floats, lives_m: Floats, months: Floats, as_of_d: float
) -> Bools:
    interval_d = months * DAYS_PER_MONTH
    late_d = np.minimum((INTERVALS_WITHOUT_RECORD_MAX - 1) * interval_d, LATE_WITHOUT_RECORD_D_MAX)
    gone_m = starts.anchor_m - starts.odometer_m
    by_time: Bools = as_of_d - starts.time_d > interval_d + late_d
    by_distance: Bools = gone_m > INTERVALS_WITHOUT_RECORD_MAX * distance_m
    return by_time | by_distance | (gone_m > LIVES_WITHOUT_RECORD_MAX * lives_m)
