"""Pages and API say the same over SQLite and over PostgreSQL."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from milepost_server.store import migrations
from milepost_server.store.engine import open_store
from support import showroom
from support.html import Page
from support.sites import Clock, Site, application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATHS = (
    "/owners",
    "/owners?sort=due",
    "/owners?sort=-car&q=bauer",
    "/owners?item=brake-fluid&state=overdue",
    "/owners?state=due&q=nobody",
    "/owners/1",
    "/owners/2",
    "/owners/6",
    "/vehicles/4/odometer",
    "/vehicles/1/items/front-pads",
    "/quarantine",
    "/api/v1/status",
    "/api/v1/work-list",
    "/api/v1/vehicles/1",
    "/api/v1/owners/3",
    "/api/v1/quarantine",
)


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[Site]:
    store = open_store(database_url)
    try:
        await migrations.upgrade(store)
        dealer_id = await showroom.stock(store, others=4)
        clock = Clock()
        yield Site(application(store, clock), store, clock, dealer_id)
    finally:
        await store.close()


async def said(database_url: str) -> dict[str, object]:
    """What each path says, markup aside."""
    texts: dict[str, object] = {}
    async with opened(database_url) as site, site.client(showroom.MANAGER) as client:
        for path in PATHS:
            answer = await client.get(path)
            assert answer.status_code == 200, (path, answer.text)
            texts[path] = answer.json() if "/api/" in path else Page(answer.text).text
    return texts


async def test_both_databases_say_the_same(sqlite_url: str, postgres_url: str) -> None:
    here, there = await said(sqlite_url), await said(postgres_url)
    for path in PATHS:
        assert here[path] == there[path], path


async def test_search_finds_names_in_any_case(database_url: str) -> None:
    async with opened(database_url) as site, site.client(showroom.MANAGER) as client:
        for words, name in (("OKAFOR", "Adaeze Okafor"), ("hohenberg-SIG", "Maximilian"), ("bnx", "")):
            found = Page((await client.get(f"/owners?q={words}")).text).text
            assert (name in found) if name else ("No owner matches" in found)
