"""A dealer's own items have the titles of its schedule on all pages and in the API, and can be asked for."""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, event

from milepost_server.store import dealer_files, service_records
from milepost_server.store.readiness import ReadinessRow
from milepost_server.store.schema import DealerFileKind
from milepost_server.web.views.lists import ROWS_A_PAGE
from milepost_server.web.views.readiness import readiness_view
from support import showroom
from support.html import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx

    from support.sites import Site

# An item that no other schedule has, and another name for one that they have.
OWN = """
schema = 1
dealer = "Autohaus Nord"
title = "What our workshop says"
without = ["cabin-filter"]

[[item]]
key = "wash-49"
title = "Underbody wash after winter"
[[item.interval]]
time_months = 12
source = "Our workshop, 2026: rust on nine of forty cars."

[[item]]
key = "engine-oil"
title = "Oil change"
"""
KEY, TITLE = "wash-49", "Underbody wash after winter"
IN_ROW = f"{TITLE} 12 months since service on 16 Oct 2025."
LATE = "/owners/1"


async def set_own(site: Site, text: str | None, now: dt.datetime = showroom.NOW) -> None:
    async with site.store.write() as connection:
        await dealer_files.put(
            connection,
            site.dealer_id,
            kind=DealerFileKind.SCHEDULE,
            name="ours",
            text=text,
            staff_id=None,
            now=now,
        )


@pytest.fixture
async def manager(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """A manager of the dealer with a schedule of its own, by which all cars were derived."""
    await set_own(site, OWN)
    async with site.store.write() as connection:
        await service_records.add(
            connection,
            site.dealer_id,
            vehicle_id=1,
            item=KEY,
            done_on=showroom.TODAY - dt.timedelta(days=400),
            odometer_m=79_000_000,
            source="workshop",
            now=showroom.NOW,
        )
    await showroom.derive(site.store, site.dealer_id)
    async with site.client(showroom.MANAGER) as client:
        yield client


async def read(client: httpx.AsyncClient, path: str) -> Page:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text.replace("\u00a0", " "))


def options(page: Page) -> set[str]:
    return {option["value"] for option in page.named("option") if option["value"]}


async def test_the_owners_page_calls_items_as_the_schedule_does(manager: httpx.AsyncClient) -> None:
    page = await read(manager, LATE)
    assert "Underbody wash after winter overdue; oil change due within 30 days." in page.lines
    assert f"Evidence for {TITLE}" in [words for _, words in page.links]
    assert "Wash 49" not in page.text
    assert "Engine oil and filter" not in page.text
    picture = [tag["aria-label"] for tag in page.named("svg", **{"class": "chart-odometer"})]
    assert picture[0].startswith("Oil change: between ")


async def test_a_visit_names_its_items_in_the_order_of_the_schedule(
    site: Site, manager: httpx.AsyncClient
) -> None:
    async with site.store.write() as connection:
        for item in (KEY, "tyres", "engine-oil", "gone-with-the-wind"):
            await service_records.add(
                connection,
                site.dealer_id,
                vehicle_id=1,
                item=item,
                done_on=showroom.TODAY - dt.timedelta(days=3),
                odometer_m=97_900_000,
                source="workshop",
                now=showroom.NOW,
            )
    visit = "Oil change, tyres, underbody wash after winter and gone with the wind"
    assert visit in (await read(manager, LATE)).text


async def test_the_evidence_and_its_form_have_the_title(manager: httpx.AsyncClient) -> None:
    behind = await read(manager, f"/vehicles/1/items/{KEY}")
    assert f"{TITLE}: what the dates rest on" in behind.lines
    records = behind.lines[behind.lines.index("Service records") :]
    assert TITLE in records
    wrong = await manager.post(f"/vehicles/1/items/{KEY}", data={"action": "snoozed", "on": ""})
    assert wrong.status_code == 422
    assert f"{TITLE}: what the dates rest on" in Page(wrong.text).lines


def test_a_reason_for_readiness_links_to_the_item_by_its_title() -> None:
    reason = {"points": 7, "words": "Repairs are due", "evidence": {"items": [KEY, "gone"]}}
    row = ReadinessRow(
        owner_id=1,
        vehicle_id=7,
        as_of=showroom.TODAY,
        score=7,
        p_90d=0.1,
        p_180d=0.2,
        reasons=[reason],
        subscription={},
        model_version="1",
        is_prior=True,
        config_version="1",
        derived_at=showroom.NOW,
    )
    (found,) = readiness_view(row, {KEY: TITLE}, showroom.TODAY, is_past=False).reasons
    assert found.evidence == [
        ("The dates of underbody wash after winter", f"/vehicles/7/items/{KEY}"),
        ("The dates of gone", "/vehicles/7/items/gone"),
    ]


async def test_the_list_shows_and_filters_by_the_dealers_own_item(manager: httpx.AsyncClient) -> None:
    whole = await read(manager, "/owners")
    assert {KEY, "engine-oil", "brake-fluid"} <= options(whole)
    assert "cabin-filter" not in options(whole), "the dealer's cars do not have it"
    assert whole.text.count(IN_ROW) == 1
    mine = await read(manager, f"/owners?item={KEY}")
    assert "1 owner is overdue for underbody wash after winter." in mine.lines
    names = [words for href, words in mine.links if href.startswith("/owners/")]
    assert len(names) == ROWS_A_PAGE
    assert names[0] == "Adaeze Okafor"
    assert TITLE in (await read(manager, f"/owners?item={KEY}&q=okafor")).text


async def test_the_api_gives_key_and_title(manager: httpx.AsyncClient) -> None:
    work = (await manager.get(f"/api/v1/work-list?item={KEY}")).json()["items"]
    assert {(row["item"], row["title"]) for row in work} == {(KEY, TITLE)}
    items = (await manager.get("/api/v1/vehicles/1")).json()["items"]
    assert {TITLE, "Oil change"} <= {item["title"] for item in items}
    signals = (await manager.get("/api/v1/owners/1/readiness")).json()["signals"]
    assert (signals["service_item"], signals["service_title"]) == (KEY, TITLE)


async def test_what_was_derived_keeps_its_title_when_the_schedule_is_gone(
    site: Site, manager: httpx.AsyncClient
) -> None:
    await set_own(site, None)
    page = await read(manager, "/owners")
    assert IN_ROW in page.text, "until its cars are derived anew"
    assert KEY not in options(page)
    await showroom.derive(site.store, site.dealer_id)
    after = await read(manager, LATE)
    assert "Engine oil and filter due within 30 days." in after.lines
    assert "Wash 49" in after.text, "the record of the service stays, under the words of its key"


@pytest.mark.usefixtures("manager")
async def test_the_list_of_a_past_day_is_filtered_by_the_schedules_of_that_day(site: Site) -> None:
    site.clock.move(days=2)
    await set_own(site, None, now=showroom.NOW + dt.timedelta(days=1))
    then, before = (f"as_of={showroom.TODAY - dt.timedelta(days=days)}" for days in (0, 1))
    async with site.client(showroom.MANAGER) as client:
        assert KEY not in options(await read(client, "/owners"))
        past = await read(client, f"/owners?{then}")
        assert KEY in options(past)
        mine = await read(client, f"/owners?item={KEY}&{then}")
        assert "1 owner is overdue for underbody wash after winter." in mine.lines
        assert KEY not in options(await read(client, f"/owners?{before}")), "it was not set yet"


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is asked of any database within the block."""
    asked: list[str] = []

    def ask(*told: object) -> None:
        asked.append(str(told[2]))

    event.listen(Engine, "before_cursor_execute", ask)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", ask)


async def test_titles_cost_no_question_for_each_row(manager: httpx.AsyncClient) -> None:
    with statements() as few:
        assert len((await read(manager, "/owners?q=okafor")).named("tr")) == 2
    with statements() as many:
        await read(manager, "/owners")
    assert len(many) == len(few)
