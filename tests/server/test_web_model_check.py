"""Whether the model in force still fits: the page and the API, before and after there is anything to say."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from milepost_server.signals.readiness import priors
from support import showroom
from support.html import Page
from support.model_checks import CAME, DRIFT, SINCE, VERSION, put_check, put_in_force

if TYPE_CHECKING:
    import httpx

    from support.sites import Site

PRIOR = priors.shipped()[0].version
CHECKS = "/api/v1/readiness-checks"


async def lines(client: httpx.AsyncClient, as_of: dt.date = showroom.TODAY) -> list[str]:
    answer = await client.get("/accuracy", params={"as_of": str(as_of)})
    assert answer.status_code == 200, answer.text
    return Page(answer.text.replace("\u00a0", " ")).lines


async def checks(client: httpx.AsyncClient, as_of: dt.date = showroom.TODAY) -> dict[str, Any]:
    answer = await client.get(CHECKS, params={"as_of": str(as_of)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_of_published_figures_it_is_said_that_they_are(site: Site, page: httpx.AsyncClient) -> None:
    text = " ".join(await lines(page))
    assert f"{PRIOR} is in force. Published figures, not learned" in text
    assert (
        "These are published figures: once there are outcomes, milepost-server readiness fit learns" in text
    )
    assert "Too few outcomes yet: the 90 days after a score have passed for no car." in text
    assert "Index" not in text, "there is nothing to compare with"
    told = await checks(page)
    assert (told["version"], told["model"]) == (PRIOR, None)
    (row,) = told["checks"]
    assert row["vehicles"] > 20, "the showroom's cars were scored"
    assert row["foretold_on"] == str(showroom.TODAY)


async def test_a_model_that_was_not_checked_yet_says_so(site: Site, page: httpx.AsyncClient) -> None:
    await put_in_force(site.store, site.dealer_id)
    text = " ".join(await lines(page))
    assert f"{VERSION} is in force. Learned from your own customers on outcomes up to" in text
    assert "It was not checked yet; that is done at the beginning of each day." in text
    assert "No car was scored on this day" in text


async def test_a_model_that_no_longer_fits_is_shown_with_what_to_do(
    site: Site, page: httpx.AsyncClient
) -> None:
    await put_in_force(site.store, site.dealer_id)
    await put_check(site.store, site.dealer_id)
    shown = await lines(page)
    assert "Learn it anew: milepost-server readiness fit." in shown
    assert "Clearly fewer came than it foretold: its odds are too high." in shown
    line = shown.index("Slope: are owners told apart too boldly (below 1)?")
    assert shown[line + 1 : line + 3] == ["0.94 (0.71 to 1.17)", "1"]
    line = shown.index("Intercept: are odds too high or too low?")
    assert shown[line + 1] == "\u22120.52 (\u22120.90 to \u22120.14)"
    line = shown.index("Age of the car")
    assert shown[line + 1 : line + 6] == [
        "Has moved far",
        "96 to under 144 months",
        "12 of 100",
        "27 of 100",
        "0.31",
    ]
    assert shown[shown.index("The score") + 1] == "Moving"
    told = await checks(page)
    assert (told["version"], told["model"]["in_force_on"]) == (VERSION, str(SINCE))
    assert told["advice"] == "Learn it anew: `milepost-server readiness fit`."
    assert told["says"][1] == "Clearly fewer came than it foretold: its odds are too high."
    (row,) = told["checks"]
    assert (row["came"], row["drift"]) == (CAME, DRIFT)


async def test_too_few_outcomes_are_counted(site: Site, page: httpx.AsyncClient) -> None:
    await put_in_force(site.store, site.dealer_id)
    few = {**CAME, "rows": 90, "events": 3, "expected": 2.7, "intercept": None, "slope": None}
    await put_check(site.store, site.dealer_id, came=few, drift=DRIFT[1:2])
    shown = await lines(page)
    assert "Too few outcomes yet: 3 of 20 owners who replaced a car." in shown
    assert not [line for line in shown if line.startswith("Slope")]
    assert "Nothing to do: learn anew every quarter, as usual." in shown
    assert not any("nan" in line.lower().split() for line in shown)


async def test_a_past_day_has_the_model_and_the_check_of_then(site: Site, page: httpx.AsyncClient) -> None:
    await put_in_force(site.store, site.dealer_id)
    await put_check(site.store, site.dealer_id)
    told = await checks(page, SINCE - dt.timedelta(days=1))
    assert (told["version"], told["checks"]) == (PRIOR, [])
    assert VERSION not in " ".join(await lines(page, SINCE - dt.timedelta(days=1)))


async def test_who_may_not_see_readiness_sees_no_check(site: Site) -> None:
    async with site.client(showroom.ADVISOR) as advisor:
        assert (await advisor.get(CHECKS)).status_code == 403
        assert "does the model still fit" not in (await advisor.get("/accuracy")).text
