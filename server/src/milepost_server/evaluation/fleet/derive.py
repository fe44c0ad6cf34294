"""Runs the signals over a part of a fleet as of a day, on what the dealer knew by then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.ahead import Ahead
from milepost_server.signals.axis import OdometerAxis
from milepost_server.signals.due import Due, due
from milepost_server.signals.flat import Ints, last_rows, offsets_of
from milepost_server.signals.items import METRES_PER_KM
from milepost_server.signals.limits import ItemLimits, intervals_of, item_limits
from milepost_server.signals.odometer import (
    CleanOdometer,
    OdometerReadings,
    OdometerRules,
    clean_odometer,
)
from milepost_server.signals.schedules.documents import Schedule
from milepost_server.signals.schedules.shipped import shipped
from milepost_server.signals.starts import NOON_D, ServiceRecords, Starts, last_services, starts_of
from milepost_server.signals.states import DueRules
from milepost_server.signals.usage import (
    History,
    Usage,
    UsageRules,
    group_prior,
    month_variances,
    observe,
    shrink,
)
from milepost_server.signals.wear import (
    WearLimit,
    WearReadings,
    WearRules,
    first_to_wear,
    usual_wear,
    wear_limit,
    wear_line,
)
from milepost_server.signals.wear_prior import WearPriorRules, wear_prior

if TYPE_CHECKING:
    from milepost_server.evaluation.fleet.files import Part, Table
    from milepost_server.signals.items import Item, Wear


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers behind the signals that are evaluated: those that the product ships."""

    odometer: OdometerRules = field(default_factory=OdometerRules)
    usage: UsageRules = field(default_factory=UsageRules)
    wear: WearRules = field(default_factory=WearRules)
    wear_prior: WearPriorRules = field(default_factory=WearPriorRules)
    due: DueRules = field(default_factory=DueRules)
    schedules: dict[str, Schedule] = field(default_factory=shipped)


@dataclass(frozen=True, slots=True)
class Driven:
    """What the odometers of V vehicles say."""

    row: Ints  # (N) which of the part's readings was looked at; -1 a service record of before them
    clean: CleanOdometer
    history: History
    usage: Usage
    axis: OdometerAxis


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
    usage = shrink(observed, prior.of(model), rules.usage)
    return Driven(row, clean, history, usage, _axis(clean, history, usage))


def _axis(clean: CleanOdometer, history: History, usage: Usage) -> OdometerAxis:
    first, last = clean.offsets[:-1], last_rows(clean.offsets)
    padded_d, padded_m = np.append(history.time_d, np.nan), np.append(history.odometer_m, np.nan)
    shift = np.append(history.odometer_m - clean.odometer_m, np.nan)
    origin_m = np.where(last >= 0, shift[np.where(last >= 0, first, -1)], np.nan)
    return OdometerAxis(history, usage.rate_m_per_d, padded_d[last], padded_m[last], origin_m)


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
    time_d = np.concatenate([readings["time_d"][row], services["done_day"][books] + NOON_D])
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


class _Context:
    """The Q vehicles of one powertrain: what each of their items is derived from."""

    def __init__(self, part: Part, driven: Driven, vehicle: Ints, as_of_d: float, rules: Rules) -> None:
        self._part, self._driven, self._vehicle = part, driven, vehicle
        self._as_of_d, self._rules = as_of_d, rules
        services = part.observed["services"]
        known = np.flatnonzero(services["known_day"] < as_of_d)
        self._records = ServiceRecords(
            vehicle=services["vehicle"][known],
            item=services["item"][known],
            done_d=services["done_day"][known].astype(np.float64),
            # Only where readings are around it does the record's own odometer count; here they always are.
            odometer_m=np.full(len(known), np.nan),
        )
        items = len(part.facts.words["items"])
        self._last = last_services(self._records, part.vehicles, items, as_of_d)[vehicle]
        registered = part.observed["vehicles"]["registered_day"][vehicle].astype(np.float64)
        self._registered_d = np.where(registered < 0, np.nan, registered)

    def derive(self, item: Item) -> DerivedItem:
        """When ``item`` is due on each of the vehicles."""
        code = self._part.facts.place("items", item.key)
        none = np.full(len(self._vehicle), -1)
        last = self._last[:, code] if code >= 0 else none
        axis = self._driven.axis
        starts = starts_of(axis, self._records, last, self._vehicle, self._registered_d)
        wear = None if item.wear is None else self._wear(item.wear, starts)
        intervals = intervals_of([item], np.zeros(len(self._vehicle), dtype=np.int64), starts.age_months)
        limits = item_limits(intervals, starts, wear, self._as_of_d)
        ahead = Ahead(self._driven.usage, self._rules.usage)
        found = due(self._driven.history, ahead, limits.limits, self._as_of_d, self._rules.due)
        return DerivedItem(item.key, starts, limits, wear, found)

    def _wear(self, wear: Wear, starts: Starts) -> WearLimit:
        _, limit = first_to_wear([self._position(path, wear, starts) for path in wear.signals])
        return limit

    def _position(self, path: str, wear: Wear, starts: Starts) -> WearLimit:
        """The limit of one position, shrunk to what wears on the fleet's cars of the same model."""
        rows, vehicles = self._part.observed["wear"], len(self._vehicle)
        place = np.full(self._part.vehicles, -1, dtype=np.int64)
        place[self._vehicle] = np.arange(vehicles)
        here = rows["position"] == self._part.facts.place("positions", path)
        here &= (rows["time_d"] < self._as_of_d) & (place[rows["vehicle"]] >= 0)
        row = np.flatnonzero(here)
        odometer_m = self._driven.axis.at(rows["vehicle"][row], rows["time_d"][row])
        row, odometer_m = row[np.isfinite(odometer_m)], odometer_m[np.isfinite(odometer_m)]
        counts = np.bincount(place[rows["vehicle"][row]], minlength=vehicles).astype(np.int64)
        worn = (rows["value"][row] - wear.new) / (wear.limit - wear.new)
        readings = WearReadings(offsets_of(counts), odometer_m, worn)
        # Without a record, parts may have been renewed unseen since the car was new: measurement counts.
        start_m = np.where(starts.recorded | (counts == 0), starts.odometer_m, np.nan)
        rules, noise = self._rules, wear.noise_share
        line = wear_line(readings, start_m, rules.wear, noise=noise)
        near, far = (km * METRES_PER_KM for km in wear.usual_km)
        model = self._part.observed["vehicles"]["model"][self._vehicle]
        models = len(self._part.facts.models)
        prior = wear_prior(line, model, models, usual_wear(near, far), rules.wear_prior)
        return wear_limit(readings, start_m, prior.of(model), rules.wear, noise=noise)
