"""The sales list and an owner's readiness: order, reasons that add up, and who may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support import showroom
from support.html import Page

if TYPE_CHECKING:
    import httpx

    from support.sites import Site

LEASED = "Adaeze Okafor"


async def read(client: httpx.AsyncClient, path: str) -> Page:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text.replace("\u00a0", " ").replace("\N{MINUS SIGN}", "-"))


def names(page: Page) -> list[str]:
    return [words for href, words in page.links if href.startswith("/owners/")]


def scores(page: Page) -> list[int]:
    lines = page.lines
    return [int(line.split()[0]) for line in lines if line.endswith(" of 100") and line.split()[0].isdigit()]


async def test_the_readiest_come_first_with_the_reasons_that_weigh_most(page: httpx.AsyncClient) -> None:
    first = await read(page, "/sales")
    assert names(first)[0] == LEASED
    assert "owners, the readiest first:" in first.text
    assert "The contract ends in 4 months, and it is a lease." in first.text
    assert "will buy" not in first.text
    assert first.named("th", **{"aria-sort": "descending"})


async def test_the_list_turns_around_and_searches(page: httpx.AsyncClient) -> None:
    first = await read(page, "/sales")
    turned = await read(page, first.link("Ready ↓"))
    assert names(turned)[0] != LEASED
    assert turned.named("th", **{"aria-sort": "ascending"})
    assert (await read(page, turned.link("Ready ↑"))).lines == first.lines
    found = await read(page, "/sales?q=okafor")
    assert names(found) == [LEASED]
    assert (await read(page, "/sales?q=nobody")).text.count("No owner matches.") == 1
    by_name = names(await read(page, (await read(page, "/sales")).link("Owner")))
    assert by_name == sorted(by_name, key=str.lower)


async def test_the_chance_of_an_owner_with_several_cars_says_that_it_is_of_all_of_them(
    page: httpx.AsyncClient,
) -> None:
    assert "any of 2 cars" in (await read(page, "/sales?q=okafor")).text
    one_car = await read(page, "/sales?q=maximilian")
    assert len(names(one_car)) == 1
    assert "any of" not in one_car.text


async def test_the_points_of_the_reasons_add_up_to_the_score(page: httpx.AsyncClient) -> None:
    owner = await read(page, "/owners/1")
    start = owner.lines.index("Why: each reason with its points; together they are the score")
    end = owner.lines.index("The score", start)
    points = [line for line in owner.lines[start:end] if line.lstrip("+-").isdigit()]
    assert sum(int(point) for point in points[:-1]) == int(points[-1])
    assert f"{points[-1]} of 100 points" in owner.text
    assert "These points are published figures, not yet learned from what owners did." in owner.text
    assert (
        "Lease since 21 March 2024, until 22 March 2027, for 36,000 km in all, 249 EUR a month."
        in owner.lines
    )


async def test_readiness_is_for_who_sells(site: Site) -> None:
    async with site.client(showroom.ADVISOR) as advisor:
        assert (await advisor.get("/sales")).status_code == 403
        seen = await read(advisor, "/owners/1")
        assert "Ready for another car?" not in seen.text
        assert "/sales" not in [href for href, _ in seen.links]
    async with site.client(showroom.SELLER) as seller:
        assert "Ready for another car?" in (await read(seller, "/owners/1")).text


async def test_before_any_derivation_the_list_says_so(page: httpx.AsyncClient) -> None:
    empty = await read(page, "/sales?as_of=2020-01-01")
    assert "No owner's car could be scored yet." in empty.lines
