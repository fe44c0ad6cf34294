"""The work list over REST: two orders, the sales one for those who may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support import showroom

if TYPE_CHECKING:
    import httpx

    from support.sites import Site

PATH = "/api/v1/work-list"


async def rows(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"{PATH}{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_the_service_order_begins_with_what_cannot_wait(page: httpx.AsyncClient) -> None:
    found = await rows(page)
    order = ["overdue", "due", "upcoming", "ok", "unknown"]
    places = [order.index(row["service"]["state"]) for row in found if row["service"]["fault"] is None]
    assert places == sorted(places)
    assert len(set(places)) > 2
    nobodys = next(row for row in found if row["name"] == "Wanda Ohlsen")
    assert (nobodys["vehicles"], nobodys["service"]["item"], nobodys["ready"]["score"]) == (0, None, None)


async def test_the_sales_order_begins_with_the_likeliest_and_ends_with_who_has_no_car(
    page: httpx.AsyncClient,
) -> None:
    found = await rows(page, "?order=sales")
    odds = [row["ready"]["p_90d"] for row in found]
    known = [each for each in odds if each is not None]
    assert known == sorted(known, reverse=True)
    assert odds[len(known) :] == [None] * (len(odds) - len(known))
    assert {row["owner_id"] for row in found} == {row["owner_id"] for row in await rows(page)}


async def test_pages_of_the_list_follow_each_other(page: httpx.AsyncClient) -> None:
    first = (await page.get(f"{PATH}?limit=4")).json()
    second = (await page.get(f"{PATH}?limit=4&after={first['next']}")).json()
    whole = await rows(page)
    assert [*first["items"], *second["items"]] == whole[:8]


async def test_before_the_first_derivation_there_is_no_list(page: httpx.AsyncClient) -> None:
    assert await rows(page, "?as_of=2026-01-01") == []


async def test_the_advisor_sees_service_alone(site: Site) -> None:
    async with site.client(showroom.ADVISOR) as advisor:
        assert all(row["ready"] is None for row in await rows(advisor))
        assert (await advisor.get(f"{PATH}?order=sales")).status_code == 403
    async with site.client(showroom.SELLER) as seller:
        assert any(row["ready"] is not None for row in await rows(seller, "?order=sales"))
