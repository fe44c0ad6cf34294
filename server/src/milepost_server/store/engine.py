"""The way to the database: one engine, read and write transactions, for SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from milepost_server.errors import SettingsError, StoreBusyError
from milepost_server.store import tenancy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection

BUSY_TIMEOUT_S = 30.0
LOCK_POLL_S = 0.005
POOL_CONNECTIONS_MAX = 8
WAL_PAGES_CHECKPOINT = 1000

_WRITES = "milepost_writes"


class Store:
    """A database and the two kinds of transaction on it.

    ``write`` transactions on SQLite exclude each other across processes by a lock file: SQLite 3.7.0 to
    3.51.2 can lose data when two connections write and checkpoint one WAL file at the same time.
    """

    def __init__(self, engine: AsyncEngine, lock: WriteLock | None = None) -> None:
        self._engine = engine
        self._lock = lock

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the database and changes nothing."""
        async with self._engine.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is on the disk when the block has ended without an error.

        Raises:
            StoreBusyError: another process kept the database locked for ``BUSY_TIMEOUT_S``.
        """
        if self._lock is None:
            async with self._engine.begin() as connection:
                yield connection
            return
        async with self._lock.held(), self._engine.connect() as connection:
            await connection.execution_options(**{_WRITES: True})
            async with connection.begin():
                yield connection

    async def close(self) -> None:
        """Close all connections; an open one keeps the process from ending."""
        await self._engine.dispose()


class WriteLock:
    """One writer at a time: an asyncio lock among tasks, an advisory file lock among processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tasks = asyncio.Lock()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold the lock for the block.

        Raises:
            StoreBusyError: another process did not let go in time.
        """
        async with self._tasks:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                await self._acquire(handle)
                yield
            finally:
                os.close(handle)

    async def _acquire(self, handle: int) -> None:
        waited_s = 0.0
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if waited_s >= BUSY_TIMEOUT_S:
                    raise StoreBusyError(str(self._path), waited_s) from None
                await asyncio.sleep(LOCK_POLL_S)
                waited_s += LOCK_POLL_S
            else:
                return


def open_store(database_url: str) -> Store:
    """Open the database at ``sqlite:///PATH`` or ``postgresql://...``; nothing is connected yet.

    Raises:
        SettingsError: another kind of database.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        engine = create_async_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=POOL_CONNECTIONS_MAX,
            max_overflow=0,
            pool_pre_ping=True,
        )
        tenancy.guard(engine.sync_engine)
        return Store(engine)
    if url.get_backend_name() == "sqlite" and url.database:
        engine = create_async_engine(
            url.set(drivername="sqlite+aiosqlite"),
            pool_size=POOL_CONNECTIONS_MAX,
            max_overflow=0,
            connect_args={"timeout": BUSY_TIMEOUT_S},
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        tenancy.guard(engine.sync_engine)
        return Store(engine, WriteLock(Path(f"{url.database}.lock")))
    raise SettingsError("database_url", "is neither sqlite:///PATH nor postgresql://USER@HOST/NAME")


def _prepare_sqlite(connection: DBAPIConnection, record: Any) -> None:  # noqa: ARG001
    # The driver must not begin transactions by itself: ``_begin_sqlite`` says which kind it is.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={int(BUSY_TIMEOUT_S * 1000)}",
        f"wal_autocheckpoint={WAL_PAGES_CHECKPOINT}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
