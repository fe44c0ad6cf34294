"""A car that changes hands takes its condition along, and nothing that was agreed with its former owner."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from milepost_server.store import item_actions, readiness, staff
from milepost_server.store.schema import ItemActionKind, Role
from support import showroom
from support.garage import NOW, TODAY, open_garage
from support.registry import hand_over

if TYPE_CHECKING:
    import httpx

    from milepost_server.store.engine import Store
    from support.sites import Site

DAY = dt.timedelta(days=1)
ITEM = "engine-oil"
NOTE = "before the holidays"


async def snooze(store: Store, dealer_id: int, vehicle_id: int, staff_id: int, now: dt.datetime) -> None:
    async with store.write() as connection:
        await item_actions.add(
            connection,
            dealer_id,
            vehicle_id=vehicle_id,
            item=ITEM,
            action=ItemActionKind.SNOOZED,
            staff_id=staff_id,
            for_on=None,
            until_on=now.date() + 30 * DAY,
            note=NOTE,
            now=now,
        )


async def test_an_item_is_open_again_for_the_next_owner(store: Store) -> None:
    garage = await open_garage(store)
    car, dealer_id = await garage.car(), garage.dealer.id
    await garage.drive(car, km_per_month=2_000)
    async with store.write() as connection:
        anna = await staff.add(
            connection,
            dealer_id,
            email="a@north.example",
            name="Anna",
            role=Role.SERVICE,
            password_hash="none",
            now=NOW,
        )
    await garage.serve(car, ITEM, TODAY - 900 * DAY)
    await hand_over(store, dealer_id, car, TODAY - 300 * DAY)
    await snooze(store, dealer_id, car, anna, NOW)

    async def stands(on: dt.date) -> str:
        await garage.derivation(NOW + (on - TODAY)).dealer(garage.dealer, on)
        found: str = (await garage.item(car, ITEM, on))["life_cycle"]
        return found

    assert await stands(TODAY + DAY) == "snoozed"
    await hand_over(store, dealer_id, car, TODAY + 2 * DAY)
    assert await stands(TODAY + DAY) == "snoozed", "the past stays as it was"
    assert await stands(TODAY + 2 * DAY) == "open"
    await snooze(store, dealer_id, car, anna, NOW + 2 * DAY)
    assert await stands(TODAY + 3 * DAY) == "snoozed", "what is agreed with the new owner holds"


async def test_the_next_owner_is_not_reminded_of_what_a_former_one_was_told(store: Store) -> None:
    garage = await open_garage(store)
    car, dealer_id = await garage.car(), garage.dealer.id
    await garage.drive(car, km_per_month=2_000)
    await garage.serve(car, ITEM, TODAY - 900 * DAY)
    await hand_over(store, dealer_id, car, TODAY - 300 * DAY)

    async def reminders(on: dt.date) -> tuple[object, ...]:
        await garage.derivation(NOW + (on - TODAY)).dealer(garage.dealer, on)
        row = await garage.item(car, ITEM, on)
        return row["reminders"], row["due_since_on"], row["listed_since_on"], row["life_cycle"]

    assert await reminders(TODAY) == (0, TODAY, TODAY, "open")
    assert await reminders(TODAY + 15 * DAY) == (2, TODAY, TODAY, "reminded")
    sold = TODAY + 16 * DAY
    await hand_over(store, dealer_id, car, sold)
    assert await reminders(sold) == (0, sold, sold, "open"), "nobody has told this owner yet"
    assert await reminders(sold + 6 * DAY) == (0, sold, sold, "open")
    assert await reminders(sold + 7 * DAY) == (1, sold, sold, "reminded")
    assert await reminders(TODAY + 15 * DAY) == (2, TODAY, TODAY, "reminded"), "the past stays as it was"


async def test_what_cleared_for_a_former_owner_is_no_news_to_the_next(store: Store) -> None:
    garage = await open_garage(store)
    car, dealer_id = await garage.car(), garage.dealer.id
    await garage.drive(car, km_per_month=2_000)
    await garage.serve(car, ITEM, TODAY - 900 * DAY)
    await hand_over(store, dealer_id, car, TODAY - 300 * DAY)

    async def stands(on: dt.date) -> str:
        await garage.derivation(NOW + (on - TODAY)).dealer(garage.dealer, on)
        found: str = (await garage.item(car, ITEM, on))["life_cycle"]
        return found

    assert await stands(TODAY) == "open"
    await garage.serve(car, ITEM, TODAY)
    assert await stands(TODAY + DAY) == "cleared"
    assert await stands(TODAY + 2 * DAY) == "cleared"
    await hand_over(store, dealer_id, car, TODAY + 3 * DAY)
    assert await stands(TODAY + 3 * DAY) == "none"


async def test_the_pages_of_an_item_leave_out_what_was_done_in_a_former_owners_time(
    site: Site, page: httpx.AsyncClient
) -> None:
    async with site.store.read() as connection:
        known = await staff.login_of(connection, showroom.ADVISOR)
    assert known is not None
    await snooze(site.store, site.dealer_id, 1, known.staff_id, showroom.NOW - 2 * DAY)
    actions, item = "/api/v1/vehicles/1/actions", f"/vehicles/1/items/{ITEM}"
    name = showroom.NAMES[showroom.ADVISOR]
    assert name in (await page.get(item)).text

    await hand_over(site.store, site.dealer_id, 1, showroom.TODAY)
    assert (await page.get(actions)).json()["items"] == []
    assert name not in (await page.get(item)).text
    then = await page.get(actions, params={"as_of": str(showroom.TODAY - DAY)})
    assert [one["note"] for one in then.json()["items"]] == [NOTE], "a day of the former owner's time has it"


async def test_reasons_rest_on_no_visit_of_a_former_owner(store: Store) -> None:
    garage = await open_garage(store)
    car, dealer_id = await garage.car(), garage.dealer.id
    await garage.drive(car, km_per_month=1_000)
    bought = TODAY - 300 * DAY
    for days in (-400, -1, 0, 200):
        await garage.serve(car, ITEM, bought + days * DAY)
    owner = await hand_over(store, dealer_id, car, bought)
    await garage.derivation().dealer(garage.dealer, TODAY)
    async with store.read() as connection:
        (row,) = await readiness.of_owner(connection, dealer_id, owner, TODAY)
    rest_on = [reason["evidence"].get("service_records") for reason in row.reasons]
    assert [records for records in rest_on if records], "a reason rests on services"
    assert all(records in (None, [3, 4]) for records in rest_on)
