"""The system's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from playwright.async_api import async_playwright

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Locator, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
START_MS_MAX = 60_000
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}


def chromium() -> str | None:
    """The path of the system's Chromium; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@asynccontextmanager
async def running() -> AsyncIterator[Browser]:
    """A browser for the block.

    Raises:
        RuntimeError: no Chromium is installed.
    """
    path = chromium()
    if path is None:
        raise RuntimeError("no Chromium is installed; run deploy/system-packages test")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=list(ARGUMENTS), timeout=START_MS_MAX
        )
        try:
            yield browser
        finally:
            await browser.close()


async def follow(page: Page, way: Locator) -> None:
    """Click on what leads to another page, and wait for all of it: a click waits for its first bytes."""
    async with page.expect_navigation():
        await way.click()
