"""The registry over REST: one or many, again without harm, with mistakes named by their place."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from milepost_server.api.bodies import BULK_ITEMS_MAX
from milepost_server.broker import credentials
from milepost_server.store import devices, dirty
from support import showroom
from support.sites import Site

if TYPE_CHECKING:
    import httpx

VIN = "WVWZZZ1JZXW555555"
CAR = {"vin": VIN, "make": "Seat", "model": "Leon", "model_year": 2020, "powertrain": "combustion"}


async def post(client: httpx.AsyncClient, noun: str, body: object, status: int = 200) -> dict[str, object]:
    answer = await client.post(f"/api/v1/{noun}", json=body)
    assert answer.status_code == status, answer.text
    made: dict[str, object] = answer.json()
    return made


async def new_car(client: httpx.AsyncClient, vin: str = VIN) -> object:
    return (await post(client, "vehicles", {**CAR, "vin": vin}))["id"]


async def test_a_service_is_recorded_once_it_is_done(page: httpx.AsyncClient) -> None:
    body = {"vehicle_id": await new_car(page), "item": "engine-oil"}
    tomorrow, *later = (str(showroom.TODAY + dt.timedelta(days=days)) for days in (1, 2, 20_000))
    await post(page, "service-records", {**body, "done_on": tomorrow})
    for done_on in later:
        assert (await post(page, "service-records", {**body, "done_on": done_on}, 422))["error"] == {
            "code": "invalid",
            "message": "A service that is done was not done on a day to come.",
            "field": "done_on",
        }


async def test_a_token_serves_as_bearer_until_it_is_revoked(stranger: httpx.AsyncClient) -> None:
    login = {"email": showroom.ADVISOR, "password": showroom.PASSWORD}
    token = (await post(stranger, "sessions", login))["token"]
    headers = {"authorization": f"Bearer {token}"}
    me = (await stranger.get("/api/v1/sessions/current", headers=headers)).json()
    assert me == {
        "name": "Ulrike Sommer",
        "email": showroom.ADVISOR,
        "role": "service",
        "dealer_name": "Autohaus Nord",
    }
    assert (await stranger.delete("/api/v1/sessions/current", headers=headers)).status_code == 204
    assert (await stranger.get("/api/v1/sessions/current", headers=headers)).status_code == 401


async def test_too_many_logins_say_when_to_come_back(stranger: httpx.AsyncClient) -> None:
    wrong = {"email": showroom.ADVISOR, "password": "wrong"}
    for _ in range(5):
        await post(stranger, "sessions", wrong, 401)
    answer = await stranger.post("/api/v1/sessions", json={**wrong, "password": showroom.PASSWORD})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "900"
    assert answer.json()["error"]["code"] == "too_many_attempts"


async def test_an_owner_sent_again_is_brought_up_to_date(page: httpx.AsyncClient) -> None:
    first = await post(page, "owners", {"name": "Eve", "external_id": "X-1", "phone": "1"})
    again = await post(page, "owners", {"name": "Eve Quist", "external_id": "X-1", "email": "eve@m.example"})
    assert again == {**first, "name": "Eve Quist", "phone": None, "email": "eve@m.example"}


async def test_owners_without_a_number_are_different_people(page: httpx.AsyncClient) -> None:
    first, second = (await post(page, "owners", [{"name": "Eve"}, {"name": "Eve"}]))["items"]
    assert first["id"] != second["id"]


async def test_a_vehicle_sent_again_is_brought_up_to_date_and_derived_again(
    site: Site, page: httpx.AsyncClient
) -> None:
    first = await post(page, "vehicles", CAR)
    again = await post(page, "vehicles", {**CAR, "vin": f" {VIN.lower()} ", "plate": "B NX 1"})
    assert again == {**first, "plate": "B NX 1"}
    async with site.store.read() as connection:
        assert first["id"] in {row.vehicle_id for row in await dirty.oldest(connection, 1000)}


@pytest.mark.parametrize(
    ("vin", "says"),
    [
        ("WVWZZZ1JZXW00O001", "a character that no VIN has"),
        ("WVWZZZ", "has 6 characters"),
        ("", "has 0 characters"),
    ],
)
async def test_a_vin_that_does_not_parse_is_named(page: httpx.AsyncClient, vin: str, says: str) -> None:
    error = (await post(page, "vehicles", [CAR, {**CAR, "vin": vin}], 422))["error"]
    assert error["field"] == "1.vin"
    assert says in error["message"]
    assert "17 letters and digits without I, O and Q" in error["message"]


async def test_a_bad_one_in_a_list_stores_nothing_of_it(page: httpx.AsyncClient) -> None:
    before = (await page.get("/api/v1/status")).json()["owners"]
    await post(page, "owners", [{"name": "Eve"}, {"name": ""}], 422)
    car = await new_car(page)
    records = [
        {"vehicle_id": car, "item": "engine-oil", "done_on": "2026-01-01"},
        {"vehicle_id": car, "item": "engine oil", "done_on": "2026-01-01"},
    ]
    error = (await post(page, "service-records", records, 422))["error"]
    assert error["field"] == "1.item"
    assert "engine-oil, front-pads" in error["message"]
    assert (await page.get("/api/v1/status")).json()["owners"] == before
    assert VIN not in (await page.get("/api/v1/service-records?limit=500")).text


async def test_lists_are_bounded(page: httpx.AsyncClient) -> None:
    error = (await post(page, "owners", [{"name": "Eve"}] * (BULK_ITEMS_MAX + 1), 422))["error"]
    assert str(BULK_ITEMS_MAX) in error["message"]


async def test_one_vin_twice_in_a_list_is_a_mistake(page: httpx.AsyncClient) -> None:
    error = (await post(page, "vehicles", [CAR, CAR], 422))["error"]
    assert error["field"] == "1"
    assert "stands twice" in error["message"]


async def test_a_field_with_a_typo_is_a_mistake(page: httpx.AsyncClient) -> None:
    error = (await post(page, "owners", {"name": "Eve", "mail": "eve@m.example"}, 422))["error"]
    assert error["field"] == "mail"


async def test_a_later_ownership_ends_the_one_before_and_again_is_harmless(page: httpx.AsyncClient) -> None:
    car = await new_car(page)
    both = await post(page, "owners", [{"name": "Old"}, {"name": "New"}])
    old, new = (one["id"] for one in both["items"])
    await post(page, "ownerships", {"owner_id": old, "vehicle_id": car, "start_on": "2020-01-01"})
    handover = {"owner_id": new, "vehicle_id": car, "start_on": "2024-05-01"}
    assert await post(page, "ownerships", handover) == await post(page, "ownerships", handover)
    rows = (await page.get("/api/v1/ownerships?limit=500")).json()["items"]
    mine = [(row["owner_id"], row["start_on"], row["end_on"]) for row in rows if row["vehicle_id"] == car]
    assert mine == [(old, "2020-01-01", "2024-05-01"), (new, "2024-05-01", None)]


async def test_an_ownership_that_contradicts_another_is_refused(page: httpx.AsyncClient) -> None:
    car = await new_car(page)
    owner = (await post(page, "owners", {"name": "Old"}))["id"]
    await post(page, "ownerships", {"owner_id": owner, "vehicle_id": car, "start_on": "2024-01-01"})
    early = {"owner_id": 1, "vehicle_id": car, "start_on": "2020-01-01"}
    assert "until further notice" in (await post(page, "ownerships", early, 409))["error"]["message"]
    await post(page, "ownerships", {**early, "end_on": "2024-01-01"})
    backwards = {"owner_id": 1, "vehicle_id": car, "start_on": "2020-01-01", "end_on": "2019-01-01"}
    assert (await post(page, "ownerships", backwards, 422))["error"]["field"] == "end_on"


async def test_a_device_gets_its_secret_once(site: Site, page: httpx.AsyncClient) -> None:
    made = await post(page, "devices", {"id": "gw-9"}, 201)
    async with site.store.read() as connection:
        stored = await devices.credential(connection, "gw-9")
    assert stored is not None
    assert credentials.matches(made["secret"], stored)
    assert made["secret"] not in stored
    await post(page, "devices", {"id": "gw-9"}, 409)
    assert "secret" not in (await page.get("/api/v1/devices")).text


async def test_a_revoked_device_may_not_connect(site: Site, page: httpx.AsyncClient) -> None:
    assert (await page.delete("/api/v1/devices/car-0001-0")).status_code == 204
    async with site.store.read() as connection:
        assert await devices.credential(connection, "car-0001-0") is None


async def test_a_device_id_that_no_topic_can_hold_is_refused(page: httpx.AsyncClient) -> None:
    assert (await post(page, "devices", [{"id": "gw 9"}], 422))["error"]["field"] == "0.id"


async def test_an_installation_sent_again_is_the_same(page: httpx.AsyncClient) -> None:
    car = await new_car(page)
    await post(page, "devices", {"id": "gw-9"}, 201)
    body = {"device_id": "gw-9", "vehicle_id": car, "start_at": "2026-01-01T10:00:00+01:00"}
    first = await post(page, "installations", body)
    assert first["start_at"] == "2026-01-01T09:00:00Z"
    assert await post(page, "installations", body) == first
    naive = {**body, "start_at": "2026-01-01T10:00:00"}
    assert (await post(page, "installations", naive, 422))["error"]["field"] == "start_at"


async def test_a_service_that_is_recorded_twice_is_one_and_derives_again(
    site: Site, page: httpx.AsyncClient
) -> None:
    async with site.store.read() as connection:
        assert await dirty.oldest(connection, 10) == []
    body = {"vehicle_id": 1, "item": "engine-oil", "done_on": "2026-11-19", "odometer_m": 98_100_000}
    first = await post(page, "service-records", body)
    assert await post(page, "service-records", body) == first
    async with site.store.read() as connection:
        waiting = await dirty.oldest(connection, 10)
    assert [(row.vehicle_id, row.marks) for row in waiting] == [(1, 1)]


async def test_lists_are_read_a_page_at_a_time(page: httpx.AsyncClient) -> None:
    names: list[str] = []
    after = 0
    while after is not None:
        found = (await page.get(f"/api/v1/owners?limit=7&after={after}")).json()
        names += [owner["name"] for owner in found["items"]]
        after = found["next"]
    assert len(names) == len(set(names)) == 30
