"""What staff do about items, readings and schedules over REST, and who may."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from milepost_server.store import dirty
from support import showroom

if TYPE_CHECKING:
    import httpx

    from support.sites import Site

OIL = "/api/v1/vehicles/1/items/engine-oil/actions"
DAY = dt.timedelta(days=1)
PLAN = """
schema = 1
dealer = "Autohaus Nord"
powertrain = "combustion"
title = "Our own schedule"
[[item]]
key = "engine-oil"
title = "Engine oil"
[[item.interval]]
time_months = 24
source = "What our workshop has seen."
"""


async def is_dirty(site: Site, vehicle_id: int) -> bool:
    async with site.store.read() as connection:
        return vehicle_id in {row.vehicle_id for row in await dirty.oldest(connection, 100)}


async def reading(page: httpx.AsyncClient, signal: str = showroom.ODOMETER) -> str:
    """The address at which one of the first car's readings can be overruled."""
    items = (await page.get("/api/v1/vehicles/1")).json()["items"]
    entries = (entry for item in items for entry in item["evidence"]["readings"])
    found = next(entry for entry in entries if entry["signal"] == signal)
    return f"/api/v1/vehicles/1/readings/{found['stream']}/{found['seq']}/overrule"


async def test_what_is_done_about_an_item_is_noted_with_who_and_when(
    site: Site, page: httpx.AsyncClient
) -> None:
    booked = {"action": "booked", "for_on": "2026-12-01", "note": "  before the holidays "}
    answer = await page.post(OIL, json=booked)
    assert answer.status_code == 201, answer.text
    assert answer.json() == {
        "id": answer.json()["id"],
        "vehicle_id": 1,
        "item": "engine-oil",
        "action": "booked",
        "at": showroom.NOW.isoformat().replace("+00:00", "Z"),
        "staff_name": "Ines Kramer",
        "for_on": "2026-12-01",
        "until_on": None,
        "note": "before the holidays",
    }
    assert await is_dirty(site, 1)
    site.clock.move(days=2)
    history = "/api/v1/vehicles/1/actions"
    async with site.client(showroom.ADVISOR) as advisor:
        await advisor.post(OIL, json={"action": "reopened"})
        now = (await advisor.get(history)).json()["items"]
        then = (await advisor.get(f"{history}?as_of={showroom.TODAY}")).json()["items"]
    assert [(row["action"], row["staff_name"]) for row in now] == [
        ("reopened", "Ulrike Sommer"),
        ("booked", "Ines Kramer"),
    ]
    assert then == [answer.json()], "as of an earlier day, what came later has not happened"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "booked"}, "for_on"),
        ({"action": "booked", "for_on": str(showroom.TODAY - DAY)}, "for_on"),
        ({"action": "booked", "for_on": str(showroom.TODAY + 366 * DAY)}, "for_on"),
        ({"action": "snoozed"}, "until_on"),
        ({"action": "snoozed", "until_on": str(showroom.TODAY + 366 * DAY)}, "until_on"),
        ({"action": "snoozed", "until_on": str(showroom.TODAY)}, "until_on"),
        ({"action": "done", "for_on": str(showroom.TODAY + DAY)}, "for_on"),
        ({"action": "forgotten"}, "action"),
    ],
)
async def test_an_action_needs_its_day(page: httpx.AsyncClient, body: dict[str, str], field: str) -> None:
    answer = await page.post(OIL, json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field


async def test_items_that_a_car_does_not_have_are_not_there(page: httpx.AsyncClient) -> None:
    for path in ("/api/v1/vehicles/1/items/wings/actions", "/api/v1/vehicles/999/items/engine-oil/actions"):
        assert (await page.post(path, json={"action": "acknowledged"})).status_code == 404


async def test_a_reading_can_be_overruled_and_given_back(site: Site, page: httpx.AsyncClient) -> None:
    path = await reading(page)
    said = {"keep": False, "note": "typed by the trainee"}
    assert (await page.put(path, json=said)).status_code == 204
    assert await is_dirty(site, 1)
    assert (await page.put(path, json={"keep": True})).status_code == 204
    (row,) = (await page.get("/api/v1/vehicles/1/overrules")).json()["items"]
    assert path == f"/api/v1/vehicles/1/readings/{row['stream_id']}/{row['seq']}/overrule"
    assert (row["keep"], row["note"], row["staff_name"]) == (True, "", "Ines Kramer")
    assert (await page.delete(path)).status_code == 204
    assert (await page.get("/api/v1/vehicles/1/overrules")).json()["items"] == []


async def test_only_odometer_readings_of_the_car_itself_can_be_overruled(page: httpx.AsyncClient) -> None:
    odometer, pads = await reading(page), await reading(page, showroom.PADS[0])
    for path in (
        odometer.replace("vehicles/1/", "vehicles/2/"),
        "/api/v1/vehicles/1/readings/1/999999/overrule",
        pads,
    ):
        assert (await page.put(path, json={"keep": False})).status_code == 404, path


async def test_a_schedule_of_the_dealer_can_be_set_and_taken_back(page: httpx.AsyncClient) -> None:
    path = "/api/v1/schedules/ours"
    assert (await page.put(path, json={"text": PLAN})).status_code == 204
    assert (await page.put(path, json={"text": PLAN.replace("24", "18")})).status_code == 204
    (row,) = (await page.get("/api/v1/schedules")).json()["items"]
    assert (row["name"], row["staff_name"]) == ("ours", "Ines Kramer")
    assert "18" in row["text"]
    assert (await page.get(path)).json() == row
    assert (await page.delete(path)).status_code == 204
    assert (await page.get("/api/v1/schedules")).json()["items"] == []
    assert (await page.delete(path)).status_code == 404


async def test_a_schedule_with_a_hole_is_refused_with_the_place_of_it(page: httpx.AsyncClient) -> None:
    hole = PLAN.replace("time_months = 24", "from_months = 12\ntime_months = 24")
    answer = await page.put("/api/v1/schedules/ours", json={"text": hole})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["field"] == "text"
    assert "item engine-oil: intervals leave a hole from 0 to 12 months of age" in error["message"]


async def test_the_advisor_handles_items_and_the_seller_sees_readiness(site: Site) -> None:
    async with site.client(showroom.SELLER) as seller:
        path = await reading(seller)
        assert (await seller.post(OIL, json={"action": "acknowledged"})).status_code == 403
        assert (await seller.put(path, json={"keep": False})).status_code == 403
        assert (await seller.put("/api/v1/schedules/ours", json={"text": PLAN})).status_code == 403
        assert (await seller.get("/api/v1/owners/1/readiness")).status_code == 200
    async with site.client(showroom.ADVISOR) as advisor:
        assert (await advisor.post(OIL, json={"action": "acknowledged"})).status_code == 201
        assert (await advisor.get("/api/v1/owners/1/readiness")).status_code == 403
        assert (await advisor.get("/api/v1/readiness-models")).status_code == 403
        found = (await advisor.get("/api/v1/calibration")).json()["calibration"]
        assert {"horizon_d", "n", "covered", "low", "high"} <= found["coverage"][0].keys()
        before = await advisor.get("/api/v1/calibration?as_of=2026-01-01")
        assert before.json() == {"calibration": None}
