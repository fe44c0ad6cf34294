"""What a car measures about an item: wear by position, counters, countdowns, renewals that nobody noted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from milepost_server.signals.flat import METRES_PER_KM, Floats, Ints, offsets_of
from milepost_server.signals.fleet.groups import Group
from milepost_server.signals.fleet.inputs import Fleet, ItemRules, SignalRows
from milepost_server.signals.items.countdown import (
    SECONDS_PER_D,
    CountdownLimit,
    CountdownReadings,
    ends,
    set_back,
)
from milepost_server.signals.items.counters import (
    SIGNALS,
    USUAL_M_PER_UNIT,
    CounterReadings,
    counter_limit,
    running_total,
)
from milepost_server.signals.items.due import FirstLimit
from milepost_server.signals.items.limits import Intervals
from milepost_server.signals.items.starts import Starts
from milepost_server.signals.items.wear import (
    UsualWear,
    WearLimit,
    WearLine,
    WearReadings,
    first_to_wear,
    usual_wear,
    wear_limit,
    wear_line,
)

_NO_ROWS = SignalRows(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True)
class PositionedWear:
    """The wear of one item on Q vehicles. Rows are those of the position's `SignalRows`, -1 where none."""

    signals: tuple[str, ...]  # (P) positions
    position: Ints  # (Q) the one that reaches its limit first
    limit: WearLimit  # (Q) of that one
    each: tuple[WearLimit, ...]  # (P)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Rows of a signal on the vehicles of a group, with the odometer at each."""

    offsets: Ints  # (Q + 1)
    row: Ints  # (N) of the `SignalRows`
    time_d: Floats  # (N)
    odometer_m: Floats  # (N)
    value: Floats  # (N)


class Measured:
    """Reads the signals of a fleet up to ``as_of_d``; the odometers at a signal's readings are found once."""

    def __init__(self, fleet: Fleet, as_of_d: float, rules: ItemRules) -> None:
        self._fleet = fleet
        self._as_of_d = as_of_d
        self._rules = rules
        self._odometers: dict[str, Floats] = {}

    def wear(self, group: Group, starts: Starts) -> PositionedWear | None:
        """The wear of an item by position; None for one that does not wear."""
        wear = group.items[0].wear
        if wear is None:
            return None
        scheduled, learned = usual_of_schedule(group), self._rules.usual
        each = []
        for path in wear.signals:
            placed, readings, start_m = self._wear_readings(path, group, starts)
            usual = scheduled if learned is None else learned(group.key, path, group.vehicle, scheduled)
            limit = wear_limit(readings, start_m, usual, self._rules.wear, noise=wear.noise_share)
            each.append(_in_rows_of(placed, limit))
        position, first = first_to_wear(each)
        return PositionedWear(tuple(wear.signals), position, first, tuple(each))

    def lines(self, group: Group, starts: Starts) -> Iterator[tuple[str, WearLine]]:
        """What the readings of each position (Q parts) say by themselves: a fleet's own wear comes of it."""
        wear = group.items[0].wear
        if wear is None:
            return
        noise, usual_per_m = wear.noise_share, usual_of_schedule(group).per_m
        for path in wear.signals:
            _, readings, start_m = self._wear_readings(path, group, starts)
            line = wear_line(readings, start_m, self._rules.wear, noise=noise, usual_per_m=usual_per_m)
            yield path, line

    def renewal(self, group: Group, starts: Starts, wear: PositionedWear | None) -> tuple[Floats, Floats]:
        """Day and odometer (Q) of a renewal that nobody noted but readings show; NaN where there is none."""
        time_d = np.full(len(group.vehicle), np.nan)
        if wear is not None:
            # An item is renewed where all of its positions are: one new tyre makes no new set.
            is_whole = reduce(np.logical_or, [limit.renewal_row >= 0 for limit in wear.each])
            for limit in wear.each:
                is_whole &= (limit.renewal_row >= 0) | ~limit.measured
            renewed = np.flatnonzero(is_whole)
            for path, limit in zip(wear.signals, wear.each, strict=True):
                seen = renewed[limit.renewal_row[renewed] >= 0]
                time_d[seen] = np.fmin(time_d[seen], self._rows(path).time_d[limit.renewal_row[seen]])
        for readings, in_km in self._countdowns(group):
            row = set_back(readings, _since(starts), in_km=in_km)
            time_d = np.fmax(time_d, np.append(readings.time_d, np.nan)[row])
        odometer_m = np.full(len(group.vehicle), np.nan)
        renewed = np.flatnonzero(np.isfinite(time_d))
        odometer_m[renewed] = self._fleet.axis.at(group.vehicle[renewed], time_d[renewed])
        return time_d, odometer_m

    def counters(
        self, group: Group, starts: Starts, intervals: Intervals
    ) -> tuple[tuple[FirstLimit, WearLimit], ...]:
        """The limits in engine hours and in revolutions, for an item that has any."""
        wanted = {
            FirstLimit.ENGINE_HOURS: intervals.engine_hours,
            FirstLimit.REVOLUTIONS: intervals.revolutions,
        }
        return tuple(
            (kind, self._counter(kind, group, starts, interval))
            for kind, interval in wanted.items()
            if np.isfinite(interval).any()
        )

    def countdown(self, group: Group, starts: Starts) -> CountdownLimit | None:
        """Where the cars' own countdowns end; None for an item that none counts down to."""
        if group.items[0].countdown is None:
            return None
        at_m, at_d = (np.full(len(group.vehicle), np.nan) for _ in range(2))
        for readings, in_km in self._countdowns(group):
            found = ends(readings, _since(starts), in_km=in_km)
            at_m, at_d = (np.fmin(at_m, found), at_d) if in_km else (at_m, np.fmin(at_d, found))
        return CountdownLimit(at_m, at_d)

    def _wear_readings(self, path: str, group: Group, starts: Starts) -> tuple[_Placed, WearReadings, Floats]:
        """The rows of one position, as shares of the way, and where (Q) the part was new if that is known."""
        wear = group.items[0].wear
        assert wear is not None, "only asked for what wears"
        placed = self._placed(path, group.vehicle)
        worn = (placed.value - wear.new) / (wear.limit - wear.new)
        # Without a record, parts may have been renewed unseen since the car was new: measurement counts.
        unread = np.diff(placed.offsets) == 0
        start_m = np.where(starts.recorded | unread, starts.odometer_m, np.nan)
        return placed, WearReadings(placed.offsets, placed.odometer_m, worn), start_m

    def _counter(self, kind: FirstLimit, group: Group, starts: Starts, interval: Floats) -> WearLimit:
        placed = self._placed(SIGNALS[kind], group.vehicle)
        total = running_total(placed.offsets, placed.value)
        readings = CounterReadings(placed.offsets, placed.odometer_m, total)
        usual = USUAL_M_PER_UNIT[kind]
        limit = counter_limit(readings, starts.odometer_m, interval, usual, self._rules.wear)
        return _in_rows_of(placed, limit)

    def _countdowns(self, group: Group) -> Iterator[tuple[CountdownReadings, bool]]:
        """The countdowns to an item, and whether each is in kilometres."""
        countdown = group.items[0].countdown
        if countdown is None:
            return
        for path in countdown.signals:
            in_km = path in countdown.distances
            placed = self._placed(path, group.vehicle, on_axis=in_km)
            left = placed.value if in_km else placed.value / SECONDS_PER_D
            yield CountdownReadings(placed.offsets, placed.time_d, placed.odometer_m, left), in_km

    def _rows(self, path: str) -> SignalRows:
        return self._fleet.signals.get(path, _NO_ROWS)

    def _placed(self, path: str, vehicle: Ints, *, on_axis: bool = True) -> _Placed:
        """The rows of a signal for the vehicles of a group (Q); ``on_axis``: only those with an odometer."""
        rows = self._rows(path)
        if path not in self._odometers:
            self._odometers[path] = self._fleet.axis.at(rows.vehicle, rows.time_d)
        odometer_m = self._odometers[path]
        place = np.full(len(self._fleet.registered_d), -1, dtype=np.int64)
        place[vehicle] = np.arange(len(vehicle))
        of = place[rows.vehicle]
        use = (of >= 0) & (rows.time_d < self._as_of_d) & np.isfinite(rows.value)
        row = np.flatnonzero(use & np.isfinite(odometer_m) if on_axis else use)
        counts = np.bincount(of[row], minlength=len(vehicle))
        return _Placed(offsets_of(counts), row, rows.time_d[row], odometer_m[row], rows.value[row])


def usual_of_schedule(group: Group) -> UsualWear:
    """What the schedules say is usual wear, for each vehicle (Q) of a group that wears."""
    found = [
        usual_wear(*(km * METRES_PER_KM for km in item.wear.usual_km))
        for item in group.items
        if item.wear is not None
    ]
    rate, variance = (np.array([getattr(each, name) for each in found]) for name in ("per_m", "variance"))
    return UsualWear(rate[group.which], variance[group.which])


def _since(starts: Starts) -> Floats:
    """The day (Q) from which a countdown is of the life that the item has now; NaN where none began.

    On the day of a service on record, a reading may still be from before it.
    """
    return np.where(starts.sure, starts.time_d + starts.recorded, np.nan)


def _in_rows_of(placed: _Placed, limit: WearLimit) -> WearLimit:
    """The limit with its rows as those of the whole signal, not of the group's part of it."""
    row = np.append(placed.row, -1)
    return replace(
        limit,
        first_row=row[limit.first_row],
        last_row=row[limit.last_row],
        renewal_row=row[limit.renewal_row],
    )
