"""Runs the signals over a part of a fleet as of a day, on what the dealer knew by then.

The steps are those of the product's own derivation; only where the inputs come from is another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.derivation.driving import Driven, drive, months_of
from milepost_server.signals.ahead import Ahead
from milepost_server.signals.axis import OdometerAxis
from milepost_server.signals.flat import Floats, Ints, offsets_of
from milepost_server.signals.fleet.inputs import Fleet, ItemRules, SignalRows, UsualOf
from milepost_server.signals.fleet.results import ItemResult, item_results, wear_lines
from milepost_server.signals.items import METRES_PER_KM
from milepost_server.signals.odometer import OdometerReadings, OdometerRules
from milepost_server.signals.schedules.book import Kind
from milepost_server.signals.starts import NOON_D, ServiceRecords
from milepost_server.signals.usage import group_prior, shrink
from milepost_server.signals.wear import UsualWear, WearLine, usual_wear
from milepost_server.signals.wear_prior import WearPriorRules, wear_prior

if TYPE_CHECKING:
    from milepost_server.derivation.configuration import Configuration
    from milepost_server.evaluation.fleet.files import Part, Table


@dataclass(frozen=True, slots=True)
class Derived:
    """All of a part as of the beginning of the day ``as_of_d``."""

    as_of_d: float
    reading: Ints  # (N) which of the part's readings was looked at; -1 a service record of before them
    driven: Driven
    fleet: Fleet
    items: list[ItemResult]


def derive(part: Part, as_of_d: float, config: Configuration) -> Derived:
    """Derive a part on what was known before the day ``as_of_d`` began."""
    reading, odometer = odometer_readings(part, as_of_d, config.odometer)
    driven = drive(odometer, as_of_d, config)
    fleet = _fleet(part, driven, as_of_d, config)
    rules = ItemRules(wear=config.wear, due=config.due)
    rules = ItemRules(wear=config.wear, due=config.due, usual=_usual(part, fleet, as_of_d, rules))
    return Derived(as_of_d, reading, driven, fleet, list(item_results(fleet, as_of_d, rules)))


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


def _fleet(part: Part, driven: Driven, as_of_d: float, config: Configuration) -> Fleet:
    model = part.observed["vehicles"]["model"]
    groups = len(part.facts.models)
    prior = group_prior(driven.observed, months_of(driven), model, groups, config.usage)
    usage = shrink(driven.observed, prior.of(model), config.usage)
    axis = OdometerAxis(driven.history, usage.rate_m_per_d, driven.anchor_d, driven.anchor_m, driven.origin_m)
    kinds = [Kind(each.powertrain, each.make, each.name) for each in part.facts.models]
    plans = config.book.plans([kinds[place] for place in model])
    registered = part.observed["vehicles"]["registered_day"].astype(np.float64)
    return Fleet(
        axis=axis,
        ahead=Ahead(usage, config.usage),
        registered_d=np.where(registered < 0, np.nan, registered),
        plans=plans,
        keys=plans.keys,
        records=_records(part, plans.keys, as_of_d),
        signals=_signals(part, as_of_d),
    )


def _records(part: Part, keys: tuple[str, ...], as_of_d: float) -> ServiceRecords:
    """The services that were known by then; what the dealer keyed in on the visit is among the readings."""
    services = part.observed["services"]
    known = np.flatnonzero(services["known_day"] < as_of_d)
    code = {key: place for place, key in enumerate(keys)}
    codes = np.array([code.get(word, -1) for word in part.facts.words["items"]], dtype=np.int64)
    return ServiceRecords(
        vehicle=services["vehicle"][known],
        item=codes[services["item"][known]],
        done_d=services["done_day"][known].astype(np.float64),
        odometer_m=np.full(len(known), np.nan),
    )


def _signals(part: Part, as_of_d: float) -> dict[str, SignalRows]:
    wear = part.observed["wear"]
    found = {}
    for place, path in enumerate(part.facts.words["positions"]):
        row = np.flatnonzero((wear["position"] == place) & (wear["time_d"] < as_of_d))
        found[path] = SignalRows(wear["vehicle"][row], wear["time_d"][row], wear["value"][row])
    return found


def _usual(part: Part, fleet: Fleet, as_of_d: float, rules: ItemRules) -> UsualOf:
    """What wear is usual by model, from all measured parts of the fleet."""
    lines: dict[str, list[tuple[Ints, WearLine]]] = {}
    schedule: dict[str, UsualWear] = {}
    for group, line in wear_lines(fleet, as_of_d, rules):
        wear = group.items[0].wear
        if wear is not None:
            lines.setdefault(group.key, []).append((group.vehicle, line))
            schedule[group.key] = usual_wear(*(km * METRES_PER_KM for km in wear.usual_km))
    model, models = part.observed["vehicles"]["model"], len(part.facts.models)
    priors = {
        key: wear_prior(
            _joined([line for _, line in found]),
            model[np.concatenate([vehicle for vehicle, _ in found])],
            models,
            schedule[key],
            WearPriorRules(),
        )
        for key, found in lines.items()
    }

    def usual(key: str, vehicle: Ints) -> UsualWear | None:
        return priors[key].of(model[vehicle]) if key in priors else None

    return usual


def _joined(lines: list[WearLine]) -> WearLine:
    columns: list[Floats] = [
        np.concatenate([getattr(line, name) for line in lines]) for name in WearLine.__slots__
    ]
    return WearLine(*columns)  # type: ignore[arg-type]
