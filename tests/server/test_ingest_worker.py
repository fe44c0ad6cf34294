"""Groups, retries, poison, and two workers on one stream: on both databases."""

from __future__ import annotations

import asyncio
import datetime as dt
import fcntl
import random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DataError

from milepost_protocol.receipt import Receipt
from milepost_server.ingest import commit, worker
from milepost_server.ingest.arrivals import Arrival
from milepost_server.ingest.queue import ArrivalQueue
from milepost_server.store import engine, migrations
from milepost_server.store.schema import batches, quarantine, readings, streams
from support.batches import DEVICE, EPOCH, batch, sample
from support.registry import register
from support.taking import Taker, arrival
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_protocol.batch import Batch

LAST = 240
SEEDS = range(4)


def run_of(first: int, last: int) -> Batch:
    return batch(*(sample(seq, value=seq) for seq in range(first, last + 1)))


# --- The queue --------------------------------------------------------------------------------------------


def waiting(size: int) -> Arrival:
    return Arrival("t", bytes(size), dt.datetime.now(dt.UTC))


async def test_the_queue_is_bounded_by_count_and_bytes_and_counts_what_it_drops() -> None:
    queue = ArrivalQueue(payloads_max=3, bytes_max=100)
    assert [queue.put(waiting(40)) for _ in range(3)] == [True, True, False]
    assert [queue.put(waiting(1)) for _ in range(2)] == [True, False]
    assert (queue.dropped, queue.waiting_bytes) == (2, 81)
    assert len(await queue.group(2, 0)) == 2
    assert (len(queue), queue.waiting_bytes) == (1, 1)


async def test_a_closed_queue_gives_what_is_left_then_nothing() -> None:
    queue = ArrivalQueue(10, 1000)
    queue.put(waiting(1))
    queue.close()
    assert not queue.put(waiting(1))
    assert len(await queue.group(5, 10)) == 1
    assert await queue.group(5, 10) == []


async def test_a_group_waits_for_more_and_ends_when_it_is_full() -> None:
    queue = ArrivalQueue(10, 1000)
    group = asyncio.create_task(queue.group(2, 60))
    for _ in range(2):
        await asyncio.sleep(0)
        queue.put(waiting(1))
    assert len(await group) == 2


async def test_a_group_of_large_payloads_is_committed_in_parts(store, monkeypatch) -> None:
    monkeypatch.setattr(worker, "GROUP_SAMPLES_MAX", 6)
    await register(store)
    taker = Taker(store)
    await taker.take(*(run_of(first, first + 2) for first in range(1, 16, 3)))
    assert [outcome.readings for outcome in taker.outcomes] == [6, 6, 3]
    assert [receipt.seq for _, receipt in taker.receipts] == [6, 12, 15]


# --- Outages and poison -----------------------------------------------------------------------------------


async def test_nothing_is_receipted_before_the_commit(sqlite_url: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.05)
    store = engine.open_store(sqlite_url)
    await engine_ready(store)
    taker = Taker(store)
    with (tmp_path / "milepost.db.lock").open("w") as other:  # another process writes, and does not end
        fcntl.flock(other, fcntl.LOCK_EX)
        taking = asyncio.create_task(taker.take(run_of(1, 3)))
        await until(lambda: taker.retries >= 3, "three tries")
        assert taker.receipts == []
    await taking
    assert taker.receipts == [(DEVICE, Receipt(EPOCH, 3))]
    await store.close()


async def engine_ready(store: engine.Store) -> None:
    await migrations.upgrade(store)
    await register(store)


async def test_a_connection_that_is_cut_in_the_middle_is_made_up_for(postgres_url: str, monkeypatch) -> None:
    store = engine.open_store(postgres_url)
    await engine_ready(store)
    taker = Taker(store)
    write = commit.StreamIntake.write
    cuts = iter([True, True, False])

    async def cut(self, connection, now, into) -> None:
        await write(self, connection, now, into)
        if next(cuts):
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    monkeypatch.setattr(commit.StreamIntake, "write", cut)
    await taker.take(run_of(1, 3))
    assert (taker.retries, taker.receipts) == (2, [(DEVICE, Receipt(EPOCH, 3))])
    assert len(await taker.rows(batches)) == 1
    await store.close()


async def test_one_payload_that_the_database_refuses_does_not_fail_its_group(store, monkeypatch) -> None:
    await register(store)
    taker = Taker(store)
    accept = commit.StreamIntake.accept

    def refuse(self, source, *args, **kwargs) -> None:
        if source.first == 4:
            raise DataError("INSERT", {}, ValueError("the database does not take this"))
        accept(self, source, *args, **kwargs)

    monkeypatch.setattr(commit.StreamIntake, "accept", refuse)
    await taker.take(run_of(1, 3), run_of(4, 6), run_of(7, 9))
    (held,) = await taker.rows(quarantine)
    assert (held["reason"], held["detail"]) == ("store", "ValueError: the database does not take this")
    assert len(await taker.rows(batches)) == 2
    assert taker.receipt == Receipt(EPOCH, 9)


# --- Two workers ------------------------------------------------------------------------------------------


def disorder(seed: int) -> list[Batch]:
    """Batches that together cover 1 to LAST, cut anew at random, doubled and shuffled."""
    rng = random.Random(seed)
    found: list[Batch] = []
    for _ in range(3):
        first = 1
        while first <= LAST:
            last = min(LAST, first + rng.randrange(1, 30))
            found.append(run_of(first, last))
            first = last + 1
    rng.shuffle(found)
    return found


@pytest.mark.parametrize("seed", SEEDS)
async def test_two_workers_count_each_seq_once_and_never_receipt_ahead(store, seed: int) -> None:
    await register(store)
    one, two = Taker(store), Taker(store)

    async def check_receipt(device_id: str, receipt: Receipt) -> None:
        async with store.read() as connection:
            query = select(func.count()).select_from(readings).where(readings.c.dealer_id == 1)
            there = (await connection.execute(query.where(readings.c.seq <= receipt.seq))).scalar_one()
        assert there == receipt.seq, "a receipt is ahead of the commits"
        told.append(receipt)

    told: list[Receipt] = []
    for taker in (one, two):
        taker.publish = check_receipt  # type: ignore[method-assign]
        taker.worker._queue = one.queue
    for source in disorder(seed):
        one.queue.put(arrival(source))
    one.queue.close()
    await asyncio.gather(one.worker.run(), two.worker.run())

    rows = await one.rows(readings)
    assert [row["seq"] for row in rows] == list(range(1, LAST + 1))
    assert [row["value_num"] for row in rows] == [float(seq) for seq in range(1, LAST + 1)]
    assert [row["watermark"] for row in await one.rows(streams)] == [LAST]
    assert max(receipt.seq for receipt in told) == LAST
    assert not await one.rows(quarantine)
