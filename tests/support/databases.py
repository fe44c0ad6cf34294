"""Fixtures for tests that run on both databases; a part's conftest.py imports them."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from milepost_server.store import migrations
from milepost_server.store.engine import Store, open_store
from support import postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

KINDS = ["sqlite", "postgres"]
NEWEST = "newest"


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Postgres]:
    """One PostgreSQL for all tests of the process; what is killed here are its clients, never the machine."""
    with postgres.running(is_durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def newest_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database at the newest revision, without rows, to be copied."""
    path = tmp_path_factory.mktemp(NEWEST) / "milepost.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def newest_postgres(cluster: postgres.Postgres) -> str:
    """The name of a database at the newest revision, without rows, to be copied."""
    _migrate(cluster.create(NEWEST))
    return NEWEST


def _migrate(database_url: str) -> None:
    async def migrate() -> None:
        store = open_store(database_url)
        try:
            await migrations.upgrade(store)
        finally:
            await store.close()

    with asyncio.Runner() as runner:
        runner.run(migrate())


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Where an empty SQLite database may be made."""
    return f"sqlite:///{tmp_path / 'milepost.db'}"


@pytest.fixture
def postgres_url(cluster: postgres.Postgres) -> Iterator[str]:
    """An empty database in the cluster."""
    with _database(cluster) as url:
        yield url


@pytest.fixture
def newest_sqlite_url(newest_sqlite: Path, tmp_path: Path) -> str:
    """A SQLite database at the newest revision."""
    return f"sqlite:///{shutil.copy(newest_sqlite, tmp_path / 'milepost.db')}"


@pytest.fixture
def newest_postgres_url(cluster: postgres.Postgres, newest_postgres: str) -> Iterator[str]:
    """A database of the cluster at the newest revision."""
    with _database(cluster, newest_postgres) as url:
        yield url


@contextmanager
def _database(cluster: postgres.Postgres, *template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    yield cluster.create(name, *template)
    cluster.drop(name)


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def empty_store(database_url: str) -> AsyncIterator[Store]:
    """An open store without tables."""
    store = open_store(database_url)
    yield store
    await store.close()


@pytest.fixture(params=KINDS)
def newest_url(request: pytest.FixtureRequest) -> str:
    """A database of each kind in turn, at the newest revision, without rows."""
    url: str = request.getfixturevalue(f"newest_{request.param}_url")
    return url


@pytest.fixture
async def store(newest_url: str) -> AsyncIterator[Store]:
    """An open store at the newest revision, without rows."""
    store = open_store(newest_url)
    yield store
    await store.close()
