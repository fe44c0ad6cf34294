"""Transactions: durable, one writer at a time on SQLite, and moments that keep their zone."""

from __future__ import annotations

import asyncio
import datetime as dt
import fcntl
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import StatementError

from milepost_server.errors import SettingsError, StoreBusyError
from milepost_server.store import dealers, engine, migrations
from milepost_server.store.engine import open_store
from milepost_server.store.schema import dealers as table

if TYPE_CHECKING:
    from milepost_server.store.engine import Store

NOW = dt.datetime(2026, 3, 3, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=-5)))


async def test_moments_come_back_in_utc(store: Store) -> None:
    async with store.write() as connection:
        await dealers.add(connection, name="North", timezone="UTC", now=NOW)
    async with store.read() as connection:
        found = (await connection.execute(select(table.c.created_at))).scalar_one()
    assert found == NOW
    assert found.utcoffset() == dt.timedelta(0)


async def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    async with store.write() as connection:
        with pytest.raises(StatementError, match="aware datetimes"):
            await dealers.add(connection, name="North", timezone="UTC", now=NOW.replace(tzinfo=None))


async def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    async def fail() -> None:
        async with store.write() as connection:
            await dealers.add(connection, name="North", timezone="UTC", now=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with store.read() as connection:
        assert await dealers.every(connection) == []


async def test_many_writers_all_get_through(store: Store) -> None:
    async def write(number: int) -> None:
        async with store.write() as connection:
            await dealers.add(connection, name=f"D{number}", timezone="UTC", now=NOW)

    await asyncio.gather(*(write(number) for number in range(20)))
    async with store.read() as connection:
        assert {row.name for row in await dealers.every(connection)} == {f"D{n}" for n in range(20)}


async def test_sqlite_is_opened_for_durability(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    async with store.read() as connection:
        values = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    await store.close()
    assert values == ["wal", 2, 1]


async def test_a_writer_of_another_process_is_waited_for_and_then_named(sqlite_url: str, monkeypatch) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.05)
    store = open_store(sqlite_url)
    await migrations.upgrade(store)
    with open(f"{sqlite_url.removeprefix('sqlite:///')}.lock", "w") as other:  # noqa: ASYNC230, PTH123
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StoreBusyError, match="look for a command that hangs"):
            async with store.write():
                pass
    async with store.write() as connection:
        await dealers.add(connection, name="North", timezone="UTC", now=NOW)
    await store.close()


def test_another_kind_of_database_is_refused_with_the_setting() -> None:
    with pytest.raises(SettingsError, match="database_url"):
        open_store("mysql://localhost/x")
