"""What the pages about one vehicle share: which vehicle it is, whose, and the way back after a form."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from milepost_server.api.bodies import NOTE_CHARS_MAX, NUL
from milepost_server.api.errors import InvalidError
from milepost_server.errors import NotFoundError
from milepost_server.store import ownerships, vehicles

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.people.sessions import Principal
    from milepost_server.store.vehicles import VehicleRow

FIELD_CHARS_MAX = 4_000  # more is cut off by the browser's own limits long before


async def vehicle_of(connection: AsyncConnection, who: Principal, vehicle_id: int) -> VehicleRow:
    """The dealer's vehicle.

    Raises:
        NotFoundError: the dealer has none with this id.
    """
    found = await vehicles.one(connection, who.dealer_id, vehicle_id)
    if found is None:
        raise NotFoundError("vehicle", vehicle_id)
    return found


async def owner_id_on(
    connection: AsyncConnection, who: Principal, vehicle_id: int, day: dt.date
) -> int | None:
    """Whose car it is on that day, for the way back."""
    owned = await ownerships.of_vehicle(connection, who.dealer_id, vehicle_id)
    current = (one for one in owned if one.start_on <= day and (one.end_on is None or one.end_on > day))
    return next((one.owner_id for one in current), None)


def way_back(asked: str, otherwise: str) -> str:
    """The page that a form came from, where it is one of ours; else ``otherwise``."""
    parts = urlsplit(asked)
    ours = asked.startswith("/") and not asked.startswith(("//", "/\\")) and not parts.netloc
    return asked if ours else otherwise


def with_query(address: str, query: str) -> str:
    """An address of one of our pages with more in its query."""
    path, mark, fragment = address.partition("#")
    return f"{path}{'&' if '?' in path else '?'}{query}{mark}{fragment}"


def checked_note(note: str) -> str:
    """The note of a form.

    Raises:
        InvalidError: it is too long, or cannot be kept.
    """
    if len(note) > NOTE_CHARS_MAX:
        raise InvalidError(f"A note has at most {NOTE_CHARS_MAX} characters; shorten it.", field="note")
    if NUL in note:
        raise InvalidError("A note has no NUL character; leave it out.", field="note")
    return note
