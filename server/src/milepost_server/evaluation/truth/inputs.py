"""A part of a fleet as the derivation's own inputs: all that the dealer knew before a day began."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_server.derivation import signal_paths
from milepost_server.derivation.fleet import (
    NO_ROW,
    Chunk,
    FaultInputs,
    Inputs,
    MoneyInputs,
    OdometerSources,
    ReadingIds,
    Services,
    Vehicle,
)
from milepost_server.evaluation.truth.tenures import Owned, owned_on
from milepost_server.signals.faults.codes import encode
from milepost_server.signals.faults.fleet import CLEARED, CONFIRMED, PENDING
from milepost_server.signals.flat import Bools, Floats, Ints, offsets_of
from milepost_server.signals.fleet.inputs import SignalRows
from milepost_server.signals.items.starts import NOON_D
from milepost_server.signals.odometer import OdometerReadings, OdometerRules
from milepost_server.signals.schedules.book import Kind
from milepost_server.signals.value.contracts import ContractKind, Contracts
from milepost_server.signals.value.residual import shipped_curves

if TYPE_CHECKING:
    from milepost_server.derivation.configuration import Configuration
    from milepost_server.evaluation.truth.files import Part, Table

STATUS = {"pending": PENDING, "confirmed": CONFIRMED, "cleared": CLEARED}
KINDS = {
    "lease": ContractKind.LEASE,
    "finance": ContractKind.FINANCE,
    "warranty": ContractKind.WARRANTY,
    "subscription": ContractKind.SUBSCRIPTION,
}
_NONE = np.zeros(0, dtype=np.int64)


class Told(NamedTuple):
    """The inputs, and which of the part's readings each odometer row (N) is; -1 for a service record's."""

    chunk: Chunk
    reading: Ints


def told_before(part: Part, as_of_d: float, config: Configuration) -> Told:
    """What was known before the day ``as_of_d`` began."""
    models = part.facts.models
    model = part.observed["vehicles"]["model"]
    kinds = [Kind(each.powertrain, each.make, each.name) for each in models]
    plans = config.book.plans([kinds[place] for place in model])
    registered = part.observed["vehicles"]["registered_day"].astype(np.float64)
    reading, odometer, book_row = _odometer(part, as_of_d, config.odometer)
    owned = owned_on(part, as_of_d)
    inputs = Inputs(
        plans=plans,
        keys=plans.keys,
        registered_d=np.where(registered < 0, np.nan, registered),
        odometer=odometer,
        services=_services(part, plans.keys, book_row, as_of_d),
        signals=_signals(part, owned, as_of_d),
        faults=_faults(part, as_of_d),
        money=_money(part, owned),
    )
    vehicles = [_vehicle(part, number, place) for number, place in enumerate(model)]
    return Told(_chunk(inputs, vehicles), reading)


def _vehicle(part: Part, number: int, place: int) -> Vehicle:
    model = part.facts.models[place]
    return Vehicle(number, model.make, model.name, model.powertrain, None, None, None, None)


def _chunk(inputs: Inputs, vehicles: list[Vehicle]) -> Chunk:
    """The inputs as what learning takes; nothing here has an id of a store."""
    no_ids = ReadingIds(_NONE, _NONE)
    sources, nobody = OdometerSources(_NONE, _NONE, _NONE), np.zeros(len(vehicles), dtype=np.int64)
    return Chunk(vehicles, inputs, sources, _NONE, {}, no_ids, _NONE, nobody)


def _odometer(part: Part, as_of_d: float, rules: OdometerRules) -> tuple[Ints, OdometerReadings, Ints]:
    """Readings, and what service books say of the years before them; with the row (S) of each service."""
    readings, services = part.observed["readings"], part.observed["services"]
    row = np.flatnonzero(readings["time_d"] < as_of_d)
    is_book = (services["done_day"] < part.facts.first_day) & (services["known_day"] < as_of_d)
    books = np.flatnonzero(is_book)
    visit = _visits(services, books)
    one_each = np.unique(visit, return_index=True)[1]
    entries = books[one_each]
    entered = readings["source"][row] == part.facts.place("sources", "entered")
    fall_m = np.maximum(rules.fall_m_max, rules.fall_sigmas * readings["sigma_m"][row])
    fall_m = np.minimum(np.where(entered, np.inf, fall_m), rules.fall_m_max_entered)
    vehicle = np.concatenate([readings["vehicle"][row], services["vehicle"][entries]])
    time_d = np.concatenate([readings["time_d"][row], services["done_day"][entries] + NOON_D])
    metres = np.concatenate([readings["odometer_m"][row], services["odometer_m"][entries]])
    order = np.lexsort((time_d, vehicle))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    book_row = np.full(len(services["vehicle"]), NO_ROW, dtype=np.int64)
    book_row[books] = place[len(row) + visit]
    known = np.ones(len(order), dtype=np.bool_)
    odometer = OdometerReadings(
        offsets=offsets_of(np.bincount(vehicle, minlength=part.vehicles).astype(np.int64)),
        time_d=time_d[order],
        odometer_m=metres[order].astype(np.float64),
        trusted=known,
        plausible=known,
        tolerance_m=np.concatenate([fall_m, np.full(len(entries), rules.fall_m_max_entered)])[order],
    )
    return np.concatenate([row, np.full(len(entries), NO_ROW)])[order], odometer, book_row


def _visits(services: Table, row: Ints) -> Ints:
    """One number for each vehicle, day and odometer of the services ``row`` (S)."""
    keys = np.stack([services[name][row] for name in ("vehicle", "done_day", "odometer_m")], axis=1)
    _, place = np.unique(keys, axis=0, return_inverse=True)
    return place.reshape(-1).astype(np.int64)


def _services(part: Part, keys: tuple[str, ...], book_row: Ints, as_of_d: float) -> Services:
    """The records that were known by then; what was keyed in on a visit is among the readings."""
    services = part.observed["services"]
    known = np.flatnonzero((services["known_day"] < as_of_d) & (services["done_day"] < as_of_d))
    code = {key: place for place, key in enumerate(keys)}
    codes = np.array([code.get(word, -1) for word in part.facts.words["items"]], dtype=np.int64)
    return Services(
        vehicle=services["vehicle"][known],
        item=codes[services["item"][known]],
        done_d=services["done_day"][known].astype(np.float64),
        odometer_row=book_row[known],
    )


def _signals(part: Part, owned: Owned, as_of_d: float) -> dict[str, SignalRows]:
    wear = part.observed["wear"]
    known = wear["time_d"] < as_of_d
    found = {}
    for place, path in enumerate(part.facts.words["positions"]):
        row = np.flatnonzero(known & (wear["position"] == place))
        found[path] = SignalRows(wear["vehicle"][row], wear["time_d"][row], wear["value"][row])
    # A device that has said nothing of faults has said that there are none.
    speaks = np.sort(owned.vehicle[part.observed["tenures"]["connected"][owned.tenure] > 0])
    found[signal_paths.LAMP] = SignalRows(
        speaks, np.full(len(speaks), as_of_d - 1), np.full(len(speaks), np.nan)
    )
    return found


def _faults(part: Part, as_of_d: float) -> FaultInputs:
    table = part.observed["faults"]
    known = np.flatnonzero(table["day"] < as_of_d)
    codes = encode(part.facts.words["codes"])
    status = np.array([STATUS[word] for word in part.facts.words["fault_status"]], dtype=np.int64)
    order = known[np.lexsort((table["day"][known], table["vehicle"][known]))]
    return FaultInputs(
        offsets=offsets_of(np.bincount(table["vehicle"][order], minlength=part.vehicles).astype(np.int64)),
        code=codes[table["code"][order]],
        status=status[table["status"][order]],
        time_d=table["day"][order].astype(np.float64),
        detail_vehicle=_NONE,
        detail_code=_NONE,
        detail_bits=_NONE,
    )


def _money(part: Part, owned: Owned) -> MoneyInputs:
    curves, models = shipped_curves(), part.facts.models
    found = [curves.of_model(model.make, model.name, model.powertrain) for model in models]
    model = part.observed["vehicles"]["model"]
    since: Floats = np.full(part.vehicles, np.nan)
    since[owned.vehicle] = part.observed["tenures"]["owned_since_day"][owned.tenure]
    return MoneyInputs(
        curve=np.array([kind for kind, _ in found], dtype=np.int64)[model],
        loss_over_usual=np.array([loss for _, loss in found])[model],
        list_price=np.array([each.price for each in models])[model],
        since_d=since,
        pack_warranty=np.full(part.vehicles, -1, dtype=np.int64),
        contracts=_contracts(part, owned),
    )


def _contracts(part: Part, owned: Owned) -> Contracts:
    """Contracts of today's owners: that of a former owner says nothing of the present one."""
    table = part.observed["contracts"]
    kinds = np.array([KINDS.get(word, -1) for word in part.facts.words["contract_kinds"]])[table["kind"]]
    goes_with_car: Bools = kinds == ContractKind.WARRANTY
    row = np.flatnonzero((kinds >= 0) & (goes_with_car | np.isin(table["tenure"], owned.tenure)))
    numbers = (
        *("start_day", "end_day", "start_m", "end_m", "allowance_m", "excess_fee_per_km"),
        *("principal", "monthly_rate", "annual_interest", "balloon"),
    )
    columns = (table[name][row].astype(np.float64) for name in numbers)
    return Contracts(table["vehicle"][row], kinds[row], *columns)
