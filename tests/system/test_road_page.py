"""From a car's diagnostic port to the words on an advisor's page, through real parts only."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from support import browser
from support.road import Road, simulated_car
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from playwright.async_api import Page

ODOMETER_KM = 48_000
SERVICED_AT_KM = 33_600
"""14,400 km ago: less than 1,000 km are left of the 15,000 km between oil changes."""
WAIT_S_MAX = 120.0


@pytest.mark.timeout(300)
async def test_what_the_port_says_stands_on_the_page(tmp_path: Path) -> None:
    choices = ("--seed", "3", "--odometer-km", str(ODOMETER_KM), "--fault", "P0301", "--habits", "shuttle")
    with Road(tmp_path) as road, simulated_car(tmp_path / "obd", *choices) as port:
        road.register(1)
        (agent,) = road.agents
        agent.source = f'[[source]]\nkind = "elm327"\nport = "{port}"\n'
        road.configure()
        with road.client() as client:
            last_oil_change(client)
            agent.start()
            await until(lambda: is_derived(client), "the server knows the odometer", WAIT_S_MAX)
        async with browser.running() as chromium:
            page = await chromium.new_page(viewport=browser.DESKTOP)
            await read_as_an_advisor(page, road)
        agent.stop()
        assert road.server.stop() == 0


def last_oil_change(client: httpx.Client) -> None:
    """Enter the service that the next one is counted from."""
    record = {
        "vehicle_id": 1,
        "item": "engine-oil",
        "done_on": (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=200)).isoformat(),
        "odometer_m": SERVICED_AT_KM * 1000,
    }
    client.post("/service-records", json=record).raise_for_status()


def is_derived(client: httpx.Client) -> bool:
    """Whether the API knows what the car has driven, and has items that rest on it."""
    condition = client.get("/vehicles/1").raise_for_status().json()
    return condition["odometer"] is not None and any(item["p50_odometer_m"] for item in condition["items"])


async def read_as_an_advisor(page: Page, road: Road) -> None:
    """Log in, find the owner on the list, and read what the car needs."""
    await page.goto(f"{road.server.url}/login")
    await page.get_by_label("Mail address").fill(road.server.email)
    await page.get_by_label("Password").fill(road.server.password)
    await browser.follow(page, page.get_by_role("button", name="Log in"))
    row = page.get_by_role("row").filter(has_text="Owner 0")
    assert "48,0" in await row.inner_text(), "the list shows the odometer in km"
    await browser.follow(page, row.get_by_role("link", name="Owner 0"))
    text = " ".join((await page.locator("main").inner_text()).split())
    assert "Engine oil and filter" in text
    assert "15,000 km or 12 months, whichever comes first" in text
    assert "(600 km from now)" in text
    assert "Last word from the car" in text
    assert await page.locator("figure svg").count() >= 1, "the odometer is drawn"
