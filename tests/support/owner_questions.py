"""A car of the showroom whose use has changed so much that somebody else may drive it now."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import update

from milepost_server.store.schema import vehicle_usage
from support import showroom

if TYPE_CHECKING:
    from milepost_server.store.engine import Store

CHANGED = dt.date(2026, 7, 5)
BEFORE_M_PER_D, AFTER_M_PER_D = 16_500.0, 70_000.0


async def ask(store: Store, dealer_id: int, vehicle_id: int) -> None:
    """The derivation of today has found that the car goes four times as far since July."""
    c = vehicle_usage.c
    async with store.write() as connection:
        await connection.execute(
            update(vehicle_usage)
            .where(c.dealer_id == dealer_id, c.vehicle_id == vehicle_id, c.as_of == showroom.TODAY)
            .values(
                usage_changed_on=CHANGED,
                usage_changed_from_on=CHANGED - dt.timedelta(days=30),
                usage_changed_to_on=CHANGED + dt.timedelta(days=30),
                usage_change=AFTER_M_PER_D / BEFORE_M_PER_D,
                usage_before_m_per_d=BEFORE_M_PER_D,
                usage_after_m_per_d=AFTER_M_PER_D,
                usage_change_reason="more",
                usage_is_break=True,
                usage_asks_for_owner=True,
            )
        )
