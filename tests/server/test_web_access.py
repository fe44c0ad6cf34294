"""The way in and out, and what guards it: cookies, other sites, headers."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import httpx
import pytest

from milepost_server.api.services import COOKIE
from milepost_server.people.sessions import SESSION_IDLE_MAX
from milepost_server.web.pages.access import safe_path
from support import showroom
from support.html import Page
from support.routes import all_routes
from support.sites import BASE, Site, application

if TYPE_CHECKING:
    from starlette.datastructures import Headers

GOOD = {"email": showroom.ADVISOR, "password": showroom.PASSWORD}


async def test_login_leads_on_to_where_one_wanted_to_go(stranger: httpx.AsyncClient) -> None:
    turned_away = await stranger.get("/owners?state=due&q=li")
    assert turned_away.status_code == 303
    form = await stranger.get(turned_away.headers["location"])
    onward = Page(form.text).named("input", name="onward")[0]["value"]
    answer = await stranger.post("/login", data={**GOOD, "onward": onward})
    assert answer.headers["location"] == "/owners?state=due&q=li"
    assert (await stranger.get(answer.headers["location"])).status_code == 200


async def test_a_mistake_keeps_the_mail_and_says_what_to_do(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.post("/login", data={**GOOD, "password": "wrong"})
    assert answer.status_code == 401
    page = Page(answer.text)
    assert page.named("input", name="email")[0]["value"] == showroom.ADVISOR
    assert "value" not in answer.text.split('name="password"')[1].split(">")[0].replace('value=""', "")
    assert "This mail address and password do not belong together. Check both and try again." in page.lines
    assert COOKIE not in answer.cookies


async def test_what_was_typed_is_shown_as_text(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.post("/login", data={"email": '"><script>x</script>', "password": "wrong"})
    assert "<script>x" not in answer.text


async def test_after_five_mistakes_the_form_says_how_long_to_wait(
    site: Site, stranger: httpx.AsyncClient
) -> None:
    for _ in range(5):
        await stranger.post("/login", data={**GOOD, "password": "wrong"})
    answer = await stranger.post("/login", data=GOOD)
    assert answer.status_code == 429
    assert "Too many attempts. Wait 15 minutes, then try again." in Page(answer.text).lines
    site.clock.move(minutes=15)
    assert (await stranger.post("/login", data=GOOD)).status_code == 303


@pytest.mark.parametrize("secure", [False, True])
async def test_the_cookie_is_for_the_server_alone(site: Site, secure: bool) -> None:
    app = application(site.store, site.clock, secure=secure)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        answer = await client.post("/login", data=GOOD)
    cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "lax"
    assert cookie["path"] == "/"
    assert bool(cookie["secure"]) is secure
    assert ("strict-transport-security" in answer.headers) is secure


async def test_logout_ends_the_session_in_the_table_too(page: httpx.AsyncClient) -> None:
    token = page.cookies[COOKIE]
    assert (await page.post("/logout")).headers["location"] == "/login"
    assert COOKIE not in page.cookies
    page.cookies.set(COOKIE, token)
    assert (await page.get("/owners")).status_code == 303


async def test_an_idle_session_ends(site: Site, page: httpx.AsyncClient) -> None:
    site.clock.now += SESSION_IDLE_MAX
    assert (await page.get("/owners")).status_code == 303


async def test_the_form_sends_on_who_is_logged_in(page: httpx.AsyncClient) -> None:
    assert (await page.get("/login")).headers["location"] == "/owners"
    assert (await page.get("/")).headers["location"] == "/owners"


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example", "/\\evil.example", "owners", "", "/\tx", "/" + "x" * 1001],
)
def test_a_way_on_leads_to_our_own_pages_only(path: str) -> None:
    assert safe_path(path) == "/owners"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "none"}, 303),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": BASE}, 303),
        ({}, 303),
    ],
)
async def test_another_site_cannot_act_in_a_persons_name(
    page: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await page.post("/logout", headers=headers)).status_code == status


async def test_no_route_that_changes_something_may_be_called_from_another_site(
    site: Site, page: httpx.AsyncClient
) -> None:
    for route in all_routes(site.app):
        if route.method == "GET":
            continue
        path = route.filled(dict.fromkeys(route.parameters, 1))
        answer = await page.request(route.method, path, headers={"sec-fetch-site": "cross-site"})
        assert answer.status_code == 403, route
        assert answer.json()["error"]["code"] == "cross_site"


async def test_a_huge_body_is_refused_before_it_is_read(page: httpx.AsyncClient) -> None:
    answer = await page.post("/api/v1/owners", content=b"[" + b" " * 3_000_000 + b"]")
    assert answer.status_code == 413

    async def endless() -> object:
        yield b"["

    assert (await page.post("/api/v1/owners", content=endless())).status_code == 411


@pytest.mark.parametrize(
    "path", ["/login", "/owners", "/owners/1", "/nothing", "/static/base.css", "/api/v1/status"]
)
async def test_every_answer_carries_the_security_headers(page: httpx.AsyncClient, path: str) -> None:
    headers: Headers = (await page.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert path.startswith("/static") or headers["cache-control"] == "no-store"


async def test_a_page_that_does_not_exist_says_so_in_words(page: httpx.AsyncClient) -> None:
    for path, words in (
        ("/nothing", "There is nothing at this address."),
        ("/owners/999", "There is no owner 999."),
    ):
        answer = await page.get(path)
        assert answer.status_code == 404
        assert words in Page(answer.text).lines
