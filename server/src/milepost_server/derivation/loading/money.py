"""Reads whose cars a chunk's vehicles are, and what is agreed on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sqlalchemy import case, null, or_, select

from milepost_server.derivation import times
from milepost_server.derivation.fleet import NOBODY, MoneyInputs, Vehicle
from milepost_server.signals.health.pack import shipped_pack_facts
from milepost_server.signals.value.contracts import ContractKind, Contracts
from milepost_server.signals.value.residual import shipped_curves
from milepost_server.store import ownerships
from milepost_server.store.contracts import concerns
from milepost_server.store.schema import ContractKind as StoredKind
from milepost_server.store.schema import Powertrain, contracts
from milepost_server.store.schema import ownerships as ownership_table

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement, RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.times import AsOf
    from milepost_server.signals.flat import Floats, Ints

_COLUMNS = (
    "start_odometer_m",
    "end_odometer_m",
    "allowance_m",
    "excess_fee_per_km",
    "principal",
    "payment_per_month",
    "annual_interest",
    "balloon",
)


class OwnersOfDay(NamedTuple):
    """Who owns each of V vehicles at the as-of date."""

    owner_id: Ints  # (V) NOBODY where nobody does
    since_d: Floats  # (V) NaN where nobody does


def end_as_known(as_of: AsOf) -> ColumnElement[dt.date | None]:
    """Of ownerships: the day on which each is over; null where nobody had said so by then."""
    c = ownership_table.c
    return case((as_of.knows(c.end_entered_at), c.end_on), else_=null())


async def owners_of(
    connection: AsyncConnection, dealer_id: int, place: dict[int, int], as_of: AsOf
) -> OwnersOfDay:
    """The owners of the vehicles in ``place`` (place by id); of several, the one who came last."""
    c = ownership_table.c
    end_on = end_as_known(as_of)
    query = (
        select(c.vehicle_id, c.owner_id, c.start_on)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(place), c.start_on <= as_of.date)
        .where(or_(end_on.is_(None), end_on > as_of.date), as_of.knows(c.created_at))
        .order_by(c.start_on, c.id)
    )
    owner_id = np.full(len(place), NOBODY, dtype=np.int64)
    since_d = np.full(len(place), np.nan)
    for vehicle_id, owner, start_on in await connection.execute(query):
        owner_id[place[vehicle_id]], since_d[place[vehicle_id]] = owner, times.start_d(start_on)
    return OwnersOfDay(owner_id, since_d)


async def money_of(
    connection: AsyncConnection,
    dealer_id: int,
    vehicles: Sequence[Vehicle],
    owned: OwnersOfDay,
    as_of: AsOf,
) -> tuple[MoneyInputs, Ints]:
    """What decides the value of the vehicles, and the contracts of their present owners with their ids."""
    place = {vehicle.id: index for index, vehicle in enumerate(vehicles)}
    query = (
        select(contracts)
        .where(contracts.c.dealer_id == dealer_id, contracts.c.vehicle_id.in_(place))
        .where(contracts.c.start_on <= as_of.date, as_of.knows(contracts.c.created_at))
        .order_by(contracts.c.start_on, contracts.c.id)
    )
    signed = (await connection.execute(query)).mappings().all()
    others = await ownerships.other_owners(
        connection, dealer_id, {row["vehicle_id"] for row in signed}, as_of.date, known_by=as_of.known_by
    )
    rows = [
        row for row in signed if _is_present(row, owned, place[row["vehicle_id"]], others[row["vehicle_id"]])
    ]
    curves = [shipped_curves().of_model(each.make, each.model, each.powertrain) for each in vehicles]
    money = MoneyInputs(
        curve=np.array([kind for kind, _ in curves], dtype=np.int64),
        loss_over_usual=np.array([over for _, over in curves], dtype=np.float64),
        list_price=_list_prices(vehicles, rows, place),
        since_d=owned.since_d,
        pack_warranty=np.array([_pack_warranty(each) for each in vehicles], dtype=np.int64),
        contracts=_contracts(rows, place),
    )
    return money, np.array([row["id"] for row in rows], dtype=np.int64)


def _is_present(row: RowMapping, owned: OwnersOfDay, place: int, others: Collection[int]) -> bool:
    """Whether a contract is of the car itself, or of its present owner, and not of one of ``others``."""
    kind, owner_id = StoredKind(row["kind"]), int(owned.owner_id[place])
    if owner_id == NOBODY:
        return kind is StoredKind.WARRANTY
    since = times.date_of(float(owned.since_d[place]))
    return concerns(kind, row["owner_id"], row["start_on"], owner_id=owner_id, since=since, others=others)


def _contracts(rows: Sequence[RowMapping], place: dict[int, int]) -> Contracts:
    start_m, end_m, allowance_m, fee, *owed = (_numbers([row[name] for row in rows]) for name in _COLUMNS)
    return Contracts(
        vehicle=np.array([place[row["vehicle_id"]] for row in rows], dtype=np.int64),
        kind=np.array([ContractKind[row["kind"].upper()] for row in rows], dtype=np.int64),
        start_d=_days([row["start_on"] for row in rows]),
        end_d=_days([row["end_on"] for row in rows]),
        start_m=start_m,
        end_m=end_m,
        allowance_m=allowance_m,
        excess_fee_per_km=fee,
        principal=owed[0],
        monthly_rate=owed[1],
        annual_interest=owed[2],
        balloon=owed[3],
    )


def _list_prices(vehicles: Sequence[Vehicle], rows: Sequence[RowMapping], place: dict[int, int]) -> Floats:
    """The list price of each vehicle (V): its own, else that of a contract on it."""
    prices = _numbers([vehicle.list_price for vehicle in vehicles])
    for row in rows:
        at = place[row["vehicle_id"]]
        if np.isnan(prices[at]) and row["list_price"] is not None:
            prices[at] = row["list_price"]
    return prices


def _pack_warranty(vehicle: Vehicle) -> int:
    """The place of the pack's warranty in the facts; -1 for a car without a traction battery."""
    if vehicle.powertrain != Powertrain.EV:
        return -1
    facts = shipped_pack_facts()
    return facts.warranty.index(facts.of(vehicle.make))


def _numbers(values: Sequence[Any]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _days(dates: Sequence[dt.date | None]) -> Floats:
    return np.array([np.nan if on is None else times.start_d(on) for on in dates], dtype=np.float64)
