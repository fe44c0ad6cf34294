"""The steps from a chunk of loaded vehicles to their due items, in arrays; no I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.derivation import times
from milepost_server.signals.ahead import Ahead
from milepost_server.signals.due import Due, due
from milepost_server.signals.flat import (
    DAYS_PER_MONTH,
    Floats,
    Ints,
    interpolate,
    last_rows,
    offsets_of,
)
from milepost_server.signals.items import METRES_PER_KM
from milepost_server.signals.limits import ItemLimits, intervals_of, item_limits
from milepost_server.signals.odometer import CleanOdometer, clean_odometer
from milepost_server.signals.starts import Starts
from milepost_server.signals.usage import (
    GroupPrior,
    History,
    Observed,
    Usage,
    month_variances,
    observe,
    shrink,
)
from milepost_server.signals.wear import (
    UsualWear,
    WearLimit,
    WearReadings,
    first_to_wear,
    usual_wear,
    wear_limit,
)

if TYPE_CHECKING:
    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.loading import Chunk, ReadingId, Service
    from milepost_server.signals.items import Item, Wear

_NOON_D = 0.5


@dataclass(frozen=True, slots=True)
class Driven:
    """What the odometers of V vehicles say."""

    clean: CleanOdometer
    history: History
    observed: Observed
    anchor_d: Floats  # (V) the last kept reading; NaN where none
    anchor_m: Floats  # (V)
    origin_m: Floats  # (V) zero of the first instrument cluster on the continuous axis; NaN where none


@dataclass(frozen=True, slots=True)
class MeasuredWear:
    """The wear of one item on Q vehicles: that of the position that reaches its limit first."""

    limit: WearLimit  # (Q)
    position: Ints  # (Q) which of the item's signals
    readings: list[list[tuple[str, str, ReadingId]]]  # (Q) role, signal, reading


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One item of the Q vehicles that have it."""

    item: Item
    starts: Starts
    service: list[Service | None]  # (Q) the record that it starts from
    limits: ItemLimits
    wear: MeasuredWear | None
    due: Due


@dataclass(frozen=True, slots=True)
class Derived:
    """All results of a chunk."""

    driven: Driven
    usage: Usage
    items: list[ItemResult]


def drive(chunk: Chunk, as_of_d: float, config: Configuration) -> Driven:
    """Clean the odometers and sum up what was driven; ``as_of_d`` is the end of the as-of date."""
    clean = clean_odometer(chunk.odometer, as_of_d, config.odometer)
    continuous_m = clean.continuous_m()
    history = History(clean.offsets, clean.time_d, continuous_m)
    first, last = clean.offsets[:-1], last_rows(clean.offsets)
    any_ = last >= 0
    padded_d, padded_m = np.append(clean.time_d, np.nan), np.append(continuous_m, np.nan)
    shift = np.append(continuous_m - clean.odometer_m, np.nan)
    return Driven(
        clean=clean,
        history=history,
        observed=observe(history, as_of_d, config.usage),
        anchor_d=padded_d[last],
        anchor_m=padded_m[last],
        origin_m=np.where(any_, shift[np.where(any_, first, -1)], np.nan),
    )


def months_of(driven: Driven) -> Floats:
    """The relative variance (V) of each vehicle's months, for priors."""
    return month_variances(driven.history)


def finish(chunk: Chunk, driven: Driven, prior: GroupPrior, as_of_d: float, config: Configuration) -> Derived:
    """From what was driven to due items; ``prior`` (V) is that of each vehicle's group."""
    usage = shrink(driven.observed, prior, config.usage)
    results = []
    for powertrain, schedule in sorted(config.schedules.items()):
        vehicle = np.flatnonzero([v.powertrain == powertrain for v in chunk.vehicles]).astype(np.int64)
        if len(vehicle):
            context = _Context(chunk, driven, usage, vehicle, as_of_d, config)
            results += [context.item_result(item) for item in schedule.item]
    return Derived(driven, usage, results)


@dataclass(frozen=True, slots=True)
class _Context:
    """The Q vehicles of one powertrain: what each of their items is derived from."""

    chunk: Chunk
    driven: Driven
    usage: Usage
    vehicle: Ints  # (Q)
    as_of_d: float
    config: Configuration

    def item_result(self, item: Item) -> ItemResult:
        service = [self._last_service(int(v), item.key) for v in self.vehicle]
        starts = self._starts(service)
        wear = None if item.wear is None else self._wear(item.wear, starts)
        intervals = intervals_of([item], np.zeros(len(service), dtype=np.int64), starts.age_months)
        limits = item_limits(intervals, starts, None if wear is None else wear.limit, self.as_of_d)
        ahead = Ahead(self.usage, self.config.usage)
        result = due(self.driven.history, ahead, limits.limits, self.as_of_d, self.config.due)
        return ItemResult(item, starts, service, limits, wear, result)

    def _last_service(self, vehicle: int, key: str) -> Service | None:
        found = [service for service in self.chunk.services[vehicle] if service.item == key]
        return found[-1] if found else None

    def _starts(self, service: list[Service | None]) -> Starts:
        registered_on = [self.chunk.vehicles[v].first_registered_on for v in self.vehicle]
        registered_d = np.array([np.nan if on is None else times.start_d(on) for on in registered_on])
        done_d = np.array([np.nan if s is None else times.start_d(s.done_on) for s in service])
        recorded = np.isfinite(done_d)
        done_m = self._odometer_at(self.vehicle, done_d + _NOON_D)
        age = np.maximum(done_d - registered_d, 0.0) / DAYS_PER_MONTH
        return Starts(
            vehicle=self.vehicle,
            time_d=np.where(recorded, done_d, registered_d),
            odometer_m=np.where(recorded, done_m, self._new_m(registered_d)),
            recorded=recorded,
            age_months=np.where(recorded, age, 0.0),
            anchor_d=self.driven.anchor_d[self.vehicle],
            anchor_m=self.driven.anchor_m[self.vehicle],
        )

    def _new_m(self, registered_d: Floats) -> Floats:
        return np.where(np.isfinite(registered_d), self.driven.origin_m[self.vehicle], np.nan)

    def _odometer_at(self, vehicle: Ints, time_d: Floats) -> Floats:
        """The continuous odometer (Q): between readings, the last one after them, back at the rate before."""
        history, driven = self.driven.history, self.driven
        inside = interpolate(history.offsets, history.time_d, history.odometer_m, vehicle, time_d)
        if not len(history.time_d):
            return inside
        first = np.minimum(history.offsets[vehicle], len(history.time_d) - 1)
        ago_d = history.time_d[first] - time_d
        before = history.odometer_m[first] - ago_d * self.usage.rate_m_per_d[vehicle]
        before = np.maximum(before, driven.origin_m[vehicle])
        outside = np.where(ago_d > 0, before, driven.anchor_m[vehicle])
        known = np.isfinite(driven.anchor_d[vehicle]) & np.isfinite(time_d)
        return np.where(known, np.where(np.isfinite(inside), inside, outside), np.nan)

    def _wear(self, wear: Wear, starts: Starts) -> MeasuredWear:
        near, far = (km * METRES_PER_KM for km in wear.usual_km)
        usual = usual_wear(near, far)
        positions = [self._position(path, wear, starts, usual) for path in wear.signals]
        worst, chosen = first_to_wear([limit for limit, _ in positions])
        evidence = [positions[p][1][q] for q, p in enumerate(worst)]
        return MeasuredWear(chosen, worst, evidence)

    def _position(
        self, path: str, wear: Wear, starts: Starts, usual: UsualWear
    ) -> tuple[WearLimit, list[list[tuple[str, str, ReadingId]]]]:
        rows = self.chunk.wear[path]
        place = np.full(len(self.chunk.vehicles), -1, dtype=np.int64)
        place[self.vehicle] = np.arange(len(self.vehicle))
        row = np.flatnonzero(place[rows.vehicle] >= 0)
        odometer_m = self._odometer_at(rows.vehicle[row], rows.time_d[row])
        row, odometer_m = row[np.isfinite(odometer_m)], odometer_m[np.isfinite(odometer_m)]
        counts = np.bincount(place[rows.vehicle[row]], minlength=len(self.vehicle)).astype(np.int64)
        worn = np.array([wear.worn(value) for value in rows.value[row]])
        readings = WearReadings(offsets_of(counts), odometer_m, worn)
        # Without a record, parts may have been renewed unseen since the car was new: measurement counts.
        start_m = np.where(starts.recorded | (counts == 0), starts.odometer_m, np.nan)
        limit = wear_limit(readings, start_m, usual, self.config.wear, noise=wear.noise_share)
        evidence = [
            [] if last < 0 else [("first", path, rows.ids[row[first]]), ("latest", path, rows.ids[row[last]])]
            for first, last in zip(limit.first_row, limit.last_row, strict=True)
        ]
        return limit, evidence
