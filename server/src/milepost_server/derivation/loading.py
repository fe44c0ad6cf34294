"""Reads what a derivation needs of a chunk of vehicles, as flat arrays."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from sqlalchemy import select

from milepost_protocol.samples import TimeTrust
from milepost_server.derivation import times
from milepost_server.derivation.signal_paths import ODOMETER, ODOMETER_UNCERTAINTY
from milepost_server.signals.flat import offsets_of
from milepost_server.signals.odometer import OdometerReadings, OdometerRules
from milepost_server.store.schema import readings, service_records, vehicles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.times import AsOf
    from milepost_server.signals.flat import Bools, Floats, Ints
    from milepost_server.signals.schedules.documents import Schedule

CHUNK_VEHICLES_MAX = 500
"""Vehicles that are read, derived and written together: one transaction."""
_NOON_D = 0.5  # service records carry no hour
_NO_SEQ = -1


class ReadingId(NamedTuple):
    """A reading in the store."""

    stream_id: int
    seq: int


class Vehicle(NamedTuple):
    """What a derivation knows of a vehicle beside its readings."""

    id: int
    make: str
    model: str
    powertrain: str
    first_registered_on: dt.date | None


class Service(NamedTuple):
    """One service record."""

    id: int
    item: str
    done_on: dt.date
    odometer_m: int | None


@dataclass(frozen=True, slots=True)
class OdometerSources:
    """Where each odometer row (N) comes from: a reading, or (``seq`` -1) the service record ``stream_id``."""

    stream_id: Ints
    seq: Ints
    time_ms: Ints

    def is_reading(self) -> Bools:
        readings_only: Bools = self.seq != _NO_SEQ
        return readings_only


@dataclass(frozen=True, slots=True)
class WearRows:
    """Readings of one wear signal, in the order of time within each vehicle."""

    vehicle: Ints  # (N) place in the chunk
    time_d: Floats  # (N)
    value: Floats  # (N) in the unit of the catalogue
    ids: list[ReadingId]  # (N)


@dataclass(frozen=True, slots=True)
class Chunk:
    """All that is known of V vehicles up to the end of the as-of date."""

    vehicles: list[Vehicle]
    odometer: OdometerReadings
    sources: OdometerSources
    services: list[list[Service]]  # (V) the latest last
    wear: dict[str, WearRows]  # by signal


async def vehicle_ids(
    connection: AsyncConnection, dealer_id: int, *, after_id: int, limit: int
) -> Sequence[int]:
    """At most ``limit`` ids of the dealer's vehicles above ``after_id``, rising."""
    query = (
        select(vehicles.c.id)
        .where(vehicles.c.dealer_id == dealer_id, vehicles.c.id > after_id)
        .order_by(vehicles.c.id)
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())


def wear_signals(schedules: dict[str, Schedule]) -> list[str]:
    """All signals that any item of the schedules measures its wear by."""
    items = (item for schedule in schedules.values() for item in schedule.item)
    return sorted({path for item in items if item.wear is not None for path in item.wear.signals})


async def load(
    connection: AsyncConnection,
    dealer_id: int,
    ids: Sequence[int],
    as_of: AsOf,
    *,
    rules: OdometerRules,
    signals: Sequence[str],
) -> Chunk:
    """Read a chunk: ``CHUNK_VEHICLES_MAX`` vehicles or fewer, without those that the dealer does not have."""
    assert len(ids) <= CHUNK_VEHICLES_MAX
    found = await _vehicles(connection, dealer_id, ids)
    place = {vehicle.id: index for index, vehicle in enumerate(found)}
    services = await _services(connection, dealer_id, place, as_of)
    rows = await _odometer_rows(connection, dealer_id, place, as_of, rules)
    odometer, sources = _arrays(rows + _entered(services, as_of, rules), len(found), as_of)
    wear = await _wear(connection, dealer_id, place, as_of, signals)
    return Chunk(found, odometer, sources, services, wear)


async def _vehicles(connection: AsyncConnection, dealer_id: int, ids: Sequence[int]) -> list[Vehicle]:
    c = vehicles.c
    query = (
        select(c.id, c.make, c.model, c.powertrain, c.first_registered_on)
        .where(c.dealer_id == dealer_id, c.id.in_(ids))
        .order_by(c.id)
    )
    return [Vehicle(*row) for row in await connection.execute(query)]


async def _services(
    connection: AsyncConnection, dealer_id: int, place: dict[int, int], as_of: AsOf
) -> list[list[Service]]:
    c = service_records.c
    query = (
        select(c.vehicle_id, c.id, c.item, c.done_on, c.odometer_m)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(place), c.done_on <= as_of.date)
        .order_by(c.done_on, c.id)
    )
    result: list[list[Service]] = [[] for _ in place]
    for vehicle_id, *service in await connection.execute(query):
        result[place[vehicle_id]].append(Service(*service))
    return result


_OdometerRow: TypeAlias = tuple[int, int, int, int, float, bool, bool, float]


async def _odometer_rows(
    connection: AsyncConnection, dealer_id: int, place: dict[int, int], as_of: AsOf, rules: OdometerRules
) -> list[_OdometerRow]:
    c = readings.c
    query = (
        select(c.signal, c.vehicle_id, c.stream_id, c.seq, c.time_ms, c.value_num, c.trust, c.time_plausible)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(place))
        .where(c.signal.in_((ODOMETER, ODOMETER_UNCERTAINTY)))
        .where((c.time_ms < as_of.end_ms) | ~c.time_plausible)
        .order_by(c.stream_id, c.seq)
    )
    rows: list[_OdometerRow] = []
    sigma_m: dict[tuple[int, int], float] = {}
    for signal, vehicle_id, stream_id, seq, time_ms, value, trust, plausible in await connection.execute(
        query
    ):
        told_of = (vehicle_id, stream_id)
        if signal == ODOMETER_UNCERTAINTY:
            sigma_m[told_of] = value
            continue
        fall_m_max = rules.fall_m_max_of(sigma_m.get(told_of, 0.0))
        is_trusted = times.is_trusted(trust)
        rows.append((place[vehicle_id], stream_id, seq, time_ms, value, is_trusted, plausible, fall_m_max))
    return rows


def _entered(services: list[list[Service]], as_of: AsOf, rules: OdometerRules) -> list[_OdometerRow]:
    """The odometers that service records carry: one reading for each vehicle, day and value."""
    entered: dict[tuple[int, dt.date, int], int] = {}
    for vehicle, records in enumerate(services):
        for record in records:
            if record.odometer_m is not None:
                entered.setdefault((vehicle, record.done_on, record.odometer_m), record.id)
    return [
        (
            vehicle,
            record_id,
            _NO_SEQ,
            as_of.ms(times.start_d(on) + _NOON_D),
            float(metres),
            True,
            True,
            rules.fall_m_max_entered,
        )
        for (vehicle, on, metres), record_id in entered.items()
    ]


def _arrays(
    rows: list[_OdometerRow], vehicles_loaded: int, as_of: AsOf
) -> tuple[OdometerReadings, OdometerSources]:
    columns = list(zip(*rows, strict=True)) or [()] * 8
    vehicle = np.array(columns[0], dtype=np.int64)
    order = np.argsort(vehicle, kind="stable")  # keeps (stream, seq) within a vehicle
    time_ms = np.array(columns[3], dtype=np.int64)[order]
    odometer = OdometerReadings(
        offsets=offsets_of(np.bincount(vehicle, minlength=vehicles_loaded).astype(np.int64)),
        time_d=as_of.days(time_ms),
        odometer_m=np.array(columns[4], dtype=np.float64)[order],
        trusted=np.array(columns[5], dtype=np.bool_)[order],
        plausible=np.array(columns[6], dtype=np.bool_)[order],
        tolerance_m=np.array(columns[7], dtype=np.float64)[order],
    )
    stream_id, seq = (np.array(columns[n], dtype=np.int64)[order] for n in (1, 2))
    return odometer, OdometerSources(stream_id, seq, time_ms)


async def _wear(
    connection: AsyncConnection,
    dealer_id: int,
    place: dict[int, int],
    as_of: AsOf,
    signals: Sequence[str],
) -> dict[str, WearRows]:
    c = readings.c
    query = (
        select(c.signal, c.vehicle_id, c.time_ms, c.value_num, c.stream_id, c.seq)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(place), c.signal.in_(signals))
        .where(c.time_plausible, c.trust != TimeTrust.UNTRUSTED.value, c.time_ms < as_of.end_ms)
        .order_by(c.time_ms, c.stream_id, c.seq)
    )
    by_signal: dict[str, list[tuple[int, int, float, ReadingId]]] = {path: [] for path in signals}
    for signal, vehicle_id, time_ms, value, stream_id, seq in await connection.execute(query):
        by_signal[signal].append((place[vehicle_id], time_ms, value, ReadingId(stream_id, seq)))
    return {path: _wear_rows(rows, as_of) for path, rows in by_signal.items()}


def _wear_rows(rows: list[tuple[int, int, float, ReadingId]], as_of: AsOf) -> WearRows:
    rows.sort(key=lambda row: row[0])  # stable: time decides within a vehicle
    return WearRows(
        vehicle=np.array([row[0] for row in rows], dtype=np.int64),
        time_d=as_of.days(np.array([row[1] for row in rows], dtype=np.int64)),
        value=np.array([row[2] for row in rows], dtype=np.float64),
        ids=[row[3] for row in rows],
    )
