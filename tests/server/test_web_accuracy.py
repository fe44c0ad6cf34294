"""How well dates and scores have held: what the page says of it, with and without anything to say."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from milepost_server.store import calibrations, readiness_models
from milepost_server.store.schema import Fitted
from milepost_server.web.pages.accuracy import MODELS_SHOWN_MAX
from support import showroom
from support.html import Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from support.sites import Site

COVERAGE = [
    {"horizon_d": 90, "n": 300, "covered": 0.70, "low": 0.65, "high": 0.75, "early": 0.18, "late": 0.12},
    {"horizon_d": 30, "n": 100, "covered": 0.80, "low": 0.71, "high": 0.87, "early": 0.1, "late": 0.1},
]
METRICS = {
    "n": 24_000,
    "events": 410,
    "lift_10": [4.2, 3.1, 5.4],
    "baselines": {
        "random": {"lift_10": [1.0, 1.0, 1.0]},
        "by_colour": {"lift_10": [1.1, 0.9, 1.3]},
        "lease_end": {"lift_10": [2.9, 2.0, 3.8]},
    },
    "calibration": [{"p": 0.12, "observed": 0.11, "n": 500}],
}


async def read(client: httpx.AsyncClient) -> Page:
    answer = await client.get("/accuracy")
    assert answer.status_code == 200, answer.text
    return Page(answer.text.replace("\u00a0", " "))


async def put_coverage(site: Site, coverage: Sequence[Mapping[str, Any]] = COVERAGE) -> None:
    async with site.store.write() as connection:
        await calibrations.put(
            connection,
            site.dealer_id,
            as_of=showroom.TODAY,
            document={},
            coverage=coverage,
            config_version="x",
            now=showroom.NOW,
        )


async def test_the_finding_weighs_all_horizons_and_the_table_has_the_near_ones_first(
    site: Site, page: httpx.AsyncClient
) -> None:
    await put_coverage(site)
    shown = await read(page)
    said = (
        "Of 400 dates that could be checked, 72 of 100 fell inside their interval; 80 were promised:"
        " intervals are too narrow."
    )
    assert shown.lines.count(said) >= 1
    near, far = shown.lines.index("about 30 days"), shown.lines.index("about 90 days")
    assert near < far
    row = ["about 90 days", "70 of 100", "65 to 75", "18", "12", "300"]
    assert shown.lines[far : far + len(row)] == row


async def test_few_dates_are_no_reason_to_call_intervals_wrong(site: Site, page: httpx.AsyncClient) -> None:
    await put_coverage(site, [{**COVERAGE[0], "n": 10}])
    said = "Of 10 dates that could be checked, 70 of 100 fell inside their interval; 80 were promised."
    assert said in (await read(page)).lines


async def add_model(site: Site, version: str, *, days_ago: int) -> None:
    async with site.store.write() as connection:
        await readiness_models.add(
            connection,
            site.dealer_id,
            version=version,
            document={},
            fitted=Fitted.LEARNED,
            fitted_on=showroom.TODAY,
            in_force_on=showroom.TODAY - dt.timedelta(days=days_ago),
            metrics=METRICS,
            now=showroom.NOW,
        )


async def test_the_newest_models_of_the_day_are_shown_and_none_of_a_later_one(
    site: Site, page: httpx.AsyncClient
) -> None:
    for days_ago in range(MODELS_SHOWN_MAX + 5, 0, -1):
        await add_model(site, f"v-{days_ago:02}", days_ago=days_ago)
    today = await read(page)
    shown = [line for line in today.lines if line.startswith("v-")]
    assert shown[0].startswith("v-01")
    assert len(shown) == MODELS_SHOWN_MAX
    past = (await page.get(f"/accuracy?as_of={showroom.TODAY - dt.timedelta(days=10)}")).text
    assert "v-10" in past
    assert "v-09" not in past


async def test_who_may_see_readiness_sees_its_models(site: Site, page: httpx.AsyncClient) -> None:
    await add_model(site, "v-7", days_ago=3)
    shown = await read(page)
    assert "This model" in shown.lines
    assert shown.lines[shown.lines.index("This model") + 1] == "4.2 times (3.1 to 5.4)"
    assert shown.lines[shown.lines.index("The lease-end list") + 1] == "2.9 times (2.0 to 3.8)"
    methods = ("The lease-end list", "At random", "by colour")
    assert [line for line in shown.lines if line in methods] == list(methods), "in an order of their own"
    assert "12 of 100" in shown.lines
    async with site.client(showroom.ADVISOR) as advisor:
        assert "v-7" not in (await advisor.get("/accuracy")).text
