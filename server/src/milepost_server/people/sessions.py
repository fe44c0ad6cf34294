"""Sessions: an opaque random token for the browser, only its hash for the table.

Pure: the time comes in as an argument, the rows go in and out through ``store``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milepost_server.store.schema import Role

TOKEN_BYTES = 32
TOKEN_CHARS_MAX = 128
SESSION_IDLE_MAX = dt.timedelta(hours=12)
SESSION_AGE_MAX = dt.timedelta(days=14)
# The end slides only when it would move by this much: one write in five minutes, not one a request.
SESSION_SLIDE_MIN = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: a member of a dealer's staff, by a session that holds now."""

    dealer_id: int
    dealer_name: str
    timezone: str
    staff_id: int
    name: str
    email: str
    role: Role
    token_hash: str


def new_token() -> str:
    """A token that nobody can guess; it leaves this process once, in the answer to the login."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> str:
    """What the table keeps of ``token``: 64 hex digits. It is random, so it needs no salt."""
    return hashlib.sha256(token[:TOKEN_CHARS_MAX].encode()).hexdigest()


def first_end(now: dt.datetime) -> dt.datetime:
    """When a session that begins now is over, unless it is used."""
    return now + SESSION_IDLE_MAX


def holds(
    *, created_at: dt.datetime, expires_at: dt.datetime, revoked_at: dt.datetime | None, now: dt.datetime
) -> bool:
    """Whether a session lets its bearer in."""
    return revoked_at is None and now < min(expires_at, created_at + SESSION_AGE_MAX)


def slid_end(*, created_at: dt.datetime, expires_at: dt.datetime, now: dt.datetime) -> dt.datetime | None:
    """The later end of a session that is used now; None while it is not worth a write."""
    slid = min(now + SESSION_IDLE_MAX, created_at + SESSION_AGE_MAX)
    return slid if slid - expires_at >= SESSION_SLIDE_MIN else None
