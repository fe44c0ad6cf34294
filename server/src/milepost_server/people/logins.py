"""Login, the session of a request, logout: the one place where tokens meet the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_server.people.errors import LoginRefusedError, NotLoggedInError
from milepost_server.people.sessions import (
    SESSION_AGE_MAX,
    Principal,
    first_end,
    holds,
    new_token,
    slid_end,
    token_hash,
)
from milepost_server.people.throttle import LoginThrottle
from milepost_server.store import sessions, staff

if TYPE_CHECKING:
    import datetime as dt

    from milepost_server.people.passwords import Passwords
    from milepost_server.store.engine import Store


class Logins:
    """Lets members of staff in and out; one instance per application."""

    def __init__(self, store: Store, passwords: Passwords, throttle: LoginThrottle | None = None) -> None:
        self._store = store
        self._passwords = passwords
        self._throttle = throttle or LoginThrottle()

    async def login(
        self, email: str, password: str, *, address: str, now: dt.datetime
    ) -> tuple[str, dt.datetime]:
        """Begin a session; returns its token and when it ends unless it is used.

        Raises:
            TooManyAttemptsError: a limit of attempts is reached.
            LoginRefusedError: unknown mail, disabled person or wrong password.
        """
        self._throttle.attempt(email, address, now.timestamp())
        async with self._store.read() as connection:
            known = await staff.login_of(connection, email)
        if known is not None and known.disabled_at is not None:
            known = None
        matches = await self._passwords.verify(password, known.password_hash if known else None)
        if known is None or not matches:
            raise LoginRefusedError
        self._throttle.succeeded(email, address)
        token, end = new_token(), first_end(now)
        async with self._store.write() as connection:
            await sessions.forget_ended(connection, now - SESSION_AGE_MAX)
            await sessions.add(
                connection,
                known.dealer_id,
                token_hash=token_hash(token),
                staff_id=known.staff_id,
                now=now,
                expires_at=end,
            )
        return token, end

    async def principal(self, token: str | None, now: dt.datetime) -> Principal:
        """Who holds this token; using it moves the end of the session.

        Raises:
            NotLoggedInError: no token, or a session that is over, revoked, or of a disabled person.
        """
        if not token:
            raise NotLoggedInError
        async with self._store.read() as connection:
            row = await sessions.of_token(connection, token_hash(token))
        if row is None or not holds(
            created_at=row.created_at, expires_at=row.expires_at, revoked_at=row.revoked_at, now=now
        ):
            raise NotLoggedInError
        later = slid_end(created_at=row.created_at, expires_at=row.expires_at, now=now)
        if later is not None:
            async with self._store.write() as connection:
                await sessions.slide(connection, row.dealer_id, row.token_hash, now=now, expires_at=later)
        return Principal(
            dealer_id=row.dealer_id,
            dealer_name=row.dealer_name,
            timezone=row.timezone,
            staff_id=row.staff_id,
            name=row.name,
            email=row.email,
            role=row.role,
            token_hash=row.token_hash,
        )

    async def logout(self, principal: Principal, now: dt.datetime) -> None:
        """End the session of this request."""
        async with self._store.write() as connection:
            await sessions.revoke(connection, principal.dealer_id, principal.token_hash, now)

    async def logout_everywhere(self, principal: Principal, now: dt.datetime) -> int:
        """End every session of this person; returns how many there were."""
        async with self._store.write() as connection:
            return await sessions.revoke_all(connection, principal.dealer_id, principal.staff_id, now)
