"""Fixtures for tests of pages and API: the application over a copy of the showroom's database."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn

from milepost_protocol.signals import catalogue
from milepost_server.ingest.projection import Projector
from milepost_server.store import migrations
from milepost_server.store.engine import Store, open_store
from milepost_server.web.app import create_app
from support import showroom
from support.ports import free_port
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fastapi import FastAPI

BASE = "http://milepost.example"
FUTURE_S_MAX = 300


@dataclass
class Clock:
    """The application's clock, which a test moves."""

    now: dt.datetime = showroom.NOW

    def __call__(self) -> dt.datetime:
        """The time that it is."""
        return self.now

    def move(self, **by: float) -> None:
        """Let time pass: ``move(hours=3)``."""
        self.now += dt.timedelta(**by)


@dataclass
class Site:
    """The application, its store and its clock."""

    app: FastAPI
    store: Store
    clock: Clock
    dealer_id: int

    @asynccontextmanager
    async def client(self, email: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A browser without JavaScript; logged in by cookie where ``email`` says who."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            if email is not None:
                form = {"email": email, "password": showroom.PASSWORD}
                answer = await client.post("/login", data=form)
                assert answer.status_code == 303, answer.text
            yield client


def application(store: Store, clock: Clock, *, secure: bool = False, development: bool = False) -> FastAPI:
    """The application over ``store``, with cheap passwords."""
    return create_app(
        store,
        now=clock,
        secure=secure,
        projector=Projector(catalogue(), FUTURE_S_MAX),
        development=development,
        passwords=showroom.cheap_passwords(),
    )


@asynccontextmanager
async def served(store: Store) -> AsyncIterator[str]:
    """The application over ``store`` on a free port, for a browser; gives its address."""
    port = free_port()
    app = application(store, Clock(), development=True)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started, "the pages are served")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


@pytest.fixture(scope="session")
def showroom_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The showroom's database, made once for all tests of the run, and its dealer."""
    path = tmp_path_factory.mktemp("showroom") / "milepost.db"

    async def make() -> int:
        store = open_store(f"sqlite:///{path}")
        try:
            await migrations.upgrade(store)
            return await showroom.stock(store)
        finally:
            await store.close()

    with asyncio.Runner() as runner:
        return path, runner.run(make())


@pytest.fixture
async def site(showroom_file: tuple[Path, int], tmp_path: Path) -> AsyncIterator[Site]:
    """The application over a copy of the showroom that the test may change."""
    path, dealer_id = showroom_file
    copy = tmp_path / "showroom.db"
    shutil.copy(path, copy)
    store = open_store(f"sqlite:///{copy}")
    clock = Clock()
    try:
        yield Site(application(store, clock, development=True), store, clock, dealer_id)
    finally:
        await store.close()


@pytest.fixture
async def page(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """A manager who is logged in."""
    async with site.client(showroom.MANAGER) as client:
        yield client


@pytest.fixture
async def stranger(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who is not logged in."""
    async with site.client() as client:
        yield client
