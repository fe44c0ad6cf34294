"""No statement on a tenant table passes without its dealer, and the database refuses rows that cross."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from milepost_server.errors import ConflictError, NotFoundError, TenancyError
from milepost_server.store import dealers, devices
from milepost_server.store.schema import TENANT_TABLES, owners, ownerships, vehicles
from milepost_server.store.tenancy import check

if TYPE_CHECKING:
    from milepost_server.store.engine import Store

NOW = dt.datetime(2026, 3, 3, tzinfo=dt.UTC)
OWNER, VEHICLE, OWNS = owners.alias("o"), vehicles, ownerships


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # a key column is left out on purpose
@pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
def test_a_statement_without_a_dealer_is_refused(table) -> None:
    for statement in (select(table), update(table), delete(table), select(table.alias())):
        with pytest.raises(TenancyError, match=table.name):
            check(statement)
    with pytest.raises(TenancyError, match="inserts no dealer_id"):
        check(insert(table), [{column.name: 1 for column in table.c if column.name != "dealer_id"}])


@pytest.mark.parametrize(
    "statement",
    [
        select(OWNER).where(OWNER.c.dealer_id == 1),
        select(OWNER.c.id)
        .join(OWNS, (OWNS.c.dealer_id == OWNER.c.dealer_id) & (OWNS.c.owner_id == OWNER.c.id))
        .where(OWNS.c.dealer_id == 1),
        select(OWNER).where(OWNER.c.dealer_id == 1).union(select(OWNER).where(OWNER.c.dealer_id == 2)),
        select(OWNER).where(
            OWNER.c.dealer_id == 1, OWNER.c.id.in_(select(OWNS.c.owner_id).where(OWNS.c.dealer_id == 1))
        ),
        update(VEHICLE).where(VEHICLE.c.dealer_id == 1).values(plate="x"),
        delete(VEHICLE).where(VEHICLE.c.dealer_id == 1),
        insert(VEHICLE).values(dealer_id=1),
    ],
)
def test_a_statement_with_its_dealer_passes(statement) -> None:
    check(statement)


@pytest.mark.parametrize(
    "statement",
    [
        select(OWNER.c.id).join(OWNS, OWNS.c.owner_id == OWNER.c.id).where(OWNS.c.dealer_id == 1),
        select(OWNER.c.id).join(OWNS, OWNS.c.dealer_id == OWNER.c.dealer_id),
        select(OWNER).where(OWNER.c.dealer_id == 1, OWNER.c.id.in_(select(OWNS.c.owner_id))),
        select(OWNER).where(OWNER.c.dealer_id != 1),
    ],
    ids=["one side only", "sides only compared with each other", "subquery", "another dealer"],
)
def test_a_dealer_that_is_not_compared_everywhere_is_refused(statement) -> None:
    with pytest.raises(TenancyError):
        check(statement)


async def test_the_check_stands_before_every_execution(store: Store) -> None:
    async with store.read() as connection:
        with pytest.raises(TenancyError):
            await connection.execute(select(owners))


async def two_dealers(store: Store) -> tuple[int, int]:
    async with store.write() as connection:
        first = await dealers.add(connection, name="North", timezone="UTC", now=NOW)
        second = await dealers.add(connection, name="South", timezone="UTC", now=NOW)
        await devices.add(connection, first, "gw-1", credential="$7$", now=NOW)
        await connection.execute(
            insert(vehicles).values(
                id=7, dealer_id=second, vin="1M8GDM9AXKP042788", make="M", model="X", model_year=2020,
                powertrain="ev", created_at=NOW,
            )
        )  # fmt: skip
        await connection.execute(insert(owners).values(id=5, dealer_id=first, name="Ada", created_at=NOW))
    return first, second


async def test_the_database_refuses_a_row_that_crosses_dealers(store: Store) -> None:
    first, _ = await two_dealers(store)
    with pytest.raises(IntegrityError):
        async with store.write() as connection:
            await connection.execute(
                insert(ownerships).values(dealer_id=first, owner_id=5, vehicle_id=7, start_on=NOW.date())
            )


async def test_a_device_cannot_be_installed_in_another_dealers_vehicle(store: Store) -> None:
    first, second = await two_dealers(store)
    async with store.write() as connection:
        with pytest.raises(NotFoundError, match="vehicle 7"):
            await devices.install(connection, first, "gw-1", 7, start_at=NOW)
        with pytest.raises(NotFoundError, match="device 'gw-1'"):
            await devices.install(connection, second, "gw-1", 7, start_at=NOW)


async def test_device_ids_are_unique_among_all_dealers(store: Store) -> None:
    _, second = await two_dealers(store)
    async with store.write() as connection:
        with pytest.raises(ConflictError, match="registered already"):
            await devices.add(connection, second, "gw-1", credential="$7$", now=NOW)
