"""Replay from the quarantine, and readings made from the archive again: on both databases."""

from __future__ import annotations

import datetime as dt

import pytest

from milepost_protocol.receipt import Receipt
from milepost_protocol.signals import catalogue
from milepost_server.errors import ConflictError, NotFoundError, ReplayRefusedError
from milepost_server.ingest import arrivals
from milepost_server.ingest.projection import Projector
from milepost_server.ingest.replay import discard, replay
from milepost_server.ingest.reproject import reproject_device, reproject_stale
from milepost_server.store import devices
from milepost_server.store.schema import batches, dirty_vehicles, quarantine, readings, refusals
from support.batches import DEVICE, EPOCH, batch, sample
from support.registry import OTHER_VIN, add_vehicle, register
from support.taking import RECEIVED, Taker

PROJECTOR = Projector(catalogue(), future_s_max=300)
LATER = RECEIVED + dt.timedelta(days=1)


async def replayed(taker: Taker, quarantine_id: int = 1) -> int:
    async with taker.store.write() as connection:
        return await replay(connection, PROJECTOR, quarantine_id, now=LATER)


async def test_a_payload_of_a_device_that_was_registered_later(store) -> None:
    taker = Taker(store)
    await taker.take(batch(sample(1), sample(2)))
    with pytest.raises(ReplayRefusedError, match="register device"):
        await replayed(taker)
    await register(store)
    assert await replayed(taker) == 2
    assert [row["seq"] for row in await taker.rows(readings)] == [1, 2]
    (row,) = await taker.rows(quarantine)
    assert (row["state"], row["settled_at"]) == ("replayed", LATER)
    await taker.take(batch(sample(1), sample(2)))
    assert taker.receipt == Receipt(EPOCH, 2)
    assert taker.outcomes[-1].payloads == {"duplicate": 1}


async def test_a_payload_that_could_not_be_read_then(store, monkeypatch) -> None:
    """The receipt has passed it: its seqs are not taken for known."""
    await register(store)
    taker = Taker(store)
    payload = batch(sample(2), sample(3))

    def refuse(payload: bytes) -> None:
        raise arrivals.ProtocolError("an older server cannot read this")

    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "decode_batch", refuse)
        await taker.take(payload)
        with pytest.raises(ReplayRefusedError, match="older server"):
            await replayed(taker)
    await taker.take(batch(sample(1)), batch(sample(4)))
    assert taker.receipt == Receipt(EPOCH, 4)
    assert await replayed(taker) == 2
    assert [row["seq"] for row in await taker.rows(readings)] == [1, 2, 3, 4]
    assert len(await taker.rows(batches)) == 3
    assert [row["state"] for row in await taker.rows(quarantine)] == ["replayed"]


async def test_a_payload_is_settled_once(store) -> None:
    taker = Taker(store)
    await taker.take(b"garbage")
    with pytest.raises(ReplayRefusedError, match="frame"):
        await replayed(taker)
    async with store.write() as connection:
        await discard(connection, 1, now=LATER)
    (row,) = await taker.rows(quarantine)
    assert (row["state"], row["payload"]) == ("discarded", b"garbage")
    with pytest.raises(ConflictError, match="discarded already"):
        await replayed(taker)
    with pytest.raises(NotFoundError):
        await replayed(taker, 99)


async def test_a_device_that_is_installed_later_gets_its_readings(store) -> None:
    known = await register(store, installed_at=None)
    taker = Taker(store)
    await taker.take(batch(sample(1), sample(2)), batch(sample(2), sample(3)))
    assert await taker.rows(readings) == []
    async with store.write() as connection:
        start = RECEIVED - dt.timedelta(days=30)
        await devices.install(connection, known.dealer_id, DEVICE, known.vehicle_id, start_at=start)
    assert await reproject_stale(store, PROJECTOR) == 1
    assert await reproject_stale(store, PROJECTOR) == 0
    rows = await taker.rows(readings)
    assert [row["seq"] for row in rows] == [1, 2, 3]
    assert {row["received_at"] for row in rows} == {RECEIVED}
    assert [row["vehicle_id"] for row in await taker.rows(dirty_vehicles)] == [known.vehicle_id]


async def test_readings_move_to_the_right_vehicle(store) -> None:
    known = await register(store)
    taker = Taker(store)
    await taker.take(batch(*(sample(seq) for seq in range(1, 7))))
    async with store.write() as connection:
        other = await add_vehicle(connection, known.dealer_id, OTHER_VIN)
        moved = dt.datetime.fromtimestamp(1_795_000_004, dt.UTC)
        await devices.install(connection, known.dealer_id, DEVICE, other, start_at=moved)
    await reproject_stale(store, PROJECTOR)
    found = [row["vehicle_id"] for row in await taker.rows(readings)]
    assert found == [known.vehicle_id] * 3 + [other] * 3
    assert {row["vehicle_id"] for row in await taker.rows(dirty_vehicles)} == {known.vehicle_id, other}


async def test_a_new_projection_equals_the_first_one(store) -> None:
    known = await register(store)
    taker = Taker(store)
    await taker.take(batch(*(sample(seq) for seq in range(3, 9))), batch(sample(1, value=2**31), sample(2)))
    await taker.take(batch(*(sample(seq) for seq in range(1, 12))))
    before = [await taker.rows(table) for table in (readings, refusals)]
    assert len(before[0]) >= 8
    for _ in range(2):
        async with store.write() as connection:
            made = await reproject_device(connection, PROJECTOR, known.dealer_id, DEVICE, now=LATER)
        assert made == len(before[0])
        assert [await taker.rows(table) for table in (readings, refusals)] == before
