"""What holds for every route: a login, one error shape, and nothing of another dealer."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from milepost_server.store import (
    contracts,
    dealer_files,
    devices,
    owners,
    ownerships,
    quarantine,
    readiness_models,
    readings,
    service_records,
    streams,
    vehicles,
)
from milepost_server.store.contracts import ContractRow
from milepost_server.store.quarantine import HeldPayload
from milepost_server.store.schema import ContractKind, DealerFileKind, Fitted, Powertrain, Role
from support import showroom
from support.api_errors import is_error
from support.routes import Route, all_routes
from support.sites import Site

if TYPE_CHECKING:
    import httpx
    from sqlalchemy.ext.asyncio import AsyncConnection

BODIES = {
    "/api/v1/owners": {"name": "Eve"},
    "/api/v1/vehicles": {
        "vin": "WVWZZZ1JZXW999999",
        "make": "Seat",
        "model": "Leon",
        "model_year": 2020,
        "powertrain": "combustion",
    },
    "/api/v1/devices": {"id": "eve-1"},
}


# Nothing that one could send to these is a mistake.
TAKES_NOTHING = ("/openapi.json", "/sessions", "/sessions/current", "/status", "/schedules", "/plans")
# What is right to send to routes that name a row, where it has to be something.
RIGHT: dict[str, dict[str, object]] = {
    "POST /api/v1/vehicles/{vehicle_id}/items/{item}/actions": {"action": "acknowledged"},
    "PUT /api/v1/vehicles/{vehicle_id}/readings/{stream_id}/{seq}/overrule": {"keep": False},
    "PUT /api/v1/contracts/{contract_id}": {
        "vehicle_id": 1,
        "kind": "lease",
        "start_on": "2024-01-01",
        "end_on": "2027-01-01",
    },
}
FORMS = {
    "POST /quarantine/{quarantine_id}": {"action": "discard"},
    "POST /vehicles/{vehicle_id}/items/{item}": {"action": "acknowledged"},
    "POST /vehicles/{vehicle_id}/readings/{stream_id}/{seq}": {"verdict": "keep"},
}
# Their names are the dealer's own: what another dealer calls so is neither seen nor changed.
NAMED_BY_THE_DEALER = ("/api/v1/schedules/{schedule_name}", "/api/v1/plans/{plan_list_name}")


def numbers(route: Route, value: object = 1) -> dict[str, object]:
    words = {"item": "engine-oil", "schedule_name": "ours", "plan_list_name": "ours", "model_version": "v"}
    return {name: words.get(name, value) for name in route.parameters}


async def call(client: httpx.AsyncClient, route: Route, path: str, **more: object) -> httpx.Response:
    return await client.request(route.method, path, **more)


async def test_every_route_but_the_open_ones_needs_a_login(site: Site, stranger: httpx.AsyncClient) -> None:
    for route in all_routes(site.app):
        if route.is_open:
            continue
        answer = await call(stranger, route, route.filled(numbers(route)))
        if route.is_api:
            assert answer.status_code == 401, route
            assert is_error(answer.json()), route
        else:
            assert answer.status_code == 303, route
            assert answer.headers["location"].startswith("/login"), route


async def test_only_login_and_styleguide_are_open(site: Site) -> None:
    assert {route for route in all_routes(site.app) if route.is_open} == {
        Route("GET", "/login"),
        Route("POST", "/login"),
        Route("POST", "/api/v1/sessions"),
        Route("GET", "/styleguide"),
    }


async def test_every_mistake_in_the_api_has_the_one_shape(site: Site, page: httpx.AsyncClient) -> None:
    for route in all_routes(site.app):
        if not route.is_api or route.path.endswith(TAKES_NOTHING):
            continue
        path = route.filled(numbers(route, value=999_999))
        tries = [await call(page, route, f"{path}?after=-1&limit=0&as_of=soon&state=odd")]
        if route.parameters:
            tries.append(await call(page, route, path))
        if route.method in ("POST", "PUT"):
            tries.append(await call(page, route, path, json={"nonsense": True}))
            tries.append(
                await call(page, route, path, content=b"{", headers={"content-type": "application/json"})
            )
        refused = [answer for answer in tries if answer.status_code >= 400]
        assert refused, f"nothing was refused by {route}"
        for answer in refused:
            assert answer.status_code < 500, route
            assert is_error(answer.json()), (route, answer.text)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("PATCH", "/api/v1/owners", 405, "method_not_allowed"),
        ("GET", "/api/v1/owners/0", 422, "invalid"),
        ("GET", f"/api/v1/owners/{2**63}", 422, "invalid"),
        ("GET", "/api/v1/owners/424242", 404, "not_found"),
    ],
)
async def test_errors_of_the_framework_have_the_shape_too(
    page: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await page.request(method, path)
    assert answer.status_code == status
    assert is_error(answer.json())
    assert answer.json()["error"]["code"] == code


SCHEDULE = """
schema = 1
dealer = "Autohaus Süd"
powertrain = "combustion"
title = "Schedule of the South"
[[item]]
key = "engine-oil"
title = "Engine oil"
[[item.interval]]
time_months = 24
source = "What the South believes in."
"""

PLANS = """
schema = 1
[[plan]]
name = "South"
km_per_year = 10_000
price_per_year = 4_000
price_per_extra_km = 0.2
"""


def lease_of(vehicle_id: int) -> dict[str, object]:
    empty = dict.fromkeys(field.name for field in fields(ContractRow) if field.name != "id")
    term = {"start_on": showroom.TODAY.replace(year=2025), "end_on": showroom.TODAY.replace(year=2028)}
    known = {"vehicle_id": vehicle_id, "kind": ContractKind.LEASE, "currency": "EUR", "source": "api"}
    return {**empty, **term, **known}


def odometer_of(dealer_id: int, vehicle_id: int, stream_id: int) -> dict[str, object]:
    return {
        "dealer_id": dealer_id,
        "stream_id": stream_id,
        "seq": 1,
        "vehicle_id": vehicle_id,
        "signal": showroom.ODOMETER,
        "time_ms": int(showroom.NOW.timestamp() * 1000),
        "trust": "synced",
        "time_plausible": True,
        "received_at": showroom.NOW,
        "value_num": 1_000_000.0,
        "value_text": None,
    }


async def add_rules(connection: AsyncConnection, dealer_id: int) -> None:
    """A schedule, subscription plans and a readiness model, in force one day, of the dealer's own."""
    await dealer_files.put(
        connection,
        dealer_id,
        kind=DealerFileKind.PLANS,
        name="plan",
        text=PLANS,
        staff_id=None,
        now=showroom.NOW,
    )
    await dealer_files.put(
        connection,
        dealer_id,
        kind=DealerFileKind.SCHEDULE,
        name="plan",
        text=SCHEDULE,
        staff_id=None,
        now=showroom.NOW,
    )
    await readiness_models.add(
        connection,
        dealer_id,
        version="south-1",
        document={},
        fitted=Fitted.LEARNED,
        fitted_on=showroom.TODAY,
        in_force_on=showroom.TODAY.replace(year=2027),
        metrics={},
        now=showroom.NOW,
    )


async def other_dealer(site: Site) -> dict[str, object]:
    """A second dealer with one of everything; returns the ids by name of the path's parameter."""
    async with site.store.write() as connection:
        staff = {"boss@south.example": Role.MANAGER}
        dealer_id = await showroom.add_dealer(connection, "Autohaus Süd", staff)
        owner = await owners.put(
            connection,
            dealer_id,
            name="Evelyn Quist",
            email=None,
            phone=None,
            external_id=None,
            now=showroom.NOW,
        )
        vehicle = await vehicles.put(
            connection,
            dealer_id,
            vin="WVWZZZ1JZXW777777",
            plate=None,
            make="Seat",
            model="Ibiza",
            model_year=2021,
            powertrain=Powertrain.COMBUSTION,
            first_registered_on=showroom.TODAY.replace(year=2021),
            now=showroom.NOW,
        )
        since = {"start_on": showroom.TODAY.replace(year=2021), "end_on": None, "now": showroom.NOW}
        await ownerships.add(connection, dealer_id, owner_id=owner.id, vehicle_id=vehicle.id, **since)
        await devices.add(connection, dealer_id, "south-1", credential="$7$1$eA==$eA==", now=showroom.NOW)
        await service_records.add(
            connection,
            dealer_id,
            vehicle_id=vehicle.id,
            item="engine-oil",
            done_on=showroom.TODAY,
            odometer_m=1000,
            source="workshop",
            now=showroom.NOW,
        )
        contract = await contracts.add(connection, dealer_id, lease_of(vehicle.id), now=showroom.NOW)
        await add_rules(connection, dealer_id)
        stream = (await streams.lock(connection, [(dealer_id, "south-1", "f" * 16)], now=showroom.NOW))[
            "south-1", "f" * 16
        ]
        await readings.add(connection, [odometer_of(dealer_id, vehicle.id, stream.id)])
        held = HeldPayload(
            dealer_id, "south-1", "milepost/v1/south-1/up", b"south", "body", "no", showroom.NOW
        )
        await quarantine.hold(connection, held)
        found = await quarantine.page(connection, state=None, after_id=0, limit=100)
    await showroom.derive(site.store, dealer_id)
    return {
        "owner_id": owner.id,
        "vehicle_id": vehicle.id,
        "item": "engine-oil",
        "device_id": "south-1",
        "quarantine_id": max(row.id for row in found),
        "contract_id": contract.id,
        "schedule_name": "plan",
        "plan_list_name": "plan",
        "model_version": "south-1",
        "stream_id": stream.id,
        "seq": 1,
    }


async def test_what_belongs_to_another_dealer_is_not_there(site: Site, page: httpx.AsyncClient) -> None:
    theirs = await other_dealer(site)
    async with site.client("boss@south.example") as south:
        for route in all_routes(site.app):
            if not route.parameters:
                continue
            called = f"{route.method} {route.path}"
            form: dict[str, object] = {"data": FORMS[called]} if called in FORMS else {}
            if called in RIGHT:
                form = {"json": RIGHT[called]}
            if route.method == "PUT" and route.path in NAMED_BY_THE_DEALER:
                continue
            path = route.filled(theirs)
            answer = await call(page, route, path, **form)
            assert answer.status_code == 404, (route, answer.status_code)
            assert "south" not in answer.text.replace(path, "").replace("south-1", "", 1).lower(), route
            if route.method == "GET":
                assert (await call(south, route, path)).status_code == 200, f"{route}: not there for anybody"


async def test_lists_hold_the_dealers_own_rows_alone(site: Site, page: httpx.AsyncClient) -> None:
    await other_dealer(site)
    async with site.client("boss@south.example") as south:
        for route in all_routes(site.app):
            if route.method != "GET" or route.parameters or route.is_open:
                continue
            text = (await page.get(f"{route.path}?limit=500", follow_redirects=True)).text
            for word in ("Quist", "south-1", "WVWZZZ1JZXW777777", "Ibiza"):
                assert word not in text, route
            theirs = (await south.get(route.path, follow_redirects=True)).text
            for word in ("Okafor", "car-0001-0", "Octavia"):
                assert word not in theirs, route


async def test_rows_of_another_dealer_cannot_be_referred_to(site: Site, page: httpx.AsyncClient) -> None:
    theirs = await other_dealer(site)
    day, moment = "2026-01-01", "2026-01-01T00:00:00Z"
    for path, body in (
        ("ownerships", {"owner_id": theirs["owner_id"], "vehicle_id": 1, "start_on": day}),
        ("ownerships", {"owner_id": 1, "vehicle_id": theirs["vehicle_id"], "start_on": day}),
        ("installations", {"device_id": "south-1", "vehicle_id": 1, "start_at": moment}),
        (
            "installations",
            {"device_id": "car-0001-0", "vehicle_id": theirs["vehicle_id"], "start_at": moment},
        ),
        ("service-records", {"vehicle_id": theirs["vehicle_id"], "item": "engine-oil", "done_on": day}),
        (
            "contracts",
            {"vehicle_id": theirs["vehicle_id"], "kind": "lease", "start_on": day, "end_on": "2028-01-01"},
        ),
        ("outcomes", {"owner_id": theirs["owner_id"], "kind": "sale", "happened_on": day, "sender_id": "1"}),
        (
            "outcomes",
            {
                "owner_id": 1,
                "vehicle_id": theirs["vehicle_id"],
                "kind": "sale",
                "happened_on": day,
                "sender_id": "1",
            },
        ),
    ):
        answer = await page.post(f"/api/v1/{path}", json=body)
        assert answer.status_code == 404, (path, body, answer.text)


@pytest.mark.parametrize("path", sorted(BODIES))
async def test_who_may_not_register_is_told_so(site: Site, path: str) -> None:
    async with site.client(showroom.SELLER) as seller:
        answer = await seller.post(path, json=BODIES[path])
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "not_allowed"
        assert (await seller.get("/quarantine")).status_code == 403
        assert (await seller.get("/owners")).status_code == 200


async def test_openapi_describes_every_route_of_the_api(site: Site, page: httpx.AsyncClient) -> None:
    document = (await page.get("/api/v1/openapi.json")).json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    hidden = {("GET", "/api/v1/openapi.json")}
    assert described == {tuple(route) for route in all_routes(site.app) if route.is_api} - hidden
