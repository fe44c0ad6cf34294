"""The pages in a real browser, over a real server: what an advisor reads, types, prints and holds in hand."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from milepost_server.store.engine import open_store
from support import browser, showroom
from support.model_checks import put_check, put_in_force
from support.owner_questions import ask
from support.sites import served, showroom_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, Page

__all__ = ["showroom_file"]

PAGES = (
    "/owners",
    "/owners/1",
    "/owners/2",
    "/owners/3",
    "/vehicles/4/odometer",
    "/vehicles/3/items/front-pads",
    "/accuracy",
    "/quarantine",
    "/styleguide",
)
ASKED = (2, 5)  # cars of which it is asked who drives them now: one stays so, one is confirmed
# WCAG 2.2, 1.4.10: what fits 320 CSS pixels needs no sideways scrolling at 400 %; 200 % of 1280 is 640.
WIDTHS = (320, 360, 640, 1280)


# One browser and one server for all of these tests: what one of them notes down, no other reads.
pytestmark = pytest.mark.asyncio(loop_scope="module")
module_fixture = pytest_asyncio.fixture(scope="module", loop_scope="module")


@module_fixture
async def address(
    showroom_file: tuple[Path, int], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """The showroom's pages on a free port."""
    copy = tmp_path_factory.mktemp("pages") / "milepost.db"
    shutil.copy(showroom_file[0], copy)
    store = open_store(f"sqlite:///{copy}")
    await put_in_force(store, showroom_file[1])
    await put_check(store, showroom_file[1])
    for car in ASKED:
        await ask(store, showroom_file[1], car)
    try:
        async with served(store) as address:
            yield address
    finally:
        await store.close()


@module_fixture
async def chromium() -> AsyncIterator[Browser]:
    """The system's browser."""
    async with browser.running() as running:
        yield running


async def logged_in(context: BrowserContext, address: str, who: str = showroom.ADVISOR) -> Page:
    """A page of somebody who has typed mail and password."""
    page = await context.new_page()
    await page.goto(f"{address}/login")
    await page.get_by_label("Mail address").fill(who)
    await page.get_by_label("Password").fill(showroom.PASSWORD)
    await browser.follow(page, page.get_by_role("button", name="Log in"))
    assert page.url == f"{address}/owners"
    return page


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: Browser, address: str) -> AsyncIterator[Page]:
    """An advisor's page; anything that the console complains of fails the test."""
    context = await chromium.new_context(viewport=browser.DESKTOP, base_url=address)
    complaints: list[str] = []
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    yield await logged_in(context, address)
    await context.close()
    assert complaints == []


async def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    wide: int = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return wide


async def focused(page: Page) -> str:
    text: str = await page.evaluate("document.activeElement.textContent")
    return text.strip()


async def test_an_advisor_goes_from_the_list_to_the_reason(page: Page) -> None:
    await browser.follow(page, page.get_by_role("link", name=re.compile("^Due")))
    rows = page.locator("table.list tbody tr")
    assert await rows.count() == 4
    assert "Engine oil and filter" in await rows.first.inner_text()
    await browser.follow(page, page.get_by_role("link", name="Adaeze Okafor"))
    assert await page.get_by_role("heading", level=1).inner_text() == "Adaeze Okafor"
    words = (await page.inner_text("main")).replace("\u00a0", " ")
    assert re.search(r"Between \d+ and \d+ December, most likely \d+ December \(920 km from now\)\.", words)
    await browser.follow(page, page.get_by_role("link", name="Evidence for Engine oil and filter").first)
    assert "84,133 km" in (await page.inner_text("main")).replace("\u00a0", " ")


async def test_the_keyboard_goes_down_the_list(page: Page) -> None:
    names = await page.locator("table.list th[scope=row] a.who").all_inner_texts()
    for key, expected in (("j", 0), ("j", 1), ("ArrowDown", 2), ("k", 1), ("ArrowUp", 0), ("k", 0)):
        await page.keyboard.press(key)
        assert await focused(page) == names[expected], key
    await page.keyboard.press("/")
    await page.keyboard.type("octavia")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**q=octavia*")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/owners/3")


async def test_choosing_an_item_needs_no_button(page: Page) -> None:
    await page.get_by_label("Item").select_option("brake-fluid")
    await page.wait_for_url("**item=brake-fluid*")
    assert "Brake fluid" in await page.locator("table.list tbody tr").first.inner_text()


async def test_everything_works_without_javascript(chromium: Browser, address: str) -> None:
    context = await chromium.new_context(java_script_enabled=False, base_url=address)
    page = await logged_in(context, address)
    await page.get_by_label("Item").select_option("brake-fluid")
    await page.get_by_label("Search").fill("max")
    await browser.follow(page, page.get_by_role("button", name="Show"))
    assert await page.locator("table.list tbody tr").count() == 1
    await browser.follow(page, page.get_by_role("link", name="Maximilian"))
    assert await page.get_by_text("Print the work order").is_hidden()
    await browser.follow(page, page.get_by_role("button", name="Log out"))
    assert page.url == f"{address}/login"
    await context.close()


@pytest.mark.parametrize("width", WIDTHS)
async def test_no_page_scrolls_sideways(page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 740})
    for path in PAGES:
        await page.goto(path)
        assert await overflow(page) <= 0, path


async def test_text_at_twice_its_size_still_fits(page: Page) -> None:
    for path in PAGES:
        await page.goto(path)
        await page.evaluate("document.documentElement.classList.add('twice')")
        await page.evaluate(
            "(() => { const sheet = new CSSStyleSheet(); sheet.replaceSync('html.twice { font-size: 200% }');"
            " document.adoptedStyleSheets = [sheet]; })()"
        )
        assert await page.evaluate("getComputedStyle(document.documentElement).fontSize") == "32px"
        assert await overflow(page) <= 0, path


async def test_a_phone_shows_cards_and_the_narrow_picture(page: Page) -> None:
    await page.set_viewport_size(browser.PHONE)
    row = page.locator("table.list tbody tr").first
    name, badge = row.locator("a.who"), row.locator("td > .badge")
    places = [await part.bounding_box() for part in (name, badge)]
    assert all(places)
    assert abs(places[0]["y"] - places[1]["y"]) < 12, "name and state stand in one line"
    await page.goto("/owners/1")
    assert await page.locator(".is-narrow svg").first.is_visible()
    assert await page.locator(".is-wide svg").first.is_hidden()


async def test_labels_of_pictures_stay_inside_and_apart(page: Page) -> None:
    for path, width in (("/owners/1", 1280), ("/owners/2", 1280), ("/owners/1", 360), ("/styleguide", 360)):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.goto(path)
        problems = await page.evaluate(
            """() => [...document.querySelectorAll('svg.chart-odometer')].filter(s => s.checkVisibility())
            .flatMap(picture => {
              const frame = picture.getBoundingClientRect();
              const words = [...picture.querySelectorAll('text')];
              const boxes = words.map(t => [t.textContent, t.getBoundingClientRect()]);
              const out = boxes.filter(([, b]) => b.left < frame.left - 1 || b.right > frame.right + 1);
              const apart = (p, q) => p.left > q.right - 1 || q.left > p.right - 1
                || p.top > q.bottom - 3 || q.top > p.bottom - 3;
              const over = boxes.flatMap(([a, p], i) => boxes.slice(i + 1)
                .filter(([, q]) => !apart(p, q)).map(([b]) => a + ' over ' + b));
              return [...out.map(([t]) => t + ' leaves the picture'), ...over];
            })"""
        )
        assert problems == [], (path, width)


async def test_the_dark_follows_the_same_tokens(chromium: Browser, address: str) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        context = await chromium.new_context(color_scheme=scheme, base_url=address)
        page = await logged_in(context, address)
        grounds[scheme] = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await context.close()
    assert grounds == {"light": "rgb(246, 246, 243)", "dark": "rgb(19, 23, 26)"}


async def test_paper_gets_a_work_order_in_black_and_white(page: Page) -> None:
    await page.goto("/owners/2")
    await page.emulate_media(media="print")
    for hidden in ("header.bar", ".evidence-link", ".behind", "[data-print]"):
        assert await page.locator(hidden).first.is_hidden(), hidden
    text = await page.inner_text("body")
    assert "Work order" in text
    assert "Odometer at reception" in text
    assert await page.locator(".tick").first.is_visible()
    colours = await page.evaluate(
        """() => [...document.querySelectorAll('main *')].filter(e => e.checkVisibility()).flatMap(e => {
          const s = getComputedStyle(e);
          return [s.color, s.backgroundColor, s.fill, s.stroke].filter(c => c.startsWith('rgb'));
        })"""
    )
    for colour in set(colours):
        red, green, blue = re.findall(r"\d+", colour)[:3]
        assert red == green == blue, colour
    pdf = await page.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 3


async def test_nothing_that_is_printed_is_cut_off(page: Page) -> None:
    await page.set_viewport_size({"width": 680, "height": 960})  # A4 within its margins
    for path in ("/owners/1", "/owners/2", "/owners", "/vehicles/1/odometer"):
        await page.goto(path)
        await page.emulate_media(media="print")
        cut = await page.evaluate(
            """() => [...document.querySelectorAll('.sheet')].flatMap(sheet => {
              const edge = sheet.getBoundingClientRect().right;
              return [...sheet.querySelectorAll('span, p, td, th, li')]
                .filter(e => e.checkVisibility() && e.getBoundingClientRect().right > edge + 1)
                .map(e => e.textContent.trim());
            })"""
        )
        assert cut == [], path


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_notice_keeps_its_distance(page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    for path in (
        "/owners?said=booked",
        "/owners?as_of=2026-11-01",
        "/owners/1?as_of=2026-11-01",
        "/owners/3",
    ):
        await page.goto(path)
        gaps = await page.evaluate(
            """() => [...document.querySelectorAll('.notice')].flatMap(notice => {
              const outer = notice.closest('[role=status]') ?? notice, box = notice.getBoundingClientRect();
              const above = outer.previousElementSibling, below = outer.nextElementSibling;
              return [above && box.top - above.getBoundingClientRect().bottom,
                below && below.getBoundingClientRect().top - box.bottom].filter(gap => gap !== null);
            })"""
        )
        assert gaps, path
        assert min(gaps) >= 8, (path, gaps)


async def test_a_past_day_is_chosen_on_the_list(page: Page) -> None:
    await page.get_by_label("As of").fill("2026-11-01")
    await browser.follow(page, page.get_by_role("button", name="Show"))
    assert "as_of=2026-11-01" in page.url
    assert "There is no list of 1\u00a0November\u00a02026." in await page.inner_text("main")
    await browser.follow(page, page.get_by_role("link", name="Owners", exact=True))
    assert page.url.endswith("/owners")
    assert await page.get_by_label("As of").input_value() == ""


async def test_an_item_is_handled_in_its_row_and_a_mistake_says_how_to_mend_it(
    chromium: Browser, address: str
) -> None:
    # Not the fixture's page: the console complains of the answer 422, as it should.
    context = await chromium.new_context(viewport=browser.DESKTOP, base_url=address)
    page = await logged_in(context, address)
    row = page.locator("table.list tbody tr").filter(has_text="Adaeze Okafor")
    await row.get_by_text("Handle").click()
    await row.get_by_label("What becomes of it").select_option("booked")
    await row.get_by_label("Note").fill("Loan car")
    await browser.follow(page, row.get_by_role("button", name="Save"))
    assert await page.get_by_role("link", name="Say for which day it is booked.").is_visible()
    assert await page.get_by_label("Note").input_value() == "Loan car"
    await page.get_by_label("Day").fill("2026-12-04")
    await browser.follow(page, page.get_by_role("button", name="Save"))
    assert page.url == f"{address}/owners?said=booked"
    assert await page.get_by_role("status").inner_text() == (
        "Noted: it is booked. Lists and dates follow within seconds."
    )
    await context.close()


async def test_a_seller_goes_from_the_list_to_the_reasons(chromium: Browser, address: str) -> None:
    for width in WIDTHS:
        context = await chromium.new_context(viewport={"width": width, "height": 740}, base_url=address)
        page = await logged_in(context, address, showroom.SELLER)
        await browser.follow(page, page.get_by_role("link", name="For another car"))
        assert await overflow(page) <= 0, width
        await browser.follow(page, page.locator("a.who").first)
        assert await page.get_by_role("heading", name="Ready for another car?").first.is_visible()
        assert await overflow(page) <= 0, width
        await context.close()


async def test_a_seller_reads_whether_the_model_still_fits(chromium: Browser, address: str) -> None:
    for width in WIDTHS:
        context = await chromium.new_context(viewport={"width": width, "height": 740}, base_url=address)
        page = await logged_in(context, address, showroom.SELLER)
        await page.get_by_role("link", name="How well it holds").first.click()
        block = page.locator(".block", has=page.get_by_role("heading", name="does the model still fit?"))
        assert await block.get_by_text("Learn it anew:").is_visible()
        row = block.get_by_role("row", name=re.compile("^Age of the car"))
        assert "Has moved far" in await row.inner_text()
        assert await overflow(page) <= 0, width
        await context.close()


async def test_an_advisor_asks_who_drives_now_and_notes_the_answer(page: Page) -> None:
    await page.get_by_label("Question").select_option("owner")
    await page.wait_for_url("**ask=owner*")
    rows = page.locator("table.list tbody tr")
    assert await rows.count() == len(ASKED)
    row = rows.filter(has_text="Beatriz Almeida")
    assert "Ask who drives now" in await row.inner_text()
    await row.locator("a.who").click()
    notice = page.locator("#vehicle-5-owner")
    assert "The change came between 5 June and 4 August" in (await notice.inner_text()).replace("\u00a0", " ")
    await page.emulate_media(media="print")
    assert await notice.get_by_text("Ask who drives now").is_visible()
    assert await notice.get_by_role("button").is_hidden()
    await page.emulate_media(media="screen")
    await notice.get_by_role("button", name="It still is this owner's").click()
    await page.wait_for_url("**said=owner*")
    assert await page.locator("#vehicle-5-owner").count() == 0
    assert "still is this owner's" in await page.get_by_role("status").inner_text()
