"""One history of the schema: on both databases it leads to exactly the tables that the code declares."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from milepost_server.errors import StoreVersionError
from milepost_server.store import migrations
from milepost_server.store.schema import TENANT_TABLES, dealers, metadata, service_due

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


BEFORE_SIGNALS = "0004"
# One dealer with a car and two of its items, as version 1 of the server left them.
ROWS_BEFORE = (
    "INSERT INTO dealers (id, name, timezone, created_at) VALUES (1, 'North', 'UTC', '2026-03-03')",
    "INSERT INTO vehicles (id, dealer_id, vin, make, model, model_year, powertrain, created_at)"
    " VALUES (7, 1, 'WVWZZZ1JZXW000001', 'Seat', 'Leon', 2020, 'combustion', '2026-03-03')",
    *(
        "INSERT INTO service_due (dealer_id, vehicle_id, item, as_of, state, p50_on, basis, rests_on,"
        " limit_text, limit_short, evidence, config_version, derived_at)"
        f" VALUES (1, 7, '{item}', '2026-03-03', '{state}', '2026-03-20', 'time', 'record',"
        " 'x', 'x', '{}', '2', '2026-03-03')"
        for item, state in (("engine-oil", "due"), ("coolant", "ok"))
    ),
)


async def test_what_was_derived_before_signals_survives_the_upgrade(empty_store: Store) -> None:
    await migrations.upgrade(empty_store, BEFORE_SIGNALS)
    async with empty_store.write() as connection:
        for statement in ROWS_BEFORE:
            await connection.execute(text(statement))
    await migrations.upgrade(empty_store)
    async with empty_store.read() as connection:
        assert await connection.run_sync(differences) == []
        c = service_due.c
        columns = (c.title, c.listed_since_on, c.life_cycle, c.is_shown, c.p50_on, c.limits)
        query = select(*columns).where(c.dealer_id == 1).order_by(c.item)
        day, due = dt.date(2026, 3, 3), dt.date(2026, 3, 20)
        assert [tuple(row) for row in await connection.execute(query)] == [
            ("Coolant", None, "none", False, due, []),
            ("Engine oil", day, "open", True, due, []),
        ]
        assert (await connection.execute(select(dealers.c.currency))).scalars().all() == ["EUR"]


async def test_an_upgrade_can_be_taken_back(empty_store: Store) -> None:
    await migrations.upgrade(empty_store, BEFORE_SIGNALS)
    async with empty_store.write() as connection:
        before = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
        for statement in ROWS_BEFORE:
            await connection.execute(text(statement))
    await migrations.upgrade(empty_store)
    await migrations.downgrade(empty_store, BEFORE_SIGNALS)
    async with empty_store.read() as connection:
        found = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    assert found == before
    await migrations.upgrade(empty_store)
    await migrations.check(empty_store)


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
