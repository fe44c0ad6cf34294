"""Subscription plans over REST and at the page of an owner: set, listed, taken back, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import showroom
from support.api_errors import is_error
from support.html import Page

if TYPE_CHECKING:
    import httpx

    from support.sites import Site

PLANS = """
schema = 1
[[plan]]
name = "Town"
km_per_year = 10_000
price_per_year = 4_800
price_per_extra_km = 0.20
[[plan]]
name = "Country"
km_per_year = 20_000
price_per_year = 5_400
price_per_extra_km = 0.15
"""
URL = "/api/v1/plans/ours"
HEAD = "Which subscription would fit"


async def put(client: httpx.AsyncClient, text: str, status: int = 204) -> None:
    answer = await client.put(URL, json={"text": text})
    assert answer.status_code == status, answer.text


async def read(client: httpx.AsyncClient, path: str) -> Page:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text.replace("\u00a0", " "))


async def test_plans_are_set_listed_and_taken_back(page: httpx.AsyncClient) -> None:
    assert (await page.get("/api/v1/plans")).json()["items"] == []
    await put(page, PLANS)
    (listed,) = (await page.get("/api/v1/plans")).json()["items"]
    assert (listed["name"], listed["text"], listed["staff_name"]) == ("ours", PLANS.strip(), "Ines Kramer")
    assert listed["problem"] is None
    assert (await page.get(URL)).json() == listed
    await put(page, PLANS.replace("4_800", "4_900"))
    assert (await page.get(URL)).json()["version"] != listed["version"]
    assert (await page.get("/api/v1/schedules")).json()["items"] == [], "it is no schedule"
    assert (await page.delete(URL)).status_code == 204
    for gone in (await page.get(URL), await page.delete(URL)):
        assert gone.status_code == 404
        assert is_error(gone.json())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "Plan list ours: is no TOML: "),
        ("schema = 1", "Plan list ours, plan: Field required"),
        (PLANS.replace("4_800", "-1"), "Plan list ours, plan Town, price_per_year"),
        (PLANS.replace("Country", "Town"), "Plan list ours, plan Town: two entries hold at once"),
        (
            f"{PLANS.replace('Country', 'Town')}from = 2027-02-01\n".replace(
                "0.20", "0.20\nuntil = 2026-12-31"
            ),
            "Plan list ours, plan Town: entries leave a hole after 2026-12-31, until 2027-02-01",
        ),
    ],
)
async def test_a_bad_file_is_refused_and_what_held_before_holds(
    page: httpx.AsyncClient, text: str, says: str
) -> None:
    await put(page, PLANS)
    answer = await page.put(URL, json={"text": text})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["field"] == "text"
    assert error["message"].startswith(says)
    assert (await page.get(URL)).json()["text"] == PLANS.strip()


async def test_who_sells_sets_plans_and_the_advisor_does_not_see_them(site: Site) -> None:
    async with site.client(showroom.SELLER) as seller:
        await put(seller, PLANS)
    async with site.client(showroom.ADVISOR) as advisor:
        assert (await advisor.get("/api/v1/plans")).status_code == 403
        await put(advisor, PLANS, 403)
        assert (await advisor.delete(URL)).status_code == 403


async def test_the_api_says_how_each_plan_fits_each_car(site: Site, page: httpx.AsyncClient) -> None:
    await put(page, PLANS)
    await showroom.derive(site.store, site.dealer_id)
    cars = (await page.get("/api/v1/owners/1/readiness")).json()["vehicles"]
    fits = {car["vehicle_id"]: car["subscription"] for car in cars}
    assert [plan["plan"] for plan in fits[1]["plans"]] == ["Country", "Town"], "a Golf of 17,500 km a year"
    assert [plan["plan"] for plan in fits[2]["plans"]] == ["Town", "Country"], "a Fiat of 6,200"
    assert fits[1]["now"]["contract"] > 0, "the Golf is leased"
    assert fits[2]["now"] is None
    assert fits[1]["year_m"] == sorted(fits[1]["year_m"])


async def test_the_page_says_which_plan_would_fit_and_why(site: Site, page: httpx.AsyncClient) -> None:
    assert HEAD not in (await read(page, "/owners/1")).lines, "without plans nothing is shown"
    await put(page, PLANS)
    await showroom.derive(site.store, site.dealer_id)
    found = await read(page, "/owners/1")
    assert found.lines.count(HEAD) == 2, "for each of the two cars"
    golf = found.lines[found.lines.index(HEAD) :]
    assert golf[1].startswith("Country would cost least, about 4")
    assert "EUR a month with all kilometres paid; in " in golf[1]
    assert "of 10 cases it is cheaper than the other." in golf[1]
    assert golf[1].endswith(" EUR more than the contract of today."), "the Golf is leased for 249 EUR"
    assert any(line.startswith("Most likely ") and "enough in " in line for line in golf)
    assert any(line.startswith("In the coming year this car most likely goes 1") for line in golf)
    assert "#vehicle-1-contracts" in [href for href, words in found.links if words == "the contract"]
    async with site.client(showroom.ADVISOR) as advisor:
        assert HEAD not in (await read(advisor, "/owners/1")).lines
