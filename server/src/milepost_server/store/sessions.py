"""Queries on sessions. The table holds hashes of tokens only; a hash names its dealer and its bearer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from milepost_server.store.schema import Role, dealers, sessions, staff
from milepost_server.store.tenancy import ACROSS_DEALERS

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session with the person whom it lets in."""

    token_hash: str
    dealer_id: int
    dealer_name: str
    timezone: str
    staff_id: int
    name: str
    email: str
    role: Role
    created_at: dt.datetime
    seen_at: dt.datetime
    expires_at: dt.datetime
    revoked_at: dt.datetime | None


async def add(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    token_hash: str,
    staff_id: int,
    now: dt.datetime,
    expires_at: dt.datetime,
) -> None:
    """Begin a session."""
    await connection.execute(
        insert(sessions).values(
            token_hash=token_hash,
            dealer_id=dealer_id,
            staff_id=staff_id,
            created_at=now,
            seen_at=now,
            expires_at=expires_at,
        )
    )


async def of_token(connection: AsyncConnection, token_hash: str) -> SessionRow | None:
    """The session with this hash, unless its bearer was disabled; whether it still holds is not judged."""
    query = (
        select(
            sessions.c.token_hash,
            sessions.c.dealer_id,
            dealers.c.name,
            dealers.c.timezone,
            staff.c.id,
            staff.c.name,
            staff.c.email,
            staff.c.role,
            sessions.c.created_at,
            sessions.c.seen_at,
            sessions.c.expires_at,
            sessions.c.revoked_at,
        )
        .join(staff, (staff.c.id == sessions.c.staff_id) & (staff.c.dealer_id == sessions.c.dealer_id))
        .join(dealers, dealers.c.id == sessions.c.dealer_id)
        .where(sessions.c.token_hash == token_hash, staff.c.disabled_at.is_(None))
    )
    options = {ACROSS_DEALERS: "the token says whose session it is"}
    row = (await connection.execute(query, execution_options=options)).one_or_none()
    if row is None:
        return None
    values = list(row)
    values[7] = Role(values[7])
    return SessionRow(*values)


async def slide(
    connection: AsyncConnection, dealer_id: int, token_hash: str, *, now: dt.datetime, expires_at: dt.datetime
) -> None:
    """Note that the session was used, and move its end."""
    await connection.execute(
        update(sessions)
        .where(sessions.c.dealer_id == dealer_id, sessions.c.token_hash == token_hash)
        .values(seen_at=now, expires_at=expires_at)
    )


async def revoke(connection: AsyncConnection, dealer_id: int, token_hash: str, now: dt.datetime) -> None:
    """End one session."""
    await connection.execute(
        update(sessions)
        .where(sessions.c.dealer_id == dealer_id, sessions.c.token_hash == token_hash)
        .where(sessions.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )


async def revoke_all(connection: AsyncConnection, dealer_id: int, staff_id: int, now: dt.datetime) -> int:
    """End every session of one person; returns how many there were."""
    result = await connection.execute(
        update(sessions)
        .where(sessions.c.dealer_id == dealer_id, sessions.c.staff_id == staff_id)
        .where(sessions.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return result.rowcount


async def forget_ended(connection: AsyncConnection, before: dt.datetime) -> int:
    """Delete sessions that were over before a moment; returns how many. Of all dealers: it names nobody."""
    options = {ACROSS_DEALERS: "housekeeping"}
    statement = delete(sessions).where(sessions.c.expires_at < before)
    result = await connection.execute(statement, execution_options=options)
    return result.rowcount
