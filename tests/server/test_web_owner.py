"""An owner's page, the evidence behind it, and the quarantine: what a person reads."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from milepost_server.store import (
    contracts,
    dealer_files,
    devices,
    ownerships,
    readings,
    service_records,
    streams,
)
from milepost_server.store.schema import ContractKind, DealerFileKind
from support import showroom
from support.html import Page

if TYPE_CHECKING:
    import httpx

    from support.sites import Site

GOLF, DIESEL, SILENT = "/owners/1", "/owners/2", "/owners/3"


async def read(client: httpx.AsyncClient, path: str, status: int = 200) -> Page:
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return Page(answer.text.replace("\u00a0", " "))


async def test_the_first_screen_answers_what_the_car_needs_and_when(
    site: Site, page: httpx.AsyncClient
) -> None:
    first, last, likely = await showroom.days_due(site.store, site.dealer_id, 1, "engine-oil")
    golf = await read(page, GOLF)
    assert golf.lines.index("Engine oil and filter due within 30 days.") < golf.lines.index(
        "What it needs, and when"
    )
    said = f"Between {first} and {last} December, most likely {likely} December (920 km from now)."
    assert said in golf.lines
    assert (
        "15,000 km or 12 months, whichever comes first, since the service on 8 February 2026; "
        "here the distance comes first." in golf.lines
    )
    assert "98,210 km on 20 November" in golf.text
    assert "14,077 of 15,000 km" in golf.text


async def test_every_vehicle_of_the_owner_is_there(page: httpx.AsyncClient) -> None:
    golf = await read(page, GOLF)
    assert {"Volkswagen Golf, 2019", "Fiat 500, 2022"} <= set(golf.lines)


async def test_what_a_former_owner_has_signed_is_not_told_to_the_next_one(
    site: Site, page: httpx.AsyncClient
) -> None:
    assert "Lease since" in (await read(page, GOLF)).text
    sold_on = showroom.TODAY - dt.timedelta(days=10)
    async with site.store.write() as connection:
        held = await ownerships.of_vehicle(connection, site.dealer_id, 1)
        await ownerships.end(connection, site.dealer_id, held[0].id, sold_on, now=showroom.NOW)
        await ownerships.add(
            connection,
            site.dealer_id,
            owner_id=6,
            vehicle_id=1,
            start_on=sold_on,
            end_on=None,
            now=showroom.NOW,
        )
    buyer = await read(page, "/owners/6")
    assert "Volkswagen Golf, 2019" in buyer.lines
    assert "Lease since" not in buyer.text


async def test_a_contract_that_is_over_still_stands_behind_what_rests_on_it(
    site: Site, page: httpx.AsyncClient
) -> None:
    values: dict[str, object] = dict.fromkeys(contracts.ContractRow.__dataclass_fields__)
    del values["id"]
    ended = {"start_on": dt.date(2019, 10, 25), "end_on": dt.date(2024, 10, 24)}
    known = {"vehicle_id": 1, "kind": ContractKind.WARRANTY, "currency": "EUR", "source": "api", **ended}
    async with site.store.write() as connection:
        await contracts.add(connection, site.dealer_id, {**values, **known}, now=showroom.NOW)
    golf = await read(page, GOLF)
    assert "Warranty since 25 October 2019, until 24 October 2024; it is over." in golf.lines
    assert golf.text.index("Lease since") < golf.text.index("Warranty since")


async def test_what_is_overdue_comes_first_with_its_reason(page: httpx.AsyncClient) -> None:
    diesel = await read(page, DIESEL)
    assert "Brake fluid and engine oil and filter overdue; 1 confirmed fault." in diesel.lines
    assert "Overdue since 21 September (5,200 km ago)." in diesel.lines
    assert "Front left: 86% worn, limit 90%" in diesel.text


async def test_faults_stand_with_their_urgency_reason_and_days(page: httpx.AsyncClient) -> None:
    diesel = await read(page, DIESEL)
    first = diesel.lines.index("P2: next visitP0401 Exhaust gas recirculation: too little flow")
    assert diesel.lines[first + 1 : first + 5] == [
        "Emissions too high: a failed emission test.",
        "Confirmed; first seen on 8 November, last on 11 November.",
        "ClearedP0171 Mixture too lean, bank 1",
        "Cleared on 29 October.",
    ]


async def test_a_silent_car_says_so_before_anything_else(page: httpx.AsyncClient) -> None:
    silent = await read(page, SILENT)
    notice = "No word from this car since 31 August; the interval is wider for it."
    assert silent.lines.index(notice) < silent.lines.index("What it needs, and when")


async def test_a_later_service_knows_the_odometer_of_a_silent_car(site: Site) -> None:
    async with site.store.write() as connection:
        await service_records.add(
            connection,
            site.dealer_id,
            vehicle_id=4,
            item="tyres",
            done_on=showroom.TODAY - dt.timedelta(days=20),
            odometer_m=74_200_000,
            source="workshop",
            now=showroom.NOW,
        )
    async with site.client(showroom.ADVISOR) as advisor:
        assert "74,200 km at the service on 31 October" in (await read(advisor, SILENT)).text


async def test_gaps_and_doubted_readings_are_told(page: httpx.AsyncClient) -> None:
    assert (
        "Device car-0001-0 dropped 4,100 fine-grained values and 220 counter values, because its room on the "
        "disk was spent (reported on 20 September)." in (await read(page, GOLF)).lines
    )
    silent = await read(page, SILENT)
    assert "2 odometer readings were not believed. See which, and why" in silent.lines
    doubted = await read(page, silent.link("See which, and why"))
    assert "3,912,000 km" in doubted.text
    assert "Not used: further than this car can have gone by then." in doubted.lines
    assert "Not used: lower than readings before it that later ones confirm." in doubted.lines


async def test_what_was_refused_is_told_with_what_to_do(site: Site) -> None:
    async with site.store.write() as connection:
        for signal, reason, samples, detail in (
            ("Vehicle.Powertrain.Flux", "unknown-signal", 31, "the catalogue has no such signal"),
            (showroom.ODOMETER, "unit", 1, f"{showroom.ODOMETER} came in 'km', the catalogue has it in 'm'"),
        ):
            await readings.count_refusal(
                connection,
                site.dealer_id,
                "car-0001-0",
                signal=signal,
                reason=reason,
                samples=samples,
                detail=detail,
                now=showroom.NOW - dt.timedelta(days=2),
            )
    async with site.client(showroom.ADVISOR) as advisor:
        golf = await read(advisor, GOLF)
        assert (
            "31 values of Vehicle.Powertrain.Flux from device car-0001-0 were not used "
            "(last on 18 November): this server does not know the signal; a newer server may. "
            "Kept in the archive; the last one: "
            "The catalogue has no such signal." in golf.lines
        )
        assert "1 value of Odometer reading from device car-0001-0 was not used" in golf.text
        assert "Flux" not in (await read(advisor, SILENT)).text
        told = (await advisor.get("/api/v1/vehicles/1")).json()["refused"]
        assert [(row["reason"], row["samples"]) for row in told] == [("unknown-signal", 31), ("unit", 1)]


async def test_another_vin_is_said_before_everything_else(site: Site) -> None:
    async with site.store.write() as connection:
        await readings.note_vin_conflict(
            connection,
            site.dealer_id,
            "car-0003-0",
            vehicle_id=4,
            vin_reported="1M8GDM9AXKP042788",
            now=showroom.NOW,
        )
    async with site.client(showroom.ADVISOR) as advisor:
        silent = await read(advisor, SILENT)
        told = [line for line in silent.lines if "says that its VIN is 1M8GDM9AXKP042788, not WVW" in line]
        assert len(told) == 2, "as a notice, and in the list of what is wrong with the data"
        assert silent.lines.index(told[0]) < silent.lines.index("What it needs, and when")
        assert (await advisor.get("/api/v1/vehicles/4")).json()["vin_conflicts"][0][
            "device_id"
        ] == "car-0003-0"


async def test_devices_without_a_car_are_named(site: Site) -> None:
    async with site.store.write() as connection:
        for device in ("gw-lost", "gw-quiet"):
            await devices.add(connection, site.dealer_id, device, credential="none", now=showroom.NOW)
        await streams.lock(connection, [(site.dealer_id, "gw-lost", "00" * 8)], now=showroom.NOW)
    async with site.client(showroom.ADVISOR) as advisor:
        page = await read(advisor, "/quarantine")
        assert "Devices that send and sit in no car" in page.lines
        assert "gw-lost" in page.text
        assert "gw-quiet" not in page.text
        assert "milepost-server quarantine list" in page.text


async def test_gauges_and_sources_are_those_of_the_dealers_own_schedule(
    site: Site, page: httpx.AsyncClient
) -> None:
    own = """
        schema = 1
        dealer = "North"
        title = "What North's workshop says"

        [[item]]
        key = "engine-oil"
        [[item.interval]]
        distance_km = 20_000
        time_months = 24
        source = "What our workshop has seen."
    """
    async with site.store.write() as connection:
        await dealer_files.put(
            connection,
            site.dealer_id,
            kind=DealerFileKind.SCHEDULE,
            name="ours",
            text=own,
            staff_id=None,
            now=showroom.NOW,
        )
    await showroom.derive(site.store, site.dealer_id)
    assert "14,077 of 20,000 km" in (await read(page, GOLF)).text
    oil = await read(page, "/vehicles/1/items/engine-oil")
    assert "Where the limit comes from: What our workshop has seen." in oil.lines


async def test_the_picture_has_a_finding_and_a_table_behind_it(site: Site, page: httpx.AsyncClient) -> None:
    first, last, likely = await showroom.days_due(site.store, site.dealer_id, 1, "engine-oil")
    golf = await read(page, GOLF)
    when = f"between {first} and {last} December, most likely {likely} December"
    title = f"Engine oil and filter: {when}, at about 99,100 km."
    assert title in golf.lines
    drawn = [tag["aria-label"] for tag in golf.named("svg", **{"class": "chart-odometer"})]
    assert drawn.count(title) == 2, "one for wide pages, one for narrow ones"
    assert "In 10 of 100 cases below" in golf.text


async def test_every_item_opens_its_evidence(page: httpx.AsyncClient) -> None:
    golf = await read(page, GOLF)
    evidence = [href for href, words in golf.links if words.startswith("Evidence for")]
    assert len(evidence) == 20
    for path in evidence:
        behind = await read(page, path)
        assert "Back to the owner" in behind.text
        assert any(line.startswith("Worked out on 20 November 2026") for line in behind.lines)


async def test_the_evidence_names_readings_records_and_sources(page: httpx.AsyncClient) -> None:
    behind = await read(page, "/vehicles/1/items/engine-oil")
    assert "Engine oil and filter: what the dates rest on" in behind.lines
    assert "8 February 2026" in behind.lines
    assert "84,133 km" in behind.lines
    assert "car-0001-0" in behind.lines
    assert "20 November 2026, 10:30 clock set from the network" in behind.lines
    assert any(line.startswith("Of 100 cars like this one, ") for line in behind.lines)
    assert any(line.startswith("Where the limit comes from: Fixed-interval") for line in behind.lines)
    pads = await read(page, "/vehicles/1/items/front-pads")
    assert "Brake pad wear, front left" in pads.lines
    assert "71%" in pads.lines


async def test_a_past_day_is_marked(page: httpx.AsyncClient) -> None:
    then = await read(page, f"{GOLF}?as_of=2026-06-01")
    assert "As of 1 June 2026" in then.lines
    assert "There is no list of 1 June 2026." in then.lines, "nor is it said to be what was known then"
    assert "Nothing has been worked out for this car yet." in then.lines


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/owners/6", "This owner has no car at present."),
        ("/owners/5", "No word from this car yet. Dates rest on its service records alone."),
        ("/vehicles/6/odometer", "This car has sent no odometer reading yet."),
    ],
)
async def test_what_is_not_there_is_said_in_words(page: httpx.AsyncClient, path: str, words: str) -> None:
    assert words in (await read(page, path)).lines


@pytest.mark.parametrize("path", ["/owners/99999", "/vehicles/99999/odometer", "/vehicles/1/items/wings"])
async def test_what_does_not_exist_is_404(page: httpx.AsyncClient, path: str) -> None:
    assert "Nothing here" in (await read(page, path, 404)).lines


async def test_the_quarantine_says_why_and_lets_staff_decide(site: Site) -> None:
    async with site.client(showroom.ADVISOR) as advisor:
        held = await read(advisor, "/quarantine")
        assert "2 payloads wait for a decision." in held.text
        assert any(
            line.startswith("Of a later version of the protocol. protocol version 7") for line in held.lines
        )
        refused = await advisor.post("/quarantine/2", data={"action": "replay"})
        assert refused.status_code == 409
        assert "still cannot be taken in" in refused.text
        done = await advisor.post("/quarantine/2", data={"action": "discard"})
        assert done.headers["location"] == "/quarantine?done=discard"
        after = await read(advisor, done.headers["location"])
        assert "1 payload waits for a decision." in after.text
        assert "The payload was discarded. It stays in the list of discarded ones." in after.lines
        assert (await advisor.post("/quarantine/2", data={"action": "burn"})).status_code == 422


async def test_the_styleguide_shows_every_state_in_development_only(
    site: Site, stranger: httpx.AsyncClient
) -> None:
    guide = await read(stranger, "/styleguide")
    for words in ("Overdue", "Due", "Upcoming", "In order", "Not known", "There is a problem"):
        assert words in guide.text
