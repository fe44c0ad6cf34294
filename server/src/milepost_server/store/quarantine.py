"""Queries on the quarantine: payloads kept whole until people replay or discard them.

Operators see all of it from the command line: a payload of an unknown device belongs to no dealer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from milepost_server.errors import NotFoundError
from milepost_server.store.rows import upsert
from milepost_server.store.schema import QuarantineState, quarantine

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.engine import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_OPERATOR = "operators see what belongs to no dealer too"


@dataclass(frozen=True, slots=True)
class HeldPayload:
    """A payload to be kept; ``dealer_id`` is None where the device is unknown."""

    dealer_id: int | None
    device_id: str | None
    topic: str
    payload: bytes
    reason: str
    detail: str
    received_at: dt.datetime


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A kept payload."""

    id: int
    dealer_id: int | None
    device_id: str | None
    topic: str
    payload: bytes
    reason: str
    detail: str
    state: QuarantineState
    received_at: dt.datetime
    settled_at: dt.datetime | None


_COLUMNS = (
    quarantine.c.id,
    quarantine.c.dealer_id,
    quarantine.c.device_id,
    quarantine.c.topic,
    quarantine.c.payload,
    quarantine.c.reason,
    quarantine.c.detail,
    quarantine.c.state,
    quarantine.c.received_at,
    quarantine.c.settled_at,
)


async def hold(connection: AsyncConnection, held: HeldPayload) -> bool:
    """Keep a payload; False where the same one, on the same topic, is kept already."""
    digest = hashlib.sha256(b"\0".join((held.topic.encode(errors="replace"), held.payload))).hexdigest()
    statement = upsert(connection, quarantine).values(
        dealer_id=held.dealer_id,
        device_id=held.device_id,
        topic=held.topic,
        payload=held.payload,
        reason=held.reason,
        detail=held.detail,
        digest=digest,
        state=QuarantineState.HELD.value,
        received_at=held.received_at,
    )
    result = await connection.execute(statement.on_conflict_do_nothing(index_elements=["digest"]))
    return bool(result.rowcount)


async def held_count(connection: AsyncConnection, device_id: str | None) -> int:
    """How many payloads are held of a registered device, or (None) of all that belong to no dealer."""
    query = (
        select(func.count()).select_from(quarantine).where(quarantine.c.state == QuarantineState.HELD.value)
    )
    if device_id is None:
        query = query.where(quarantine.c.dealer_id.is_(None))
    else:
        query = query.where(quarantine.c.dealer_id.is_not(None), quarantine.c.device_id == device_id)
    return int((await connection.execute(query.execution_options(across_dealers=_OPERATOR))).scalar_one())


async def page(
    connection: AsyncConnection, *, state: QuarantineState | None, after_id: int, limit: int
) -> Sequence[QuarantineRow]:
    """At most ``limit`` payloads with a greater id than ``after_id``, by id; for operators."""
    query = select(*_COLUMNS).where(quarantine.c.id > after_id).order_by(quarantine.c.id).limit(limit)
    if state is not None:
        query = query.where(quarantine.c.state == state.value)
    rows = await connection.execute(query.execution_options(across_dealers=_OPERATOR))
    return [_row(row) for row in rows]


async def one(connection: AsyncConnection, quarantine_id: int) -> QuarantineRow:
    """The payload with this id; for operators.

    Raises:
        NotFoundError: there is none.
    """
    query = select(*_COLUMNS).where(quarantine.c.id == quarantine_id)
    row = (await connection.execute(query.execution_options(across_dealers=_OPERATOR))).one_or_none()
    if row is None:
        raise NotFoundError("payload in quarantine", quarantine_id)
    return _row(row)


async def settle(
    connection: AsyncConnection, quarantine_id: int, state: QuarantineState, *, now: dt.datetime
) -> None:
    """Note what was done with a payload; it stays in the table."""
    statement = (
        update(quarantine).where(quarantine.c.id == quarantine_id).values(state=state.value, settled_at=now)
    )
    await connection.execute(statement.execution_options(across_dealers=_OPERATOR))


def _row(row: Row[*tuple[Any, ...]]) -> QuarantineRow:
    values = row._asdict()
    return QuarantineRow(**{**values, "state": QuarantineState(values["state"])})
