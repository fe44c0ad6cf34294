"""Services that a person entered at the car become service records: on both databases."""

from __future__ import annotations

import datetime as dt

from milepost_protocol import service
from milepost_protocol.batch import Batch
from milepost_protocol.samples import TimeTrust
from milepost_protocol.service import ServiceEntry
from milepost_protocol.signals import catalogue
from milepost_server.ingest.projection import Projector
from milepost_server.ingest.reproject import reproject_device
from milepost_server.store import devices, service_records
from milepost_server.store.schema import dirty_vehicles, readings, refusals
from milepost_server.store.schema import service_records as table
from support.batches import DEVICE, batch, sample
from support.registry import INSTALLED, OTHER_VIN, add_vehicle, register
from support.taking import RECEIVED, Taker

NOON_MS = int(dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC).timestamp() * 1000)
OIL = ServiceEntry("engine-oil", 123_456_700, "at home").text()
PROJECTOR = Projector(catalogue(), future_s_max=300)


def entries(*texts: str, first: int = 1, time_ms: int = NOON_MS) -> Batch:
    return batch(
        *(sample(seq, service.SIGNAL, text, time_ms) for seq, text in enumerate(texts, first)),
    )


async def records(taker: Taker) -> list[tuple[object, ...]]:
    columns = ("vehicle_id", "item", "done_on", "odometer_m", "source")
    return [tuple(row[name] for name in columns) for row in await taker.rows(table)]


async def test_an_entry_becomes_a_record_and_a_reading_once(store) -> None:
    await register(store)
    taker = Taker(store)
    await taker.take(entries(OIL, "air-filter -"))
    await taker.take(entries(OIL, first=3))
    assert await records(taker) == [
        (1, "engine-oil", dt.date(2026, 11, 18), 123_456_700, "device"),
        (1, "air-filter", dt.date(2026, 11, 18), None, "device"),
    ]
    assert [row["value_text"] for row in await taker.rows(readings)] == [OIL, "air-filter -", OIL]
    assert [row["vehicle_id"] for row in await taker.rows(dirty_vehicles)] == [1]


async def test_what_staff_recorded_of_that_day_stands(store) -> None:
    known = await register(store)
    taker = Taker(store)
    async with store.write() as connection:
        await service_records.add(
            connection,
            known.dealer_id,
            vehicle_id=1,
            item="engine-oil",
            done_on=dt.date(2026, 11, 18),
            odometer_m=123_000_000,
            source="api",
            now=RECEIVED,
        )
    await taker.take(entries(OIL))
    assert [row[4] for row in await records(taker)] == ["api"]


async def test_what_is_no_entry_is_refused_and_counted(store) -> None:
    await register(store)
    taker = Taker(store)
    await taker.take(entries("engine oil 5", "Engine-Oil -", "engine-oil 99999999999", "", "engine-oil x"))
    assert await records(taker) == []
    assert [(row["signal"], row["samples"]) for row in await taker.rows(refusals)] == [(service.SIGNAL, 5)]


async def test_an_entry_whose_day_nobody_knows_is_a_reading_only(store) -> None:
    await register(store)
    taker = Taker(store)
    untimed = sample(1, service.SIGNAL, OIL)._replace(trust=TimeTrust.UNTRUSTED)
    await taker.take(batch(untimed))
    assert await records(taker) == []
    assert len(await taker.rows(readings)) == 1


async def test_records_move_with_the_readings_when_the_device_sat_in_another_vehicle(store) -> None:
    known = await register(store)
    taker = Taker(store)
    await taker.take(entries(OIL))
    async with store.write() as connection:
        other = await add_vehicle(connection, known.dealer_id, OTHER_VIN)
        moved_at = INSTALLED + dt.timedelta(days=1)
        await devices.install(connection, known.dealer_id, DEVICE, other, start_at=moved_at)
        later = RECEIVED + dt.timedelta(days=1)
        for _ in range(2):
            await reproject_device(connection, PROJECTOR, known.dealer_id, DEVICE, now=later)
    assert [(row[0], row[1]) for row in await records(taker)] == [(other, "engine-oil")]
    assert [row["created_at"] for row in await taker.rows(table)] == [RECEIVED], (
        "when it came, not when it moved"
    )
