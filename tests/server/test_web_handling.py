"""What staff do on pages: handle an item where it stands, and overrule a reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import showroom
from support.following import follow
from support.html import Page

if TYPE_CHECKING:
    import httpx

    from support.sites import Site

OIL = "/vehicles/3/items/engine-oil"


async def read(client: httpx.AsyncClient, path: str) -> Page:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text.replace("\u00a0", " "))


async def test_an_item_is_booked_from_the_list_and_the_list_keeps_its_place(
    site: Site, page: httpx.AsyncClient
) -> None:
    form = {"action": "booked", "on": "2026-12-04", "note": "Loan car", "back": "/owners?q=max"}
    answer = await page.post(OIL, data=form)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/owners?q=max&said=booked"
    shown = await read(page, answer.headers["location"])
    assert "Noted: it is booked. Lists and dates follow within seconds." in shown.lines
    await follow(site)
    item = await read(page, OIL)
    assert "Booked for 4 December by Ines Kramer: Loan car." in item.lines
    assert "Booked for 4 December by Ines Kramer: Loan car." in (await read(page, "/owners/2")).lines


async def test_what_is_booked_lets_others_go_first(site: Site, page: httpx.AsyncClient) -> None:
    def names(shown: Page) -> list[str]:
        return [words for href, words in shown.links if href.startswith("/owners/")]

    first = names(await read(page, "/owners"))[0]
    assert first.startswith("Maximilian")
    for item in ("engine-oil", "brake-fluid"):
        await page.post(f"/vehicles/3/items/{item}", data={"action": "booked", "on": "2026-12-04"})
    await follow(site)
    after = names(await read(page, "/owners"))
    assert after[0] != first
    assert first in after


@pytest.mark.parametrize(
    ("action", "on", "says"),
    [
        ("acknowledged", "", "Ines Kramer takes care of it."),
        ("snoozed", "2026-12-01", "Not before 1 December, says Ines Kramer."),
    ],
)
async def test_what_was_said_of_an_item_stands_beside_it(
    site: Site, page: httpx.AsyncClient, action: str, on: str, says: str
) -> None:
    assert (await page.post(OIL, data={"action": action, "on": on})).status_code == 303
    await follow(site)
    assert says in (await read(page, "/owners/2")).lines
    assert (await page.post(OIL, data={"action": "reopened"})).status_code == 303
    await follow(site)
    assert says not in (await read(page, "/owners/2")).lines


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"action": ""}, "Choose what becomes of it."),
        ({"action": "sold"}, "Choose what becomes of it."),
        ({"action": "booked"}, "Say for which day it is booked."),
        ({"action": "booked", "on": "next week"}, "This is no day; write it like 2027-03-14."),
        (
            {"action": "snoozed", "on": "2020-01-01"},
            "Say until which day it may rest; that day is still to come.",
        ),
        ({"action": "snoozed", "on": "2199-01-01"}, "It may rest for a year at most; say an earlier day."),
        (
            {"action": "booked", "on": "2026-11-01"},
            "That day is over; an appointment is today or later.",
        ),
        ({"action": "done", "on": "2027-01-01"}, "Work that is done was not done on a day to come."),
        ({"action": "acknowledged", "note": "a\0b"}, "A note has no NUL character; leave it out."),
        ({"action": "acknowledged", "note": "x" * 501}, "A note has at most 500 characters; shorten it."),
    ],
)
async def test_a_mistake_is_said_and_what_was_typed_stays(
    page: httpx.AsyncClient, form: dict[str, str], says: str
) -> None:
    answer = await page.post(OIL, data={**form, "back": "/owners/2"})
    assert answer.status_code == 422
    shown = Page(answer.text)
    assert says in shown.lines
    assert "There is a problem" in shown.lines
    for name in ("on", "note"):
        assert f'value="{form.get(name, "")}"' in answer.text
    assert 'name="back" value="/owners/2"' in answer.text


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil"])
async def test_the_way_back_leads_nowhere_else(page: httpx.AsyncClient, back: str) -> None:
    answer = await page.post(OIL, data={"action": "acknowledged", "back": back})
    assert answer.headers["location"] == f"{OIL}?said=acknowledged"


async def test_only_who_may_handle_items_is_offered_to(site: Site) -> None:
    async with site.client(showroom.SELLER) as seller:
        for path in ("/owners", "/owners/2", OIL, "/vehicles/4/odometer"):
            assert 'method="post" action="/vehicles' not in (await seller.get(path)).text
        assert (await seller.post(OIL, data={"action": "acknowledged"})).status_code == 403
    async with site.client(showroom.ADVISOR) as advisor:
        assert f'method="post" action="{OIL}"' in (await advisor.get("/owners/2")).text


async def test_a_past_day_offers_nothing(page: httpx.AsyncClient) -> None:
    for path in ("/owners", "/owners/2", OIL, "/vehicles/4/odometer"):
        text = (await page.get(f"{path}?as_of=2026-11-20")).text
        assert 'method="post" action="/vehicles' in text, path
    assert (await page.get("/owners/2?as_of=2026-11-01")).text.count('action="/vehicles') == 0


async def test_a_reading_is_overruled_and_left_to_cleaning_again(site: Site, page: httpx.AsyncClient) -> None:
    doubted = await page.get("/vehicles/4/odometer")
    address = next(
        str(form["action"])
        for form in Page(doubted.text).named("form")
        if "/readings/" in str(form["action"])
    )
    assert "2 readings were not believed." in Page(doubted.text).text

    answer = await page.post(address, data={"verdict": "keep", "note": "Seen on the dial"})
    assert answer.headers["location"] == "/vehicles/4/odometer?said=keep"
    await follow(site)
    ruled = await read(page, "/vehicles/4/odometer?said=keep")
    assert "Ines Kramer says that it counts: Seen on the dial" in ruled.lines
    assert "1 reading was not believed." in ruled.text
    assert "The reading counts now. What follows from it is worked out anew within seconds." in ruled.lines

    await page.post(address, data={"verdict": "leave"})
    await follow(site)
    assert "2 readings were not believed." in (await read(page, "/vehicles/4/odometer")).text


@pytest.mark.parametrize("note", ["a\0b", "x" * 501])
async def test_a_reason_that_cannot_be_kept_is_said_beside_its_field_and_stays(
    page: httpx.AsyncClient, note: str
) -> None:
    doubted = Page((await page.get("/vehicles/4/odometer")).text)
    address = next(
        str(form["action"]) for form in doubted.named("form") if "/readings/" in str(form["action"])
    )
    answer = await page.post(address, data={"verdict": "keep", "note": note})
    assert answer.status_code == 422
    shown = Page(answer.text)
    assert "There is a problem" in shown.lines
    assert f'value="{note}"' in answer.text
    assert "2 readings were not believed." in shown.text


async def test_a_reading_that_is_not_the_car_s_is_not_there(page: httpx.AsyncClient) -> None:
    assert (await page.post("/vehicles/4/readings/1/999999", data={"verdict": "keep"})).status_code == 404
