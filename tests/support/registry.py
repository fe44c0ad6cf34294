"""A small registry for tests of the server: a dealer, a device in a vehicle, other vehicles, owners."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_server.broker import credentials
from milepost_server.store import dealers, devices, owners, ownerships, vehicles
from milepost_server.store.schema import Powertrain
from support.batches import DEVICE

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.store.engine import Store

VIN = "1M8GDM9AXKP042788"
OTHER_VIN = "WAUZZZ8K9BA123456"
INSTALLED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Registered:
    """Ids of what was registered; ``secret`` is the device's."""

    dealer_id: int
    vehicle_id: int
    device_id: str
    secret: str


async def register(
    store: Store,
    device_id: str = DEVICE,
    vin: str = VIN,
    *,
    dealer_id: int | None = None,
    installed_at: dt.datetime | None = INSTALLED,
) -> Registered:
    """Register a device and a vehicle, of a new dealer where none is given; installed if a moment is."""
    secret = credentials.new_secret()
    async with store.write() as connection:
        if dealer_id is None:
            dealer_id = await dealers.add(connection, name="North", timezone="UTC", now=INSTALLED)
        vehicle_id = await add_vehicle(connection, dealer_id, vin)
        stored = credentials.credential(secret)
        await devices.add(connection, dealer_id, device_id, credential=stored, now=INSTALLED)
        if installed_at is not None:
            await devices.install(connection, dealer_id, device_id, vehicle_id, start_at=installed_at)
            await devices.mark_stale(connection, dealer_id, device_id, stale=False)
    return Registered(dealer_id, vehicle_id, device_id, secret)


async def add_vehicle(connection: AsyncConnection, dealer_id: int, vin: str) -> int:
    """A vehicle of which nothing but its kind is known; its id."""
    vehicle = await vehicles.put(
        connection,
        dealer_id,
        vin=vin,
        plate=None,
        make="Volvo",
        model="V60",
        model_year=2021,
        powertrain=Powertrain.COMBUSTION,
        first_registered_on=None,
        now=INSTALLED,
    )
    return vehicle.id


async def hand_over(
    store: Store, dealer_id: int, vehicle_id: int, on: dt.date, *, until: dt.date | None = None
) -> int:
    """From ``on`` the vehicle is that of a new owner, not of who had it until then; the new owner's id."""
    async with store.write() as connection:
        new = await owners.put(
            connection, dealer_id, name=f"Of {on}", email=None, phone=None, external_id=None, now=INSTALLED
        )
        for before in await ownerships.of_vehicle(connection, dealer_id, vehicle_id):
            if before.end_on is None:
                await ownerships.end(connection, dealer_id, before.id, on, now=INSTALLED)
        await ownerships.add(
            connection,
            dealer_id,
            owner_id=new.id,
            vehicle_id=vehicle_id,
            start_on=on,
            end_on=until,
            now=INSTALLED,
        )
    return new.id
