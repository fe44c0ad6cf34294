"""Queries on the condition of vehicles, for pages: what is due, what was read, what was dropped, and when.

All of them look up to a moment, so that the page of a past day shows what was known then.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, or_, select

from milepost_server.store.schema import (
    DueState,
    LifeCycle,
    RestsOn,
    gaps,
    odometer_judgements,
    readings,
    service_due,
    streams,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

GAPS_MAX = 100
READINGS_MAX = 500
ODOMETERS_MAX = 5_000


@dataclass(frozen=True, slots=True)
class DueRow:
    """One item of one vehicle as it was derived for ``as_of``; odometers in metres, None where unknown.

    ``evidence``, ``limits`` and ``wear`` have the shapes that `store.schema.derived` describes.
    """

    item: str
    title: str
    as_of: dt.date
    state: DueState
    p10_on: dt.date | None
    p50_on: dt.date | None
    p90_on: dt.date | None
    p10_odometer_m: float | None
    p50_odometer_m: float | None
    p90_odometer_m: float | None
    p_30d: float | None
    p_90d: float | None
    worn: float | None  # measured wear: 0 new, 1 at its limit
    position: str | None  # the signal of the position whose wear decides
    due_since_on: dt.date | None
    life_cycle: LifeCycle
    life_cycle_since: dt.date | None
    life_cycle_until: dt.date | None  # the appointment, or the first day after a snooze
    reminders: int
    remind_on: dt.date | None
    limits: list[dict[str, Any]]
    wear: list[dict[str, Any]]
    basis: str
    rests_on: RestsOn
    limit_text: str
    limit_short: str
    evidence: dict[str, list[dict[str, Any]]]
    config_version: str
    derived_at: dt.datetime


@dataclass(frozen=True, slots=True)
class OdometerRow:
    """One odometer reading and what cleaning made of it; distances in metres, ``time_ms`` since 1970 UTC."""

    device_id: str
    stream_id: int
    seq: int
    time_ms: int
    odometer_m: int
    clean_m: float | None  # as used; None where it was rejected
    segment: int
    kept: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """One reading of one signal, in the unit of the catalogue; ``time_ms`` since 1970 UTC."""

    device_id: str
    stream_id: int
    seq: int
    signal: str
    time_ms: int
    trust: str
    value: float | str


@dataclass(frozen=True, slots=True)
class GapRow:
    """A run of samples that a device dropped, and why."""

    device_id: str
    first_seq: int
    last_seq: int
    reason: str
    counts: dict[str, int]
    received_at: dt.datetime


_DUE_WORDS: Final = {"state": DueState, "rests_on": RestsOn, "life_cycle": LifeCycle}


async def due_items(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, as_of: dt.date
) -> Sequence[DueRow]:
    """All items of the vehicle by its newest derivation up to ``as_of``, by key."""
    mine = and_(service_due.c.dealer_id == dealer_id, service_due.c.vehicle_id == vehicle_id)
    newest = select(func.max(service_due.c.as_of)).where(mine, service_due.c.as_of <= as_of)
    columns = [service_due.c[field.name] for field in fields(DueRow)]
    query = (
        select(*columns)
        .where(mine, service_due.c.as_of == newest.scalar_subquery())
        .order_by(service_due.c.item)
    )
    rows = (await connection.execute(query)).mappings()
    return [DueRow(**{**row, **{name: word(row[name]) for name, word in _DUE_WORDS.items()}}) for row in rows]


async def odometers(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, until_ms: int, *, limit: int
) -> Sequence[OdometerRow]:
    """The vehicle's newest ``limit`` judged odometer readings before ``until_ms``, the oldest first."""
    judged = odometer_judgements.c
    query = (
        select(
            streams.c.device_id,
            judged.stream_id,
            judged.seq,
            judged.time_ms,
            judged.odometer_m,
            judged.clean_m,
            judged.segment,
            judged.kept,
            judged.reason,
        )
        .join(streams, and_(streams.c.dealer_id == judged.dealer_id, streams.c.id == judged.stream_id))
        .where(judged.dealer_id == dealer_id, judged.vehicle_id == vehicle_id, judged.time_ms < until_ms)
        .order_by(judged.time_ms.desc(), judged.stream_id.desc(), judged.seq.desc())
        .limit(min(limit, ODOMETERS_MAX))
    )
    rows = [OdometerRow(*row) for row in await connection.execute(query)]
    return rows[::-1]


async def last_words(
    connection: AsyncConnection, dealer_id: int, vehicle_ids: Collection[int], until_ms: int
) -> dict[int, int]:
    """Time of each vehicle's last reading with a plausible time, ms since 1970; silent ones are left out."""
    query = (
        select(readings.c.vehicle_id, func.max(readings.c.time_ms))
        .where(
            readings.c.dealer_id == dealer_id,
            readings.c.vehicle_id.in_(vehicle_ids),
            readings.c.time_plausible,
            readings.c.time_ms < until_ms,
        )
        .group_by(readings.c.vehicle_id)
    )
    return {row[0]: row[1] for row in await connection.execute(query)}


async def latest_odometers(
    connection: AsyncConnection, dealer_id: int, vehicle_ids: Collection[int], until_ms: int
) -> dict[int, tuple[int, float]]:
    """(time_ms, metres) of each vehicle's last kept odometer reading; vehicles without one are left out."""
    judged = odometer_judgements.c
    place = func.row_number().over(
        partition_by=judged.vehicle_id, order_by=(judged.time_ms.desc(), judged.seq.desc())
    )
    ranked = (
        select(judged.vehicle_id, judged.time_ms, judged.clean_m, place.label("place"))
        .where(
            judged.dealer_id == dealer_id,
            judged.vehicle_id.in_(vehicle_ids),
            judged.time_ms < until_ms,
            judged.kept,
        )
        .subquery()
    )
    query = select(ranked.c.vehicle_id, ranked.c.time_ms, ranked.c.clean_m).where(ranked.c.place == 1)
    return {row[0]: (row[1], row[2]) for row in await connection.execute(query)}


async def readings_at(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, places: Collection[tuple[int, int]]
) -> Sequence[ReadingRow]:
    """The vehicle's readings at these (stream, seq), at most ``READINGS_MAX``, by time."""
    by_stream: dict[int, list[int]] = {}
    for stream_id, seq in sorted(places)[:READINGS_MAX]:
        by_stream.setdefault(stream_id, []).append(seq)
    if not by_stream:
        return []
    there = or_(
        *(
            and_(readings.c.stream_id == stream_id, readings.c.seq.in_(seqs))
            for stream_id, seqs in by_stream.items()
        )
    )
    return await _readings(connection, dealer_id, vehicle_id, there)


async def latest_readings(
    connection: AsyncConnection,
    dealer_id: int,
    vehicle_id: int,
    signals: Collection[str],
    until_ms: int,
) -> dict[str, ReadingRow]:
    """The vehicle's last reading of each of these signals, by signal; those never read are left out."""
    place = func.row_number().over(
        partition_by=readings.c.signal, order_by=(readings.c.time_ms.desc(), readings.c.seq.desc())
    )
    ranked = (
        select(readings.c.stream_id, readings.c.seq, place.label("place"))
        .where(
            readings.c.dealer_id == dealer_id,
            readings.c.vehicle_id == vehicle_id,
            readings.c.signal.in_(signals),
            readings.c.time_plausible,
            readings.c.time_ms < until_ms,
        )
        .subquery()
    )
    query = select(ranked.c.stream_id, ranked.c.seq).where(ranked.c.place == 1)
    places = [(row[0], row[1]) for row in await connection.execute(query)]
    return {row.signal: row for row in await readings_at(connection, dealer_id, vehicle_id, places)}


async def gaps_of(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, until: dt.datetime
) -> Sequence[GapRow]:
    """The last ``GAPS_MAX`` gaps that devices reported while they sat in the vehicle, the latest first."""
    query = (
        select(
            streams.c.device_id,
            gaps.c.first_seq,
            gaps.c.last_seq,
            gaps.c.reason,
            gaps.c.counts,
            gaps.c.received_at,
        )
        .join(streams, and_(streams.c.dealer_id == gaps.c.dealer_id, streams.c.id == gaps.c.stream_id))
        .where(gaps.c.dealer_id == dealer_id, gaps.c.vehicle_id == vehicle_id, gaps.c.received_at < until)
        .order_by(gaps.c.received_at.desc(), gaps.c.first_seq.desc())
        .limit(GAPS_MAX)
    )
    return [GapRow(*row) for row in await connection.execute(query)]


async def _readings(
    connection: AsyncConnection, dealer_id: int, vehicle_id: int, where: ColumnElement[bool]
) -> Sequence[ReadingRow]:
    query = (
        select(
            streams.c.device_id,
            readings.c.stream_id,
            readings.c.seq,
            readings.c.signal,
            readings.c.time_ms,
            readings.c.trust,
            readings.c.value_num,
            readings.c.value_text,
        )
        .join(
            streams,
            and_(streams.c.dealer_id == readings.c.dealer_id, streams.c.id == readings.c.stream_id),
        )
        .where(readings.c.dealer_id == dealer_id, readings.c.vehicle_id == vehicle_id, where)
        .order_by(readings.c.time_ms, readings.c.stream_id, readings.c.seq)
    )
    return [_reading(tuple(row)) for row in await connection.execute(query)]


def _reading(row: tuple[Any, ...]) -> ReadingRow:
    device_id, stream_id, seq, signal, time_ms, trust, number, text = row
    return ReadingRow(device_id, stream_id, seq, signal, time_ms, trust, number if text is None else text)
