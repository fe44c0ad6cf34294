"""Where each item began anew on each vehicle: its last service on record, a renewal that was seen, or new.

A service record counts at its own date and odometer whenever it arrives: one that comes after later readings
moves the start to where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from milepost_server.signals.axis import OdometerAxis
from milepost_server.signals.flat import DAYS_PER_MONTH, Bools, Floats, Ints

NOON_D = 0.5
"""Service records carry no hour: an odometer is looked up at noon."""
METRES_PER_D_MAX = 1_500_000.0
"""A service odometer that lies further than this a day beyond the last reading is an error of typing."""
RECORD_OFF_D = 7.0
"""A record may be dated this long before the work: what is seen until then is the very service on record."""


@dataclass(frozen=True, slots=True)
class ServiceRecords:
    """N service records, in the order in which they were entered."""

    vehicle: Ints  # (N)
    item: Ints  # (N) code of the item, 0 .. I - 1; -1 for one that no schedule has
    done_d: Floats  # (N) the date, days since 1970
    odometer_m: Floats  # (N) on the continuous axis; NaN where none was noted, or it was rejected


def last_services(records: ServiceRecords, vehicles: int, items: int, as_of_d: float) -> Ints:
    """The row (V, I) of the last service of each item of each vehicle up to ``as_of_d``, -1 where none.

    Of two on one day the one that was entered last counts. Records of the future, of no date and of no item
    that is known are left out.
    """
    last = np.full(vehicles * items, -1, dtype=np.int64)
    rows = np.flatnonzero((records.done_d < as_of_d) & (records.item >= 0))
    if len(rows):
        day = np.floor(records.done_d[rows] - records.done_d[rows].min())
        place = records.vehicle[rows] * items + records.item[rows]
        newest = np.full(len(last), -1.0)
        np.maximum.at(newest, place, day)
        # Of several rows of one day for one place, the one that is written last stays.
        is_newest = day == newest[place]
        last[place[is_newest]] = rows[is_newest]
    return last.reshape(vehicles, items)


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
    seen: Bools | None = None  # (Q) whether it is a renewal that nobody noted, seen in what the car measures

    @property
    def sure(self) -> Bools:
        """Whether (Q) the start is a record or was seen; else counting begins at first registration."""
        return self.recorded if self.seen is None else self.recorded | self.seen

    def renewed(self, time_d: Floats, odometer_m: Floats, registered_d: Floats) -> Starts:
        """The starts with renewals that were seen at ``time_d`` (Q, NaN where none) and are later."""
        later = time_d > np.where(np.isnan(self.time_d), -np.inf, self.time_d + RECORD_OFF_D)
        if not later.any():
            return self
        age = np.maximum(time_d - registered_d, 0.0) / DAYS_PER_MONTH
        return replace(
            self,
            time_d=np.where(later, np.floor(time_d), self.time_d),
            odometer_m=np.where(later, odometer_m, self.odometer_m),
            recorded=self.recorded & ~later,
            age_months=np.where(later, age, self.age_months),
            seen=later,
        )


def starts_of(
    axis: OdometerAxis, records: ServiceRecords, last: Ints, vehicle: Ints, registered_d: Floats
) -> Starts:
    """The starts of one item on Q vehicles.

    ``last`` (Q) is the row of each one's last record, -1 where none; ``registered_d`` (Q) its first
    registration, NaN where not known: without a record, the item is as old as the car.
    """
    recorded = last >= 0
    rows = np.flatnonzero(recorded)
    done_d = np.full(len(last), np.nan)
    done_d[rows] = records.done_d[last[rows]]
    age = np.maximum(done_d - registered_d, 0.0) / DAYS_PER_MONTH
    new_m = np.where(np.isnan(registered_d), np.nan, axis.origin_m[vehicle])
    odometer_m = new_m
    odometer_m[rows] = _service_odometer(axis, vehicle[rows], done_d[rows], records.odometer_m[last[rows]])
    return Starts(
        vehicle=vehicle,
        time_d=np.where(recorded, done_d, registered_d),
        odometer_m=odometer_m,
        recorded=recorded,
        age_months=np.where(recorded, age, 0.0),
        anchor_d=axis.anchor_d[vehicle],
        anchor_m=axis.anchor_m[vehicle],
    )


def _service_odometer(axis: OdometerAxis, vehicle: Ints, done_d: Floats, own_m: Floats) -> Floats:
    """The odometer (Q) at a service: the record's own where readings around its day allow it, or theirs."""
    if not np.isfinite(own_m).any() or not len(axis.history.time_d):
        return axis.at(vehicle, done_d + NOON_D)
    odometer_m, noted = own_m.copy(), np.flatnonzero(np.isfinite(own_m))
    fits = np.zeros(len(own_m), dtype=np.bool_)
    fits[noted] = _fits(axis, vehicle[noted], done_d[noted], own_m[noted])
    others = np.flatnonzero(~fits)
    odometer_m[others] = axis.at(vehicle[others], done_d[others] + NOON_D)
    return odometer_m


def _fits(axis: OdometerAxis, vehicle: Ints, done_d: Floats, own_m: Floats) -> Bools:
    """Whether (Q) readings around the day ``done_d`` (Q) allow the odometer ``own_m`` (Q)."""
    x, y = axis.history.time_d, axis.history.odometer_m
    before, first, end = axis.around(vehicle, done_d)
    after, _, _ = axis.around(vehicle, done_d + 1.0)
    has_before, has_after = before > first, after < end
    earlier = np.maximum(before - 1, 0)
    low_m = np.where(has_before, y[earlier], np.fmin(axis.origin_m[vehicle], own_m))
    room_m = (done_d + 1.0 - x[earlier]) * METRES_PER_D_MAX
    later_m = y[np.minimum(after, len(y) - 1)]
    high_m = np.where(has_after, later_m, np.where(has_before, low_m + room_m, np.inf))
    fits: Bools = (own_m >= low_m) & (own_m <= high_m) & (first < end)
    return fits
