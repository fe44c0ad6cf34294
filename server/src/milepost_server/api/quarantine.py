"""The quarantine: payloads of the dealer's devices that could not be understood."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from milepost_server.api.answers import Answer, Items
from milepost_server.api.bodies import ID_MAX, PathId
from milepost_server.api.lists import PAGE_ITEMS, Limit, page_of
from milepost_server.api.services import Parts, Services, Warden
from milepost_server.errors import NotFoundError
from milepost_server.ingest import replay
from milepost_server.people.sessions import Principal
from milepost_server.store import dealer_quarantine
from milepost_server.store.schema import QuarantineState

router = APIRouter(tags=["quarantine"])


class PayloadAnswer(Answer):
    """A payload in quarantine, without its bytes."""

    id: int
    device_id: str | None
    reason: str
    detail: str
    state: QuarantineState
    size_bytes: int
    received_at: dt.datetime
    settled_at: dt.datetime | None


class ReplayAnswer(BaseModel):
    """How many seqs the replayed payload added to the archive."""

    seqs_added: int


@router.get("/quarantine")
async def list_quarantine(
    who: Warden,
    parts: Parts,
    state: QuarantineState = QuarantineState.HELD,
    after: Annotated[int | None, Query(ge=1, le=ID_MAX)] = None,
    limit: Limit = PAGE_ITEMS,
) -> Items[PayloadAnswer]:
    """Payloads in that state, the latest first."""
    async with parts.store.read() as connection:
        rows = await dealer_quarantine.page(
            connection, who.dealer_id, state=state, before_id=after, limit=limit
        )
    return page_of([PayloadAnswer.model_validate(row) for row in rows], limit, lambda row: row.id)


@router.post("/quarantine/{quarantine_id}/replay")
async def replay_payload(quarantine_id: PathId, who: Warden, parts: Parts) -> ReplayAnswer:
    """Take the payload in, once what kept it from being understood was mended."""
    return ReplayAnswer(seqs_added=await settle(parts, who, quarantine_id, "replay"))


@router.post("/quarantine/{quarantine_id}/discard", status_code=204)
async def discard_payload(quarantine_id: PathId, who: Warden, parts: Parts) -> None:
    """Note that nothing is to be done with the payload; it stays in the table."""
    await settle(parts, who, quarantine_id, "discard")


async def settle(
    parts: Services, who: Principal, quarantine_id: int, action: Literal["replay", "discard"]
) -> int:
    """Replay or discard one of the dealer's payloads; returns the seqs that it added.

    Raises:
        NotFoundError: the dealer has no such payload.
        ConflictError: it was replayed or discarded already.
        ReplayRefusedError: it still cannot be understood.
    """
    async with parts.store.write() as connection:
        if not await dealer_quarantine.has(connection, who.dealer_id, quarantine_id):
            raise NotFoundError("payload in quarantine", quarantine_id)
        if action == "discard":
            await replay.discard(connection, quarantine_id, now=parts.now())
            return 0
        return await replay.replay(connection, parts.projector, quarantine_id, now=parts.now())
