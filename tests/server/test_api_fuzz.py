"""Whatever is sent to the API, on both databases: never a 500, and always the one shape of errors."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from milepost_server.api.router import PREFIX
from support import showroom
from support.api_errors import is_error
from support.sites import Clock, Site, application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from milepost_server.store.engine import Store

SEED = 20261122
REQUESTS = 800
# They would end the login, or reach its limit.
LEFT_OUT = f"{PREFIX}/sessions"
DAYS = ("2026-01-01", "0001-01-01", "9999-12-31")
MOMENTS = ("2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
WORDS = (
    "a",
    "car-1",
    "engine-oil",
    "1M8GDM9AXKP042788",
    "WVWZZZ1JZXW000001",
    "%",
    "",
    "\0",
    "n\0ul",
    "\ud800",
)
NUMBERS = (1, 2, 3, 0, -1, 2026, 2**31, 2**63 - 1, 2**63, 10**30)
ODD = (*WORDS, *NUMBERS, *DAYS, *MOMENTS, 1e308, True, None, [], [[]], {}, {"a": 1})
NO_JSON = (b"", b"{", b"\xff\xfe", b"null", b"[" * 20_000, b"1" * 5_000)
ODD_ADDRESSES = (
    "/owners?as_of=0001-01-01",
    "/owners?as_of=9999-12-31",
    "/owners/1?as_of=9999-12-31",
    "/owners?q=%00",
    "/owners/%00",
    "/login?next=%00",
)
ODD_SHARE = 0.15
DEPTH_MAX = 5


class Sender:
    """Makes requests that an OpenAPI document describes, or nearly."""

    def __init__(self, document: dict[str, Any], seed: int) -> None:
        self._schemas = document["components"]["schemas"]
        self._rng = random.Random(seed)
        self._operations = [
            (method, path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if not path.startswith(LEFT_OUT)
        ]

    def request(self) -> dict[str, Any]:
        """Arguments of one request."""
        method, path, operation = self._rng.choice(self._operations)
        query = {}
        for parameter in operation.get("parameters", ()):
            text = str(self.value(parameter["schema"])).encode("utf-8", "replace").decode()
            if parameter["in"] == "path":
                path = path.replace("{" + parameter["name"] + "}", quote(text or "1", safe=""))
            elif self._rng.random() < 0.5:
                query[parameter["name"]] = text
        made: dict[str, Any] = {"method": method.upper(), "url": path, "params": query}
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            body = json.dumps(self.value(schema)).encode()
            made["content"] = self._rng.choice(NO_JSON) if self._rng.random() < ODD_SHARE else body
            made["headers"] = {"content-type": "application/json"}
        return made

    def value(self, schema: dict[str, Any], depth: int = 0) -> object:
        """A value of a JSON Schema, or something odd in its place."""
        if self._rng.random() < ODD_SHARE or depth > DEPTH_MAX:
            return self._rng.choice(ODD)
        if "$ref" in schema:
            return self.value(self._schemas[schema["$ref"].rpartition("/")[2]], depth)
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return self.value(self._rng.choice(choices), depth + 1)
        if schema.get("type") == "object":
            properties = schema.get("properties", {})
            return {name: self.value(inner, depth + 1) for name, inner in properties.items()}
        if schema.get("type") == "array":
            return [self.value(schema["items"], depth + 1) for _ in range(self._rng.randrange(4))]
        return self._rng.choice(_words_of(schema))


def _words_of(schema: dict[str, Any]) -> tuple[object, ...]:
    if "enum" in schema:
        return tuple(schema["enum"])
    by_format: dict[str, tuple[object, ...]] = {"date": DAYS, "date-time": MOMENTS}
    by_type: dict[str, tuple[object, ...]] = {"integer": NUMBERS, "string": WORDS}
    return by_format.get(schema.get("format", "")) or by_type.get(schema.get("type", "")) or ODD


@pytest.fixture
async def manager(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A manager of a stocked dealer, on each database."""
    dealer_id = await showroom.stock(store, others=4)
    clock = Clock()
    async with Site(application(store, clock), store, clock, dealer_id).client(showroom.MANAGER) as client:
        yield client


async def test_nothing_that_is_sent_to_the_api_breaks_it(manager: httpx.AsyncClient) -> None:
    sender = Sender((await manager.get(f"{PREFIX}/openapi.json")).json(), SEED)
    seen: set[int] = set()
    for _ in range(REQUESTS):
        request = sender.request()
        answer = await manager.request(**request)
        seen.add(answer.status_code)
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            assert answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR, request
            assert is_error(answer.json()), (request, answer.text)
    assert {200, 201, 204, 400, 404, 409, 422} <= seen, "too little was reached for the test to mean anything"


async def test_pages_survive_odd_addresses(manager: httpx.AsyncClient) -> None:
    for address in ODD_ADDRESSES:
        assert (await manager.get(address)).status_code < httpx.codes.INTERNAL_SERVER_ERROR, address


async def test_a_login_with_a_nul_is_a_mistake_not_a_failure(manager: httpx.AsyncClient) -> None:
    answer = await manager.post("/login", data={"email": "\0", "password": "x"})
    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
