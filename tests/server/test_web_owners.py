"""The owners list: its order, its filters in the URL, its rows and its empty states in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select

from milepost_server.store import dealers, owners, ownerships
from milepost_server.store.schema import Role, Urgency, vehicle_faults
from milepost_server.web.views.lists import ROWS_A_PAGE
from support import showroom
from support.html import Page

if TYPE_CHECKING:
    import httpx

    from support.sites import Site

ORDER = ["Overdue", "Due", "Upcoming", "In order", "Not known"]


async def read(client: httpx.AsyncClient, path: str) -> Page:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text.replace("\u00a0", " "))


def names(page: Page) -> list[str]:
    return [words for href, words in page.links if href.startswith("/owners/")]


def states(page: Page) -> list[str]:
    return [line for line in page.lines if line in ORDER]


async def test_the_list_begins_with_whom_to_call_first(page: httpx.AsyncClient) -> None:
    first = await read(page, "/owners")
    assert first.lines[first.lines.index("Whom to call") + 1] == (
        "2 owners are overdue and 4 more are due within 30 days."
    )
    assert "As of 20 November 2026" in first.lines
    assert states(first) == sorted(states(first), key=ORDER.index)
    assert names(first)[0].startswith("Maximilian")


async def test_a_row_says_who_what_why_and_when(site: Site, page: httpx.AsyncClient) -> None:
    first, last, likely = await showroom.days_due(site.store, site.dealer_id, 1, "engine-oil")
    row = (await read(page, "/owners?q=okafor")).text
    for words in (
        "Adaeze Okafor",
        "+49 30 23125 142",
        "Volkswagen Golf, 2019",
        "B NX 100 · 98,210 km",
        "Due",
        "Engine oil and filter",
        "15,000 km since service on 8 Feb 2026.",
        f"{first} to {last} Dec",
        f"most likely {likely} Dec",
        "today",
    ):
        assert words in row
    assert "tel:+493023125142" in [href for href, _ in (await read(page, "/owners?q=okafor")).links]


async def test_a_silent_car_and_more_items_are_said(page: httpx.AsyncClient) -> None:
    assert "silent since 31 Aug" in (await read(page, "/owners?q=jun")).text
    more = await read(page, "/owners?q=maximilian")
    assert "2 more items" in more.text
    assert "Overdue Engine oil and filter, overdue since 6 October" in more.lines


async def test_a_confirmed_fault_is_said_in_the_list(page: httpx.AsyncClient) -> None:
    whole = await read(page, "/owners")
    assert whole.text.count("1 confirmed fault: P0401.") == 1
    assert "1 confirmed fault: P0401." in (await read(page, "/owners?q=maximilian")).text


async def test_a_fault_of_another_car_of_the_owner_is_said_too(site: Site, page: httpx.AsyncClient) -> None:
    async with site.store.write() as connection:
        ((car, diesel),) = [
            (row.vehicle_id, row.id)
            for row in await ownerships.of_owner(connection, site.dealer_id, 2, showroom.TODAY)
        ]
        sold = {"vehicle_id": car, "start_on": showroom.TODAY, "end_on": None, "now": showroom.NOW}
        await ownerships.end(connection, site.dealer_id, diesel, showroom.TODAY, now=showroom.NOW)
        await ownerships.add(connection, site.dealer_id, owner_id=1, **sold)
    golf = await read(page, "/owners?q=okafor&item=inspection")
    assert "Volkswagen Golf, 2019" in golf.text
    assert "1 confirmed fault on another car: P0401." in golf.text


async def test_a_fault_that_leads_a_quiet_row_stands_first_in_it(site: Site, page: httpx.AsyncClient) -> None:
    quiet = "/owners?state=ok"
    url = next(href for href, _ in (await read(page, quiet)).links if href.startswith("/owners/"))
    owner_id = int(url.split("/")[2].split("?")[0])
    async with site.store.write() as connection:
        (car,) = await ownerships.of_owner(connection, site.dealer_id, owner_id, showroom.TODAY)
        c = vehicle_faults.c
        found = select(vehicle_faults).where(c.dealer_id == site.dealer_id, c.code == "P0401")
        known = dict((await connection.execute(found)).mappings().one())
        pending = {"vehicle_id": car.vehicle_id, "code": "P0301", "status": "pending"}
        await connection.execute(insert(vehicle_faults).values(**{**known, **pending}))
    assert known["urgency"] == Urgency.P2
    lines = (await read(page, quiet)).lines
    said = next(line for line in lines if "P0301" in line)
    assert said.startswith("P2: next visit 1 fault seen in one drive: P0301. "), "before the item"


async def test_a_date_that_rests_on_no_record_says_so(page: httpx.AsyncClient) -> None:
    nothing = await read(page, "/owners?q=fischer")
    assert "No service on record: ask when it was last done." in nothing.text
    assert "Nobody is overdue or due within 30 days." in nothing.lines
    assert "No service on record" not in (await read(page, "/owners?q=okafor")).text


async def test_tabs_count_and_filter_by_state(page: httpx.AsyncClient) -> None:
    whole = await read(page, "/owners")
    due = await read(page, whole.link("Due 4"))
    assert set(states(due)) == {"Due"}
    assert len(names(due)) == 4
    assert [one["href"] for one in due.named("a", **{"aria-current": "page"})] == [
        "/owners",  # the order that the list is in
        "/owners?state=due",
    ]


async def test_an_item_shows_each_owners_date_for_it(page: httpx.AsyncClient) -> None:
    fluid = await read(page, "/owners?item=brake-fluid")
    assert fluid.text.count("Brake fluid") >= len(names(fluid))
    assert "overdue for brake fluid" in fluid.text
    assert fluid.named("option", value="brake-fluid")[0].get("selected", "no") is None


async def test_sorting_turns_around_and_stays_in_the_url(page: httpx.AsyncClient) -> None:
    by_name = await read(page, (await read(page, "/owners?item=tyres")).link("Owner"))
    assert names(by_name) == sorted(names(by_name), key=str.lower)
    assert by_name.link("Owner ↑") == "/owners?item=tyres&sort=-name"
    turned = await read(page, "/owners?item=tyres&sort=-name")
    assert names(turned)[0] != names(by_name)[0]
    assert turned.named("th", **{"aria-sort": "descending"})


async def test_search_filter_sort_and_day_keep_each_other(page: httpx.AsyncClient) -> None:
    path = "/owners?state=overdue&item=brake-fluid&q=max&sort=-due&as_of=2026-11-20"
    found = await read(page, path)
    assert names(found) == ["Maximilian von Hohenberg-Sigmaringen"]
    kept = {tag["name"]: tag["value"] for tag in found.named("input") if tag["name"] not in ("on", "note")}
    assert kept.pop("back") == "/owners?state=overdue&item=brake-fluid&q=max&sort=-due&as_of=2026-11-20"
    assert kept == {"q": "max", "state": "overdue", "sort": "-due", "as_of": "2026-11-20"}
    assert "state=overdue&item=brake-fluid&q=max&sort=due&as_of=2026-11-20" in found.link("When ↓")


async def test_pages_of_the_list_hold_everybody_once(page: httpx.AsyncClient) -> None:
    first = await read(page, "/owners?sort=name")
    assert len(names(first)) == ROWS_A_PAGE
    assert "1 to 25 of 30 owners" in first.text
    second = await read(page, first.link("Next"))
    assert "26 to 30 of 30 owners" in second.text
    assert second.link("Previous") == "/owners?sort=name"
    assert len(set(names(first) + names(second))) == 30


async def test_beyond_the_last_page_stands_the_last(page: httpx.AsyncClient) -> None:
    last = await read(page, "/owners?sort=name&page=999")
    assert "26 to 30 of 30 owners" in last.text
    assert names(last) == names(await read(page, "/owners?sort=name&page=2"))
    assert names(await read(page, "/sales?page=7")) == names(await read(page, "/sales?page=2"))


@pytest.mark.parametrize(
    "path", ["/owners?state=odd&sort=sideways&item=wings&as_of=soon", "/owners?sort=-odd"]
)
async def test_words_that_do_not_exist_are_as_if_not_there(page: httpx.AsyncClient, path: str) -> None:
    assert names(await read(page, path)) == names(await read(page, "/owners"))


async def test_an_empty_search_says_what_one_may_look_for(page: httpx.AsyncClient) -> None:
    found = await read(page, "/owners?q=nobody at all")
    assert "No owner matches “nobody at all”." in found.lines
    assert found.link("Show all owners") == "/owners"


async def test_an_empty_state_says_who_is_next(site: Site, page: httpx.AsyncClient) -> None:
    found = await read(page, "/owners?state=overdue&item=coolant")
    assert "No owner is overdue." in found.lines
    assert any(line.startswith("The next is ") for line in found.lines)


async def test_a_new_dealer_is_told_where_owners_come_from(site: Site) -> None:
    async with site.store.write() as connection:
        await showroom.add_dealer(connection, "Autohaus Neu", {"new@new.example": Role.MANAGER})
    async with site.client("new@new.example") as client:
        empty = await read(client, "/owners")
        assert "There are no owners yet." in empty.lines
        assert "Whom to call" in empty.lines


async def test_names_are_shown_as_text(site: Site, page: httpx.AsyncClient) -> None:
    async with site.store.write() as connection:
        dealer = (await dealers.every(connection))[0]
        nasty = "<b>Bobby</b> & 'Tables'"
        await owners.put(
            connection, dealer.id, name=nasty, email=None, phone=None, external_id=None, now=showroom.NOW
        )
    answer = await page.get("/owners?q=bobby")
    assert "<b>Bobby" not in answer.text
    assert nasty in names(Page(answer.text))
