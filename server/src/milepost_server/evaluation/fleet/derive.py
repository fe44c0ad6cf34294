"""Runs the signals over a part of a fleet as of a day, on what the dealer knew by then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.ahead import Ahead
from milepost_server.signals.due import Due, DueRules, due
from milepost_server.signals.flat import (
    DAYS_PER_MONTH,
    Floats,
    Ints,
    interpolate,
    last_rows,
    offsets_of,
)
from milepost_server.signals.items import METRES_PER_KM, Schedule, shipped
from milepost_server.signals.limits import ItemLimits, Starts, item_limits
from milepost_server.signals.odometer import (
    CleanOdometer,
    OdometerReadings,
    OdometerRules,
    clean_odometer,
)
from milepost_server.signals.usage import (
    History,
    Usage,
    UsageRules,
    group_prior,
    month_variances,
    observe,
    shrink,
)
from milepost_server.signals.wear import UsualWear, WearLimit, WearReadings, WearRules, usual_wear, wear_limit

if TYPE_CHECKING:
    from milepost_server.evaluation.fleet.files import Part, Table
    from milepost_server.signals.items import Item, Wear

_NOON_D = 0.5  # service records carry no hour


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers behind the signals that are evaluated: those that the product ships."""

    odometer: OdometerRules = field(default_factory=OdometerRules)
    usage: UsageRules = field(default_factory=UsageRules)
    wear: WearRules = field(default_factory=WearRules)
    due: DueRules = field(default_factory=DueRules)
    schedules: dict[str, Schedule] = field(default_factory=shipped)


@dataclass(frozen=True, slots=True)
class Driven:
    """What the odometers of V vehicles say."""

    row: Ints  # (N) which of the part's readings was looked at; -1 a service record of before them
    clean: CleanOdometer
    history: History
    usage: Usage
    anchor_d: Floats  # (V) the last kept reading; NaN where none
    anchor_m: Floats  # (V)
    origin_m: Floats  # (V) zero of the first instrument cluster on the continuous axis; NaN where none


@dataclass(frozen=True, slots=True)
class DerivedItem:
    """One item of the Q vehicles that have it."""

    key: str
    starts: Starts
    limits: ItemLimits
    wear: WearLimit | None
    due: Due


@dataclass(frozen=True, slots=True)
class Derived:
    """All of a part as of the beginning of the day ``as_of_d``."""

    as_of_d: float
    driven: Driven
    items: list[DerivedItem]


def derive(part: Part, as_of_d: float, rules: Rules) -> Derived:
    """Derive a part on what was known before the day ``as_of_d`` began."""
    driven = _drive(part, as_of_d, rules)
    items = []
    for powertrain, schedule in sorted(rules.schedules.items()):
        of_model = np.array([model.powertrain == powertrain for model in part.facts.models])
        vehicle = np.flatnonzero(of_model[part.observed["vehicles"]["model"]]).astype(np.int64)
        if len(vehicle):
            context = _Context(part, driven, vehicle, as_of_d, rules)
            items += [context.derive(item) for item in schedule.item]
    return Derived(as_of_d, driven, items)


def _drive(part: Part, as_of_d: float, rules: Rules) -> Driven:
    row, readings = odometer_readings(part, as_of_d, rules.odometer)
    clean = clean_odometer(readings, as_of_d, rules.odometer)
    continuous_m = clean.continuous_m()
    history = History(clean.offsets, clean.time_d, continuous_m)
    observed = observe(history, as_of_d, rules.usage)
    model = part.observed["vehicles"]["model"]
    prior = group_prior(observed, month_variances(history), model, len(part.facts.models), rules.usage)
    first, last = clean.offsets[:-1], last_rows(clean.offsets)
    padded_d, padded_m = np.append(clean.time_d, np.nan), np.append(continuous_m, np.nan)
    shift = np.append(continuous_m - clean.odometer_m, np.nan)
    return Driven(
        row=row,
        clean=clean,
        history=history,
        usage=shrink(observed, prior.of(model), rules.usage),
        anchor_d=padded_d[last],
        anchor_m=padded_m[last],
        origin_m=np.where(last >= 0, shift[np.where(last >= 0, first, -1)], np.nan),
    )


def odometer_readings(part: Part, as_of_d: float, rules: OdometerRules) -> tuple[Ints, OdometerReadings]:
    """The readings of before ``as_of_d`` with their rows (N), and what service books say of earlier years."""
    readings, services = part.observed["readings"], part.observed["services"]
    row = np.flatnonzero(readings["time_d"] < as_of_d)
    books = np.flatnonzero((services["done_day"] < part.facts.first_day) & (services["known_day"] < as_of_d))
    books = books[np.unique(_visits(services, books), return_index=True)[1]]
    entered = readings["source"][row] == part.facts.place("sources", "entered")
    sigma_m = readings["sigma_m"][row]
    fall_m = np.minimum(np.maximum(rules.fall_m_max, rules.fall_sigmas * sigma_m), rules.fall_m_max_entered)
    vehicle = np.concatenate([readings["vehicle"][row], services["vehicle"][books]])
    time_d = np.concatenate([readings["time_d"][row], services["done_day"][books] + _NOON_D])
    tolerance_m = np.concatenate(
        [np.where(entered, rules.fall_m_max_entered, fall_m), np.full(len(books), rules.fall_m_max_entered)]
    )
    odometer_m = np.concatenate([readings["odometer_m"][row], services["odometer_m"][books]])
    order = np.lexsort((time_d, vehicle))
    known = np.ones(len(order), dtype=np.bool_)
    rows = np.concatenate([row, np.full(len(books), -1)])[order]
    return rows, OdometerReadings(
        offsets=offsets_of(np.bincount(vehicle, minlength=part.vehicles).astype(np.int64)),
        time_d=time_d[order],
        odometer_m=odometer_m[order].astype(np.float64),
        trusted=known,
        plausible=known,
        tolerance_m=tolerance_m[order],
    )


def _visits(services: Table, row: Ints) -> Ints:
    """One number for each vehicle, day and odometer."""
    keys = np.stack([services[name][row] for name in ("vehicle", "done_day", "odometer_m")], axis=1)
    _, place = np.unique(keys, axis=0, return_inverse=True)
    return place.reshape(-1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Context:
    """The Q vehicles of one powertrain: what each of their items is derived from."""

    part: Part
    driven: Driven
    vehicle: Ints  # (Q)
    as_of_d: float
    rules: Rules

    def derive(self, item: Item) -> DerivedItem:
        starts = self._starts(item.key)
        wear = None if item.wear is None else self._wear(item.wear, starts)
        limits = item_limits(item, starts, wear, self.as_of_d)
        ahead = Ahead(self.driven.usage, self.rules.usage)
        found = due(self.driven.history, ahead, limits.limits, self.as_of_d, self.rules.due)
        return DerivedItem(item.key, starts, limits, wear, found)

    def _starts(self, key: str) -> Starts:
        registered = self.part.observed["vehicles"]["registered_day"][self.vehicle].astype(np.float64)
        registered[registered < 0] = np.nan
        done_d = self._last_service(key)
        recorded = np.isfinite(done_d)
        done_m = self._odometer_at(self.vehicle, done_d + _NOON_D)
        new_m = np.where(np.isfinite(registered), self.driven.origin_m[self.vehicle], np.nan)
        age = np.maximum(done_d - registered, 0.0) / DAYS_PER_MONTH
        return Starts(
            vehicle=self.vehicle,
            time_d=np.where(recorded, done_d, registered),
            odometer_m=np.where(recorded, done_m, new_m),
            recorded=recorded,
            age_months=np.where(recorded, age, 0.0),
            anchor_d=self.driven.anchor_d[self.vehicle],
            anchor_m=self.driven.anchor_m[self.vehicle],
        )

    def _last_service(self, key: str) -> Floats:
        """The day (Q) of the last service that was known by then; NaN where none."""
        services = self.part.observed["services"]
        known = services["item"] == self.part.facts.place("items", key)
        known &= (services["known_day"] < self.as_of_d) & (services["done_day"] < self.as_of_d)
        last = np.full(self.part.vehicles, -np.inf)
        np.maximum.at(last, services["vehicle"][known], services["done_day"][known].astype(np.float64))
        return np.where(np.isfinite(last), last, np.nan)[self.vehicle]

    def _odometer_at(self, vehicle: Ints, time_d: Floats) -> Floats:
        """The continuous odometer (Q): between readings, the last one after them, back at the rate before."""
        history, driven = self.driven.history, self.driven
        inside = interpolate(history.offsets, history.time_d, history.odometer_m, vehicle, time_d)
        if not len(history.time_d):
            return inside
        first = np.minimum(history.offsets[vehicle], len(history.time_d) - 1)
        ago_d = history.time_d[first] - time_d
        before = history.odometer_m[first] - ago_d * driven.usage.rate_m_per_d[vehicle]
        before = np.maximum(before, driven.origin_m[vehicle])
        outside = np.where(ago_d > 0, before, driven.anchor_m[vehicle])
        known = np.isfinite(driven.anchor_d[vehicle]) & np.isfinite(time_d)
        return np.where(known, np.where(np.isfinite(inside), inside, outside), np.nan)

    def _wear(self, wear: Wear, starts: Starts) -> WearLimit:
        near, far = (km * METRES_PER_KM for km in wear.usual_km)
        usual = usual_wear(near, far)
        limits = [self._position(path, wear, starts, usual) for path in wear.signals]
        measured = np.stack([limit.measured for limit in limits])
        # Where one position is measured, the others' guesses are no news.
        at_m = np.where(measured.any(axis=0) & ~measured, np.inf, np.stack([limit.at_m for limit in limits]))
        worst = np.argmin(np.where(np.isfinite(at_m), at_m, np.inf), axis=0)
        pick = np.arange(len(worst))
        names = WearLimit.__slots__
        return WearLimit(*(np.stack([getattr(limit, n) for limit in limits])[worst, pick] for n in names))

    def _position(self, path: str, wear: Wear, starts: Starts, usual: UsualWear) -> WearLimit:
        rows = self.part.observed["wear"]
        place = np.full(self.part.vehicles, -1, dtype=np.int64)
        place[self.vehicle] = np.arange(len(self.vehicle))
        here = (rows["position"] == self.part.facts.place("positions", path)) & (
            rows["time_d"] < self.as_of_d
        )
        row = np.flatnonzero(here & (place[rows["vehicle"]] >= 0))
        odometer_m = self._odometer_at(rows["vehicle"][row], rows["time_d"][row])
        row, odometer_m = row[np.isfinite(odometer_m)], odometer_m[np.isfinite(odometer_m)]
        counts = np.bincount(place[rows["vehicle"][row]], minlength=len(self.vehicle)).astype(np.int64)
        worn = (rows["value"][row] - wear.new) / (wear.limit - wear.new)
        readings = WearReadings(offsets_of(counts), odometer_m, worn)
        # Without a record, parts may have been renewed unseen since the car was new: measurement counts.
        start_m = np.where(starts.recorded | (counts == 0), starts.odometer_m, np.nan)
        return wear_limit(readings, start_m, usual, self.rules.wear)
