"""The one history of the schema, for both dialects, run from the installed package.

A new revision: change ``schema.py``, add ``versions/NNNN_what.py`` (Alembic can generate a draft of it), and
let ``tests/server/test_migrations.py`` say whether the two agree.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from milepost_server.errors import StoreVersionError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from milepost_server.store.engine import Store


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The revision that this version of the server needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None, "the package ships at least one revision"
    return revision


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def upgrade(store: Store, revision: str = "head") -> None:
    """Bring the database to ``revision`` in one transaction; an empty one gets all of its tables."""
    async with store.write() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), revision))


async def downgrade(store: Store, revision: str) -> None:
    """Take the database back to an earlier ``revision``; what only later ones hold is lost."""
    async with store.write() as connection:
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), revision))


async def check(store: Store) -> None:
    """Check that the database is at ``head``.

    Raises:
        StoreVersionError: it is not.
    """
    async with store.read() as connection:
        found = await connection.run_sync(_revision)
    if found != head():
        raise StoreVersionError(found, head())
