"""Queries on what is not in the readings, for pages: refused samples, foreign VINs, homeless devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, exists, func, or_, select

from milepost_server.store.schema import devices, installations, refusals, streams, vin_conflicts

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

REFUSALS_SHOWN_MAX = 50
CONFLICTS_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """Samples of one signal of one device that are in the archive and not in the readings, and why."""

    device_id: str
    signal: str
    reason: str
    samples: int
    detail: str
    first_at: dt.datetime
    last_at: dt.datetime


@dataclass(frozen=True, slots=True)
class VinConflictRow:
    """Another VIN than the vehicle's, as a device that sits in it has read it from the car."""

    device_id: str
    vin_reported: str
    first_at: dt.datetime
    last_at: dt.datetime


@dataclass(frozen=True, slots=True)
class HomelessDevice:
    """A device that has sent something and sits in no vehicle."""

    device_id: str
    received_at: dt.datetime  # when it was heard last


async def refused_of(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, until: dt.datetime
) -> Sequence[RefusedRow]:
    """What was refused of devices while they sat in the vehicle, the latest first.

    Refusals are counted by device: where one sat in two vehicles, the count is that of both.
    """
    sat_there = exists().where(
        installations.c.dealer_id == dealer_id,
        installations.c.vehicle_id == vehicle_id,
        installations.c.device_id == refusals.c.device_id,
        installations.c.start_at <= refusals.c.last_at,
        or_(installations.c.end_at.is_(None), installations.c.end_at > refusals.c.first_at),
    )
    query = (
        select(
            refusals.c.device_id,
            refusals.c.signal,
            refusals.c.reason,
            refusals.c.samples,
            refusals.c.detail,
            refusals.c.first_at,
            refusals.c.last_at,
        )
        .where(refusals.c.dealer_id == dealer_id, refusals.c.first_at < until, sat_there)
        .order_by(refusals.c.last_at.desc(), refusals.c.device_id, refusals.c.signal, refusals.c.reason)
        .limit(REFUSALS_SHOWN_MAX)
    )
    return [RefusedRow(*row) for row in await connection.execute(query)]


async def vin_conflicts_of(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, until: dt.datetime
) -> Sequence[VinConflictRow]:
    """The other VINs that were read in the vehicle, the latest first."""
    found = vin_conflicts.c
    query = (
        select(found.device_id, found.vin_reported, found.first_at, found.last_at)
        .where(found.dealer_id == dealer_id, found.vehicle_id == vehicle_id, found.first_at < until)
        .order_by(found.last_at.desc(), found.device_id, found.vin_reported)
        .limit(CONFLICTS_SHOWN_MAX)
    )
    return [VinConflictRow(*row) for row in await connection.execute(query)]


async def homeless_devices(
    connection: AsyncConnection, dealer_id: int, limit: int
) -> Sequence[HomelessDevice]:
    """Devices that have sent and sit in no vehicle, revoked ones left out; the one heard last first."""
    sits = exists().where(
        installations.c.dealer_id == dealer_id,
        installations.c.device_id == devices.c.id,
        installations.c.end_at.is_(None),
    )
    heard = func.max(streams.c.received_at)
    query = (
        select(devices.c.id, heard)
        .join(streams, and_(streams.c.dealer_id == devices.c.dealer_id, streams.c.device_id == devices.c.id))
        .where(devices.c.dealer_id == dealer_id, devices.c.revoked_at.is_(None), ~sits)
        .group_by(devices.c.id)
        .order_by(heard.desc(), devices.c.id)
        .limit(limit)
    )
    return [HomelessDevice(*row) for row in await connection.execute(query)]
