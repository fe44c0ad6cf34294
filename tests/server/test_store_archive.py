"""The archive grows for years: what ingest and re-projection ask of it must not read all of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from milepost_server.store import archive, migrations
from milepost_server.store.engine import open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from milepost_server.store.engine import Store


@pytest.fixture
async def sqlite_store(sqlite_url: str) -> AsyncIterator[Store]:
    store = open_store(sqlite_url)
    await migrations.upgrade(store)
    yield store
    await store.close()


@pytest.mark.parametrize("query", ["overlapping", "page"])
async def test_queries_of_a_stream_walk_an_index_in_order(sqlite_store: Store, query: str) -> None:
    asked: list[tuple[str, object]] = []
    async with sqlite_store.read() as connection:
        event.listen(
            connection.sync_connection,
            "before_cursor_execute",
            lambda conn, cursor, statement, parameters, *more: asked.append((statement, parameters)),
        )
        if query == "overlapping":
            await archive.overlapping(connection, 1, 1, 4_990, 5_000, limit=64)
        else:
            await archive.page(connection, 1, 1, after_id=50, limit=256)
        ((statement, parameters),) = asked
        plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        steps = [row[3] for row in plan]
    wanted = {"overlapping": "stream_id=? AND last_seq>?", "page": "stream_id=? AND id>?"}[query]
    assert wanted in steps[0], steps
    if query == "page":
        assert len(steps) == 1, f"sorts the whole stream: {steps}"
