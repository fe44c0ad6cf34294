"""Whose contract it is: the signer's, that of whose car it is, never that of another owner of the car."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from milepost_server.store import contracts, owners, ownerships, readiness
from milepost_server.store.schema import ContractKind, owner_signals
from support.garage import NOW, TODAY, Garage, open_garage

if TYPE_CHECKING:
    from milepost_server.store.engine import Store

DAY = dt.timedelta(days=1)
BOUGHT = TODAY - 400 * DAY
MONTHLY = 30_000


@pytest.fixture
async def garage(store: Store) -> Garage:
    return await open_garage(store)


async def owner(garage: Garage, name: str, *times: tuple[int, dt.date, dt.date | None]) -> int:
    """A new owner, who has vehicles from a day on, until another."""
    async with garage.store.write() as connection:
        new = await owners.put(
            connection, garage.dealer.id, name=name, email=None, phone=None, external_id=None, now=NOW
        )
        for car, start_on, end_on in times:
            await ownerships.add(
                connection,
                garage.dealer.id,
                owner_id=new.id,
                vehicle_id=car,
                start_on=start_on,
                end_on=end_on,
                now=NOW,
            )
    return new.id


async def sign(garage: Garage, car: int, kind: ContractKind, signed_by: int | None, **more: Any) -> int:
    nothing = dict.fromkeys(contracts.ContractRow.__dataclass_fields__)
    del nothing["id"]
    known = {"vehicle_id": car, "owner_id": signed_by, "kind": kind, "currency": "EUR", "source": "test"}
    term = {"start_on": BOUGHT, "end_on": TODAY + 60 * DAY, "payment_per_month": MONTHLY}
    async with garage.store.write() as connection:
        made = await contracts.add(
            connection, garage.dealer.id, {**nothing, **known, **term, **more}, now=NOW
        )
    return made.id


async def expected(garage: Garage) -> dict[int, float]:
    """How much is most likely still to come from each owner."""
    await garage.derivation().dealer(garage.dealer, TODAY)
    return {row["owner_id"]: row["value"]["expected"][1] for row in await garage.rows(owner_signals)}


async def test_a_subscription_that_names_nobody_is_paid_by_whose_car_it_is(garage: Garage) -> None:
    car, other = await garage.car(), await garage.car()
    former = await owner(garage, "Former", (car, BOUGHT - 900 * DAY, BOUGHT))
    anna = await owner(garage, "Anna", (car, BOUGHT, None))
    ben = await owner(garage, "Ben", (other, BOUGHT, None))
    before = await expected(garage)
    await sign(garage, car, ContractKind.SUBSCRIPTION, None)
    after = await expected(garage)
    assert after[anna] - before[anna] == pytest.approx(MONTHLY * 60 / 30.4375, rel=0.1)
    assert (after[former], after[ben]) == (before[former], before[ben])


async def test_a_subscription_from_before_the_handover_is_not_the_next_owners(garage: Garage) -> None:
    car = await garage.car()
    anna = await owner(garage, "Anna", (car, BOUGHT, None))
    before = await expected(garage)
    await sign(garage, car, ContractKind.SUBSCRIPTION, None, start_on=BOUGHT - 100 * DAY)
    assert (await expected(garage))[anna] == before[anna]


async def test_who_signed_pays_and_nobody_pays_twice(garage: Garage) -> None:
    car = await garage.car()
    anna = await owner(garage, "Anna", (car, BOUGHT, None))
    spouse = await owner(garage, "Spouse")
    before = await expected(garage)
    await sign(garage, car, ContractKind.SUBSCRIPTION, spouse)
    after = await expected(garage)
    assert after[anna] == before[anna]
    assert after[spouse] - before[spouse] == pytest.approx(MONTHLY * 60 / 30.4375, rel=0.1)


async def lease_ends(garage: Garage, who: int) -> list[int]:
    """The contracts that the reason of the contract's end rests on."""
    await garage.derivation().dealer(garage.dealer, TODAY)
    async with garage.store.read() as connection:
        (row,) = await readiness.of_owner(connection, garage.dealer.id, who, TODAY)
    reasons = [reason for reason in row.reasons if "months_to_contract_end" in reason["key"]]
    return [one for reason in reasons for one in reason["evidence"].get("contracts", [])]


async def shown(garage: Garage, who: int) -> list[int]:
    """The contracts on the owner's page."""
    async with garage.store.read() as connection:
        (owned,) = await ownerships.of_owner(connection, garage.dealer.id, who, TODAY)
        rows = await contracts.of_ownership(connection, garage.dealer.id, owned, TODAY)
    return [row.id for row in rows]


async def test_a_lease_that_a_spouse_signed_is_the_owners_too(garage: Garage) -> None:
    car = await garage.car()
    anna = await owner(garage, "Anna", (car, BOUGHT, None))
    lease = await sign(garage, car, ContractKind.LEASE, await owner(garage, "Spouse"))
    assert set(await lease_ends(garage, anna)) == {lease}
    assert await shown(garage, anna) == [lease]


@pytest.mark.parametrize("days", [-1_000, 30])
async def test_a_lease_of_another_owner_of_the_car_is_not(garage: Garage, days: int) -> None:
    car = await garage.car(registered=TODAY - 1_500 * DAY)
    sold = TODAY + 30 * DAY
    anna = await owner(garage, "Anna", (car, BOUGHT, sold))
    times = (car, BOUGHT + days * DAY, BOUGHT) if days < 0 else (car, sold, None)
    await sign(garage, car, ContractKind.LEASE, await owner(garage, "Other", times))
    assert await lease_ends(garage, anna) == []
    assert await shown(garage, anna) == []


async def test_each_of_two_owners_of_a_car_is_called_for_what_it_needs(garage: Garage) -> None:
    car = await garage.car()
    await garage.drive(car, km_per_month=1_000)
    await garage.serve(car, "engine-oil", TODAY - 370 * DAY)
    both = [await owner(garage, name, (car, BOUGHT, None)) for name in ("Anna", "Ben")]
    await garage.derivation().dealer(garage.dealer, TODAY)
    rows = {row["owner_id"]: row for row in await garage.rows(owner_signals)}
    assert [rows[who]["service_item"] for who in both] == ["engine-oil"] * 2
    assert rows[both[0]]["service_key"] == rows[both[1]]["service_key"]
