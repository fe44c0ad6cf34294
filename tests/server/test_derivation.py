"""Derivations on both databases: what stands in the tables after readings and services came in."""

from __future__ import annotations

import copy
import datetime as dt
import math
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Table, update

from milepost_protocol.samples import TimeTrust
from milepost_server.derivation import keeping, results
from milepost_server.derivation.configuration import OF_DEALERS, Configuration
from milepost_server.derivation.derive import Report
from milepost_server.derivation.learning import knowledge
from milepost_server.derivation.learning.knowledge import Knowledge
from milepost_server.derivation.learning.priors import Priors
from milepost_server.derivation.runner import DerivationRunner
from milepost_server.derivation.signal_paths import ODOMETER_UNCERTAINTY
from milepost_server.signals.usage.rate import PUBLISHED_RATE_M_PER_D, UsageRules
from milepost_server.store import dirty, service_records, vehicle_health, work_list
from milepost_server.store.engine import Store
from milepost_server.store.schema import (
    DueState,
    Urgency,
    dirty_vehicles,
    due_calibrations,
    odometer_judgements,
    readings,
    service_due,
    usage_priors,
    vehicle_usage,
)
from milepost_server.store.work_list import WorkListQuery
from support.garage import DTC, KM, NOW, ODOMETER, PAD, TODAY, Garage, open_garage
from support.registry import hand_over

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
async def garage(store: Store) -> Garage:
    return await open_garage(store)


async def test_oil_is_due_at_the_first_of_distance_and_time(garage: Garage) -> None:
    car = await garage.car()
    await garage.drive(car, km_per_month=1_500)
    await garage.serve(car, "engine-oil", dt.date(2025, 11, 1), 44_000)
    report = await garage.derivation().dealer(garage.dealer, TODAY)
    assert (report.vehicles, report.items, report.judgements) == (1, 10, 13)

    oil = await garage.item(car, "engine-oil")
    # 59,000 km are 9,000 km away: about six months, before the twelve months are over.
    assert oil["basis"] == "distance"
    assert oil["state"] == DueState.OK
    assert dt.date(2026, 8, 1) < oil["p50_on"] < dt.date(2026, 10, 15)
    assert oil["p10_on"] < oil["p50_on"] < oil["p90_on"] == dt.date(2026, 11, 1)
    assert oil["p10_odometer_m"] <= oil["p50_odometer_m"] == oil["p90_odometer_m"] == 59_000 * KM
    assert oil["limit_text"] == (
        "15,000 km or 12 months, whichever comes first, since the service on 1 November 2025"
    )
    assert oil["rests_on"] == "record"
    assert oil["limit_short"] == "15,000 km since service on 1 Nov 2025"
    (record,) = await garage.rows(service_records.service_records)
    assert oil["evidence"] == {
        "readings": [
            {"role": "first", "signal": ODOMETER, "stream": car, "seq": 1},
            {"role": "latest", "signal": ODOMETER, "stream": car, "seq": 13},
        ],
        "service_records": [{"role": "start", "id": record["id"]}],
    }
    assert oil["config_version"] == Configuration().version


async def test_each_item_says_what_it_is_counted_from(garage: Garage) -> None:
    car, old, unknown = (
        await garage.car(registered=dt.date(2025, 1, 10)),
        await garage.car(registered=dt.date(2012, 5, 4)),
        await garage.car(registered=None),
    )
    for each in (car, old, unknown):
        await garage.drive(each, km_per_month=1_000)
    await garage.derivation().dealer(garage.dealer, TODAY)

    fluid = await garage.item(car, "brake-fluid")
    assert (fluid["p10_on"], fluid["p50_on"], fluid["p90_on"]) == (dt.date(2027, 1, 10),) * 3
    assert fluid["limit_text"] == (
        "2 years, counted from first registration on 10 January 2025: no service on record"
    )
    assert (fluid["rests_on"], fluid["limit_short"]) == ("registration", fluid["limit_text"])
    forgotten = await garage.item(old, "brake-fluid")
    assert forgotten["rests_on"] == "nothing"
    assert forgotten["limit_short"] == "no service on record: ask when it was last done"
    assert (forgotten["state"], forgotten["p50_on"], forgotten["p_30d"]) == (DueState.UNKNOWN, None, None)
    assert "ask the owner when it was last done" in forgotten["limit_text"]
    nothing = await garage.item(unknown, "brake-fluid")
    assert nothing["state"] == DueState.UNKNOWN
    assert nothing["limit_text"] == ("2 years, but neither a service nor the first registration is on record")


async def test_a_service_that_lies_too_far_back_is_asked_about_and_what_was_learned_is_kept(
    garage: Garage,
) -> None:
    car = await garage.car()
    await garage.drive(car, km_per_month=1_000)
    await garage.serve(car, "engine-oil", TODAY - dt.timedelta(days=500))
    for after_d, state in ((math.inf, DueState.OVERDUE), (120.0, DueState.UNKNOWN)):
        known = Knowledge(Priors.published(), lapses_after_d=after_d)
        async with garage.store.write() as connection:
            await knowledge.save(connection, garage.dealer.id, TODAY, known, Configuration(), now=NOW)
        async with garage.store.read() as connection:
            kept = await knowledge.newest(connection, garage.dealer.id, TODAY)
        assert kept.lapses_after_d == after_d
        await garage.derivation().vehicles(garage.dealer, TODAY, [car])
        oil = await garage.item(car, "engine-oil")
        assert oil["state"] == state
    assert oil["rests_on"] == "nothing"
    assert oil["limit_short"] == "long overdue by the records, so probably done elsewhere: ask when"
    assert oil["limit_text"] == (
        "15,000 km or 12 months, whichever comes first. The last service on record is of 18 October 2024: "
        "so long ago that it has probably been done elsewhere since. Ask the owner when"
    )


async def test_a_silent_car_has_gone_on_most_likely(garage: Garage) -> None:
    car = await garage.car()
    await garage.drive(car, km_per_month=1_000)
    later = TODAY + dt.timedelta(days=91)
    await garage.derivation(NOW + dt.timedelta(days=91)).dealer(garage.dealer, later)
    async with garage.store.read() as connection:
        usage = await results.usage_of(connection, garage.dealer.id, car, later)
    assert results.odometer_on(usage, TODAY) == 50_000 * KM
    assert results.odometer_on(usage, later) == pytest.approx(53_000 * KM, rel=0.01)
    assert results.odometer_on(None, later) is None


async def test_certain_work_is_called_for_before_what_is_only_asked(garage: Garage) -> None:
    late = await garage.car(registered=TODAY - dt.timedelta(days=760))
    known = await garage.car()
    for each in (late, known):
        await garage.drive(each, km_per_month=500, months=6)
    await garage.serve(known, "brake-fluid", TODAY - dt.timedelta(days=715))
    for car in (late, known):
        await hand_over(garage.store, garage.dealer.id, car, TODAY - dt.timedelta(days=30))
    await garage.derivation().dealer(garage.dealer, TODAY)
    query = WorkListQuery(as_of=TODAY, item="brake-fluid")
    async with garage.store.read() as connection:
        first, second = await work_list.page(connection, garage.dealer.id, query, offset=0, limit=10)
    assert (first.vehicle_id, first.rests_on, first.state) == (known, "record", DueState.DUE)
    assert (second.vehicle_id, second.rests_on, second.state) == (late, "registration", DueState.DUE)
    assert second.p50_on is not None
    assert first.p50_on is not None
    assert second.p50_on < TODAY < first.p50_on, "by their dates alone they would stand the other way around"


async def test_measured_pads_are_due_by_their_worst_position(garage: Garage) -> None:
    car = await garage.car()
    await garage.drive(car, km_per_month=1_500)
    wear = [(NOW - dt.timedelta(days=30 * n), 80.0 - 5 * n) for n in range(10, -1, -1)]
    await garage.read(car, wear, PAD)
    await garage.read(car, [(at, value / 2) for at, value in wear], PAD.replace("Left", "Right"))
    await garage.derivation().dealer(garage.dealer, TODAY)

    pads = await garage.item(car, "front-pads")
    assert pads["basis"] == "wear"
    assert pads["worn"] == pytest.approx(80 / 90)
    # 10 percent of wear are left, at about 5 percent a month.
    assert dt.date(2026, 4, 1) < pads["p50_on"] < dt.date(2026, 5, 20)
    assert pads["p10_on"] < pads["p50_on"] < pads["p90_on"]
    assert pads["limit_text"] == "pads 90 percent worn: front left measured, 89% of the way"
    assert (pads["rests_on"], pads["limit_short"]) == (
        "measured",
        "front left measured: 89% of the way to its limit",
    )
    assert [entry["signal"] for entry in pads["evidence"]["readings"]] == [ODOMETER, ODOMETER, PAD, PAD]
    unmeasured = await garage.item(car, "rear-pads")
    assert (unmeasured["worn"], unmeasured["rests_on"]) == (None, "usual")
    assert unmeasured["limit_short"] == "not measured; usual after 25,000 to 120,000 km"
    assert "not measured, usually after 25,000 to 120,000 km" in unmeasured["limit_text"]


async def test_bad_odometers_are_judged_and_never_the_latest(garage: Garage) -> None:
    car = await garage.car()
    await garage.drive(car, km_per_month=1_000, months=4)
    await garage.read(car, [(NOW - dt.timedelta(days=1), 910_000 * KM)])
    await garage.read(car, [(NOW + dt.timedelta(days=400), 60_000 * KM)], plausible=False)
    await garage.read(car, [(NOW, 70_000 * KM)], trust=TimeTrust.UNTRUSTED)
    await garage.derivation().dealer(garage.dealer, TODAY)

    judged = await garage.rows(odometer_judgements)
    assert [row["reason"] for row in judged] == [None] * 5 + ["jump", "future-time", "untrusted-time"]
    assert [row["clean_m"] for row in judged[5:]] == [None] * 3
    (usage,) = await garage.rows(vehicle_usage)
    assert usage["last_odometer_m"] == 50_000 * KM
    assert usage["last_time_ms"] == round(NOW.timestamp() * 1000)


@pytest.mark.parametrize(
    ("sigma_m", "reasons"),
    [
        (2_000.0, [None, None, None, "levelled", "levelled", None]),
        (0.0, [None, None, "jump", None, None, None]),
    ],
)
async def test_what_a_person_reads_may_be_lower_than_an_estimate_by_its_own_uncertainty(
    garage: Garage, sigma_m: float, reasons: list[str | None]
) -> None:
    car = await garage.car()
    days = [NOW - dt.timedelta(days=n) for n in range(60, 0, -10)]
    for at, km, sigma in zip(
        days, (40_000, 40_500, 41_000, 40_995.5, 40_996, 42_000), [sigma_m] * 3 + [300.0] * 3, strict=True
    ):
        await garage.read(car, [(at, sigma)], ODOMETER_UNCERTAINTY)
        await garage.read(car, [(at, km * KM)])
    await garage.derivation().dealer(garage.dealer, TODAY)
    judged = await garage.rows(odometer_judgements)
    assert [row["reason"] for row in judged] == reasons


async def test_deriving_again_changes_nothing(garage: Garage) -> None:
    for model, km in (("V60", 1_500), ("V60", 900), ("XC40", 400)):
        car = await garage.car(model=model)
        await garage.drive(car, km_per_month=km)
        await garage.serve(car, "engine-oil", dt.date(2025, 9, 1))
    tables = (service_due, vehicle_usage, usage_priors, odometer_judgements)
    await garage.derivation().dealer(garage.dealer, TODAY)
    first = [await garage.rows(table) for table in tables]
    report = await garage.derivation().dealer(garage.dealer, TODAY)
    assert report.judgements == 0
    assert [await garage.rows(table) for table in tables] == first
    # A few of them alone come out as they did among all.
    await garage.derivation().vehicles(garage.dealer, TODAY, [first[1][1]["vehicle_id"]])
    assert [await garage.rows(table) for table in tables] == first


async def test_a_past_list_can_be_computed_again_without_touching_today(garage: Garage) -> None:
    car = await garage.car()
    await garage.drive(car, km_per_month=1_500)
    past = dt.date(2025, 9, 1)
    await garage.derivation().dealer(garage.dealer, past)
    then = await garage.item(car, "engine-oil", past)
    await garage.read(car, [(NOW - dt.timedelta(days=1), 49_960 * KM)])
    await garage.derivation().dealer(garage.dealer, TODAY)
    judged = await garage.rows(odometer_judgements)
    assert len(judged) == 14

    await garage.derivation().dealer(garage.dealer, past)
    assert await garage.item(car, "engine-oil", past) == then
    assert await garage.rows(odometer_judgements) == judged


async def test_only_what_is_dirty_is_derived_and_only_what_was_seen_is_clean(garage: Garage) -> None:
    cars = [await garage.car() for _ in range(3)]
    for car in cars:
        await garage.drive(car, km_per_month=1_000)
    assert (await garage.derivation().dirty(limit=2)).vehicles == 2
    assert [row["vehicle_id"] for row in await garage.rows(dirty_vehicles)] == [cars[2]]

    async with garage.store.read() as connection:
        seen = await dirty.oldest(connection, 10)
    await garage.read(cars[2], [(NOW, 50_001 * KM)])
    await garage.derivation().vehicles(garage.dealer, TODAY, [cars[2]], seen=seen)
    assert len(await garage.rows(dirty_vehicles)) == 1, "it was marked again after it was seen"
    assert (await garage.derivation().dirty(limit=10)).vehicles == 1
    assert await garage.rows(dirty_vehicles) == []


async def test_a_dealer_derives_its_own_vehicles_only(store: Store) -> None:
    north, south = await open_garage(store), await open_garage(store)
    car, theirs = await north.car(), await south.car()
    await south.drive(theirs, km_per_month=1_000)
    report = await north.derivation().vehicles(north.dealer, TODAY, [car, theirs])
    assert report.vehicles == 1
    assert await south.rows(vehicle_usage) == []


async def test_nobody_and_nothing(garage: Garage) -> None:
    assert await garage.derivation().dealer(garage.dealer, TODAY) == Report()
    car = await garage.car(registered=None)
    await garage.derivation().dealer(garage.dealer, TODAY)
    assert {row["state"] for row in await garage.rows(service_due)} == {"unknown"}
    async with garage.store.read() as connection:
        usage = await results.usage_of(connection, garage.dealer.id, car, TODAY)
        assert await vehicle_health.active_faults(connection, garage.dealer.id, [car], TODAY) == {}
    assert usage is not None
    assert usage.rate_m_per_d == pytest.approx(PUBLISHED_RATE_M_PER_D)
    assert results.fan_of(usage, TODAY + dt.timedelta(days=100)) == []


async def test_readings_that_are_gone_leave_no_judgement(garage: Garage) -> None:
    car, other = await garage.car(), await garage.car()
    await garage.drive(car, km_per_month=1_000, months=3)
    await garage.derivation().dealer(garage.dealer, TODAY)
    async with garage.store.write() as connection:
        moved = (readings.c.dealer_id == garage.dealer.id) & (readings.c.seq > 2)
        await connection.execute(update(readings).where(moved).values(vehicle_id=other))
    await garage.derivation().dealer(garage.dealer, TODAY)
    judged = await garage.rows(odometer_judgements)
    assert [row["vehicle_id"] for row in judged] == [car, car, other, other]


async def test_the_fan_meets_the_limit_on_the_due_dates(garage: Garage) -> None:
    car = await garage.car()
    await garage.drive(car, km_per_month=2_500)
    await garage.serve(car, "engine-oil", dt.date(2026, 2, 1), 48_000)
    await garage.derivation().dealer(garage.dealer, TODAY)
    oil = await garage.item(car, "engine-oil")
    async with garage.store.read() as connection:
        usage = await results.usage_of(connection, garage.dealer.id, car, TODAY)
    assert usage is not None
    assert usage.last_at == NOW
    for name, quantile in (("p10_on", "p90_m"), ("p50_on", "p50_m"), ("p90_on", "p10_m")):
        end = results.fan_of(usage, oil[name])[-1]
        assert getattr(end, quantile) == pytest.approx(63_000 * KM, abs=150 * KM)  # a day's drive


async def test_faults_stand_as_the_stream_says(garage: Garage) -> None:
    car, other = await garage.car(), await garage.car()
    events = ["P0442 pending", "P0420 confirmed", "P0301 confirmed", "P0420 cleared"]
    await garage.read(car, [(NOW - dt.timedelta(hours=9 - n), text) for n, text in enumerate(events)], DTC)
    await garage.derivation().dealer(garage.dealer, TODAY)
    async with garage.store.read() as connection:
        stand = [("P0301", Urgency.P1, True), ("P0442", Urgency.P3, False)]
        for day, found in ((TODAY, {car: stand}), (TODAY - dt.timedelta(days=1), {})):
            cars = [car, other]
            assert await vehicle_health.active_faults(connection, garage.dealer.id, cars, day) == found


@pytest.mark.parametrize(
    ("timezone", "latest_km"), [("UTC", 50_000), ("America/Los_Angeles", 50_100), ("Asia/Tokyo", 50_000)]
)
async def test_a_day_ends_at_midnight_where_the_dealer_is(
    store: Store, timezone: str, latest_km: int
) -> None:
    garage = await open_garage(store, timezone)
    car = await garage.car()
    await garage.drive(car, km_per_month=1_000, months=3)
    after_midnight_utc = dt.datetime(2026, 3, 3, 3, tzinfo=dt.UTC)
    await garage.read(car, [(after_midnight_utc, 50_100 * KM)])
    await garage.derivation().dealer(garage.dealer, TODAY)
    (usage,) = await garage.rows(vehicle_usage)
    assert usage["last_odometer_m"] == latest_km * KM


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now


async def test_the_runner_begins_each_day_with_everyone_and_then_takes_what_is_new(garage: Garage) -> None:
    clock = Clock()
    runner = DerivationRunner(garage.store, Configuration(), now=clock, interval_s=60)
    cars = [await garage.car() for _ in range(3)]
    for car in cars:
        await garage.drive(car, km_per_month=1_000)
    # A day begins, with the published prior; then the fleet is seen to have a history, and told apart.
    await runner.turn()
    assert await garage.rows(dirty_vehicles) == []
    assert (await runner.turn()).vehicles == 0

    await garage.read(cars[0], [(NOW, 50_010 * KM)])
    assert (await runner.turn()).vehicles == 1

    for days in (1, 40):
        clock.now += dt.timedelta(days=days)
        assert (await runner.turn()).vehicles == 3
    kept = {TODAY + dt.timedelta(days=days) for days in (1, 41)}
    assert {row["as_of"] for row in await garage.rows(service_due)} == kept, (
        "the last of its month, and today"
    )


async def test_lists_and_what_they_rest_on_stay_for_a_month_then_the_last_of_each_month(
    garage: Garage,
) -> None:
    await garage.drive(await garage.car(), km_per_month=1_000)
    for days in (0, 27, 28, 35, 75):
        day = dt.timedelta(days=days)
        await garage.derivation(NOW + day).dealer(garage.dealer, TODAY + day)

    async def days_left(table: Table) -> set[int]:
        return {(row["as_of"] - TODAY).days for row in await garage.rows(table)}

    assert await days_left(usage_priors) == {0, 27, 28, 35, 75}
    async with garage.store.write() as connection:
        await keeping.drop_old(connection, garage.dealer.id, TODAY + dt.timedelta(days=80))
    for table in (service_due, vehicle_usage, usage_priors, due_calibrations):
        assert await days_left(table) == {28, 35, 75}, "of March the last, of April the last, and the newest"
    async with garage.store.write() as connection:
        later = TODAY + dt.timedelta(days=31 * (keeping.MONTHS_KEPT + 10))
        await keeping.drop_old(connection, garage.dealer.id + 1, later)
    assert await days_left(usage_priors) == {28, 35, 75}, "another dealer's stay"


def test_of_months_long_gone_no_day_is_kept() -> None:
    days = [TODAY + dt.timedelta(days=n) for n in range(31 * (keeping.MONTHS_KEPT + 10))]
    kept = sorted(keeping.days_kept(days, days[-1]))
    assert len(kept) == keeping.MONTHS_KEPT
    assert kept[-1] == days[-2]
    assert all((day + dt.timedelta(days=1)).day == 1 for day in kept[:-1])


async def test_the_runner_makes_priors_anew_when_the_fleet_has_grown(garage: Garage) -> None:
    runner = DerivationRunner(garage.store, Configuration(), now=Clock(), interval_s=60)
    await runner.turn()
    for _ in range(4):
        await garage.drive(await garage.car(), km_per_month=2_000)
    await runner.turn()  # derives them as dirty, by the published prior
    (_before,) = await garage.rows(usage_priors)
    await runner.turn()
    fleet, model = await garage.rows(usage_priors)
    assert (fleet["vehicles"], model["vehicles"], model["model"]) == (4, 4, "V60")
    assert (await runner.turn()).vehicles == 0


def numbers_of(config: Configuration) -> Iterator[tuple[str, str, object]]:
    """Each rule of a configuration by its room and name, with another value than it has."""
    for room in fields(config):
        rules = getattr(config, room.name)
        for rule in fields(rules) if room.name not in OF_DEALERS else ():
            value = getattr(rules, rule.name)
            if isinstance(value, float | int):
                yield room.name, rule.name, type(value)(value * 1.01 + 1)


def test_the_version_names_every_number() -> None:
    ours = Configuration()
    assert ours.version == Configuration().version
    assert Configuration(usage=UsageRules(decay_per_month=0.7)).version != ours.version
    found = list(numbers_of(ours))
    assert {"asked", "pace_sample", "odometer", "usage"} <= {room for room, _, _ in found}
    for room, rule, value in found:
        rules = copy.copy(getattr(ours, room))
        object.__setattr__(rules, rule, value)  # as it would stand in the source: no rule checks itself here
        assert replace(ours, **{room: rules}).version != ours.version, f"{room}.{rule}"
