"""What a search over owners looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, or_

from milepost_server.store.schema import owners, vehicles

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


def matches(search: str) -> ColumnElement[bool]:
    """Every word stands somewhere in the owner's name or contact, or in the car's names."""
    places = (
        owners.c.name,
        owners.c.email,
        owners.c.phone,
        vehicles.c.vin,
        vehicles.c.plate,
        vehicles.c.make,
        vehicles.c.model,
    )
    return and_(
        *(or_(*(place.icontains(word, autoescape=True) for place in places)) for word in search.split())
    )
