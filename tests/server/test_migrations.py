"""One history of the schema: on both databases it leads to exactly the tables that the code declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from milepost_server.errors import StoreVersionError
from milepost_server.store import migrations
from milepost_server.store.schema import TENANT_TABLES, metadata

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from milepost_server.store.engine import Store


def differences(connection: Connection) -> list[Any]:
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)


def check_names(connection: Connection) -> dict[str, set[str | None]]:
    found = inspect(connection)
    return {
        name: {row["name"] for row in found.get_check_constraints(name)} for name in metadata.tables
    }  # compare_metadata does not look at CHECK constraints


async def test_migrations_lead_to_the_declared_tables(store: Store) -> None:
    async with store.read() as connection:
        assert await connection.run_sync(differences) == []
        migrated = await connection.run_sync(check_names)
    async with store.write() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
        assert await connection.run_sync(check_names) == migrated


async def test_upgrading_twice_changes_nothing(store: Store) -> None:
    await migrations.upgrade(store)
    await migrations.check(store)


async def test_a_database_of_another_revision_is_refused(empty_store: Store) -> None:
    with pytest.raises(StoreVersionError, match="milepost-server migrate"):
        await migrations.check(empty_store)


def test_every_table_about_people_vehicles_or_devices_carries_the_dealer() -> None:
    assert {table.name for table in metadata.tables.values()} - {t.name for t in TENANT_TABLES} == {"dealers"}
    for table in TENANT_TABLES:
        assert "dealer_id" in table.c, table.name


def test_foreign_keys_between_tenant_tables_cannot_cross_dealers() -> None:
    for table in TENANT_TABLES:
        for key in table.foreign_key_constraints:
            if key.referred_table.name != "dealers":
                assert "dealer_id" in key.column_keys, key.name
