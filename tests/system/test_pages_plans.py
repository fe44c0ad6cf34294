"""Subscription plans in a real browser: a seller sets them, and sees at an owner's car which would fit."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from milepost_server.store.engine import open_store
from support import browser, showroom
from support.sites import served, showroom_file

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Page

__all__ = ["showroom_file"]

PLANS = """
schema = 1
[[plan]]
name = "Town"
km_per_year = 10_000
price_per_year = 4_800
price_per_extra_km = 0.20
[[plan]]
name = "Country and long ways, with winter tyres"
km_per_year = 20_000
price_per_year = 5_400
price_per_extra_km = 0.15
"""
HEAD = "Which subscription would fit"
WIDTHS = (320, 390, 640, 1280)


async def log_in(page: Page, address: str, who: str) -> None:
    await page.goto(f"{address}/login")
    await page.get_by_label("Mail address").fill(who)
    await page.get_by_label("Password").fill(showroom.PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/owners")


async def test_a_seller_sets_plans_and_sees_which_would_fit(
    showroom_file: tuple[Path, int], tmp_path: Path
) -> None:
    path, dealer_id = showroom_file
    store = open_store(f"sqlite:///{shutil.copy(path, tmp_path / 'milepost.db')}")
    try:
        async with served(store) as address, browser.running() as chromium:
            page = await chromium.new_page(viewport=browser.DESKTOP)
            await log_in(page, address, showroom.SELLER)
            await page.goto(f"{address}/owners/1")
            assert await page.get_by_role("heading", name=HEAD).count() == 0
            answer = await page.request.put(f"{address}/api/v1/plans/ours", data={"text": PLANS})
            assert answer.status == 204
            await showroom.derive(store, dealer_id)

            await page.reload()
            assert await page.get_by_role("heading", name=HEAD).count() == 2
            golf = page.locator("#vehicle-1-subscription")
            said = (await golf.inner_text()).replace("\u00a0", " ")
            assert "would cost least, about 4" in said
            names = await golf.get_by_role("rowheader").all_inner_texts()
            assert names == ["Country and long ways, with winter tyres", "Town"]
            await golf.get_by_role("link", name="the contract").click()
            assert page.url.endswith("#vehicle-1-contracts")

            for width in WIDTHS:
                await page.set_viewport_size({"width": width, "height": 740})
                assert await golf.is_visible()
                wide = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                assert wide <= 0, width
            await page.emulate_media(media="print")
            assert not await golf.is_visible(), "the work order is for the workshop"
    finally:
        await store.close()
