"""Queries on what is desired of devices: revisions of a document, of which the newest counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, insert, select

from milepost_server.store.schema import device_configs

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection

    from sqlalchemy.ext.asyncio import AsyncConnection

REVISIONS_KEPT_MAX: Final = 20
"""Of each device; older ones are forgotten."""


@dataclass(frozen=True, slots=True)
class ConfigRow:
    """One revision; ``document`` is the text that is published."""

    revision: int
    document: str
    created_at: dt.datetime


async def add(
    connection: AsyncConnection,
    dealer_id: int,
    device_id: str,
    *,
    document: Callable[[int], str],
    now: dt.datetime,
) -> ConfigRow:
    """Add the next revision, whose text ``document`` makes of its number."""
    mine = (device_configs.c.dealer_id == dealer_id) & (device_configs.c.device_id == device_id)
    newest = await connection.execute(select(func.max(device_configs.c.revision)).where(mine))
    revision = (newest.scalar_one_or_none() or 0) + 1
    row = ConfigRow(revision, document(revision), now)
    await connection.execute(
        insert(device_configs).values(
            dealer_id=dealer_id,
            device_id=device_id,
            revision=revision,
            document=row.document,
            created_at=now,
        )
    )
    old = device_configs.c.revision <= revision - REVISIONS_KEPT_MAX
    await connection.execute(delete(device_configs).where(mine, old))
    return row


async def newest(connection: AsyncConnection, dealer_id: int, device_id: str) -> ConfigRow | None:
    """What is desired of the dealer's device now; None: nothing."""
    query = (
        select(device_configs.c.revision, device_configs.c.document, device_configs.c.created_at)
        .where(device_configs.c.dealer_id == dealer_id, device_configs.c.device_id == device_id)
        .order_by(device_configs.c.revision.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).one_or_none()
    return ConfigRow(*row) if row else None


async def newest_of(connection: AsyncConnection, device_ids: Collection[str]) -> dict[str, ConfigRow]:
    """What is desired of these devices, of whichever dealer; those of which nothing is are left out."""
    c = device_configs.c
    newest_first = func.row_number().over(partition_by=c.device_id, order_by=c.revision.desc()).label("place")
    ranked = (
        select(c.device_id, c.revision, c.document, c.created_at, newest_first)
        .where(c.device_id.in_(device_ids))
        .subquery()
    )
    query = select(ranked.c.device_id, ranked.c.revision, ranked.c.document, ranked.c.created_at)
    query = query.where(ranked.c.place == 1)
    query = query.execution_options(across_dealers="each device is told what its own dealer desires")
    return {row.device_id: ConfigRow(*row[1:]) for row in await connection.execute(query)}
