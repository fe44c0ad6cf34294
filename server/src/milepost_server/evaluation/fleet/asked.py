"""The columns that readiness may ask about, of the vehicles that are owned on a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.fleet.tenures import NONE, Owned, owned_on
from milepost_server.signals.ends import Place
from milepost_server.signals.faults.codes import encode
from milepost_server.signals.faults.fleet import (
    CLEARED,
    CONFIRMED,
    PENDING,
    FaultEvents,
    FaultRules,
    FleetFaults,
    fleet_faults,
)
from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, Ints, interpolate, offsets_of
from milepost_server.signals.value.columns import Owned as Ownership
from milepost_server.signals.value.columns import Results, columns
from milepost_server.signals.value.contracts import ContractKind, Contracts, warranty_ends
from milepost_server.signals.value.equity import equity
from milepost_server.signals.value.lease import lease_excess
from milepost_server.signals.value.repairs import (
    WITHIN_D,
    Needs,
    RepairBurden,
    odds_due,
    repair_burden,
    shipped_prices,
)
from milepost_server.signals.value.residual import Cars, ValueRules, Values, shipped_curves, values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_server.evaluation.fleet.derive import Derived
    from milepost_server.evaluation.fleet.files import Part

RECENT_D, BEFORE_D = 91.0, 365.0
"""A change of usage: the last three months against the year before them."""
LOYAL_D = 730.5
KINDS = {
    "lease": ContractKind.LEASE,
    "finance": ContractKind.FINANCE,
    "warranty": ContractKind.WARRANTY,
    "subscription": ContractKind.SUBSCRIPTION,
}
STATUS = {"pending": PENDING, "confirmed": CONFIRMED, "cleared": CLEARED}


@dataclass(frozen=True, slots=True)
class Asked:
    """T owned vehicles on a day."""

    owned: Owned
    columns: Mapping[str, Floats]  # (T) each, by name; NaN is what is not known


def asked(part: Part, derived: Derived) -> Asked:
    """The columns of all vehicles that somebody owns on the day of ``derived``, on what was known by then."""
    owned = owned_on(part, derived.as_of_d)
    found = {**_from_value(part, derived, owned), **_from_services(part, derived, owned)}
    found["usage_change"] = _usage_change(derived)
    return Asked(owned, {name: column[owned.vehicle] for name, column in found.items()})


def _from_value(part: Part, derived: Derived, owned: Owned) -> dict[str, Floats]:
    as_of_d, axis, ahead = derived.as_of_d, derived.fleet.axis, derived.fleet.ahead
    place = Place(axis.anchor_d, axis.anchor_m)
    ownership = _ownership(part, owned)
    contracts = _contracts(part, owned)
    worth = _values(part, ownership.registered_d, as_of_d, axis.anchor_m)
    results = Results(
        contracts=contracts,
        values=worth,
        excess=lease_excess(contracts, place, ahead, as_of_d),
        warranty=warranty_ends(contracts, place, ahead, as_of_d),
        burden=_burden(derived, worth),
        equity=equity(worth, contracts, as_of_d),
        recurring_faults=_recurring(part, owned, as_of_d),
    )
    return columns(results, ownership, as_of_d)


def _recurring(part: Part, owned: Owned, as_of_d: float) -> Floats:
    """Faults (V) that came back; NaN where no device would tell."""
    talks = np.zeros(part.vehicles, dtype=np.bool_)
    talks[owned.vehicle] = part.observed["tenures"]["connected"][owned.tenure] > 0
    count = _faults(part, as_of_d).recurring(FaultRules(recurring_returns_min=1))
    return np.where(talks, count, np.nan)


def _ownership(part: Part, owned: Owned) -> Ownership:
    registered = part.observed["vehicles"]["registered_day"].astype(np.float64)
    since = np.full(part.vehicles, np.nan)
    since[owned.vehicle] = part.observed["tenures"]["owned_since_day"][owned.tenure]
    return Ownership(since, np.where(registered < 0, np.nan, registered))


def _contracts(part: Part, owned: Owned) -> Contracts:
    """Contracts of today's owners: that of a former owner says nothing of the present one."""
    table = part.observed["contracts"]
    kinds = np.array([KINDS.get(word, NONE) for word in part.facts.words["contract_kinds"]])
    is_warranty = kinds[table["kind"]] == ContractKind.WARRANTY  # goes with the car
    counts = is_warranty | np.isin(table["tenure"], owned.tenure)
    row = np.flatnonzero((kinds[table["kind"]] >= 0) & counts)
    money = (
        *("start_m", "end_m", "allowance_m", "excess_fee_per_km"),
        *("principal", "monthly_rate", "annual_interest", "balloon"),
    )
    return Contracts(
        vehicle=table["vehicle"][row],
        kind=kinds[table["kind"][row]],
        start_d=table["start_day"][row].astype(np.float64),
        end_d=table["end_day"][row].astype(np.float64),
        **{name: table[name][row].astype(np.float64) for name in money},
    )


def _values(part: Part, registered_d: Floats, as_of_d: float, odometer_m: Floats) -> Values:
    curves, models = shipped_curves(), part.facts.models
    found = [curves.of_model(model.make, model.name, model.powertrain) for model in models]
    model = part.observed["vehicles"]["model"]
    cars = Cars(
        kind=np.array([kind for kind, _ in found], dtype=np.int64)[model],
        loss_over_usual=np.array([loss for _, loss in found])[model],
        age_months=np.maximum(as_of_d - registered_d, 0.0) / DAYS_PER_MONTH,
        price=np.array([each.price for each in models])[model],
        price_age_months=np.zeros(part.vehicles),
        odometer_m=odometer_m,
    )
    return values(cars, curves, ValueRules())


def _burden(derived: Derived, worth: Values) -> RepairBurden:
    """What items cost that are due within half a year, each by its odds."""
    price, price_cv = shipped_prices().of_items([item.key for item in derived.items])
    by_d = derived.as_of_d + WITHIN_D
    odds = [odds_due(p10, p50, p90, by_d) for p10, p50, p90 in (item.due.time_d for item in derived.items)]
    sizes = [len(each) for each in odds]
    vehicle = np.concatenate([item.starts.vehicle for item in derived.items])
    needs = Needs(vehicle, np.concatenate(odds), np.repeat(price, sizes), np.repeat(price_cv, sizes))
    return repair_burden(needs, worth.p50)


def _faults(part: Part, as_of_d: float) -> FleetFaults:
    table = part.observed["faults"]
    known = np.flatnonzero(table["day"] < as_of_d)
    codes = encode(part.facts.words["codes"])
    status = np.array([STATUS[word] for word in part.facts.words["fault_status"]], dtype=np.int64)
    return fleet_faults(
        FaultEvents(
            offsets=offsets_of(
                np.bincount(table["vehicle"][known], minlength=part.vehicles).astype(np.int64)
            ),
            code=codes[table["code"][known]],
            status=status[table["status"][known]],
            time_d=table["day"][known].astype(np.float64),
            odometer_m=np.full(len(known), np.nan),
        ),
        FaultRules(),
    )


def _from_services(part: Part, derived: Derived, owned: Owned) -> dict[str, Floats]:
    """Known visits of today's owners: months since the last one, and days with any within two years."""
    services, as_of_d = part.observed["services"], derived.as_of_d
    since = np.full(part.vehicles, np.inf)
    since[owned.vehicle] = part.observed["tenures"]["owned_since_day"][owned.tenure]
    known = (services["known_day"] < as_of_d) & (services["done_day"] < as_of_d)
    known &= services["done_day"] >= since[services["vehicle"]]
    vehicle, day = services["vehicle"][known], services["done_day"][known].astype(np.float64)
    last = np.full(part.vehicles, -np.inf)
    np.maximum.at(last, vehicle, day)
    months = np.where(np.isfinite(last), (as_of_d - last) / DAYS_PER_MONTH, np.nan)
    visits = np.unique(np.stack([vehicle, day.astype(np.int64)], axis=1)[day >= as_of_d - LOYAL_D], axis=0)
    count = np.bincount(visits[:, 0], minlength=part.vehicles).astype(np.float64)
    return {"months_since_service": months, "services_2y": count}


def _usage_change(derived: Derived) -> Floats:
    """Log of the recent distance a day over that of the year before (V); NaN where readings do not tell."""
    history = derived.driven.history
    vehicles = len(history.offsets) - 1
    last = np.append(history.time_d, np.nan)[
        np.where(np.diff(history.offsets) > 0, history.offsets[1:] - 1, -1)
    ]
    everyone: Ints = np.arange(vehicles, dtype=np.int64)

    def odometer_m(ago_d: float) -> Floats:
        return interpolate(history.offsets, history.time_d, history.odometer_m, everyone, last - ago_d)

    recent = (odometer_m(0.0) - odometer_m(RECENT_D)) / RECENT_D
    before = (odometer_m(RECENT_D) - odometer_m(RECENT_D + BEFORE_D)) / BEFORE_D
    usable = (recent > 0) & (before > 0)
    return np.where(usable, np.log(np.where(usable, recent, 1.0) / np.where(usable, before, 1.0)), np.nan)
