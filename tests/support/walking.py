"""Walks through every page and every answer of an application, looking for numbers that are none."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from support.html import Page
from support.routes import Route, all_routes

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

NO_NUMBER = re.compile(r"(?<![A-Za-z])(NaN|nan|NaT|inf|Infinity|None)(?![a-z])")
"""What becomes of a missing value that nobody looked at."""


async def walk(
    app: FastAPI, client: httpx.AsyncClient, as_of: str = "", *, is_to_come: bool = False
) -> list[str]:
    """Get all that there is to get, and return the paths; of a day to come, the API may tell nothing.

    Raises:
        AssertionError: an answer is an error, holds a number that is none, or says one in words.
    """
    seen = []
    for route in all_routes(app):
        if route.method != "GET" or route.is_open:
            continue
        for path in await _filled(client, route):
            answer = await client.get(path, params={"as_of": as_of} if as_of else {})
            if is_to_come and answer.status_code == 422:
                assert answer.json()["error"]["field"] == "as_of"
            else:
                _look(answer, path, route, as_of)
            seen.append(path)
    return seen


def _look(answer: httpx.Response, path: str, route: Route, as_of: str) -> None:
    # On a day on which nothing was derived yet there is no item to open.
    allowed = (200, 303, 404) if as_of else (200, 303)
    assert answer.status_code in allowed, (path, answer.status_code, answer.text)
    if not answer.headers.get("content-type", "").startswith("text/html"):
        json.loads(answer.text or "null", parse_constant=_refuse)
    elif answer.status_code == 200:
        # Attributes, too: a picture is drawn by them.
        page = Page(answer.text)
        words = [page.text, *(value or "" for _, attributes in page.tags for value in attributes.values())]
        found = [text for text in words if NO_NUMBER.search(text)]
        assert not found, (route.path, found)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} stands in an answer")


async def _filled(client: httpx.AsyncClient, route: Route) -> list[str]:
    """The paths of a route: for each thing of its first parameter, and what belongs to it."""
    if not route.parameters:
        return [route.path]
    maker = _MAKERS.get(tuple(route.parameters))
    assert maker is not None, f"{route.path} has parameters that nobody here knows: say how to fill them"
    return [route.filled(values) for values in await maker(client)]


async def _items(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    answer = await client.get(f"/api/v1/{path}", params={"limit": 500})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = json.loads(answer.text, parse_constant=_refuse)["items"]
    return items


async def _owners(client: httpx.AsyncClient) -> list[dict[str, object]]:
    return [{"owner_id": row["id"]} for row in await _items(client, "owners")]


async def _vehicles(client: httpx.AsyncClient) -> list[dict[str, object]]:
    return [{"vehicle_id": row["id"]} for row in await _items(client, "vehicles")]


async def _items_of_vehicles(client: httpx.AsyncClient) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for row in await _vehicles(client):
        answer = (await client.get(f"/api/v1/vehicles/{row['vehicle_id']}")).json()
        found += [{**row, "item": item["item"]} for item in answer["items"]]
    return found


async def _devices(client: httpx.AsyncClient) -> list[dict[str, object]]:
    return [{"device_id": row["id"]} for row in await _items(client, "devices")]


async def _contracts(client: httpx.AsyncClient) -> list[dict[str, object]]:
    return [{"contract_id": row["id"]} for row in await _items(client, "contracts")]


async def _schedules(client: httpx.AsyncClient) -> list[dict[str, object]]:
    return [{"schedule_name": row["name"]} for row in await _items(client, "schedules")]


async def _plan_lists(client: httpx.AsyncClient) -> list[dict[str, object]]:
    return [{"plan_list_name": row["name"]} for row in await _items(client, "plans")]


async def _models(client: httpx.AsyncClient) -> list[dict[str, object]]:
    return [{"model_version": row["version"]} for row in await _items(client, "readiness-models")]


async def _quarantine(client: httpx.AsyncClient) -> list[dict[str, object]]:
    return [{"quarantine_id": row["id"]} for row in await _items(client, "quarantine")]


_MAKERS = {
    ("owner_id",): _owners,
    ("vehicle_id",): _vehicles,
    ("vehicle_id", "item"): _items_of_vehicles,
    ("device_id",): _devices,
    ("contract_id",): _contracts,
    ("schedule_name",): _schedules,
    ("plan_list_name",): _plan_lists,
    ("model_version",): _models,
    ("quarantine_id",): _quarantine,
}
