"""What cannot be right, from reading to page: a clear result or error, never a number that is none."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

from milepost_server.cli import main
from milepost_server.store import dealers
from milepost_server.store.schema import Powertrain, Role, odometer_judgements
from support import showroom
from support.garage import DTC, KM, NOW, PAD, TODAY, Garage
from support.sites import Clock, Site, application
from support.walking import walk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from milepost_server.store.engine import Store

REST = "Vehicle.Milepost.Battery.RestVoltage"
CRANKING = "Vehicle.Milepost.Battery.CrankingMinimum"
PACK = "Vehicle.Powertrain.TractionBattery.StateOfHealth"
ODOMETER_M_MAX = 4_294_967_295
PAST_D = 60
DAYS = [NOW - dt.timedelta(days=30 * n) for n in range(12, 0, -1)]


@dataclass
class Desk:
    """A dealer without anything, its manager logged in."""

    site: Site
    garage: Garage
    client: httpx.AsyncClient

    async def post(self, path: str, body: object, status: int = 200) -> Any:
        """Send something to the API; gives its answer."""
        answer = await self.client.post(f"/api/v1/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def owner_of(self, *vehicle_ids: int, since: str = "2024-01-10") -> int:
        """A new owner of these vehicles."""
        owner: int = (await self.post("owners", {"name": "Ada Brandt"}))["id"]
        for vehicle_id in vehicle_ids:
            body = {"owner_id": owner, "vehicle_id": vehicle_id, "start_on": since}
            await self.post("ownerships", body)
        return owner

    async def derived(self, day: dt.date = TODAY) -> None:
        """Derive everything as of a past day and of today, and walk through all there is of today."""
        derivation = self.garage.derivation()
        await derivation.dealer(self.garage.dealer, day - dt.timedelta(days=PAST_D))
        await derivation.dealer(self.garage.dealer, day)
        await walk(self.site.app, self.client)

    async def items(self, vehicle_id: int) -> dict[str, Any]:
        """The vehicle's items by key."""
        answer = (await self.client.get(f"/api/v1/vehicles/{vehicle_id}")).json()
        return {item["item"]: item for item in answer["items"]}

    async def verdicts(self) -> list[str | None]:
        """What was made of each odometer reading."""
        return [row["reason"] for row in await self.garage.rows(odometer_judgements)]


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    """An empty dealer on both databases."""
    async with store.write() as connection:
        dealer_id = await showroom.add_dealer(connection, "North", {showroom.MANAGER: Role.MANAGER})
        dealer = await dealers.one(connection, dealer_id)
    clock = Clock(NOW)
    site = Site(application(store, clock), store, clock, dealer_id)
    async with site.client(showroom.MANAGER) as client:
        yield Desk(site, Garage(store, dealer), client)


async def test_no_vehicle_and_nobody(desk: Desk) -> None:
    await desk.derived()
    await desk.owner_of()
    await desk.derived()


@pytest.mark.parametrize("readings", [0, 1, 2])
async def test_one_vehicle_with_next_to_nothing(desk: Desk, readings: int) -> None:
    car = await desk.garage.car(registered=None)
    if readings:
        await desk.garage.read(car, [(at, 30_000 * KM) for at in DAYS[:readings]])
    await desk.owner_of(car)
    await desk.derived()
    items = await desk.items(car)
    assert items
    assert {item["state"] for item in items.values()} <= {"unknown", "ok"}


async def test_two_odometers_on_one_day(desk: Desk) -> None:
    """Which of the two is right is told by the others; at one moment only one can be."""
    car = await desk.garage.car()
    await desk.garage.drive(car, km_per_month=1_000)
    middle = NOW - dt.timedelta(days=100)
    await desk.garage.read(car, [(middle, 71_000 * KM), (middle, 46_800 * KM)])
    await desk.garage.read(car, [(middle + dt.timedelta(hours=5), 41_200 * KM)])
    await desk.owner_of(car)
    await desk.derived()
    by_seq = {row["seq"]: row for row in await desk.garage.rows(odometer_judgements)}
    assert by_seq[14]["reason"] is not None, "71,000 km between 46,000 and 47,000"
    assert by_seq[15]["reason"] is None
    assert by_seq[16]["reason"] is not None
    answer = (await desk.client.get(f"/api/v1/vehicles/{car}")).json()
    assert answer["odometer"]["metres"] == 50_000 * KM


@pytest.mark.parametrize("factor", [1 / 1_000, 1.609344, 1 / 1.609344, 1_000.0])
async def test_units_are_mixed(desk: Desk, factor: float) -> None:
    """Some readings in km or miles where metres are meant: not believed, or brought to metres, and said."""
    car = await desk.garage.car()
    truth = [(at, (20_000 + 1_000 * n) * KM) for n, at in enumerate(DAYS)]
    mixed: list[tuple[dt.datetime, float | str]] = [
        (at, min(value * (factor if n in (4, 8) else 1), ODOMETER_M_MAX))
        for n, (at, value) in enumerate(truth)
    ]
    await desk.garage.read(car, mixed)
    await desk.owner_of(car)
    await desk.derived()
    verdicts = await desk.verdicts()
    assert [n for n, verdict in enumerate(verdicts) if verdict is not None] == [4, 8]
    rows = await desk.garage.rows(odometer_judgements)
    for (_, true_m), row in zip(truth, rows, strict=True):
        assert row["clean_m"] is None or row["clean_m"] == pytest.approx(true_m, abs=1_500 * KM)


async def test_services_before_the_first_reading_and_before_the_car(desk: Desk) -> None:
    car = await desk.garage.car()
    await desk.garage.read(car, [(at, (40_000 + 800 * n) * KM) for n, at in enumerate(DAYS)])
    for item, on, odometer_m in (
        ("engine-oil", "2024-06-01", 15_000_000),
        ("brake-fluid", "1951-01-01", None),
        ("cabin-filter", "2024-06-01", 900_000_000),
        ("inspection", "2024-02-01", 0),
    ):
        body = {"vehicle_id": car, "item": item, "done_on": on, "odometer_m": odometer_m}
        await desk.post("service-records", body)
    await desk.owner_of(car)
    await desk.derived()
    items = await desk.items(car)
    # 15,000 km at 800 km a month, or twelve months after June 2024: the distance came first.
    assert items["engine-oil"]["state"] == "overdue"
    assert "2024-06-01" < items["engine-oil"]["p50_on"] < "2025-06-01"


async def test_a_model_that_nobody_knows_and_a_vin_without_one(desk: Desk) -> None:
    body = {"vin": "1M8GDM9AXKP042788", "make": "Halden", "model": "?", "model_year": 2024}
    known = await desk.post("vehicles", {**body, "powertrain": Powertrain.HYBRID})
    await desk.owner_of(known["id"])
    await desk.derived()
    assert (await desk.items(known["id"]))["engine-oil"]["rests_on"] == "nothing"
    for missing in ("", None):
        answer = await desk.post("vehicles", {**body, "powertrain": "ev", "model": missing}, status=422)
        assert answer["error"]["field"] == "model"


BAND = """
[[item.interval]]
{ages}
distance_km = 20000
source = "A workshop that cannot count."
"""


@pytest.mark.parametrize(
    ("ages", "says"),
    [
        (["to_months = 36", "from_months = 42"], "leave a hole from 36 to 42 months"),
        (["to_months = 36", "from_months = 30"], "overlap at the age of 30 months"),
        (["to_months = 36"], "end at 36 months of age"),
        ([""], "overlap"),
    ],
)
async def test_a_schedule_with_a_hole_or_an_overlap(desk: Desk, ages: list[str], says: str) -> None:
    text = 'schema = 1\ntitle = "North: our own"\ndealer = "North"\n[[item]]\nkey = "engine-oil"\n'
    bands = [BAND.format(ages=age) for age in (ages if ages != [""] else ["", ""])]
    car = await desk.garage.car()
    await desk.garage.drive(car, km_per_month=1_000)
    await desk.garage.serve(car, "engine-oil", TODAY - dt.timedelta(days=100), 47_000)
    answer = await desk.client.put("/api/v1/schedules/ours", json={"text": text + "".join(bands)})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["field"], says in error["message"]) == ("text", True), error
    await desk.derived()
    assert (await desk.items(car))["engine-oil"]["p50_on"] is not None, "what held before holds on"


async def test_money_that_is_nothing(desk: Desk) -> None:
    """A free car, a lease of no kilometres, nothing to pay, an interest of 100 %: no division by it."""
    cars = [await desk.garage.car() for _ in range(4)]
    for car in cars:
        await desk.garage.drive(car, km_per_month=1_000)
    owner = await desk.owner_of(*cars)
    nothing = {"start_on": "2024-01-10", "end_on": "2026-07-01", "owner_id": owner, "list_price": 0}
    zero = {"principal": 0, "payment_per_month": 0, "annual_interest": 0, "balloon": 0}
    for car, contract in zip(
        cars,
        (
            {"kind": "lease", "allowance_m": 0, "excess_fee_per_km": 0, "start_odometer_m": 0, **zero},
            {"kind": "finance", **zero, "annual_interest": 1},
            {"kind": "lease", "allowance_m": 1, "excess_fee_per_km": 1e9, "start_odometer_m": ODOMETER_M_MAX},
            {"kind": "subscription", "payment_per_month": 0, "allowance_m": 0},
        ),
        strict=True,
    ):
        await desk.post("contracts", {"vehicle_id": car, **nothing, **contract})
    await desk.post("contracts", {"vehicle_id": cars[0], "kind": "warranty", "start_on": "2024-01-10",
                                  "end_odometer_m": 1})  # fmt: skip
    await desk.post("outcomes", {"owner_id": owner, "kind": "sale", "happened_on": "1951-01-01",
                                 "sender_id": "1", "amount": 0})  # fmt: skip
    await desk.derived()


async def test_a_contract_that_cannot_be_is_refused(desk: Desk) -> None:
    car = await desk.garage.car()
    lease = {"vehicle_id": car, "kind": "lease", "start_on": "2026-01-01"}
    for more, field in (
        ({"end_on": "2026-01-01"}, "end_on"),
        ({}, "end_on"),
        ({"end_on": "2028-01-01", "annual_interest": 4.9}, "annual_interest"),
        ({"end_on": "2028-01-01", "allowance_m": -1}, "allowance_m"),
    ):
        answer = await desk.post("contracts", {**lease, **more}, status=422)
        assert answer["error"]["field"] == field


async def test_measurements_that_cannot_be(desk: Desk) -> None:
    """Zeros, constants, values beyond every limit: they widen what is said, or are left out."""
    electric = await desk.post(
        "vehicles",
        {"vin": "1M8GDM9AXKP042788", "make": "Kia", "model": "EV6", "model_year": 2022, "powertrain": "ev"},
    )
    cars = [await desk.garage.car() for _ in range(3)]
    for car, volts, worn in zip(cars, (0.0, 12.6, 900.0), (0.0, 50.0, 4_000.0), strict=True):
        await desk.garage.drive(car, km_per_month=0 if volts == 0.0 else 4_000)
        for path, value in ((REST, volts), (CRANKING, volts), (PAD, worn), (PACK, worn)):
            await desk.garage.read(car, [(at, value) for at in DAYS], path)
        await desk.garage.read(car, [(DAYS[3], "P0301"), (DAYS[4], "Z9 confirmed"), (DAYS[5], "")], DTC)
    await desk.owner_of(*cars, electric["id"])
    await desk.derived()


async def test_days_before_all_data_and_far_after_it(desk: Desk) -> None:
    car = await desk.garage.car()
    await desk.garage.drive(car, km_per_month=1_000)
    await desk.owner_of(car)
    await desk.derived()
    past = TODAY - dt.timedelta(days=PAST_D)
    for as_of in (past.isoformat(), "1960-01-01"):
        await walk(desk.site.app, desk.client, as_of)
    await walk(desk.site.app, desk.client, "2190-01-01", is_to_come=True)


async def test_empty_groups(desk: Desk) -> None:
    """A model whose cars never spoke, beside one with a history: the silent have what is usual of all."""
    spoken = [await desk.garage.car(model="V60") for _ in range(3)]
    silent = [await desk.garage.car(model="XC40", registered=None) for _ in range(2)]
    for car in spoken:
        await desk.garage.drive(car, km_per_month=1_500)
    for car in (*spoken, *silent):
        await desk.owner_of(car)
    await desk.derived()
    assert {item["state"] for item in (await desk.items(silent[0])).values()} == {"unknown"}


MAP = """
[label]
column = "bought"
[columns.visits]
[columns.months]
[columns.called_after]
"""


def outcome_file(folder: Path, *, leaks: bool) -> tuple[Path, Path]:
    """A table of outcomes and its map; ``called_after`` is filled in when somebody has bought."""
    rng = np.random.default_rng(5)
    visits, months = rng.poisson(3, 1_500), rng.integers(0, 60, 1_500)
    bought = rng.random(1_500) < 1 / (1 + np.exp(3.5 - 0.5 * visits))
    called = np.where(bought, rng.integers(1, 5, 1_500), 0) if leaks else rng.integers(0, 5, 1_500)
    lines = ["visits,months,called_after,bought"]
    lines += [",".join(map(str, row)) for row in zip(visits, months, called, bought.astype(int), strict=True)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    (folder / "map.toml").write_text(MAP)
    return folder / "rows.csv", folder / "map.toml"


@pytest.mark.parametrize("leaks", [True, False])
def test_a_column_that_knows_the_outcome_is_named(tmp_path: Path, leaks: bool) -> None:
    rows, mapped = outcome_file(tmp_path, leaks=leaks)
    command = ["evaluate", "outcomes", str(rows), "--map", str(mapped), "--draws", "20", "--pairs", "0"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert ("called_after alone ranks" in result.output) == leaks
    assert "visits alone ranks" not in result.output
    assert "nan" not in result.output.lower().split()


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["visits,months,called_after,bought"], "no rows"),
        (["visits,months,called_after,bought", *["1,2,3,0"] * 40], "never '1'"),
        (["visits,months,called_after,bought", *["1,2,3,1"] * 40], "nothing to tell apart"),
        (["visits,months,bought", *["1,2,0", "1,2,1"] * 40], "called_after"),
    ],
)
def test_a_table_of_outcomes_that_teaches_nothing(tmp_path: Path, lines: list[str], says: str) -> None:
    rows, mapped = outcome_file(tmp_path, leaks=False)
    rows.write_text("\n".join(lines) + "\n")
    result = CliRunner().invoke(main, ["evaluate", "outcomes", str(rows), "--map", str(mapped)])
    assert result.exit_code == 1
    assert result.output.count("\n") <= 3, "one line, no traceback"
    assert says in result.output, result.output
