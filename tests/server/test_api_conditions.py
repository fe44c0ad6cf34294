"""Conditions, work list, status and quarantine over REST."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from milepost_protocol.codec import encode_batch
from milepost_protocol.topics import up
from milepost_server.store import dealer_quarantine, quarantine
from milepost_server.store.quarantine import HeldPayload
from milepost_server.store.schema import QuarantineState
from support import showroom
from support.batches import batch, sample

if TYPE_CHECKING:
    import httpx

    from support.sites import Site


async def test_a_vehicle_says_all_that_is_known_of_it(page: httpx.AsyncClient) -> None:
    found = (await page.get("/api/v1/vehicles/1")).json()
    assert found["vehicle"]["vin"] == "WVWZZZ1JZXW000100"
    assert found["as_of"] == "2026-11-20"
    assert found["last_word_at"] == "2026-11-20T09:30:00Z"
    assert found["odometer"] == {"metres": 98_210_000.0, "at": "2026-11-20T09:30:00Z", "rejected": 0}
    oil = next(item for item in found["items"] if item["item"] == "engine-oil")
    assert oil["state"] == "due"
    assert oil["p10_on"] < oil["p50_on"] < oil["p90_on"]
    assert {entry["role"] for entry in oil["evidence"]["service_records"]} == {"start"}
    assert found["gaps"][0]["counts"] == {"series": 4100, "counter": 220}


async def test_faults_and_doubted_readings_are_there(page: httpx.AsyncClient) -> None:
    diesel, silent = [(await page.get(f"/api/v1/owners/{key}")).json()["vehicles"][0] for key in (2, 3)]
    assert [(fault["code"], fault["status"]) for fault in diesel["faults"]] == [
        ("P0401", "confirmed"),
        ("P0171", "cleared"),
    ]
    assert silent["odometer"]["rejected"] == 2
    assert silent["last_word_at"].startswith("2026-08-31")


@pytest.mark.parametrize(
    "path", ["owners/2", "vehicles/1", "vehicles/1/faults", "vehicles/1/health", "work-list", "sales-list"]
)
async def test_nothing_is_told_of_a_day_to_come(page: httpx.AsyncClient, path: str) -> None:
    answer = await page.get(f"/api/v1/{path}?as_of={showroom.TODAY + dt.timedelta(days=1)}")
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["field"], error["message"]) == (
        "as_of",
        "Nothing is known yet of a day to come: it is 2026-11-20.",
    )


async def test_a_past_day_shows_what_was_known_then(page: httpx.AsyncClient) -> None:
    then = (await page.get("/api/v1/vehicles/1?as_of=2026-06-01")).json()
    assert then["last_word_at"] < "2026-06-02"
    assert then["odometer"]["metres"] < 98_210_000
    assert then["gaps"] == []
    assert then["items"] == [], "nothing was derived for that day"


async def test_the_work_list_is_in_the_order_of_urgency_and_pages(page: httpx.AsyncClient) -> None:
    whole = (await page.get("/api/v1/work-list")).json()["items"]
    assert len(whole) == 30
    order = ["overdue", "due", "upcoming", "ok", "unknown"]
    assert [row["state"] for row in whole] == sorted((row["state"] for row in whole), key=order.index)
    overdue = [row for row in whole if row["state"] == "overdue"]
    assert [row["p50_on"] for row in overdue] == sorted(row["p50_on"] for row in overdue)
    first = (await page.get("/api/v1/work-list?limit=4")).json()
    second = (await page.get(f"/api/v1/work-list?limit=4&after={first['next']}")).json()
    assert first["items"] + second["items"] == whole[:8]


async def test_the_work_list_filters_and_searches(page: httpx.AsyncClient) -> None:
    due = (await page.get("/api/v1/work-list?state=due")).json()["items"]
    assert {row["state"] for row in due} == {"due"}
    assert "Adaeze Okafor" in {row["name"] for row in due}
    fluid = (await page.get("/api/v1/work-list?item=brake-fluid")).json()["items"]
    assert {row["item"] for row in fluid} == {"brake-fluid"}
    golf = (await page.get("/api/v1/work-list?q=golf okaf")).json()["items"]
    assert [row["name"] for row in golf] == ["Adaeze Okafor"]
    assert (await page.get("/api/v1/work-list?q=100%25")).json()["items"] == []


async def test_status_counts_what_there_is(page: httpx.AsyncClient) -> None:
    status = (await page.get("/api/v1/status")).json()
    assert (status["owners"], status["vehicles"], status["devices"]) == (30, 30, 29)
    assert status["quarantine"] == {"held": 2, "replayed": 0, "discarded": 0}
    by_state = status["owners_by_state"]
    assert sum(by_state.values()) == 30
    assert status["owners_due"] == by_state["overdue"] + by_state["due"]
    assert status["seqs_dropped"] == 4320


async def hold(site: Site, device: str, payload: bytes) -> int:
    async with site.store.write() as connection:
        held = HeldPayload(site.dealer_id, device, up(device), payload, "body", "made up", showroom.NOW)
        await quarantine.hold(connection, held)
        rows = await dealer_quarantine.page(
            connection, site.dealer_id, state=QuarantineState.HELD, before_id=None, limit=1
        )
    return rows[0].id


async def test_a_payload_that_is_understood_by_now_is_taken_in(site: Site, page: httpx.AsyncClient) -> None:
    good = encode_batch(batch(sample(1), sample(2), device="car-0001-0", epoch="f" * 16))
    key = await hold(site, "car-0001-0", good)
    answer = await page.post(f"/api/v1/quarantine/{key}/replay")
    assert (answer.status_code, answer.json()) == (200, {"seqs_added": 2})
    again = await page.post(f"/api/v1/quarantine/{key}/replay")
    assert again.status_code == 409
    assert "replayed already" in again.json()["error"]["message"]


async def test_a_payload_that_is_still_not_understood_stays(site: Site, page: httpx.AsyncClient) -> None:
    key = await hold(site, "car-0001-0", b"still broken")
    answer = await page.post(f"/api/v1/quarantine/{key}/replay")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "replay_refused"
    held = (await page.get("/api/v1/quarantine")).json()["items"]
    assert key in [row["id"] for row in held]


async def test_a_discarded_payload_is_listed_as_such(site: Site, page: httpx.AsyncClient) -> None:
    key = await hold(site, "car-0001-0", b"broken for good")
    assert (await page.post(f"/api/v1/quarantine/{key}/discard")).status_code == 204
    rows = (await page.get("/api/v1/quarantine?state=discarded")).json()["items"]
    assert [row["id"] for row in rows] == [key]
