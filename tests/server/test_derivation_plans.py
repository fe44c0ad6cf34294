"""How a dealer's subscription plans fit its owners' cars, on both databases."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from milepost_server.derivation.configuration import Configuration
from milepost_server.store import contracts, dealer_files, owners, ownerships
from milepost_server.store.contracts import ContractRow
from milepost_server.store.schema import ContractKind, DealerFileKind, readiness
from support.garage import KM, NOW, TODAY, Garage, open_garage
from support.registry import hand_over

if TYPE_CHECKING:
    from milepost_server.store.engine import Store

PLANS = """
schema = 1
[[plan]]
name = "Town"
km_per_year = 10_000
price_per_year = 4_800
price_per_extra_km = 0.20
until = 2026-02-28
[[plan]]
name = "Town"
km_per_year = 10_000
price_per_year = 6_000
price_per_extra_km = 0.20
from = 2026-03-01
[[plan]]
name = "Country"
km_per_year = 20_000
price_per_year = 7_200
price_per_extra_km = 0.15
"""


@pytest.fixture
async def garage(store: Store) -> Garage:
    return await open_garage(store)


async def set_plans(garage: Garage, text: str | None, name: str = "ours") -> None:
    async with garage.store.write() as connection:
        await dealer_files.put(
            connection,
            garage.dealer.id,
            kind=DealerFileKind.PLANS,
            name=name,
            text=text,
            staff_id=None,
            now=NOW,
        )


async def owned_car(garage: Garage, km_per_month: float | None) -> int:
    """A car that somebody has had from the beginning; without any reading where it goes nobody knows."""
    car = await garage.car()
    if km_per_month is not None:
        await garage.drive(car, km_per_month=km_per_month)
    async with garage.store.write() as connection:
        owner = await owners.put(
            connection, garage.dealer.id, name="A", email=None, phone=None, external_id=None, now=NOW
        )
        await ownerships.add(
            connection,
            garage.dealer.id,
            owner_id=owner.id,
            vehicle_id=car,
            start_on=dt.date(2024, 1, 10),
            end_on=None,
            now=NOW,
        )
    return car


async def lease(garage: Garage, car: int, **more: object) -> int:
    values = dict.fromkeys(field.name for field in fields(ContractRow) if field.name != "id")
    known = {
        "vehicle_id": car,
        "kind": ContractKind.LEASE,
        "start_on": dt.date(2025, 1, 1),
        "end_on": dt.date(2029, 1, 1),
        "allowance_m": 40_000 * KM,
        "payment_per_month": 45_000,
        "excess_fee_per_km": 20.0,
        "currency": "EUR",
        "source": "test",
    }
    async with garage.store.write() as connection:
        row = await contracts.add(connection, garage.dealer.id, {**values, **known, **more}, now=NOW)
    return row.id


async def fit_of(garage: Garage, car: int, on: dt.date = TODAY) -> dict[str, Any]:
    await garage.derivation(NOW + (on - TODAY)).dealer(garage.dealer, on)
    (row,) = [row for row in await garage.rows(readiness) if (row["vehicle_id"], row["as_of"]) == (car, on)]
    found: dict[str, Any] = row["subscription"]
    return found


async def test_the_cheapest_plan_stands_first_with_its_interval(garage: Garage) -> None:
    far, near = await owned_car(garage, 2_000), await owned_car(garage, 500)
    await set_plans(garage, PLANS)
    fit = await fit_of(garage, far)
    assert [plan["plan"] for plan in fit["plans"]] == ["Country", "Town"]
    low, middle, high = fit["year_m"]
    assert low < middle < high
    assert middle == pytest.approx(24_000 * KM, rel=0.15)
    country, town = fit["plans"]
    assert country["allowance_m"] == 20_000 * KM
    assert country["over_m"] == [metres - 20_000 * KM for metres in fit["year_m"]]
    assert country["per_month"][0] >= 60_000, "no month costs less than its price"
    assert country["per_month"][0] <= country["expected_per_month"] <= country["per_month"][2]
    assert country["expected_per_month"] < town["expected_per_month"]
    assert 0 <= town["within_odds"] < country["within_odds"] <= 1
    assert country["cheapest_odds"] + town["cheapest_odds"] == pytest.approx(1)
    assert (fit["currency"], fit["now"], country["against_now_per_month"]) == ("EUR", None, None)
    assert (await fit_of(garage, near))["plans"][0]["plan"] == "Town"


async def test_a_lease_is_held_against_the_plans_with_its_own_kilometres(garage: Garage) -> None:
    car = await owned_car(garage, 500)
    contract = await lease(garage, car)
    await set_plans(garage, PLANS)
    fit = await fit_of(garage, car)
    assert fit["now"]["contract"] == contract
    assert fit["now"]["expected_per_month"] == pytest.approx(45_000, rel=0.01), (
        "10,000 km a year are paid for"
    )
    for plan in fit["plans"]:
        assert plan["against_now_per_month"] == pytest.approx(
            plan["expected_per_month"] - fit["now"]["expected_per_month"], abs=1
        )


@pytest.mark.parametrize(
    ("unlike", "is_named"),
    [
        ({"payment_per_month": None}, True),
        ({"kind": ContractKind.FINANCE}, False),
        ({"end_on": dt.date(2026, 1, 1)}, False),
    ],
)
async def test_what_cannot_be_compared_is_not(
    garage: Garage, unlike: dict[str, object], is_named: bool
) -> None:
    car = await owned_car(garage, 500)
    await lease(garage, car, **unlike)
    await set_plans(garage, PLANS)
    fit = await fit_of(garage, car)
    assert (fit["now"] is not None) == is_named
    assert {plan["against_now_per_month"] for plan in fit["plans"]} == {None}


async def test_a_former_owners_lease_is_not_held_against_the_next_ones_plans(garage: Garage) -> None:
    car = await owned_car(garage, 500)
    former = await hand_over(garage.store, garage.dealer.id, car, TODAY - dt.timedelta(days=400))
    await hand_over(garage.store, garage.dealer.id, car, TODAY - dt.timedelta(days=300))
    await lease(garage, car, owner_id=former)
    await set_plans(garage, PLANS)
    assert (await fit_of(garage, car))["now"] is None


async def test_without_plans_or_without_a_history_nothing_is_said(garage: Garage) -> None:
    driven, silent = await owned_car(garage, 1_000), await owned_car(garage, None)
    assert await fit_of(garage, driven) == {}
    await set_plans(garage, PLANS)
    assert await fit_of(garage, driven) != {}
    assert await fit_of(garage, silent) == {}
    await set_plans(garage, None)
    assert await fit_of(garage, driven) == {}


async def test_a_past_day_has_the_prices_of_that_day(garage: Garage) -> None:
    car = await owned_car(garage, 500)
    await set_plans(garage, PLANS)
    (after,) = [plan for plan in (await fit_of(garage, car))["plans"] if plan["plan"] == "Town"]
    before = await fit_of(garage, car, dt.date(2026, 2, 28))
    (then,) = [plan for plan in before["plans"] if plan["plan"] == "Town"]
    assert (then["per_month"][0], after["per_month"][0]) == (40_000, 50_000)


async def test_plans_are_part_of_the_configurations_version(garage: Garage) -> None:
    car = await owned_car(garage, 500)

    async def version() -> str:
        await fit_of(garage, car)
        (found,) = {row["config_version"] for row in await garage.rows(readiness)}
        return found

    assert await version() == Configuration().version
    await set_plans(garage, PLANS)
    first = await version()
    assert first.startswith(f"{Configuration().version}.")
    await set_plans(garage, PLANS.replace("7_200", "7_300"))
    assert await version() != first
    await set_plans(garage, f"# said otherwise\n{PLANS}")
    assert await version() == first, "what is not a plan changes nothing"


async def test_a_list_that_can_no_longer_be_used_stops_nobody(garage: Garage) -> None:
    car = await owned_car(garage, 500)
    await set_plans(garage, PLANS)
    await set_plans(garage, "schema = 0", name="broken")
    assert len((await fit_of(garage, car))["plans"]) == 2
