"""Reads what was derived of owners' vehicles, and what the owners did, to take it together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sqlalchemy import and_, func, or_, select

from milepost_server.derivation import times
from milepost_server.derivation.loading.money import end_as_known
from milepost_server.signals.faults.systems import URGENCIES
from milepost_server.signals.flat import DAYS_PER_MONTH
from milepost_server.signals.items.states import State
from milepost_server.signals.owners import Owned
from milepost_server.signals.value.lifetime import EntryKind, Ledger
from milepost_server.signals.work_list import ItemNeeds
from milepost_server.store.contracts import BEFORE_HANDOVER_MAX
from milepost_server.store.schema import (
    ContractKind,
    LifeCycle,
    OutcomeKind,
    RestsOn,
    contracts,
    outcomes,
    owners,
    ownerships,
    readiness,
    service_due,
    vehicle_faults,
    vehicle_health,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from sqlalchemy import Subquery, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.times import AsOf
    from milepost_server.signals.flat import Floats, Ints

CHUNK_OWNERS_MAX = 500
SURE = (RestsOn.MEASURED.value, RestsOn.RECORD.value)
RESTING = (LifeCycle.SNOOZED.value, LifeCycle.DONE.value)
Held = dict[int, tuple[int, "dt.date"]]
"""Whose each vehicle (by id) is, the owner by place, and since when."""
_ENTRIES = {
    OutcomeKind.SALE.value: EntryKind.SALE,
    OutcomeKind.LEASE.value: EntryKind.SALE,
    OutcomeKind.SERVICE.value: EntryKind.SERVICE,
    OutcomeKind.SUBSCRIPTION.value: EntryKind.SUBSCRIPTION,
}


class Items(NamedTuple):
    """K items of owned vehicles."""

    needs: ItemNeeds  # (K)
    vehicle_id: Ints  # (K)
    key: list[str]  # (K)
    title: list[str]  # (K)
    state: list[str]  # (K) as stored


class Faults(NamedTuple):
    """F active faults of owned vehicles."""

    vehicle_id: Ints  # (F)
    code: list[str]  # (F)
    urgency: Ints  # (F) 0 for P0 to 3 for P3
    first_seen_d: Floats  # (F)


@dataclass(frozen=True, slots=True)
class OwnersChunk:
    """O owners and what is known of their vehicles of the day."""

    owner_ids: Sequence[int]
    owned: Owned  # (N) owners by place, vehicles by id
    items: Items
    faults: Faults
    score: Floats  # (N) of each row of ``owned``; NaN where it was not scored
    p_90d: Floats  # (N)
    p_180d: Floats  # (N)
    ledger: Ledger
    since_d: Floats  # (O) the first day of the first ownership
    subscription_left: Floats  # (O) payments agreed and still to come


async def owner_ids(
    connection: AsyncConnection, dealer_id: int, as_of: AsOf, *, after_id: int, limit: int
) -> Sequence[int]:
    """At most ``limit`` ids of the dealer's owners who are known, above ``after_id``, rising."""
    query = (
        select(owners.c.id)
        .where(owners.c.dealer_id == dealer_id, owners.c.id > after_id)
        .where(as_of.knows(owners.c.created_at))
        .order_by(owners.c.id)
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())


async def owners_touched(
    connection: AsyncConnection, dealer_id: int, vehicle_ids: Collection[int]
) -> Sequence[int]:
    """All who own these vehicles, or ever did: a car that was sold leaves its old owner's view."""
    c = ownerships.c
    query = (
        select(c.owner_id)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(vehicle_ids))
        .distinct()
        .order_by(c.owner_id)
    )
    return list((await connection.execute(query)).scalars())


async def load(
    connection: AsyncConnection, dealer_id: int, ids: Sequence[int], as_of: AsOf, *, horizon_d: float
) -> OwnersChunk:
    """Read a chunk of owners: ``CHUNK_OWNERS_MAX`` or fewer."""
    assert len(ids) <= CHUNK_OWNERS_MAX
    place = {owner_id: index for index, owner_id in enumerate(ids)}
    owned, held, since_d = await _owned(connection, dealer_id, place, as_of)
    vehicle_ids = sorted({int(vehicle) for vehicle in owned.vehicle})
    scores = await _scores(connection, dealer_id, place, as_of.date)
    pairs = list(zip(owned.owner.tolist(), owned.vehicle.tolist(), strict=True))
    score, p_90d, p_180d = (
        np.array([scores.get(pair, (np.nan,) * 3)[n] for pair in pairs], dtype=np.float64) for n in range(3)
    )
    return OwnersChunk(
        owner_ids=ids,
        owned=owned,
        items=await _items(connection, dealer_id, vehicle_ids, as_of.date),
        faults=await _faults(connection, dealer_id, vehicle_ids, as_of),
        score=score,
        p_90d=p_90d,
        p_180d=p_180d,
        ledger=await _ledger(connection, dealer_id, place, as_of),
        since_d=since_d,
        subscription_left=await _subscriptions(
            connection, dealer_id, place, held, as_of, horizon_d=horizon_d
        ),
    )


class Services(NamedTuple):
    """What the services of all of a dealer's owners brought, and how many of these came on which day."""

    spent: float  # minor units
    since_d: Floats  # (D)
    owners: Ints  # (D)


async def services(connection: AsyncConnection, dealer_id: int, as_of: AsOf, *, memory_d: float) -> Services:
    """Services of the last ``memory_d`` days, and when owners came, of all of the dealer's owners."""
    since = times.date_of(as_of.end_d - memory_d)
    c, owned = outcomes.c, ownerships.c
    spent = select(func.coalesce(func.sum(c.amount), 0)).where(
        c.dealer_id == dealer_id,
        c.kind == OutcomeKind.SERVICE.value,
        c.happened_on > since,
        c.happened_on <= as_of.date,
        as_of.knows(c.received_at),
    )
    came = (
        select(func.min(owned.start_on).label("day"))
        .where(owned.dealer_id == dealer_id, owned.start_on <= as_of.date, as_of.knows(owned.created_at))
        .group_by(owned.owner_id)
        .subquery()
    )
    days = list(await connection.execute(select(came.c.day, func.count()).group_by(came.c.day)))
    return Services(
        float((await connection.execute(spent)).scalar_one()),
        np.array([times.start_d(day) for day, _ in days], dtype=np.float64),
        np.array([count for _, count in days], dtype=np.int64),
    )


async def _owned(
    connection: AsyncConnection, dealer_id: int, place: dict[int, int], as_of: AsOf
) -> tuple[Owned, Held, Floats]:
    c = ownerships.c
    query = (
        select(c.owner_id, c.vehicle_id, c.start_on, end_as_known(as_of))
        .where(c.dealer_id == dealer_id, c.owner_id.in_(place), c.start_on <= as_of.date)
        .where(as_of.knows(c.created_at))
        .order_by(c.owner_id, c.start_on, c.id)
    )
    since_d = np.full(len(place), np.nan)
    rows: list[tuple[int, int]] = []
    held: Held = {}
    for owner_id, vehicle_id, start_on, end_on in await connection.execute(query):
        since_d[place[owner_id]] = np.fmin(since_d[place[owner_id]], times.start_d(start_on))
        if end_on is None or end_on > as_of.date:
            rows.append((place[owner_id], vehicle_id))
            held[vehicle_id] = place[owner_id], start_on
    owner, vehicle = list(zip(*rows, strict=True)) or [()] * 2
    return Owned(np.array(owner, dtype=np.int64), np.array(vehicle, dtype=np.int64)), held, since_d


def _newest(table: Table, dealer_id: int, vehicle_ids: Collection[int], day: dt.date) -> Subquery:
    c = table.c
    return (
        select(c.vehicle_id, func.max(c.as_of).label("as_of"))
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(vehicle_ids), c.as_of <= day)
        .group_by(c.vehicle_id)
        .subquery()
    )


async def _items(
    connection: AsyncConnection, dealer_id: int, vehicle_ids: Collection[int], day: dt.date
) -> Items:
    c, newest = service_due.c, _newest(service_due, dealer_id, vehicle_ids, day)
    query = (
        select(c.vehicle_id, c.item, c.title, c.state, c.rests_on, c.life_cycle, c.p50_on)
        .join(newest, and_(newest.c.vehicle_id == c.vehicle_id, newest.c.as_of == c.as_of))
        .where(c.dealer_id == dealer_id)
        .order_by(c.vehicle_id, c.item)
    )
    rows = list(await connection.execute(query))
    days = [np.nan if row.p50_on is None else times.start_d(row.p50_on) for row in rows]
    needs = ItemNeeds(
        state=np.array([State[row.state.upper()] for row in rows], dtype=np.int64),
        is_guess=np.array([row.rests_on not in SURE for row in rows], dtype=np.bool_),
        is_booked=np.array([row.life_cycle == LifeCycle.BOOKED for row in rows], dtype=np.bool_),
        may_rest=np.array([row.life_cycle in RESTING for row in rows], dtype=np.bool_),
        median_d=np.array(days, dtype=np.float64),
    )
    vehicle_id = np.array([row.vehicle_id for row in rows], dtype=np.int64)
    return Items(
        needs=needs,
        vehicle_id=vehicle_id,
        key=[row.item for row in rows],
        title=[row.title for row in rows],
        state=[row.state for row in rows],
    )


async def _faults(
    connection: AsyncConnection, dealer_id: int, vehicle_ids: Collection[int], as_of: AsOf
) -> Faults:
    # A vehicle without faults has no rows of them: when it was derived, its health tells.
    c, newest = vehicle_faults.c, _newest(vehicle_health, dealer_id, vehicle_ids, as_of.date)
    query = (
        select(c.vehicle_id, c.code, c.urgency, c.first_seen_at)
        .join(newest, and_(newest.c.vehicle_id == c.vehicle_id, newest.c.as_of == c.as_of))
        .where(c.dealer_id == dealer_id, c.status != "cleared")
        .order_by(c.vehicle_id, c.code)
    )
    rows = list(await connection.execute(query))
    seen = [np.nan if row.first_seen_at is None else times.day_of(row.first_seen_at, as_of) for row in rows]
    return Faults(
        np.array([row.vehicle_id for row in rows], dtype=np.int64),
        [row.code for row in rows],
        np.array([URGENCIES.index(row.urgency) for row in rows], dtype=np.int64),
        np.array(seen, dtype=np.float64),
    )


async def _scores(
    connection: AsyncConnection, dealer_id: int, place: dict[int, int], day: dt.date
) -> dict[tuple[int, int], tuple[float, float, float]]:
    """Score and odds by (owner's place, vehicle's id)."""
    c = readiness.c
    newest = (
        select(c.owner_id, c.vehicle_id, func.max(c.as_of).label("as_of"))
        .where(c.dealer_id == dealer_id, c.owner_id.in_(place), c.as_of <= day)
        .group_by(c.owner_id, c.vehicle_id)
        .subquery()
    )
    same = (
        newest.c.owner_id == c.owner_id,
        newest.c.vehicle_id == c.vehicle_id,
        newest.c.as_of == c.as_of,
    )
    query = (
        select(c.owner_id, c.vehicle_id, c.score, c.p_90d, c.p_180d)
        .join(newest, and_(*same))
        .where(c.dealer_id == dealer_id)
    )
    return {
        (place[owner_id], vehicle_id): (score, p_90d, p_180d)
        for owner_id, vehicle_id, score, p_90d, p_180d in await connection.execute(query)
    }


async def _ledger(connection: AsyncConnection, dealer_id: int, place: dict[int, int], as_of: AsOf) -> Ledger:
    c = outcomes.c
    query = (
        select(c.owner_id, c.kind, c.happened_on, c.amount)
        .where(c.dealer_id == dealer_id, c.owner_id.in_(place), c.happened_on <= as_of.date)
        .where(c.amount.is_not(None), c.kind.in_(_ENTRIES), as_of.knows(c.received_at))
        .order_by(c.happened_on, c.id)
    )
    rows = list(await connection.execute(query))
    return Ledger(
        owner=np.array([place[row.owner_id] for row in rows], dtype=np.int64),
        kind=np.array([_ENTRIES[row.kind] for row in rows], dtype=np.int64),
        time_d=np.array([times.start_d(row.happened_on) for row in rows], dtype=np.float64),
        amount=np.array([row.amount for row in rows], dtype=np.float64),
    )


async def _subscriptions(
    connection: AsyncConnection,
    dealer_id: int,
    place: dict[int, int],
    held: Held,
    as_of: AsOf,
    *,
    horizon_d: float,
) -> Floats:
    """What is left to pay (O) of running subscriptions within the horizon, minor units.

    Who signed pays; where nobody is named, whose car it is, as `store.contracts.concerns` has it.
    """
    c = contracts.c
    whose = or_(c.owner_id.in_(place), and_(c.owner_id.is_(None), c.vehicle_id.in_(held)))
    query = select(c.owner_id, c.vehicle_id, c.start_on, c.end_on, c.payment_per_month).where(
        c.dealer_id == dealer_id,
        whose,
        c.kind == ContractKind.SUBSCRIPTION.value,
        c.start_on <= as_of.date,
        or_(c.end_on.is_(None), c.end_on > as_of.date),
        c.payment_per_month.is_not(None),
        as_of.knows(c.created_at),
    )
    left = np.zeros(len(place))
    for signed_by, vehicle_id, start_on, end_on, monthly in await connection.execute(query):
        if signed_by is not None:
            payer = place[signed_by]
        else:
            payer, since = held[vehicle_id]
            if start_on < since - BEFORE_HANDOVER_MAX:
                continue  # of a former owner
        days = horizon_d if end_on is None else min(times.start_d(end_on) - as_of.end_d, horizon_d)
        left[payer] += max(days, 0.0) / DAYS_PER_MONTH * monthly
    return left
