"""What came after a past day: which cars were replaced, which left their owner, how long one has looked."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sqlalchemy import select

from milepost_server.derivation import times
from milepost_server.signals.flat import DAYS_PER_MONTH, Floats
from milepost_server.store.outcomes import REPLACEMENTS
from milepost_server.store.schema import outcomes, ownerships

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.times import AsOf


class Followed(NamedTuple):
    """For how long V vehicles of a day were followed, and what was seen; months as `hazard.at_risk`."""

    months_to_event: Floats  # (V) NaN where the vehicle was not replaced
    months_followed: Floats  # (V)


class After(NamedTuple):
    """What came after a past day, by the vehicle's id."""

    events: dict[int, dt.date]  # it was replaced
    ends: dict[int, dt.date]  # it left its owner of the day, for whatever reason
    today: dt.date

    def followed(self, vehicle_ids: Sequence[int], as_of: AsOf) -> Followed:
        """What was seen of these vehicles (V) since the day."""
        events = [self.events.get(one) for one in vehicle_ids]
        event_d = np.array([np.nan if on is None else times.start_d(on) for on in events], dtype=np.float64)
        ends = [min(self.ends.get(one, self.today), self.today) for one in vehicle_ids]
        until_d = np.array([times.start_d(on) for on in ends], dtype=np.float64)
        # Who replaced the car is known to have done so, whenever it left: that says nothing of the others.
        looked_d = np.where(np.isnan(event_d), until_d, np.fmax(event_d, times.start_d(self.today)))
        followed = looked_d - as_of.end_d
        whole = np.where(np.isnan(event_d), followed, followed + DAYS_PER_MONTH)
        return Followed((event_d - as_of.end_d) / DAYS_PER_MONTH, np.maximum(whole, 0.0) / DAYS_PER_MONTH)


async def after(
    connection: AsyncConnection, dealer_id: int, owner_of: Mapping[int, int], *, day: dt.date, today: dt.date
) -> After:
    """What came after ``day``, up to ``today``, of the vehicles that were owned so (owner by vehicle)."""
    return After(
        await _events(connection, dealer_id, owner_of, day, today),
        await _ends(connection, dealer_id, owner_of, day),
        today,
    )


async def _events(
    connection: AsyncConnection,
    dealer_id: int,
    owner_of: Mapping[int, int],
    day: dt.date,
    today: dt.date,
) -> dict[int, dt.date]:
    """The day on which each vehicle was replaced after ``day``, by the vehicle's id.

    An outcome that names no vehicle is of every car that the owner had.
    """
    of_owner: dict[int, list[int]] = {}
    for vehicle_id, owner_id in owner_of.items():
        of_owner.setdefault(owner_id, []).append(vehicle_id)
    c = outcomes.c
    query = (
        select(c.owner_id, c.vehicle_id, c.happened_on)
        .where(c.dealer_id == dealer_id, c.owner_id.in_(of_owner))
        .where(c.happened_on > day, c.happened_on <= today)
        .where(c.kind.in_([kind.value for kind in REPLACEMENTS]))
        .order_by(c.happened_on.desc(), c.id)
    )
    found: dict[int, dt.date] = {}
    for owner_id, vehicle_id, happened_on in await connection.execute(query):
        mine = of_owner[owner_id]
        for one in mine if vehicle_id is None else [vehicle_id] if vehicle_id in mine else []:
            found[one] = happened_on  # the earliest comes last
    return found


async def _ends(
    connection: AsyncConnection, dealer_id: int, vehicle_ids: Collection[int], day: dt.date
) -> dict[int, dt.date]:
    """The day on which each vehicle left its owner of the day, by the vehicle's id."""
    c = ownerships.c
    query = (
        select(c.vehicle_id, c.end_on)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(vehicle_ids), c.start_on <= day, c.end_on > day)
        .order_by(c.start_on)
    )
    return {row.vehicle_id: row.end_on for row in await connection.execute(query)}
