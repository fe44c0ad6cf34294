"""Reads a chunk's readings: the odometer, other signals with numbers, and events with a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sqlalchemy import and_, not_, or_, select

from milepost_protocol.samples import TimeTrust
from milepost_server.derivation import times
from milepost_server.derivation.fleet import Events, FaultInputs, ReadingIds
from milepost_server.derivation.signal_paths import DTC, DTC_DETAIL, ODOMETER, ODOMETER_UNCERTAINTY
from milepost_server.signals.faults.codes import NO_CODE, encode
from milepost_server.signals.faults.events import STATUSES, parse_detail, parse_fault
from milepost_server.signals.flat import offsets_of
from milepost_server.signals.fleet.inputs import SignalRows
from milepost_server.signals.odometer import Overrule
from milepost_server.store.schema import reading_overrules, readings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.times import AsOf
    from milepost_server.signals.odometer import OdometerRules


def _known_by(as_of: AsOf) -> ColumnElement[bool]:
    """Of readings that are known: those of a time up to the end of the as-of date.

    One whose time says nothing counts from when it was received; else a past day would know of it.
    """
    c = readings.c
    has_time = and_(c.time_plausible, c.trust != TimeTrust.UNTRUSTED.value)
    received = c.received_at < times.moment(as_of.end_ms)
    by_time = or_(and_(has_time, c.time_ms < as_of.end_ms), and_(not_(has_time), received))
    return and_(by_time, as_of.knows(c.received_at))


class OdometerRow(NamedTuple):
    """One odometer reading, before it becomes a row of arrays."""

    vehicle: int
    stream_id: int
    seq: int
    time_ms: int
    metres: float
    is_trusted: bool
    is_plausible: bool
    fall_m_max: float


async def odometer_rows(
    connection: AsyncConnection, dealer_id: int, place: dict[int, int], as_of: AsOf, rules: OdometerRules
) -> list[OdometerRow]:
    """The odometer readings of the vehicles in ``place`` (place by id), in the order of their streams."""
    c = readings.c
    query = (
        select(c.signal, c.vehicle_id, c.stream_id, c.seq, c.time_ms, c.value_num, c.trust, c.time_plausible)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(place))
        .where(c.signal.in_((ODOMETER, ODOMETER_UNCERTAINTY)))
        .where(_known_by(as_of))
        .order_by(c.stream_id, c.seq)
    )
    rows: list[OdometerRow] = []
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
        rows.append(
            OdometerRow(place[vehicle_id], stream_id, seq, time_ms, value, is_trusted, plausible, fall_m_max)
        )
    return rows


async def overrules(
    connection: AsyncConnection, dealer_id: int, place: dict[int, int], as_of: AsOf
) -> dict[tuple[int, int], Overrule]:
    """What staff say of readings of these vehicles, by stream and seq: of each, what was said last."""
    c = reading_overrules.c
    query = (
        select(c.stream_id, c.seq, c.keep)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(place), as_of.knows(c.at))
        .order_by(c.id)
    )
    said = {None: Overrule.NONE, True: Overrule.KEEP, False: Overrule.REJECT}
    return {(stream_id, seq): said[keep] for stream_id, seq, keep in await connection.execute(query)}


async def signal_rows(
    connection: AsyncConnection, dealer_id: int, place: dict[int, int], as_of: AsOf, paths: Sequence[str]
) -> tuple[dict[str, SignalRows], dict[str, ReadingIds]]:
    """The readings of each of ``paths``, whose values are numbers; those without a time are left out."""
    c = readings.c
    query = (
        select(c.signal, c.vehicle_id, c.time_ms, c.value_num, c.stream_id, c.seq)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(place), c.signal.in_(paths))
        .where(c.time_plausible, c.trust != TimeTrust.UNTRUSTED.value, c.time_ms < as_of.end_ms)
        .where(as_of.knows(c.received_at))
        .order_by(c.vehicle_id, c.time_ms, c.stream_id, c.seq)
    )
    found: dict[str, list[tuple[Any, ...]]] = {path: [] for path in paths}
    for signal, vehicle_id, *row in await connection.execute(query):
        found[signal].append((place[vehicle_id], *row))
    made = {path: _signal(rows, as_of) for path, rows in found.items()}
    return {path: rows for path, (rows, _) in made.items()}, {path: ids for path, (_, ids) in made.items()}


def _signal(rows: list[tuple[Any, ...]], as_of: AsOf) -> tuple[SignalRows, ReadingIds]:
    vehicle, time_ms, value, stream_id, seq = list(zip(*rows, strict=True)) or [()] * 5
    values = SignalRows(
        vehicle=np.array(vehicle, dtype=np.int64),
        time_d=as_of.days(np.array(time_ms, dtype=np.int64)),
        value=np.array(value, dtype=np.float64),
    )
    return values, ReadingIds(np.array(stream_id, dtype=np.int64), np.array(seq, dtype=np.int64))


async def event_rows(
    connection: AsyncConnection, dealer_id: int, place: dict[int, int], as_of: AsOf, paths: Sequence[str]
) -> dict[str, Events]:
    """The readings of each of ``paths``, whose values are texts."""
    c = readings.c
    query = (
        select(c.signal, c.vehicle_id, c.time_ms, c.value_text, c.stream_id, c.seq, c.trust, c.time_plausible)
        .where(c.dealer_id == dealer_id, c.vehicle_id.in_(place), c.signal.in_(paths))
        .where(_known_by(as_of))
        .order_by(c.vehicle_id, c.stream_id, c.seq)
    )
    found: dict[str, list[tuple[Any, ...]]] = {path: [] for path in paths}
    for signal, vehicle_id, *row, trust, plausible in await connection.execute(query):
        found[signal].append((place[vehicle_id], *row, plausible and times.is_trusted(trust)))
    return {path: _events(rows, as_of) for path, rows in found.items()}


def _events(rows: list[tuple[Any, ...]], as_of: AsOf) -> Events:
    vehicle, time_ms, text, stream_id, seq, has_time = list(zip(*rows, strict=True)) or [()] * 6
    time_d = as_of.days(np.array(time_ms, dtype=np.int64))
    return Events(
        vehicle=np.array(vehicle, dtype=np.int64),
        time_d=np.where(np.array(has_time, dtype=np.bool_), time_d, np.nan),
        text=list(text),
        ids=ReadingIds(np.array(stream_id, dtype=np.int64), np.array(seq, dtype=np.int64)),
    )


def fault_inputs(events: Mapping[str, Events], vehicles: int) -> tuple[FaultInputs, ReadingIds]:
    """The trouble codes among the texts, and which reading each is; what is none is left out."""
    told = events[DTC]
    parsed = [parse_fault(text, None) for text in told.text]
    code = encode([event.code if event else "" for event in parsed])
    status = np.array([STATUSES.index(event.status) if event else 0 for event in parsed], dtype=np.int64)
    row = np.flatnonzero(code != NO_CODE)
    details = [parse_detail(text) for text in events[DTC_DETAIL].text]
    detail_row = np.array([place for place, detail in enumerate(details) if detail], dtype=np.int64)
    found = [detail for detail in details if detail]
    return FaultInputs(
        offsets=offsets_of(np.bincount(told.vehicle[row], minlength=vehicles).astype(np.int64)),
        code=code[row],
        status=status[row],
        time_d=told.time_d[row],
        detail_vehicle=events[DTC_DETAIL].vehicle[detail_row],
        detail_code=encode([detail.code for detail in found]),
        detail_bits=np.array([detail.status_byte for detail in found], dtype=np.int64),
    ), ReadingIds(told.ids.stream_id[row], told.ids.seq[row])
