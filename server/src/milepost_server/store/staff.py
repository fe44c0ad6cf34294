"""Queries on staff: who may log in.

The login itself is the one query without a dealer: the mail address says which dealer's staff it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from milepost_server.store.schema import Role, staff
from milepost_server.store.tenancy import ACROSS_DEALERS

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class StaffLogin:
    """What a login is checked against."""

    dealer_id: int
    staff_id: int
    password_hash: str
    disabled_at: dt.datetime | None


def folded(email: str) -> str:
    """A mail address in the one form in which it is stored and looked for."""
    return email.strip().lower()


async def login_of(connection: AsyncConnection, email: str) -> StaffLogin | None:
    """The member of staff with this mail address, of whichever dealer."""
    query = select(staff.c.dealer_id, staff.c.id, staff.c.password_hash, staff.c.disabled_at).where(
        staff.c.email == folded(email)
    )
    options = {ACROSS_DEALERS: "the mail address says which dealer's staff it is"}
    row = (await connection.execute(query, execution_options=options)).one_or_none()
    return None if row is None else StaffLogin(*row)


async def set_password(
    connection: AsyncConnection, dealer_id: int, staff_id: int, password_hash: str
) -> None:
    """Replace a password's hash."""
    await connection.execute(
        update(staff)
        .where(staff.c.dealer_id == dealer_id, staff.c.id == staff_id)
        .values(password_hash=password_hash)
    )


async def add(
    connection: AsyncConnection,
    dealer_id: int,
    *,
    email: str,
    name: str,
    role: Role,
    password_hash: str,
    now: dt.datetime,
) -> int:
    """Add a member of staff and return the id.

    Raises:
        sqlalchemy.exc.IntegrityError: the mail address is taken, or there is no such dealer.
    """
    result = await connection.execute(
        insert(staff)
        .values(
            dealer_id=dealer_id,
            email=folded(email),
            name=name,
            role=role.value,
            password_hash=password_hash,
            created_at=now,
        )
        .returning(staff.c.id)
    )
    staff_id: int = result.scalar_one()
    return staff_id
