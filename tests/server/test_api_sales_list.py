"""The sales list over REST: the likeliest first, with reasons, for those who may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support import showroom

if TYPE_CHECKING:
    import httpx

    from support.sites import Site

PATH = "/api/v1/sales-list"


async def rows(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"{PATH}{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_it_begins_with_the_likeliest_and_each_score_is_the_sum_of_its_reasons(
    page: httpx.AsyncClient,
) -> None:
    found = await rows(page)
    assert found[0]["name"] == "Adaeze Okafor"
    odds = [row["p_90d"] for row in found]
    assert odds == sorted(odds, reverse=True)
    assert all(row["score"] == sum(reason["points"] for reason in row["reasons"]) for row in found)
    assert "Wanda Ohlsen" not in {row["name"] for row in found}, "she has no car"


async def test_pages_of_the_list_follow_each_other(page: httpx.AsyncClient) -> None:
    first = (await page.get(f"{PATH}?limit=4")).json()
    second = (await page.get(f"{PATH}?limit=4&after={first['next']}")).json()
    assert [*first["items"], *second["items"]] == (await rows(page))[:8]


async def test_it_searches_and_knows_of_no_day_before_the_first_derivation(page: httpx.AsyncClient) -> None:
    assert [row["name"] for row in await rows(page, "?q=golf okaf")] == ["Adaeze Okafor"]
    assert await rows(page, "?as_of=2026-01-01") == []


async def test_who_advises_on_service_does_not_see_it(site: Site) -> None:
    async with site.client(showroom.ADVISOR) as advisor:
        assert (await advisor.get(PATH)).status_code == 403
    async with site.client(showroom.SELLER) as seller:
        assert await rows(seller)
