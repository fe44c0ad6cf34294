"""Owners, and which vehicle is theirs from when to when."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import APIRouter

from milepost_server.api.answers import Items, OwnerAnswer, OwnerQuestionAnswer, OwnershipAnswer
from milepost_server.api.bodies import Day, OneOrMany, OwnerBody, OwnershipBody, PathId
from milepost_server.api.errors import InvalidError
from milepost_server.api.lists import PAGE_ITEMS, After, Limit, page_of, store_all
from milepost_server.api.services import Confirmer, Parts, Registrar, Viewer
from milepost_server.errors import ConflictError, NotFoundError
from milepost_server.store import dirty, owner_questions, owners, ownerships, vehicles

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.api.services import Services
    from milepost_server.people.sessions import Principal
    from milepost_server.store.ownerships import OwnershipRow

router = APIRouter(tags=["owners"])


@router.post("/owners")
async def put_owners(
    body: OneOrMany[OwnerBody], who: Registrar, parts: Parts
) -> OwnerAnswer | Items[OwnerAnswer]:
    """Add an owner or a list of them; the same `external_id` again brings that owner up to date."""

    async def put(owner: OwnerBody) -> OwnerAnswer:
        row = await owners.put(connection, who.dealer_id, now=parts.now(), **owner.model_dump())
        return OwnerAnswer.model_validate(row)

    async with parts.store.write() as connection:
        return await store_all(body, put)


@router.get("/owners")
async def list_owners(
    who: Viewer, parts: Parts, after: After = 0, limit: Limit = PAGE_ITEMS
) -> Items[OwnerAnswer]:
    """The dealer's owners by id, a page at a time."""
    async with parts.store.read() as connection:
        rows = await owners.page(connection, who.dealer_id, after_id=after, limit=limit)
    return page_of([OwnerAnswer.model_validate(row) for row in rows], limit, lambda row: row.id)


@router.post("/ownerships")
async def add_ownerships(
    body: OneOrMany[OwnershipBody], who: Registrar, parts: Parts
) -> OwnershipAnswer | Items[OwnershipAnswer]:
    """Say whose car it is from when; it ends the one before. Sending the same again is harmless."""

    async def add(ownership: OwnershipBody) -> OwnershipAnswer:
        now = parts.now()
        answer = await _add_ownership(connection, who.dealer_id, ownership, now)
        # What it says of its owner is said of another one now.
        await dirty.mark(connection, [(who.dealer_id, ownership.vehicle_id)], now=now)
        return answer

    async with parts.store.write() as connection:
        return await store_all(body, add)


@router.get("/ownerships")
async def list_ownerships(
    who: Viewer, parts: Parts, after: After = 0, limit: Limit = PAGE_ITEMS
) -> Items[OwnershipAnswer]:
    """All ownerships by id, those that are over too, a page at a time."""
    async with parts.store.read() as connection:
        rows = await ownerships.page(connection, who.dealer_id, after_id=after, limit=limit)
    return page_of([OwnershipAnswer.model_validate(row) for row in rows], limit, lambda row: row.id)


@router.get("/owner-questions")
async def list_owner_questions(
    who: Viewer, parts: Parts, as_of: Day | None = None, after: After = 0, limit: Limit = PAGE_ITEMS
) -> Items[OwnerQuestionAnswer]:
    """Cars whose use has changed so much that somebody else may drive them now, by ownership."""
    async with parts.store.read() as connection:
        rows = await owner_questions.page(
            connection, who.dealer_id, parts.day(who, as_of), after_id=after, limit=limit
        )
    answers = [OwnerQuestionAnswer.model_validate(row) for row in rows]
    return page_of(answers, limit, lambda row: row.ownership_id)


@router.post("/vehicles/{vehicle_id}/owner-confirmed")
async def confirm_owner(vehicle_id: PathId, who: Confirmer, parts: Parts) -> OwnershipAnswer:
    """Say that the vehicle still is that of its owner of today; where it is not, add an ownership."""
    return OwnershipAnswer.model_validate(await confirm(parts, who, vehicle_id))


async def confirm(parts: Services, who: Principal, vehicle_id: int) -> OwnershipRow:
    """Note that a vehicle still is that of its owner of today.

    Raises:
        NotFoundError: the dealer has no such vehicle, or nobody owns it today.
    """
    today = parts.today(who)
    async with parts.store.write() as connection:
        owned = await ownerships.of_vehicle(connection, who.dealer_id, vehicle_id)
        current = (
            row for row in owned if row.start_on <= today and (row.end_on is None or row.end_on > today)
        )
        found = next(current, None)
        if found is None:
            raise NotFoundError("owner of vehicle", vehicle_id)
        await ownerships.confirm(connection, who.dealer_id, found.id, today)
    return replace(found, confirmed_on=today)


async def _add_ownership(
    connection: AsyncConnection, dealer_id: int, body: OwnershipBody, now: dt.datetime
) -> OwnershipAnswer:
    if body.end_on is not None and body.end_on < body.start_on:
        raise InvalidError("An ownership cannot end before it starts; check both days.", field="end_on")
    if await owners.one(connection, dealer_id, body.owner_id) is None:
        raise NotFoundError("owner", body.owner_id)
    if await vehicles.one(connection, dealer_id, body.vehicle_id) is None:
        raise NotFoundError("vehicle", body.vehicle_id)
    other = await ownerships.overlapping(
        connection, dealer_id, vehicle_id=body.vehicle_id, start_on=body.start_on, end_on=body.end_on
    )
    if other is not None and (other.owner_id, other.start_on) == (body.owner_id, body.start_on):
        if body.end_on is not None and body.end_on != other.end_on:
            await ownerships.end(connection, dealer_id, other.id, body.end_on, now=now)
        answer = OwnershipAnswer.model_validate(other)
        return answer.model_copy(update={"end_on": body.end_on or other.end_on})
    if other is not None and other.start_on < body.start_on and other.end_on is None:
        await ownerships.end(connection, dealer_id, other.id, body.start_on, now=now)
    elif other is not None:
        why = f"is owner {other.owner_id}'s from {other.start_on} until {other.end_on or 'further notice'}"
        raise ConflictError("vehicle", body.vehicle_id, why)
    row = await ownerships.add(connection, dealer_id, **body.model_dump(), now=now)
    return OwnershipAnswer.model_validate(row)
