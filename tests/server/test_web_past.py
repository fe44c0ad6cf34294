"""Pages of past days: they say whether what they show is what that day's list was."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.derive import Derivation
from milepost_server.derivation.replay import Basis, Replay
from milepost_server.store import dealers
from milepost_server.web.views.past import doubt
from support import showroom
from support.html import Page

if TYPE_CHECKING:
    import httpx

    from support.sites import Site

TODAY, DAY = showroom.TODAY, dt.timedelta(days=1)
PATHS = ("/owners", "/sales", "/owners/1")


async def read(client: httpx.AsyncClient, path: str) -> Page:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text.replace("\u00a0", " "))


async def lines_of(client: httpx.AsyncClient, path: str, day: dt.date) -> list[str]:
    return (await read(client, f"{path}?as_of={day}")).lines


async def derive(site: Site, days_ago: int) -> None:
    async with site.store.read() as connection:
        dealer = await dealers.one(connection, site.dealer_id)
    now = showroom.NOW - days_ago * DAY
    await Derivation(site.store, Configuration(), now=now).dealer(dealer, TODAY - days_ago * DAY)


@pytest.mark.parametrize("path", PATHS)
async def test_a_past_day_without_a_list_says_whose_list_stands_there(
    site: Site, page: httpx.AsyncClient, path: str
) -> None:
    day = TODAY - 3 * DAY
    await derive(site, days_ago=3)
    assert "As of 17 November 2026, as it was known then" in await lines_of(page, path, day)
    missing = await lines_of(page, path, day + DAY)
    assert "As of 18 November 2026" in missing, "nobody knew it then"
    assert "There is no list of 18 November 2026." in missing
    assert (
        "What stands here is of 17 November 2026. Whoever runs the server can make it again: "
        "milepost-server derive --as-of 2026-11-18."
    ) in missing
    assert not [line for line in await lines_of(page, path, TODAY) if "list of" in line]
    before = await lines_of(page, path, day - DAY)
    assert "There is no list of 16 November 2026." in before
    assert not [line for line in before if "Nobody is overdue" in line], "nobody knows who was"


async def test_a_list_that_was_made_later_says_so(site: Site, page: httpx.AsyncClient) -> None:
    async with site.store.read() as connection:
        dealer = await dealers.one(connection, site.dealer_id)
    day = TODAY - 5 * DAY
    found = await Replay(site.store, Configuration(), now=showroom.NOW).day(dealer, day)
    assert found.basis is Basis.NONE_BY_THEN
    for path in PATHS:
        lines = await lines_of(page, path, day)
        assert "No list was made on 15 November 2026." in lines
        assert "As of 15 November 2026" in lines


async def test_a_past_day_is_kept_on_every_way_on_and_back(site: Site, page: httpx.AsyncClient) -> None:
    await derive(site, days_ago=3)
    day = TODAY - 3 * DAY
    for path in ("/owners?q=okafor", "/sales?q=okafor"):
        found = await read(page, f"{path}&as_of={day}")
        assert found.link("Show all owners") == f"{path.split('?')[0]}?as_of={day}"
        (field,) = found.named("input", name="as_of")
        assert (field["type"], field["value"]) == ("date", str(day))
    owner = await read(page, f"/owners/1?as_of={day}")
    assert owner.link("All owners") == f"/owners?as_of={day}"
    behind = [href for href, words in owner.links if words.startswith("Evidence")]
    assert behind
    assert all(href.endswith(f"?as_of={day}") for href in behind)


@pytest.mark.parametrize("path", [*PATHS, "/vehicles/1/items/tyres", "/vehicles/1/odometer", "/accuracy"])
async def test_of_a_day_to_come_nothing_is_known(page: httpx.AsyncClient, path: str) -> None:
    assert await lines_of(page, path, TODAY + DAY) == await lines_of(page, path, TODAY)
    (today,) = [line for line in await lines_of(page, path, TODAY + 200 * DAY) if line.startswith("As of 2")]
    assert today == "As of 20 November 2026"


def test_before_the_first_list_nothing_stands_there() -> None:
    found = doubt(TODAY - DAY, TODAY, listed_on=None, was_made=False)
    assert found is not None
    assert found.more.startswith("Whoever runs the server")
    assert doubt(TODAY - DAY, TODAY, listed_on=TODAY - DAY, was_made=True) is None
    assert doubt(TODAY, TODAY, listed_on=TODAY - DAY, was_made=False) is None, "the day has just begun"
