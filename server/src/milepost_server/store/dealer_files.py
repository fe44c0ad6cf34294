"""Queries on the files that a dealer gives: service schedules of its own, subscription plans."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, insert, select

from milepost_server.store.schema import dealer_files, staff

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.store.schema import DealerFileKind

VERSION_DIGITS = 8


@dataclass(frozen=True, slots=True)
class DealerFileRow:
    """A file that holds: its TOML text, and who set it (None: the command line)."""

    name: str
    text: str
    version: str
    staff_name: str | None
    at: dt.datetime


def version_of(text: str) -> str:
    """A short name of the text's content."""
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_DIGITS]


async def current(
    connection: AsyncConnection, dealer_id: int, kind: DealerFileKind, at: dt.datetime | None = None
) -> Sequence[DealerFileRow]:
    """The dealer's files of that kind that hold now, or held at the moment ``at``; by name."""
    c = dealer_files.c
    mine = (c.dealer_id == dealer_id, c.kind == kind.value)
    set_by_then = select(func.max(c.id).label("id")).where(*mine).group_by(c.name)
    if at is not None:
        set_by_then = set_by_then.where(c.at <= at)
    newest = set_by_then.subquery()
    query = (
        select(c.name, c.text, c.version, staff.c.name, c.at)
        .join(newest, newest.c.id == c.id)
        .outerjoin(staff, and_(staff.c.dealer_id == c.dealer_id, staff.c.id == c.staff_id))
        .where(c.dealer_id == dealer_id, c.text.is_not(None))
        .order_by(c.name)
    )
    return [DealerFileRow(*row) for row in await connection.execute(query)]


async def put(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    kind: DealerFileKind,
    name: str,
    text: str | None,
    staff_id: int | None,
    now: dt.datetime,
) -> None:
    """Set the file of that kind and name, or with ``text`` None take it back; earlier ones are kept."""
    await connection.execute(
        insert(dealer_files).values(
            dealer_id=dealer_id,
            kind=kind.value,
            name=name,
            text=text,
            version=version_of(text or ""),
            staff_id=staff_id,
            at=now,
        )
    )
