"""The design's promises that can be counted: contrast, no inline code, labels, one set of tokens."""

from __future__ import annotations

import re
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from milepost_server.store.schema import DueState
from milepost_server.web.rendering import environment
from support.html import Page
from support.sites import Site, application

if TYPE_CHECKING:
    import httpx


STATIC = resources.files("milepost_server.web").joinpath("static")
PAGES = (
    "/owners",
    "/owners?q=nobody",
    "/owners/1",
    "/owners/2",
    "/owners/6",
    "/vehicles/1/items/tyres",
    "/vehicles/4/odometer",
    "/sales",
    "/accuracy",
    "/quarantine",
    "/styleguide",
    "/nothing",
)
TEXT_CONTRAST_MIN = 4.5
PICTURE_CONTRAST_MIN = 3.0


def tokens() -> dict[str, dict[str, str]]:
    """Colours by name, of each scheme."""
    text = STATIC.joinpath("tokens.css").read_text(encoding="utf-8")
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    found = {
        scheme: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part))
        for scheme, part in (("light", light), ("dark", dark))
    }
    assert set(found["light"]) == set(found["dark"])
    return found


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    """The ratio of WCAG 2.2, 1.4.3."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground", "least"),
    [
        *(
            (ink, ground, TEXT_CONTRAST_MIN)
            for ink in ("ink", "ink-2", "ink-3", "accent", "red")
            for ground in ("paper", "surface")
        ),
        ("accent-ink", "accent", TEXT_CONTRAST_MIN),
        ("red-ink", "red", TEXT_CONTRAST_MIN),
        ("accent", "accent-soft", TEXT_CONTRAST_MIN),
        ("ink-3", "accent-soft", TEXT_CONTRAST_MIN),
        ("ink", "accent-soft", TEXT_CONTRAST_MIN),
        ("red", "red-soft", TEXT_CONTRAST_MIN),
        ("line-strong", "surface", PICTURE_CONTRAST_MIN),
        ("line-strong", "paper", PICTURE_CONTRAST_MIN),
    ],
)
def test_words_and_borders_stand_out_enough(scheme: str, ink: str, ground: str, least: float) -> None:
    colours = tokens()[scheme]
    assert contrast(colours[ink], colours[ground]) >= least


def test_colours_are_named_in_one_place_only() -> None:
    for sheet in ("base.css", "parts.css", "charts.css"):
        assert (
            re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", STATIC.joinpath(sheet).read_text(encoding="utf-8"))
            == []
        ), sheet


def test_every_class_that_a_state_needs_is_styled() -> None:
    parts, charts = (
        STATIC.joinpath(name).read_text(encoding="utf-8") for name in ("parts.css", "charts.css")
    )
    for state in DueState:
        assert f".badge.is-{state.value}" in parts
    for name in (
        "history",
        "rejected",
        "fan",
        "fan-middle",
        "today",
        "due-span",
        "due-limit",
        "due-bar",
        "service",
    ):
        assert f".{name} " in charts, name


@pytest.mark.parametrize("path", PAGES)
async def test_pages_carry_no_code_of_their_own(page: httpx.AsyncClient, path: str) -> None:
    html = (await page.get(path)).text
    found = Page(html)
    for tag, attributes in found.tags:
        assert "style" not in attributes, (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        if tag == "script":
            assert str(attributes["src"]).startswith("/static/")
    assert "{{" not in html
    assert "None" not in found.text


@pytest.mark.parametrize("path", PAGES)
async def test_pages_are_built_for_every_reader(page: httpx.AsyncClient, path: str) -> None:
    found = Page((await page.get(path)).text)
    assert found.named("html", lang="en")
    assert len(found.named("main")) == 1
    assert [tag for tag, _ in found.tags].count("h1") >= 1
    labelled = {attributes["for"] for attributes in found.named("label")}
    for tag in ("input", "select"):
        for attributes in found.named(tag):
            assert attributes.get("type") == "hidden" or attributes["id"] in labelled
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in found.named("svg"):
        assert attributes.get("aria-hidden") == "true" or attributes.get("aria-label")
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    if path != "/styleguide":
        assert all(later - earlier <= 1 for earlier, later in pairwise(levels)), levels


async def test_static_files_are_named_by_their_content_and_served(page: httpx.AsyncClient) -> None:
    found = Page((await page.get("/owners")).text)
    addresses = [str(tag["href"]) for tag in found.named("link")] + [
        str(tag["src"]) for tag in found.named("script")
    ]
    assert len(addresses) == 7
    for address in addresses:
        assert re.search(r"\?v=[0-9a-f]{12}$", address)
        assert (await page.get(address)).status_code == 200


async def test_the_styleguide_is_not_served_in_production(site: Site) -> None:
    production = Site(application(site.store, site.clock), site.store, site.clock, site.dealer_id)
    async with production.client() as client:
        assert (await client.get("/styleguide")).status_code == 404


def test_every_template_compiles() -> None:
    names = environment().list_templates(extensions=["html"])
    assert len(names) >= 12
    for name in names:
        environment().get_template(name)
