"""Contracts and outcomes over REST: sent again without harm, late without loss, in the dealer's money."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milepost_server.store import dirty
from support import showroom

if TYPE_CHECKING:
    import httpx

    from support.sites import Site

LEASE = {
    "vehicle_id": 1,
    "owner_id": 1,
    "kind": "lease",
    "start_on": "2024-05-01",
    "end_on": "2027-05-01",
    "start_odometer_m": 12_000,
    "allowance_m": 45_000_000,
    "excess_fee_per_km": 8.5,
    "payment_per_month": 34_900,
    "sender_id": "L-77",
    "source": "leasing",
}
SALE = {"owner_id": 1, "vehicle_id": 1, "kind": "sale", "happened_on": "2026-10-02", "sender_id": "S-1"}


async def post(client: httpx.AsyncClient, noun: str, body: object, status: int = 200) -> dict[str, object]:
    answer = await client.post(f"/api/v1/{noun}", json=body)
    assert answer.status_code == status, answer.text
    made: dict[str, object] = answer.json()
    return made


async def told(client: httpx.AsyncClient) -> list[dict[str, object]]:
    """All contracts but those that the showroom has from the start."""
    items: list[dict[str, object]] = (await client.get("/api/v1/contracts")).json()["items"]
    return [row for row in items if row["source"] != "books"]


async def dirty_ids(site: Site) -> set[int]:
    async with site.store.read() as connection:
        return {row.vehicle_id for row in await dirty.oldest(connection, 100)}


async def test_a_contract_sent_again_is_brought_up_to_date(site: Site, page: httpx.AsyncClient) -> None:
    first = await post(page, "contracts", LEASE)
    assert first == {
        **LEASE,
        "id": first["id"],
        "currency": "EUR",
        **dict.fromkeys(("end_odometer_m", "list_price", "principal", "annual_interest", "balloon")),
    }
    assert await dirty_ids(site) == {1}
    again = await post(page, "contracts", {**LEASE, "vehicle_id": 2, "end_on": "2027-08-01"})
    assert again == {**first, "vehicle_id": 2, "end_on": "2027-08-01"}
    assert await dirty_ids(site) == {1, 2}, "the car that it was said of first is derived anew, too"
    assert await told(page) == [again]


async def test_a_contract_can_be_changed_and_taken_back(page: httpx.AsyncClient) -> None:
    made = await post(page, "contracts", {**LEASE, "sender_id": None})
    path = f"/api/v1/contracts/{made['id']}"
    body = {"vehicle_id": 1, "kind": "warranty", "start_on": "2024-05-01", "end_odometer_m": 100_000_000}
    changed = await page.put(path, json=body)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["kind"], changed.json()["payment_per_month"]) == ("warranty", None)
    assert (await page.get(path)).json() == changed.json()
    assert (await page.delete(path)).status_code == 204
    assert (await page.get(path)).status_code == 404
    assert (await page.delete(path)).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"end_on": None}, "end_on"),
        ({"end_on": "2024-05-01"}, "end_on"),
        ({"kind": "warranty", "end_odometer_m": 12_000}, "end_odometer_m"),
        ({"currency": "SEK"}, "currency"),
        ({"currency": "euro"}, "currency"),
        ({"annual_interest": 4.9}, "annual_interest"),
        ({"payment_per_month": -1}, "payment_per_month"),
        ({"kind": "rent"}, "kind"),
    ],
)
async def test_a_contract_that_cannot_be_is_refused_in_words(
    page: httpx.AsyncClient, change: dict[str, object], field: str
) -> None:
    error = (await post(page, "contracts", {**LEASE, **change}, 422))["error"]
    assert error["code"] == "invalid"
    assert error["field"] == field
    assert await told(page) == []


async def test_an_outcome_is_taken_once_however_often_and_late_it_comes(
    site: Site, page: httpx.AsyncClient
) -> None:
    first = await post(page, "outcomes", SALE)
    assert (first["amount"], first["currency"]) == (None, None)
    assert await dirty_ids(site) == {1, 2}, "all cars of the owner, whose ledger it is"
    again = await post(page, "outcomes", {**SALE, "amount": 2_490_000})
    assert again == {**first, "amount": 2_490_000, "currency": "EUR"}
    other = await post(page, "outcomes", {**SALE, "source": "crm"})
    assert other["id"] != first["id"], "the number is the sender's own"
    await post(page, "outcomes", [{**SALE, "sender_id": "S-2"}, {**SALE, "sender_id": "S-2"}], 422)
    found = (await page.get("/api/v1/outcomes")).json()["items"]
    assert [row["sender_id"] for row in found] == ["S-1", "S-1"]


async def test_an_outcome_that_names_no_car_changes_its_owners_ledger_too(
    site: Site, page: httpx.AsyncClient
) -> None:
    await post(page, "outcomes", {**SALE, "vehicle_id": None, "amount": 2_490_000})
    assert await dirty_ids(site) == {1, 2}


async def test_the_seller_records_deals_and_the_advisor_does_not(site: Site) -> None:
    async with site.client(showroom.SELLER) as seller:
        await post(seller, "contracts", LEASE)
        await post(seller, "outcomes", SALE)
    async with site.client(showroom.ADVISOR) as advisor:
        await post(advisor, "contracts", LEASE, 403)
        await post(advisor, "outcomes", SALE, 403)
        assert len(await told(advisor)) == 1
