"""Who drives now: asked on the owner's page, in the list and by the API, until somebody knows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from milepost_server.store import ownerships
from support import showroom
from support.html import Page
from support.owner_questions import CHANGED, ask

if TYPE_CHECKING:
    import httpx

    from support.sites import Site

OWNER, CAR = 4, 5  # Beatriz Almeida's Zoe
PAGE, FORM = f"/owners/{OWNER}", f"/vehicles/{CAR}/owner"
CONFIRM = f"/api/v1/vehicles/{CAR}/owner-confirmed"
ASKS = "Ask who drives now: this car goes clearly farther than before."
SAYS = (
    "Before: about 500 km a month. Since: about 2,100 km a month."
    " The change came between 5 June and 4 August, most likely about 5 July."
)


@pytest.fixture
async def asked(site: Site) -> Site:
    await ask(site.store, site.dealer_id, CAR)
    return site


async def lines(client: httpx.AsyncClient, path: str) -> list[str]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text.replace("\u00a0", " ")).lines


async def test_the_owners_page_asks_and_says_why(asked: Site, page: httpx.AsyncClient) -> None:
    shown = await lines(page, PAGE)
    assert ASKS in shown
    assert SAYS in shown
    assert "It still is this owner's" in shown
    assert ASKS not in await lines(page, "/owners/3"), "nothing is asked of others"
    assert asked.dealer_id


async def test_who_confirms_is_asked_no_more(asked: Site, page: httpx.AsyncClient) -> None:
    answer = await page.post(FORM, data={"back": f"{PAGE}#vehicle-{CAR}"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PAGE}?said=owner#vehicle-{CAR}"
    shown = await lines(page, f"{PAGE}?said=owner")
    assert ASKS not in shown
    assert any("the car still is this owner's" in line for line in shown)
    assert (await page.get("/api/v1/owner-questions")).json()["items"] == []
    assert ASKS not in await lines(page, f"{PAGE}?as_of={showroom.TODAY + dt.timedelta(days=9)}")
    assert asked.dealer_id


async def test_a_form_leads_to_no_page_of_others(asked: Site, page: httpx.AsyncClient) -> None:
    answer = await page.post(FORM, data={"back": "https://elsewhere.example/"})
    assert answer.headers["location"] == f"{PAGE}?said=owner"
    assert asked.dealer_id


async def test_a_new_owner_is_not_asked_about(asked: Site, page: httpx.AsyncClient) -> None:
    body = {"owner_id": 3, "vehicle_id": CAR, "start_on": str(CHANGED)}
    assert (await page.post("/api/v1/ownerships", json=body)).status_code == 200
    assert ASKS not in await lines(page, "/owners/3")
    assert ASKS not in await lines(page, PAGE)
    assert asked.dealer_id


async def test_the_list_marks_and_filters(asked: Site, page: httpx.AsyncClient) -> None:
    mark = "Ask who drives now: about 2,100 km a month since about 5 July."
    assert " ".join(await lines(page, "/owners?sort=name")).count(mark) == 1
    filtered = " ".join(await lines(page, "/owners?ask=owner"))
    assert mark in filtered
    assert "Beatriz Almeida" in filtered
    assert "Adaeze Okafor" not in filtered
    assert "Show all owners" in filtered
    await page.post(FORM)
    empty = await lines(page, "/owners?ask=owner")
    assert "No car's use has changed so much that somebody else may be driving it." in empty
    assert asked.dealer_id


async def test_the_list_says_when_it_is_about_a_car_that_it_does_not_show(
    site: Site, page: httpx.AsyncClient
) -> None:
    await ask(site.store, site.dealer_id, 2)  # of two cars, the one that needs less
    assert "Ask who drives the owner's other car now: about" in " ".join(
        await lines(page, "/owners?ask=owner")
    )


async def test_the_filter_stays_when_the_list_is_sorted(asked: Site, page: httpx.AsyncClient) -> None:
    html = (await page.get("/owners?ask=owner")).text
    assert 'href="/owners?ask=owner&amp;sort=name"' in html
    assert asked.dealer_id


async def test_the_api_tells_and_confirms(asked: Site, page: httpx.AsyncClient) -> None:
    (question,) = (await page.get("/api/v1/owner-questions")).json()["items"]
    assert (question["owner_id"], question["vehicle_id"]) == (OWNER, CAR)
    assert (question["changed_from_on"], question["changed_to_on"]) == ("2026-06-05", "2026-08-04")
    assert (question["before_m_per_d"], question["after_m_per_d"]) == (16_500, 70_000)
    (vehicle,) = (await page.get(f"/api/v1/owners/{OWNER}")).json()["vehicles"]
    assert vehicle["owner_question"] == question
    answer = await page.post(CONFIRM)
    assert answer.json()["confirmed_on"] == str(showroom.TODAY)
    assert answer.json()["owner_id"] == OWNER
    (vehicle,) = (await page.get(f"/api/v1/owners/{OWNER}")).json()["vehicles"]
    assert vehicle["owner_question"] is None
    assert asked.dealer_id


async def test_a_car_that_nobody_has_is_nobodys_still(asked: Site, page: httpx.AsyncClient) -> None:
    async with asked.store.write() as connection:
        (owned,) = await ownerships.of_vehicle(connection, asked.dealer_id, CAR)
        await ownerships.end(connection, asked.dealer_id, owned.id, showroom.TODAY, now=showroom.NOW)
    assert (await page.get("/api/v1/owner-questions")).json()["items"] == []
    assert (await page.post(CONFIRM)).status_code == 404


async def test_only_who_talks_to_owners_confirms_and_only_of_today(asked: Site) -> None:
    async with asked.client(showroom.SELLER) as seller:
        past = await lines(seller, f"{PAGE}?as_of={showroom.TODAY - dt.timedelta(days=1)}")
        assert "It still is this owner's" not in past
        assert (await seller.post(CONFIRM)).status_code == 200
