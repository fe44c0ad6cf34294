"""Queries on contracts: leases, finance, warranties and subscriptions of the dealer's cars."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from milepost_server.store import ownerships
from milepost_server.store.schema import ContractKind, contracts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.store.ownerships import OwnershipRow

BEFORE_HANDOVER_MAX = dt.timedelta(days=31)
"""A contract that names no owner is the present one's where it began at most this long before."""


@dataclass(frozen=True, slots=True)
class ContractRow:
    """One contract; money in minor units of ``currency``, distances in metres, None where not known.

    ``end_on`` is the first day on which it is over; ``sender_id`` its number in the system that sent it.
    """

    id: int
    vehicle_id: int
    owner_id: int | None
    kind: ContractKind
    start_on: dt.date
    end_on: dt.date | None
    start_odometer_m: int | None
    allowance_m: int | None
    end_odometer_m: int | None
    excess_fee_per_km: float | None
    list_price: int | None
    principal: int | None
    payment_per_month: int | None
    annual_interest: float | None
    balloon: int | None
    currency: str
    sender_id: str | None
    source: str


_COLUMNS = tuple(contracts.c[field.name] for field in fields(ContractRow))


def _contract(row: RowMapping) -> ContractRow:
    return ContractRow(**{**row, "kind": ContractKind(row["kind"])})


async def one(connection: AsyncConnection, dealer_id: int, contract_id: int) -> ContractRow | None:
    """The dealer's contract with this id."""
    query = select(*_COLUMNS).where(contracts.c.dealer_id == dealer_id, contracts.c.id == contract_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _contract(row)


async def sent_as(
    connection: AsyncConnection, dealer_id: int, source: str, sender_id: str
) -> ContractRow | None:
    """The dealer's contract that ``source`` sent under this number."""
    query = select(*_COLUMNS).where(
        contracts.c.dealer_id == dealer_id, contracts.c.source == source, contracts.c.sender_id == sender_id
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _contract(row)


async def page(
    connection: AsyncConnection, dealer_id: int, *, after_id: int, limit: int
) -> Sequence[ContractRow]:
    """At most ``limit`` contracts with a greater id than ``after_id``, by id."""
    query = (
        select(*_COLUMNS)
        .where(contracts.c.dealer_id == dealer_id, contracts.c.id > after_id)
        .order_by(contracts.c.id)
        .limit(limit)
    )
    return [_contract(row) for row in (await connection.execute(query)).mappings()]


async def of_vehicle(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, as_of: dt.date
) -> Sequence[ContractRow]:
    """The contracts of a vehicle that have begun by a day, those that are over too, by their start."""
    query = (
        select(*_COLUMNS)
        .where(contracts.c.dealer_id == dealer_id, contracts.c.vehicle_id == vehicle_id)
        .where(contracts.c.start_on <= as_of)
        .order_by(contracts.c.start_on, contracts.c.id)
    )
    return [_contract(row) for row in (await connection.execute(query)).mappings()]


def concerns(
    kind: ContractKind,
    signed_by: int | None,
    start_on: dt.date,
    *,
    owner_id: int,
    since: dt.date,
    others: Collection[int],
) -> bool:
    """Whether a contract is of the car itself, or of the owner who has it ``since`` then.

    What a former or a later owner of the car has signed (one of ``others``) is nobody else's business, even
    where it has not run out. Who signed and never had the car to themselves, such as a spouse or a company,
    signed for the owner in whose time the contract began.
    """
    if kind is ContractKind.WARRANTY or signed_by == owner_id:
        return True
    if signed_by in others:
        return False
    return start_on >= since - BEFORE_HANDOVER_MAX


async def of_ownership(
    connection: AsyncConnection, dealer_id: int, owned: OwnershipRow, as_of: dt.date
) -> Sequence[ContractRow]:
    """The contracts of a vehicle that have begun by a day, without those of its other owners."""
    found = await of_vehicle(connection, dealer_id, owned.vehicle_id, as_of)
    others = await ownerships.other_owners(connection, dealer_id, [owned.vehicle_id], as_of)
    mine = partial(concerns, owner_id=owned.owner_id, since=owned.start_on, others=others[owned.vehicle_id])
    return [row for row in found if mine(row.kind, row.owner_id, row.start_on)]


async def add(
    connection: AsyncConnection, dealer_id: int, values: Mapping[str, Any], *, now: dt.datetime
) -> ContractRow:
    """Add a contract; ``values`` are the columns of `ContractRow` without ``id``.

    Raises:
        sqlalchemy.exc.IntegrityError: vehicle and owner are not both the dealer's.
    """
    result = await connection.execute(
        insert(contracts).values(dealer_id=dealer_id, created_at=now, **values).returning(contracts.c.id)
    )
    return ContractRow(id=result.scalar_one(), **values)


async def change(
    connection: AsyncConnection, dealer_id: int, contract_id: int, values: Mapping[str, Any]
) -> ContractRow:
    """Put ``values`` in place of what the contract says."""
    await connection.execute(
        update(contracts)
        .where(contracts.c.dealer_id == dealer_id, contracts.c.id == contract_id)
        .values(**values)
    )
    return ContractRow(id=contract_id, **values)


async def remove(connection: AsyncConnection, dealer_id: int, contract_id: int) -> None:
    """Delete a contract that never was; one that has ended stays."""
    await connection.execute(
        delete(contracts).where(contracts.c.dealer_id == dealer_id, contracts.c.id == contract_id)
    )
