"""Reads what a derivation needs of a chunk of vehicles, as flat arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sqlalchemy import func, select

from milepost_server.derivation import times
from milepost_server.derivation.fleet import NO_ROW, NO_SEQ, Chunk, Inputs, OdometerSources, Services, Vehicle
from milepost_server.derivation.loading import before as load_before
from milepost_server.derivation.loading import money as load_money
from milepost_server.derivation.loading import readings as load_readings
from milepost_server.derivation.loading.readings import OdometerRow
from milepost_server.derivation.schedules import kind_of
from milepost_server.derivation.signal_paths import EVENTS, HEALTH
from milepost_server.signals.flat import offsets_of
from milepost_server.signals.items import counters
from milepost_server.signals.odometer import OdometerReadings, OdometerRules, Overrule
from milepost_server.store.schema import service_records, vehicles

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.carried import Carried
    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.times import AsOf
    from milepost_server.signals.flat import Ints
    from milepost_server.signals.schedules.book import Plans

CHUNK_VEHICLES_MAX = 500
"""Vehicles that are read, derived and written together: one transaction."""
LEARN_PER_MODEL_MAX = 1_000
"""Vehicles of one make and model that a fleet is learned from: more say the same."""
_LOT_FACTOR, _LOT_MODULUS = 7_919, 100_003
_NOON_D = 0.5  # service records carry no hour


async def vehicle_ids(
    connection: AsyncConnection, dealer_id: int, as_of: AsOf, *, after_id: int, limit: int
) -> Sequence[int]:
    """At most ``limit`` ids of the dealer's vehicles that are known, above ``after_id``, rising."""
    query = (
        select(vehicles.c.id)
        .where(vehicles.c.dealer_id == dealer_id, vehicles.c.id > after_id)
        .where(as_of.knows(vehicles.c.created_at))
        .order_by(vehicles.c.id)
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())


async def sample_ids(connection: AsyncConnection, dealer_id: int, as_of: AsOf) -> Sequence[int]:
    """The ids of the vehicles that a fleet is learned from, rising: ``LEARN_PER_MODEL_MAX`` of each model.

    Taken as if by lot, and the same each time.
    """
    c = vehicles.c
    lot = (c.id * _LOT_FACTOR) % _LOT_MODULUS
    place = func.row_number().over(partition_by=(c.make, c.model), order_by=(lot, c.id)).label("place")
    known = select(c.id, place).where(c.dealer_id == dealer_id, as_of.knows(c.created_at))
    ranked = known.subquery()
    query = select(ranked.c.id).where(ranked.c.place <= LEARN_PER_MODEL_MAX).order_by(ranked.c.id)
    return list((await connection.execute(query)).scalars())


async def load(
    connection: AsyncConnection,
    dealer_id: int,
    ids: Sequence[int],
    as_of: AsOf,
    config: Configuration,
    *,
    carried: Carried | None = None,
) -> Chunk:
    """Read a chunk: ``CHUNK_VEHICLES_MAX`` vehicles or fewer, without those that the dealer does not have.

    ``carried`` is what the day before left; None: as the store has it.
    """
    assert len(ids) <= CHUNK_VEHICLES_MAX
    found = await _vehicles(connection, dealer_id, ids, as_of)
    place = {vehicle.id: index for index, vehicle in enumerate(found)}
    plans = config.book.plans([kind_of(vehicle) for vehicle in found])
    records = await _services(connection, dealer_id, place, as_of)
    driven = await load_readings.odometer_rows(connection, dealer_id, place, as_of, config.odometer)
    entered, entered_row = _entered(records, as_of, config.odometer, len(driven))
    said = await load_readings.overrules(connection, dealer_id, place, as_of)
    odometer, sources, row_of = _odometers(driven + entered, len(found), as_of, said)
    paths = signal_paths(plans)
    signals, signal_ids = await load_readings.signal_rows(connection, dealer_id, place, as_of, paths)
    events = await load_readings.event_rows(connection, dealer_id, place, as_of, EVENTS)
    faults, fault_ids = load_readings.fault_inputs(events, len(found))
    owned = await load_money.owners_of(connection, dealer_id, place, as_of)
    money, contract_ids = await load_money.money_of(connection, dealer_id, found, owned, as_of)
    if carried is None:
        carried = await load_before.newest(connection, dealer_id, place, as_of)
    registered = [vehicle.first_registered_on for vehicle in found]
    inputs = Inputs(
        plans=plans,
        keys=plans.keys,
        registered_d=np.array([np.nan if on is None else times.start_d(on) for on in registered]),
        odometer=odometer,
        services=_columns(records, plans.keys, entered_row, row_of),
        signals=signals,
        faults=faults,
        money=money,
        before=carried.before(list(place), plans.keys),
        actions=await load_before.actions(
            connection, dealer_id, place, as_of, plans.keys, since_d=owned.since_d
        ),
    )
    return Chunk(
        vehicles=found,
        inputs=inputs,
        sources=sources,
        service_ids=np.array([record.id for record in records], dtype=np.int64),
        signal_ids=signal_ids,
        fault_ids=fault_ids,
        contract_ids=contract_ids,
        owner_id=owned.owner_id,
    )


def signal_paths(plans: Plans) -> list[str]:
    """All signals with numbers that the plans' items, faults and batteries are derived from."""
    paths: set[str] = {*counters.SIGNALS.values(), *HEALTH}
    for plan in plans.plans:
        for item in plan.items:
            paths.update(item.wear.signals if item.wear is not None else ())
            paths.update(item.countdown.signals if item.countdown is not None else ())
    return sorted(paths)


async def _vehicles(
    connection: AsyncConnection, dealer_id: int, ids: Sequence[int], as_of: AsOf
) -> list[Vehicle]:
    query = (
        select(*(vehicles.c[name] for name in Vehicle._fields))
        .where(vehicles.c.dealer_id == dealer_id, vehicles.c.id.in_(ids))
        .where(as_of.knows(vehicles.c.created_at))
        .order_by(vehicles.c.id)
    )
    return [Vehicle(*row) for row in await connection.execute(query)]


class _Record(NamedTuple):
    """One service record."""

    id: int
    vehicle: int
    item: str
    done_on: dt.date
    odometer_m: int | None


async def _services(
    connection: AsyncConnection, dealer_id: int, place: dict[int, int], as_of: AsOf
) -> list[_Record]:
    """All records up to the as-of date, in the order in which they were entered."""
    c = service_records.c
    query = (
        select(c.id, c.vehicle_id, c.item, c.done_on, c.odometer_m)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(place), c.done_on <= as_of.date)
        .where(as_of.knows(c.created_at))
        .order_by(c.id)
    )
    return [
        _Record(key, place[vehicle_id], item, on, metres)
        for key, vehicle_id, item, on, metres in await connection.execute(query)
    ]


def _entered(
    records: list[_Record], as_of: AsOf, rules: OdometerRules, before: int
) -> tuple[list[OdometerRow], list[int]]:
    """The odometers that records carry, one for each vehicle, day and value, and which each record has.

    Rows are counted from ``before`` on; `NO_ROW` for a record without an odometer.
    """
    entered: dict[tuple[int, dt.date, int], int] = {}
    rows: list[OdometerRow] = []
    of_record = []
    for key, vehicle, _, on, metres in records:
        if metres is None:
            of_record.append(NO_ROW)
            continue
        row = entered.setdefault((vehicle, on, metres), before + len(rows))
        of_record.append(row)
        if row == before + len(rows):
            time_ms = as_of.ms(times.start_d(on) + _NOON_D)
            allowed_m = rules.fall_m_max_entered
            rows.append(OdometerRow(vehicle, key, NO_SEQ, time_ms, float(metres), True, True, allowed_m))
    return rows, of_record


def _columns(records: list[_Record], keys: tuple[str, ...], entered_row: list[int], row_of: Ints) -> Services:
    code = {key: place for place, key in enumerate(keys)}
    row = np.array(entered_row, dtype=np.int64)
    return Services(
        vehicle=np.array([record.vehicle for record in records], dtype=np.int64),
        item=np.array([code.get(record.item, NO_ROW) for record in records], dtype=np.int64),
        done_d=np.array([times.start_d(record.done_on) for record in records], dtype=np.float64),
        odometer_row=np.append(row_of, NO_ROW)[row],
    )


def _odometers(
    rows: list[OdometerRow],
    vehicles_loaded: int,
    as_of: AsOf,
    said: Mapping[tuple[int, int], Overrule],
) -> tuple[OdometerReadings, OdometerSources, Ints]:
    """The arrays, by vehicle, and where in them each of ``rows`` went."""
    columns = list(zip(*rows, strict=True)) or [()] * 8
    vehicle = np.array(columns[0], dtype=np.int64)
    order = np.argsort(vehicle, kind="stable")  # keeps (stream, seq) within a vehicle
    row_of = np.empty(len(order), dtype=np.int64)
    row_of[order] = np.arange(len(order))
    time_ms = np.array(columns[3], dtype=np.int64)[order]
    overruled = np.array([said.get((row.stream_id, row.seq), Overrule.NONE) for row in rows], dtype=np.int64)
    odometer = OdometerReadings(
        offsets=offsets_of(np.bincount(vehicle, minlength=vehicles_loaded).astype(np.int64)),
        time_d=as_of.days(time_ms),
        odometer_m=np.array(columns[4], dtype=np.float64)[order],
        trusted=np.array(columns[5], dtype=np.bool_)[order],
        plausible=np.array(columns[6], dtype=np.bool_)[order],
        tolerance_m=np.array(columns[7], dtype=np.float64)[order],
        overruled=overruled[order],
    )
    stream_id, seq = (np.array(columns[n], dtype=np.int64)[order] for n in (1, 2))
    return odometer, OdometerSources(stream_id, seq, time_ms), row_of
