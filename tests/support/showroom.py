"""A dealer with owners, cars and two years of readings, for tests that look at pages: the same each time."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from pwdlib.hashers.argon2 import Argon2Hasher

from milepost_server.broker import credentials
from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.derive import Derivation
from milepost_server.people.passwords import Passwords
from milepost_server.store import (
    condition,
    contracts,
    dealers,
    devices,
    owners,
    ownerships,
    quarantine,
    readings,
    service_records,
    staff,
    streams,
    vehicles,
)
from milepost_server.store.quarantine import HeldPayload
from milepost_server.store.schema import ContractKind, Powertrain, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.store.engine import Store

TODAY = dt.date(2026, 11, 20)
NOW = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)
TIMEZONE = "Europe/Berlin"
PASSWORD = "a quiet morning"
MANAGER, ADVISOR, SELLER = "manager@north.example", "advisor@north.example", "seller@north.example"
NAMES = {MANAGER: "Ines Kramer", ADVISOR: "Ulrike Sommer", SELLER: "Piet de Vries"}

PADS = [f"Vehicle.Chassis.Axle.Row1.Wheel.{side}.Brake.PadWear" for side in ("Left", "Right")]
TREADS = [f"Vehicle.Milepost.Tire.Row{row}.{side}.TreadDepth" for row in (1, 2) for side in ("Left", "Right")]
ODOMETER = "Vehicle.TraveledDistance"
DAYS_OF_DATA = 690
DTC = "Vehicle.Milepost.Diagnostics.Dtc"


def cheap_passwords() -> Passwords:
    """Passwords whose hashes cost next to nothing: tests log in often."""
    return Passwords(Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1))


@dataclass(frozen=True)
class Car:
    """One car of the showroom: what it has gone, and how many days ago each item was renewed."""

    make: str
    model: str
    year: int
    km_a_year: float
    odometer_km: float  # when it spoke last
    services: dict[str, int] = field(default_factory=dict)
    pads: float | None = None  # percent worn when it spoke last
    tread_mm: float | None = None
    silent_days: int = 0
    faults: tuple[tuple[int, str], ...] = ()  # (days ago, event)
    tenfold: bool = False
    gap: bool = False
    device: bool = True
    powertrain: Powertrain = Powertrain.COMBUSTION
    leased_months: tuple[int, int] | None = None  # since when, and how many are left
    list_price: int | None = None  # minor units

    def history(self, rng: random.Random) -> list[tuple[int, float]]:
        """(days ago, km) of each reading, the latest first: holidays and quiet weeks make it uneven."""
        points = [(self.silent_days, self.odometer_km)]
        while points[-1][0] < DAYS_OF_DATA:
            days, km = points[-1]
            step = rng.randint(4, 11)
            pace = rng.choice((0.3, 0.7, 0.9, 1.0, 1.1, 1.4, 1.6))
            points.append((days + step, km - self.km_a_year / 365 * step * pace))
        return [point for point in points if point[1] > 0]


@dataclass(frozen=True)
class Owner:
    """One owner of the showroom."""

    name: str
    cars: tuple[Car, ...]
    phone: str | None = None
    email: str | None = None


def _serviced(oil: int, **other: int) -> dict[str, int]:
    usual = {"engine_oil": oil, "cabin_filter": oil, "brake_fluid": 300, "inspection": 200, "air_filter": 300}
    usual |= {"coolant": 300, "battery_12v": 500, "tyres": 560, "front_pads": 560, "rear_pads": 560}
    return {key.replace("_", "-"): days for key, days in (usual | other).items()}


FEATURED = (
    Owner(
        "Adaeze Okafor",
        (
            Car(
                "Volkswagen",
                "Golf",
                2019,
                17500,
                98210,
                _serviced(285),
                pads=71,
                tread_mm=4.1,
                gap=True,
                leased_months=(32, 4),
                list_price=3_150_000,
            ),
            Car("Fiat", "500", 2022, 6200, 24100, _serviced(120), tread_mm=6.2),
        ),
        phone="+49 30 23125 142",
        email="adaeze.okafor@mail.example",
    ),
    Owner(
        "Maximilian von Hohenberg-Sigmaringen",
        (
            Car(
                "Mercedes-Benz",
                "E 220 d T-Modell",
                2017,
                34000,
                241300,
                _serviced(196, brake_fluid=790, rear_pads=420),
                pads=86,
                tread_mm=3.4,
                faults=(
                    (12, "P0401 pending"),
                    (9, "P0401 confirmed"),
                    (40, "P0171 confirmed"),
                    (22, "P0171 cleared"),
                ),
            ),
        ),
        phone="+49 30 23125 107",
    ),
    Owner(
        "Jun Li",
        (
            Car(
                "Škoda",
                "Octavia",
                2020,
                14000,
                71880,
                _serviced(310),
                tread_mm=5.0,
                silent_days=81,
                tenfold=True,
            ),
        ),
        phone="+49 30 23125 119",
    ),
    Owner(
        "Beatriz Almeida",
        (
            Car(
                "Renault",
                "Zoe",
                2023,
                9000,
                38400,
                {"inspection": 80, "brake-fluid": 300, "tyres": 400},
                powertrain=Powertrain.EV,
            ),
        ),
        email="beatriz.almeida@mail.example",
    ),
    Owner("Tom Fischer", (Car("Opel", "Corsa", 2012, 8000, 121000, device=False),), phone="+49 30 23125 188"),
    Owner("Wanda Ohlsen", ()),
)
GIVEN = ("Anna", "Bilal", "Chiara", "David", "Elif", "Felix", "Greta", "Ivan")
FAMILY = ("Bauer", "Costa", "Demir", "Eriksen", "Fontaine", "Huber", "Ivanova", "Jansen", "Novak")
MODELS = (
    ("Volkswagen", "Passat"),
    ("Toyota", "Corolla"),
    ("Ford", "Focus"),
    ("Seat", "Leon"),
    ("Volvo", "V60"),
    ("Hyundai", "i30"),
    ("Peugeot", "308"),
    ("Audi", "A4 Avant"),
)


def _others(rng: random.Random, count: int) -> Iterator[Owner]:
    for index in range(count):
        make, model = MODELS[index % len(MODELS)]
        year = rng.randint(2017, 2023)
        km_a_year = rng.choice((7000, 9000, 11000, 14000, 18000))
        car = Car(
            make,
            model,
            year,
            km_a_year,
            km_a_year * (2026.9 - year) * rng.uniform(0.85, 1.1),
            _serviced(
                rng.randint(20, 370), brake_fluid=rng.randint(100, 750), inspection=rng.randint(60, 690)
            ),
            pads=rng.choice((None, 25, 48, 62)),
            tread_mm=rng.choice((None, 4.8, 5.6, 6.8)),
            silent_days=rng.choice((0, 0, 0, 0, 3, 25)),
        )
        name = f"{GIVEN[index % len(GIVEN)]} {FAMILY[index % len(FAMILY)]}"
        yield Owner(name, (car,), phone=f"+49 30 23125 {500 + index}")


async def add_dealer(connection: AsyncConnection, name: str, people: Mapping[str, Role]) -> int:
    """Add a dealer with staff, by mail address, who log in with ``PASSWORD``; returns its id."""
    hashed = await cheap_passwords().hash(PASSWORD)
    dealer_id = await dealers.add(connection, name=name, timezone=TIMEZONE, now=NOW)
    for email, role in people.items():
        person = NAMES.get(email, email)
        await staff.add(
            connection, dealer_id, email=email, name=person, role=role, password_hash=hashed, now=NOW
        )
    return dealer_id


async def derive(store: Store, dealer_id: int) -> None:
    """Derive all of the dealer's vehicles as of ``TODAY``."""
    async with store.read() as connection:
        dealer = await dealers.one(connection, dealer_id)
    await Derivation(store, Configuration(), now=NOW).dealer(dealer, TODAY)


async def days_due(store: Store, dealer_id: int, vehicle_id: int, item: str) -> tuple[int, int, int]:
    """Between which days of its month an item is due, and on which most likely: P10, P90, P50."""
    async with store.read() as connection:
        rows = await condition.due_items(connection, dealer_id, vehicle_id, TODAY)
    row = next(row for row in rows if row.item == item)
    assert row.p10_on is not None
    assert row.p50_on is not None
    assert row.p90_on is not None
    assert row.p10_on.month == row.p90_on.month
    return row.p10_on.day, row.p90_on.day, row.p50_on.day


async def stock(store: Store, *, others: int = 24) -> int:
    """Fill an empty store; returns the dealer."""
    rng = random.Random(2026)
    people = {MANAGER: Role.MANAGER, ADVISOR: Role.SERVICE, SELLER: Role.SALES}
    async with store.write() as connection:
        dealer_id = await add_dealer(connection, "Autohaus Nord", people)
        for number, owner in enumerate((*FEATURED, *_others(rng, others)), start=1):
            await _add_owner(connection, dealer_id, number, owner, rng)
        await _add_quarantine(connection, dealer_id)
    await derive(store, dealer_id)
    return dealer_id


async def _add_owner(
    connection: AsyncConnection, dealer_id: int, number: int, owner: Owner, rng: random.Random
) -> None:
    row = await owners.put(
        connection,
        dealer_id,
        name=owner.name,
        email=owner.email,
        phone=owner.phone,
        external_id=f"K-{1000 + number}",
        now=NOW,
    )
    for place, car in enumerate(owner.cars):
        vehicle = await vehicles.put(
            connection,
            dealer_id,
            vin=f"WVWZZZ1JZXW{number:04d}{place:02d}",
            plate=f"B NX {100 * number + place}",
            make=car.make,
            model=car.model,
            model_year=car.year,
            powertrain=car.powertrain,
            first_registered_on=dt.date(car.year, 4, 12),
            list_price=car.list_price,
            now=NOW,
        )
        if car.leased_months is not None:
            await _add_lease(connection, dealer_id, row.id, vehicle.id, car.leased_months)
        await ownerships.add(
            connection,
            dealer_id,
            owner_id=row.id,
            vehicle_id=vehicle.id,
            start_on=dt.date(car.year, 4, 12),
            end_on=None,
            now=NOW,
        )
        history = car.history(rng)
        for item, days in car.services.items():
            await service_records.add(
                connection,
                dealer_id,
                vehicle_id=vehicle.id,
                item=item,
                done_on=TODAY - dt.timedelta(days=days),
                odometer_m=round(_km_at(history, days) * 1000),
                source="workshop",
                now=NOW,
            )
        if car.device:
            device_id = f"car-{number:04d}-{place}"
            await _add_readings(
                connection, dealer_id, device_id, vehicle.id, car, list(_values(car, history))
            )


async def _add_lease(
    connection: AsyncConnection, dealer_id: int, owner_id: int, vehicle_id: int, months: tuple[int, int]
) -> None:
    since, left = (round(count * 365.25 / 12) for count in months)
    lease = {
        "vehicle_id": vehicle_id,
        "owner_id": owner_id,
        "kind": ContractKind.LEASE,
        "start_on": TODAY - dt.timedelta(days=since),
        "end_on": TODAY + dt.timedelta(days=left),
        "start_odometer_m": 50_000_000,
        "allowance_m": 36_000_000,
        "end_odometer_m": None,
        "excess_fee_per_km": 12.0,
        "list_price": None,
        "principal": 2_100_000,
        "payment_per_month": 24_900,
        "annual_interest": 0.039,
        "balloon": 1_100_000,
        "currency": "EUR",
        "sender_id": None,
        "source": "books",
    }
    await contracts.add(connection, dealer_id, lease, now=NOW)


def _km_at(history: Sequence[tuple[int, float]], days_ago: int) -> float:
    """Between two readings on the straight line, beyond them the nearest."""
    for (later, high), (earlier, low) in pairwise(history):
        if later <= days_ago <= earlier:
            return high - (high - low) * (days_ago - later) / (earlier - later)
    return history[0][1] if days_ago < history[0][0] else history[-1][1]


async def _add_readings(
    connection: AsyncConnection,
    dealer_id: int,
    device_id: str,
    vehicle_id: int,
    car: Car,
    values: Sequence[tuple[dt.datetime, str, float | str]],
) -> None:
    begin = NOW - dt.timedelta(days=700)
    await devices.add(
        connection, dealer_id, device_id, credential=credentials.credential("secret", b"salt"), now=begin
    )
    await devices.install(connection, dealer_id, device_id, vehicle_id, start_at=begin)
    epoch = f"{vehicle_id:016x}"
    stream = (await streams.lock(connection, [(dealer_id, device_id, epoch)], now=NOW))[device_id, epoch]
    rows = [
        {
            "dealer_id": dealer_id,
            "stream_id": stream.id,
            "seq": seq,
            "vehicle_id": vehicle_id,
            "signal": signal,
            "time_ms": int(at.timestamp() * 1000),
            "trust": "synced",
            "time_plausible": True,
            "received_at": at,
            "value_num": None if isinstance(value, str) else float(value),
            "value_text": value if isinstance(value, str) else None,
        }
        for seq, (at, signal, value) in enumerate(sorted(values), start=1)
    ]
    await readings.add(connection, rows)
    if car.gap:
        await readings.add_gaps(
            connection,
            [
                {
                    "dealer_id": dealer_id,
                    "stream_id": stream.id,
                    "first_seq": 100_001,
                    "last_seq": 104_320,
                    "vehicle_id": vehicle_id,
                    "reason": "disk_budget",
                    "counts": {"series": 4100, "counter": 220},
                    "received_at": NOW - dt.timedelta(days=61),
                }
            ],
        )


def _values(car: Car, history: Sequence[tuple[int, float]]) -> Iterator[tuple[dt.datetime, str, float | str]]:
    for days, km in history:
        at = NOW - dt.timedelta(days=days, minutes=days % 300)
        share = days / DAYS_OF_DATA
        yield at, ODOMETER, float(round(km * 1000))
        for path in PADS if car.pads is not None else ():
            yield at, path, max(round(car.pads * (1 - share * 0.8)), 0)
        for path in TREADS if car.tread_mm is not None else ():
            yield at, path, round(car.tread_mm + 3.0 * share, 1)
    for days, event in car.faults:
        yield NOW - dt.timedelta(days=days), DTC, event
    if car.tenfold:
        yield NOW - dt.timedelta(days=car.silent_days + 120), ODOMETER, 3_912_000_000.0
        yield NOW - dt.timedelta(days=car.silent_days + 240), ODOMETER, 1_000.0


async def _add_quarantine(connection: AsyncConnection, dealer_id: int) -> None:
    version = "protocol version 7 is newer than 1, which this side reads; upgrade it, then replay the payload"
    value = "columns.0.values.17: Input should be a valid number"
    for days, device, reason, detail in (
        (3, "car-0007-0", "body", value),
        (0, "car-0001-0", "version", version),
    ):
        topic, received_at = f"milepost/v1/{device}/up", NOW - dt.timedelta(days=days)
        payload = f"not a batch, of {device}".encode()
        held = HeldPayload(dealer_id, device, topic, payload, reason, detail, received_at)
        await quarantine.hold(connection, held)
