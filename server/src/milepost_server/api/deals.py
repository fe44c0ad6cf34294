"""Contracts that owners have signed, and what they did in the end."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from milepost_server.api.answers import Answer, Items
from milepost_server.api.bodies import ContractBody, OneOrMany, OutcomeBody, PathId
from milepost_server.api.errors import InvalidError
from milepost_server.api.lists import PAGE_ITEMS, After, Limit, page_of, store_all
from milepost_server.api.services import Closer, Parts, Viewer
from milepost_server.errors import NotFoundError
from milepost_server.store import contracts, dealers, dirty, outcomes, owners, ownerships, vehicles
from milepost_server.store.schema import ContractKind, OutcomeKind

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.store.outcomes import OutcomeRow

router = APIRouter(tags=["deals"])


class ContractAnswer(Answer):
    """One contract; money in minor units of ``currency``."""

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


class OutcomeAnswer(Answer):
    """One outcome; ``amount`` in minor units of ``currency``."""

    id: int
    owner_id: int
    vehicle_id: int | None
    kind: OutcomeKind
    happened_on: dt.date
    amount: int | None
    currency: str | None
    sender_id: str
    source: str


@router.post("/contracts")
async def put_contracts(
    body: OneOrMany[ContractBody], who: Closer, parts: Parts
) -> ContractAnswer | Items[ContractAnswer]:
    """Add a contract or a list of them; the same `sender_id` again brings that contract up to date."""

    async def put(contract: ContractBody) -> ContractAnswer:
        values = await _checked(connection, who.dealer_id, contract)
        known = None
        if contract.sender_id is not None:
            known = await contracts.sent_as(connection, who.dealer_id, contract.source, contract.sender_id)
        touched = {contract.vehicle_id}
        if known is None:
            row = await contracts.add(connection, who.dealer_id, values, now=parts.now())
        else:
            touched.add(known.vehicle_id)
            row = await contracts.change(connection, who.dealer_id, known.id, values)
        await dirty.mark(connection, [(who.dealer_id, key) for key in touched], now=parts.now())
        return ContractAnswer.model_validate(row)

    async with parts.store.write() as connection:
        return await store_all(body, put)


@router.get("/contracts")
async def list_contracts(
    who: Viewer, parts: Parts, after: After = 0, limit: Limit = PAGE_ITEMS
) -> Items[ContractAnswer]:
    """All contracts by id, a page at a time."""
    async with parts.store.read() as connection:
        rows = await contracts.page(connection, who.dealer_id, after_id=after, limit=limit)
    return page_of([ContractAnswer.model_validate(row) for row in rows], limit, lambda row: row.id)


@router.get("/contracts/{contract_id}")
async def one_contract(contract_id: PathId, who: Viewer, parts: Parts) -> ContractAnswer:
    """One contract."""
    async with parts.store.read() as connection:
        row = await contracts.one(connection, who.dealer_id, contract_id)
    if row is None:
        raise NotFoundError("contract", contract_id)
    return ContractAnswer.model_validate(row)


@router.put("/contracts/{contract_id}")
async def change_contract(
    contract_id: PathId, body: ContractBody, who: Closer, parts: Parts
) -> ContractAnswer:
    """Put the body in place of what the contract says; what the body leaves out is not known any more."""
    async with parts.store.write() as connection:
        known = await contracts.one(connection, who.dealer_id, contract_id)
        if known is None:
            raise NotFoundError("contract", contract_id)
        values = await _checked(connection, who.dealer_id, body)
        row = await contracts.change(connection, who.dealer_id, contract_id, values)
        touched = {known.vehicle_id, row.vehicle_id}
        await dirty.mark(connection, [(who.dealer_id, key) for key in touched], now=parts.now())
    return ContractAnswer.model_validate(row)


@router.delete("/contracts/{contract_id}", status_code=204)
async def remove_contract(contract_id: PathId, who: Closer, parts: Parts) -> None:
    """Delete a contract that never was; one that has ended needs no deleting."""
    async with parts.store.write() as connection:
        known = await contracts.one(connection, who.dealer_id, contract_id)
        if known is None:
            raise NotFoundError("contract", contract_id)
        await contracts.remove(connection, who.dealer_id, contract_id)
        await dirty.mark(connection, [(who.dealer_id, known.vehicle_id)], now=parts.now())


@router.post("/outcomes")
async def put_outcomes(
    body: OneOrMany[OutcomeBody], who: Closer, parts: Parts
) -> OutcomeAnswer | Items[OutcomeAnswer]:
    """Tell what owners did, late ones too; the same `sender_id` again is the same outcome."""

    async def put(outcome: OutcomeBody) -> OutcomeAnswer:
        values = await _outcome(connection, who.dealer_id, outcome)
        row, is_new = await outcomes.put(connection, who.dealer_id, values, now=parts.now())
        if is_new:
            touched = await _cars(connection, who.dealer_id, row, parts.today(who))
            await dirty.mark(connection, [(who.dealer_id, key) for key in touched], now=parts.now())
        return OutcomeAnswer.model_validate(row)

    async with parts.store.write() as connection:
        return await store_all(body, put, key=lambda outcome: f"{outcome.source} {outcome.sender_id}")


@router.get("/outcomes")
async def list_outcomes(
    who: Viewer, parts: Parts, after: After = 0, limit: Limit = PAGE_ITEMS
) -> Items[OutcomeAnswer]:
    """All outcomes by id, a page at a time."""
    async with parts.store.read() as connection:
        rows = await outcomes.page(connection, who.dealer_id, after_id=after, limit=limit)
    return page_of([OutcomeAnswer.model_validate(row) for row in rows], limit, lambda row: row.id)


async def _checked(connection: AsyncConnection, dealer_id: int, body: ContractBody) -> dict[str, Any]:
    """The columns of a contract that can be, of a vehicle and an owner that are the dealer's."""
    _check_term(body)
    await _check_whose(connection, dealer_id, body.owner_id, body.vehicle_id)
    return {**body.model_dump(), "currency": await _currency(connection, dealer_id, body.currency)}


def _check_term(body: ContractBody) -> None:
    if body.end_on is None and (body.kind is not ContractKind.WARRANTY or body.end_odometer_m is None):
        raise InvalidError(
            "Say when it is over: only a warranty may end by its odometer alone.", field="end_on"
        )
    if body.end_on is not None and body.end_on <= body.start_on:
        raise InvalidError("A contract ends after it starts; check both days.", field="end_on")
    start_m, end_m = body.start_odometer_m, body.end_odometer_m
    if start_m is not None and end_m is not None and end_m <= start_m:
        raise InvalidError("It would end at an odometer before the one it starts at.", field="end_odometer_m")


async def _outcome(connection: AsyncConnection, dealer_id: int, body: OutcomeBody) -> dict[str, Any]:
    await _check_whose(connection, dealer_id, body.owner_id, body.vehicle_id)
    currency = await _currency(connection, dealer_id, body.currency)
    return {**body.model_dump(), "currency": None if body.amount is None else currency}


async def _check_whose(
    connection: AsyncConnection, dealer_id: int, owner_id: int | None, vehicle_id: int | None
) -> None:
    if owner_id is not None and await owners.one(connection, dealer_id, owner_id) is None:
        raise NotFoundError("owner", owner_id)
    if vehicle_id is not None and await vehicles.one(connection, dealer_id, vehicle_id) is None:
        raise NotFoundError("vehicle", vehicle_id)


async def _cars(connection: AsyncConnection, dealer_id: int, row: OutcomeRow, today: dt.date) -> set[int]:
    """The cars whose owner's ledger an outcome changes: the one that it names, and those of its owner."""
    owned = await ownerships.of_owner(connection, dealer_id, row.owner_id, today)
    named = set() if row.vehicle_id is None else {row.vehicle_id}
    return named | {ownership.vehicle_id for ownership in owned}


async def _currency(connection: AsyncConnection, dealer_id: int, asked: str | None) -> str:
    """The dealer's currency, which is that of all of its money."""
    dealer = await dealers.one(connection, dealer_id)
    if asked not in (None, dealer.currency):
        raise InvalidError(
            f"All money of this dealer is in {dealer.currency}; convert it first.", field="currency"
        )
    return dealer.currency
