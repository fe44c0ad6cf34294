"""Fixtures for tests that run on both databases; a part's conftest.py imports them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from milepost_server.store import migrations
from milepost_server.store.engine import Store, open_store
from support import postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Postgres]:
    """One PostgreSQL for all tests of the run."""
    with postgres.running() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Where an empty SQLite database may be made."""
    return f"sqlite:///{tmp_path / 'milepost.db'}"


@pytest.fixture
def postgres_url(cluster: postgres.Postgres) -> Iterator[str]:
    """An empty database in the cluster."""
    name = f"test_{uuid.uuid4().hex}"
    yield cluster.create(name)
    cluster.drop(name)


@pytest.fixture(params=["sqlite", "postgres"])
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


@pytest.fixture
async def store(empty_store: Store) -> Store:
    """An open store at the newest revision, without rows."""
    await migrations.upgrade(empty_store)
    return empty_store
