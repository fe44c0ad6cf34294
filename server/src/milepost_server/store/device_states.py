"""Queries on the last that each device said of itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from milepost_server.store.rows import upsert
from milepost_server.store.schema import device_states

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from sqlalchemy.ext.asyncio import AsyncConnection

_SPANS = "one group holds what devices of many dealers said; each row is of the device's own dealer"


@dataclass(frozen=True, slots=True)
class StateRow:
    """What is known of one device; ``run`` is empty where it only reported so far.

    ``birth`` and ``reported`` are the documents as JSON, None where there was none yet.
    """

    run: str
    connection: int
    online: bool
    since: dt.datetime
    reason: str | None
    birth: dict[str, Any] | None
    birth_at: dt.datetime | None
    reported: dict[str, Any] | None
    reported_at: dt.datetime | None


_COLUMNS = tuple(device_states.c[name] for name in StateRow.__dataclass_fields__)


async def one(connection: AsyncConnection, dealer_id: int, device_id: str) -> StateRow | None:
    """What is known of a device of the dealer, None while it has said nothing."""
    query = select(*_COLUMNS).where(
        device_states.c.dealer_id == dealer_id, device_states.c.device_id == device_id
    )
    row = (await connection.execute(query)).one_or_none()
    return StateRow(*row) if row else None


async def lock(connection: AsyncConnection, device_ids: Collection[str]) -> dict[str, StateRow]:
    """What is known of these devices, locked until the commit; those that have said nothing are left out.

    All servers lock in the same order, so that none waits in a circle.
    """
    query = select(device_states.c.device_id, *_COLUMNS).where(device_states.c.device_id.in_(device_ids))
    query = query.order_by(device_states.c.device_id).with_for_update()
    rows = await connection.execute(query.execution_options(across_dealers=_SPANS))
    return {device_id: StateRow(*rest) for device_id, *rest in rows}


async def put(connection: AsyncConnection, dealer_id: int, device_id: str, row: StateRow) -> None:
    """Keep ``row`` as what is known of the device."""
    values = asdict(row)
    made = upsert(connection, device_states).on_conflict_do_nothing(index_elements=["device_id"])
    result = await connection.execute(made, {"dealer_id": dealer_id, "device_id": device_id, **values})
    if result.rowcount == 1:
        return
    await connection.execute(
        update(device_states)
        .where(device_states.c.dealer_id == dealer_id, device_states.c.device_id == device_id)
        .values(**values)
    )
