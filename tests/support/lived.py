"""A dealer's days with a simulated fleet, lived one by one: what comes in, what staff do, each day's list."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import insert, select

from milepost_protocol.samples import TimeTrust
from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.runner import DerivationRunner
from milepost_server.store import (
    contracts,
    dealer_files,
    dealers,
    dirty,
    item_actions,
    outcomes,
    overrules,
    owners,
    ownerships,
    service_records,
    staff,
    vehicles,
)
from milepost_server.store.dealers import DealerRow
from milepost_server.store.overrules import Place
from milepost_server.store.schema import (
    ContractKind,
    DealerFileKind,
    ItemActionKind,
    OutcomeKind,
    Powertrain,
    Role,
    devices,
    owner_signals,
    readiness,
    readings,
    service_due,
    streams,
    vehicle_faults,
    vehicle_health,
    vehicle_usage,
)
from milepost_simulator.fleet.fleet import make_block
from milepost_simulator.fleet.history import history
from milepost_simulator.fleet.lot import FleetPlan
from milepost_simulator.fleet.records import day_of, vehicle_record
from milepost_simulator.fleet.records import service_records as services_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Table

    from milepost_server.store.engine import Store
    from milepost_simulator.fleet.fleet import FleetVehicle

FIRST = dt.date(2026, 3, 25)
"""The first day of which there is a list; it is before the hour changes, and not long before a month ends."""
DAYS = 42
ZONE = "Europe/Berlin"
MONTHS = 8
CARS = 16
"""Just enough for the pace to be learned from them."""
SILENT = (dt.date(2026, 4, 3), dt.date(2026, 4, 4))
"""The server is down."""
DAY = dt.timedelta(days=1)
LIST: tuple[Table, ...] = (
    service_due,
    vehicle_usage,
    vehicle_faults,
    vehicle_health,
    readiness,
    owner_signals,
)
ITEMS = ("engine-oil", "brake-fluid", "tyres", "front-pads")
SCHEDULE = """
    schema = 1
    dealer = "North"
    title = "What North's workshop says"
    [[item]]
    key = "engine-oil"
    [[item.interval]]
    time_months = 8
    source = "What our workshop has seen."
"""
PLANS = """
    schema = 1
    [[plan]]
    name = "Town"
    km_per_year = 10_000
    price_per_year = 4_800
    price_per_extra_km = 0.20
"""
FILES = {
    2: (DealerFileKind.PLANS, PLANS),
    3: (DealerFileKind.SCHEDULE, SCHEDULE),
    16: (DealerFileKind.SCHEDULE, None),
    17: (DealerFileKind.PLANS, None),
}
"""What the dealer sets, or (None) takes back, so many days after the first one."""
CONTRACT = {
    **{name: None for name in contracts.ContractRow.__dataclass_fields__ if name != "id"},
    "kind": ContractKind.LEASE,
    "currency": "EUR",
    "source": "test",
}


def at(day: dt.date, hour: float) -> dt.datetime:
    """A moment of the dealer's day, whatever the season: its midnight is at 22 or 23 UTC the day before."""
    return dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(hours=hour)


class Life:
    """The dealer: ``lists`` are the tables of each day as they stood at its end."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lists: dict[dt.date, list[list[dict[str, Any]]]] = {}
        self.dealer = DealerRow(0, "North", ZONE, dealers.CURRENCY)
        self._rng = np.random.default_rng(4)
        self._now = at(FIRST - DAY, 12)
        self._coming: dict[dt.date, list[dict[str, Any]]] = defaultdict(list)
        self._services: dict[dt.date, list[dict[str, Any]]] = defaultdict(list)
        self._runner = DerivationRunner(store, Configuration(), now=lambda: self._now, interval_s=60)
        self._cars: list[int] = []
        self._staff = 0

    async def live(self) -> None:
        """From the first day to the last."""
        await self._open()
        for day in (FIRST + n * DAY for n in range(DAYS)):
            if day in SILENT:
                continue
            await self._turn(at(day, 0.5))
            await self._morning(at(day, 7.5), day)
            if day.day % 3 == 0:  # what comes in the evening is in the next day's list only
                await self._turn(at(day, 12))
            await self._evening(at(day, 18.5), day)
            if day.day % 3:
                await self._turn(at(day, 20))
            self.lists[day] = await self.list_of(day)

    async def list_of(self, day: dt.date) -> list[list[dict[str, Any]]]:
        """The rows of that day, without when they were made."""
        found = []
        async with self.store.read() as connection:
            for table in LIST:
                query = select(table).where(table.c.dealer_id == self.dealer.id, table.c.as_of == day)
                rows = await connection.execute(query.order_by(*table.primary_key.columns))
                found.append([{**row._mapping, "derived_at": None} for row in rows])
        return found

    async def _turn(self, now: dt.datetime) -> None:
        self._now = now
        await self._runner.turn()

    async def _open(self) -> None:
        async with self.store.write() as connection:
            dealer_id = await dealers.add(connection, name="North", timezone=ZONE, now=self._now)
            self.dealer = DealerRow(dealer_id, "North", ZONE, dealers.CURRENCY)
            self._staff = await staff.add(
                connection,
                dealer_id,
                email="ada@north.example",
                name="Ada",
                role=Role.SERVICE,
                password_hash="none",
                now=self._now,
            )
        last = FIRST + DAYS * DAY
        block = make_block(FleetPlan(CARS, 11, MONTHS + 2, day_of(last)), 0, CARS)
        for car in block.vehicles():
            await self._add(car)
        await self._take(FIRST - DAY)

    async def _add(self, car: FleetVehicle) -> None:
        """A car with its owner, device and history; what is still to come is kept for its day."""
        told, now = vehicle_record(car), self._now
        mine = self.dealer.id
        async with self.store.write() as connection:
            vehicle = await vehicles.put(
                connection,
                mine,
                vin=told["vin"],
                plate=None,
                make=told["make"],
                model=told["model"],
                model_year=told["model_year"],
                powertrain=Powertrain(told["powertrain"]),
                first_registered_on=dt.date.fromisoformat(told["first_registered_on"]),
                now=now,
                list_price=3_000_000,
            )
            since = dt.date.fromisoformat(told["owned_since"])
            await self._own(connection, vehicle.id, since, now)
            device = {"id": told["device_id"], "dealer_id": mine, "credential": "none"}
            await connection.execute(
                insert(devices).values(**device, registered_at=now, projection_stale=False)
            )
            await connection.execute(
                insert(streams).values(
                    id=vehicle.id,
                    dealer_id=mine,
                    device_id=device["id"],
                    epoch="00" * 8,
                    watermark=0,
                    created_at=now,
                    received_at=now,
                )
            )
        self._cars.append(vehicle.id)
        self._expect(car, vehicle.id)

    async def _own(self, connection: Any, vehicle_id: int, since: dt.date, now: dt.datetime) -> int:
        owner = await owners.put(
            connection,
            self.dealer.id,
            name=f"Of {vehicle_id} since {since}",
            email=None,
            phone=None,
            external_id=None,
            now=now,
        )
        for before in await ownerships.of_vehicle(connection, self.dealer.id, vehicle_id):
            await ownerships.end(connection, self.dealer.id, before.id, since, now=now)
        new = {"owner_id": owner.id, "vehicle_id": vehicle_id, "start_on": since, "end_on": None}
        await ownerships.add(connection, self.dealer.id, **new, now=now)
        return owner.id

    def _expect(self, car: FleetVehicle, vehicle_id: int) -> None:
        for seq, row in enumerate(history(car), 1):
            day = dt.datetime.fromtimestamp(row.time_ms / 1000, dt.UTC).date()
            # A car without a link brings what it has some days later.
            late = int(self._rng.integers(2, 9)) if self._rng.random() < 0.15 else 0
            text = row.value if isinstance(row.value, str) else None
            self._coming[max(day + late * DAY, FIRST - DAY)].append(
                {
                    "dealer_id": self.dealer.id,
                    "stream_id": vehicle_id,
                    "seq": seq,
                    "vehicle_id": vehicle_id,
                    "signal": row.signal,
                    "time_ms": row.time_ms,
                    "trust": TimeTrust.SYNCED.value,
                    "time_plausible": True,
                    "value_num": None if text is not None else float(row.value),
                    "value_text": text,
                }
            )
        for number, service in enumerate(services_of(car)):
            done_on = dt.date.fromisoformat(service["done_on"])
            known = {"vehicle_id": vehicle_id, "item": service["item"], "odometer_m": service["odometer_m"]}
            late = 12 * (number % 3)
            self._services[max(done_on + late * DAY, FIRST - DAY)].append({**known, "done_on": done_on})

    async def _take(self, *days: dt.date) -> None:
        """What cars and workshops say on these days comes in now."""
        told = [row for day in days for row in self._coming.pop(day, [])]
        done = [row for day in days for row in self._services.pop(day, [])]
        async with self.store.write() as connection:
            if told:
                rows = [{**row, "received_at": self._now} for row in told]
                await connection.execute(insert(readings), rows)
            for row in done:
                await service_records.add(connection, self.dealer.id, **row, source="test", now=self._now)
            await self._mark(connection, [row["vehicle_id"] for row in (*told, *done)])

    async def _mark(self, connection: Any, vehicle_ids: Sequence[int]) -> None:
        await dirty.mark(connection, [(self.dealer.id, each) for each in vehicle_ids], now=self._now)

    async def _morning(self, now: dt.datetime, day: dt.date) -> None:
        """Staff at work: two things about items a day, and now and then something else."""
        self._now = now
        for _ in range(2):
            await self._act(day)
        number = (day - FIRST).days
        if number % 5 == 2:
            await self._overrule(number)
        if number % 9 == 4:
            await self._sign(day, number)
        if number in FILES:
            kind, text = FILES[number]
            given = {"kind": kind, "name": "ours", "text": text}
            async with self.store.write() as connection:
                await dealer_files.put(connection, self.dealer.id, **given, staff_id=None, now=now)

    async def _evening(self, now: dt.datetime, day: dt.date) -> None:
        """What cars and workshops say; a car is sold, which was last week."""
        self._now = now
        await self._take(*(day - n * DAY for n in range(len(SILENT) + 1)))
        if (day - FIRST).days in (4, 11, 30):
            car = self._cars[(day - FIRST).days % len(self._cars)]
            async with self.store.write() as connection:
                await self._own(connection, car, day - 6 * DAY, now)
                await self._mark(connection, [car])

    async def _act(self, day: dt.date) -> None:
        kind = tuple(ItemActionKind)[int(self._rng.integers(len(ItemActionKind)))]
        days = {
            "for_on": day + 4 * DAY if kind is ItemActionKind.BOOKED else None,
            "until_on": day + 10 * DAY if kind is ItemActionKind.SNOOZED else None,
        }
        car = int(self._rng.choice(self._cars))
        async with self.store.write() as connection:
            await item_actions.add(
                connection,
                self.dealer.id,
                vehicle_id=car,
                item=str(self._rng.choice(ITEMS)),
                action=kind,
                staff_id=self._staff,
                note="",
                now=self._now,
                **days,
            )
            await self._mark(connection, [car])

    async def _overrule(self, number: int) -> None:
        """Say something of a reading of the first car's odometer, or take it back."""
        car = self._cars[0]
        c = readings.c
        query = select(c.seq).where(
            c.dealer_id == self.dealer.id, c.vehicle_id == car, c.signal == "Vehicle.TraveledDistance"
        )
        async with self.store.write() as connection:
            seq = list((await connection.execute(query.order_by(c.seq))).scalars())[-1 - number // 10]
            keep = None if number % 10 == 7 else False
            place = Place(car, car, seq)
            await overrules.put(
                connection, self.dealer.id, place, keep=keep, note="", staff_id=self._staff, now=self._now
            )
            await self._mark(connection, [car])

    async def _sign(self, day: dt.date, number: int) -> None:
        """A contract that began last week, and an amount that an owner paid last month."""
        car = self._cars[number % len(self._cars)]
        async with self.store.write() as connection:
            (owned, *_) = await ownerships.of_vehicle(connection, self.dealer.id, car)
            term = {"start_on": day - 7 * DAY, "end_on": day + 120 * DAY, "payment_per_month": 30_000}
            whose = {"vehicle_id": car, "owner_id": owned.owner_id}
            await contracts.add(connection, self.dealer.id, {**CONTRACT, **whose, **term}, now=self._now)
            paid = {
                "kind": OutcomeKind.SERVICE,
                "happened_on": day - 30 * DAY,
                "amount": 40_000,
                "currency": "EUR",
                "sender_id": str(number),
                "source": "test",
            }
            await outcomes.put(connection, self.dealer.id, {**whose, **paid}, now=self._now)
            await self._mark(connection, [car])
