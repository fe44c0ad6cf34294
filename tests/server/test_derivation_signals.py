"""What a derivation says beside due dates, on both databases: life cycle, faults, batteries, owners."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from milepost_protocol.samples import TimeTrust
from milepost_server.derivation.configuration import Configuration
from milepost_server.store import (
    contracts,
    dealer_files,
    dirty,
    item_actions,
    outcomes,
    overrules,
    owners,
    ownerships,
    readiness,
    staff,
    vehicle_health,
)
from milepost_server.store.engine import Store
from milepost_server.store.overrules import Place
from milepost_server.store.schema import (
    ContractKind,
    DealerFileKind,
    DueState,
    ItemActionKind,
    OutcomeKind,
    Role,
    Urgency,
    derived_days,
    due_calibrations,
    odometer_judgements,
    owner_signals,
    service_due,
    vehicle_usage,
)
from support.garage import DTC, KM, NOW, TODAY, Garage, open_garage

DAY = dt.timedelta(days=1)
COUNTDOWN = "Vehicle.Service.DistanceToService"
CRANKING = "Vehicle.Milepost.Battery.CrankingMinimum"


@pytest.fixture
async def garage(store: Store) -> Garage:
    return await open_garage(store)


async def sell(garage: Garage, vehicle_id: int, on: dt.date, name: str) -> int:
    """From that day on the car is that owner's, who is new; the one before has sold it."""
    async with garage.store.write() as connection:
        new = await owners.put(
            connection, garage.dealer.id, name=name, email=None, phone=None, external_id=None, now=NOW
        )
        for before in await ownerships.of_vehicle(connection, garage.dealer.id, vehicle_id):
            await ownerships.end(connection, garage.dealer.id, before.id, on, now=NOW)
        await ownerships.add(
            connection,
            garage.dealer.id,
            owner_id=new.id,
            vehicle_id=vehicle_id,
            start_on=on,
            end_on=None,
            now=NOW,
        )
        await dirty.mark(connection, [(garage.dealer.id, vehicle_id)], now=NOW)
    return new.id


async def act(garage: Garage, vehicle_id: int, action: ItemActionKind, **more: Any) -> None:
    async with garage.store.write() as connection:
        dealer_id = garage.dealer.id
        known = await staff.login_of(connection, "a@north.example")
        staff_id = known.staff_id if known else None
        if staff_id is None:
            staff_id = await staff.add(
                connection,
                dealer_id,
                email="a@north.example",
                name="Anna",
                role=Role.SERVICE,
                password_hash="none",
                now=NOW,
            )
        await item_actions.add(
            connection,
            dealer_id,
            vehicle_id=vehicle_id,
            item="engine-oil",
            action=action,
            staff_id=staff_id,
            note="",
            **{"for_on": None, "until_on": None, "now": NOW, **more},
        )


async def overdue_car(garage: Garage) -> int:
    car = await garage.car()
    await garage.drive(car, km_per_month=1_000)
    await garage.serve(car, "engine-oil", TODAY - dt.timedelta(days=370))
    return car


async def oil(garage: Garage, car: int, on: dt.date = TODAY) -> dict[str, Any]:
    await garage.derivation(NOW + (on - TODAY)).dealer(garage.dealer, on)
    return await garage.item(car, "engine-oil", on)


async def test_what_is_due_is_open_until_somebody_does_something(garage: Garage) -> None:
    car = await overdue_car(garage)
    first = await oil(garage, car)
    assert (first["state"], first["life_cycle"], first["is_shown"]) == (DueState.OVERDUE, "open", True)
    assert (first["listed_since_on"], first["due_since_on"], first["remind_on"]) == (
        TODAY,
        TODAY,
        TODAY + 7 * DAY,
    )
    await act(garage, car, ItemActionKind.BOOKED, for_on=TODAY + 3 * DAY)
    booked = await oil(garage, car)
    assert (booked["life_cycle"], booked["life_cycle_until"]) == ("booked", TODAY + 3 * DAY)
    assert not booked["is_shown"]
    await garage.serve(car, "engine-oil", TODAY + 3 * DAY)
    done = await oil(garage, car, TODAY + 4 * DAY)
    assert (done["state"], done["started_on"], done["listed_since_on"]) == (
        DueState.OK,
        TODAY + 3 * DAY,
        None,
    )


async def test_a_snooze_ends_on_its_day_and_reminders_come_after_one_and_two_weeks(garage: Garage) -> None:
    car = await overdue_car(garage)
    await oil(garage, car)
    assert (await oil(garage, car, TODAY + 6 * DAY))["life_cycle"] == "open"
    week = await oil(garage, car, TODAY + 7 * DAY)
    assert (week["life_cycle"], week["reminders"], week["remind_on"]) == ("reminded", 1, TODAY + 14 * DAY)
    await act(garage, car, ItemActionKind.SNOOZED, until_on=TODAY + 20 * DAY, now=NOW + 8 * DAY)
    assert (await oil(garage, car, TODAY + 19 * DAY))["life_cycle"] == "snoozed"
    assert (await oil(garage, car, TODAY + 20 * DAY))["life_cycle"] == "open"


async def test_a_state_does_not_flap_around_its_edge(garage: Garage) -> None:
    car = await garage.car()
    await garage.drive(car, km_per_month=1_000)
    # Due in the middle of what is upcoming: then on the far side of the edge, inside of the margin.
    await garage.serve(car, "brake-fluid", TODAY - dt.timedelta(days=731 - 85))
    await garage.derivation().dealer(garage.dealer, TODAY)
    assert (await garage.item(car, "brake-fluid"))["state"] == DueState.UPCOMING
    async with garage.store.write() as connection:
        for table in (service_due, derived_days):
            moved = table.update().where(table.c.dealer_id == garage.dealer.id)
            await connection.execute(moved.values(as_of=TODAY - 8 * DAY))
    await garage.derivation(NOW - 7 * DAY).dealer(garage.dealer, TODAY - 7 * DAY)
    before = await garage.item(car, "brake-fluid", TODAY - 7 * DAY)
    assert before["state"] == DueState.UPCOMING, "92 days ahead: it stays what it was the day before"
    async with garage.store.write() as connection:
        forgotten = service_due.delete().where(service_due.c.dealer_id == garage.dealer.id)
        await connection.execute(forgotten)
    await garage.derivation(NOW - 7 * DAY).dealer(garage.dealer, TODAY - 7 * DAY)
    assert (await garage.item(car, "brake-fluid", TODAY - 7 * DAY))["state"] == DueState.OK


async def test_the_cars_own_countdown_goes_before_the_schedule(garage: Garage) -> None:
    car = await garage.car()
    await garage.drive(car, km_per_month=1_000)
    await garage.serve(car, "engine-oil", TODAY - dt.timedelta(days=100))
    await garage.read(car, [(NOW - 2 * DAY, 1_000.0)], COUNTDOWN)
    await garage.derivation().dealer(garage.dealer, TODAY)
    found = [row for row in await garage.rows(service_due) if row["basis"] == "countdown"]
    assert found, "some item counts down"
    item = found[0]
    assert (item["rests_on"], item["limit_short"]) == ("measured", "the car's own countdown to this service")
    assert [entry["role"] for entry in item["evidence"]["readings"]] == ["first", "latest", "latest"]
    assert item["evidence"]["readings"][-1]["signal"] == COUNTDOWN
    limits = [limit["limit"] for limit in item["limits"]]
    assert limits[0] == "countdown"
    assert item["limits"][0]["p50_on"] == str(item["p50_on"])
    assert item["limits"] == sorted(item["limits"], key=lambda limit: limit["p50_on"])


async def test_a_dealers_own_schedule_holds_for_its_cars(garage: Garage) -> None:
    car = await overdue_car(garage)
    plan = """
        schema = 1
        dealer = "North"
        title = "What North's workshop says"
        [[item]]
        key = "engine-oil"
        [[item.interval]]
        time_months = 24
        source = "What our workshop has seen."
    """
    async with garage.store.write() as connection:
        await dealer_files.put(
            connection,
            garage.dealer.id,
            kind=DealerFileKind.SCHEDULE,
            name="ours",
            text=plan,
            staff_id=None,
            now=NOW,
        )
    item = await oil(garage, car)
    assert "2 years, since the service on" in item["limit_text"]
    assert item["config_version"] != Configuration().version


async def test_a_schedule_that_can_no_longer_be_used_stops_nobodys_list(garage: Garage) -> None:
    car = await overdue_car(garage)
    async with garage.store.write() as connection:
        await dealer_files.put(
            connection,
            garage.dealer.id,
            kind=DealerFileKind.SCHEDULE,
            name="old",
            text="schema = 0",
            staff_id=None,
            now=NOW,
        )
    item = await oil(garage, car)
    assert item["config_version"] == Configuration().version, "the shipped schedules hold"


async def test_faults_have_an_urgency_a_reason_and_their_readings(garage: Garage) -> None:
    car = await garage.car()
    await garage.drive(car, km_per_month=1_000)
    for days, text in ((90, "P0301 confirmed"), (60, "P0301 cleared"), (30, "P0301 confirmed")):
        await garage.read(car, [(NOW - days * DAY, text)], DTC)
    await garage.read(car, [(NOW - 9 * DAY, "P0442 pending"), (NOW - 8 * DAY, "nonsense")], DTC)
    await garage.derivation().dealer(garage.dealer, TODAY)
    async with garage.store.read() as connection:
        found = await vehicle_health.faults_of(connection, garage.dealer.id, car, TODAY)
        assert await vehicle_health.faults_of(connection, garage.dealer.id, car, TODAY - DAY) == []
    assert [fault.code for fault in found] == ["P0301", "P0442"]
    misfire, vapour = found
    assert misfire.urgency < vapour.urgency
    assert (misfire.recurrences, misfire.status) == (1, "confirmed")
    assert misfire.reason
    assert misfire.first_seen_at == NOW - 30 * DAY
    assert len(misfire.evidence["readings"]) == 1, "the first and the last of this life are the same reading"


@pytest.mark.parametrize("without_time", [{"plausible": False}, {"trust": TimeTrust.UNTRUSTED}])
async def test_a_past_day_knows_nothing_of_what_came_later_without_a_time(
    garage: Garage, without_time: dict[str, Any]
) -> None:
    car = await garage.car()
    await garage.read(car, [(NOW - 90 * DAY, "P0301 confirmed")], DTC, **without_time)
    for day, codes in ((TODAY - DAY, []), (TODAY, ["P0301"])):
        await garage.derivation().dealer(garage.dealer, day)
        async with garage.store.read() as connection:
            found = await vehicle_health.faults_of(connection, garage.dealer.id, car, day)
        assert [fault.code for fault in found] == codes


async def test_a_battery_that_falls_to_its_limit_is_to_be_replaced(garage: Garage) -> None:
    weak, silent = await garage.car(), await garage.car()
    falling = [(NOW - 20 * n * DAY, 8.7 + 0.12 * n) for n in range(18, -1, -1)]
    await garage.read(weak, falling, CRANKING)
    await garage.derivation().dealer(garage.dealer, TODAY)
    async with garage.store.read() as connection:
        battery = await vehicle_health.of_vehicle(connection, garage.dealer.id, weak, TODAY)
        unknown = await vehicle_health.of_vehicle(connection, garage.dealer.id, silent, TODAY)
    assert battery is not None
    assert unknown is not None
    assert (battery.battery_state, battery.battery_measure) == ("replace", "cranking_minimum")
    assert battery.battery_p50_on == TODAY, "it is at its limit now, not tomorrow"
    assert (battery.pack_outcome, battery.pack_percent) == (None, None), "a petrol car has no pack"
    assert battery.evidence["readings"]
    assert (unknown.battery_state, unknown.battery_measure, unknown.battery_level) == ("unknown", None, None)
    assert unknown.battery_p50_on is None


async def test_a_sold_car_leaves_its_old_owners_view_and_tells_nothing_old_to_the_new_one(
    garage: Garage,
) -> None:
    car = await overdue_car(garage)
    await garage.serve(car, "cabin-filter", TODAY - 60 * DAY)
    seller = await sell(garage, car, TODAY - 300 * DAY, "Seller")
    await garage.derivation().dealer(garage.dealer, TODAY)
    (before,) = await garage.rows(owner_signals)
    assert (before["owner_id"], before["vehicles"], before["sales_vehicle_id"]) == (seller, 1, car)
    assert (before["service_item"], before["service_state"]) == ("engine-oil", DueState.OVERDUE)
    async with garage.store.read() as connection:
        (ready,) = await readiness.of_owner(connection, garage.dealer.id, seller, TODAY)
    visits = next(reason for reason in ready.reasons if reason["key"] == "services_2y")
    assert visits["value"] == 1

    buyer = await sell(garage, car, TODAY, "Buyer")
    await garage.derivation().dirty(10)
    old, new = await garage.rows(owner_signals)
    assert (old["vehicles"], old["service_item"], old["score"], old["p_90d"]) == (0, None, None, None)
    assert (new["owner_id"], new["vehicles"], new["service_item"]) == (buyer, 1, "engine-oil")
    async with garage.store.read() as connection:
        assert await readiness.of_owner(connection, garage.dealer.id, seller, TODAY) == []
        (ready,) = await readiness.of_owner(connection, garage.dealer.id, buyer, TODAY)
    reasons = {reason["key"]: reason for reason in ready.reasons}
    assert reasons["services_2y"]["value"] == 0, "what the seller had done is not the buyer's loyalty"
    assert reasons.get("usage_change", {"value": None})["value"] is None


async def test_reasons_add_up_and_open_what_they_rest_on(garage: Garage) -> None:
    car = await overdue_car(garage)
    owner = await sell(garage, car, dt.date(2024, 1, 20), "Owner")
    lease = dict.fromkeys(contracts.ContractRow.__dataclass_fields__)
    del lease["id"]
    lease |= {"vehicle_id": car, "owner_id": owner, "kind": ContractKind.LEASE, "currency": "EUR"}
    lease |= {"start_on": dt.date(2024, 1, 20), "end_on": TODAY + 60 * DAY, "source": "test"}
    async with garage.store.write() as connection:
        made = await contracts.add(connection, garage.dealer.id, lease, now=NOW)
    await garage.derivation().dealer(garage.dealer, TODAY)
    async with garage.store.read() as connection:
        (ready,) = await readiness.of_owner(connection, garage.dealer.id, owner, TODAY)
    assert sum(reason["points"] for reason in ready.reasons) == ready.score
    assert 0 < ready.p_90d < ready.p_180d < 1
    assert ready.is_prior
    ends = next(reason for reason in ready.reasons if reason["key"] == "months_to_contract_end")
    assert "ends in 2 months" in ends["words"]
    assert ends["evidence"] == {"contracts": [made.id]}
    assert ends["change"]


async def test_a_grave_fault_comes_before_every_item_of_the_owners_list(garage: Garage) -> None:
    car = await overdue_car(garage)
    owner = await sell(garage, car, dt.date(2024, 1, 20), "Owner")
    other = await sell(garage, await overdue_car(garage), dt.date(2024, 1, 20), "Other")
    # Low oil pressure: stop driving.
    await garage.read(car, [(NOW - DAY, "P0524 confirmed")], DTC)
    await garage.derivation().dealer(garage.dealer, TODAY)
    rows = {row["owner_id"]: row for row in await garage.rows(owner_signals)}
    assert (rows[owner]["service_fault"], rows[owner]["service_item"]) == ("P0524", None)
    assert rows[owner]["service_urgency"] in {Urgency.P0, Urgency.P1}
    assert rows[owner]["service_key"] < rows[other]["service_key"]


async def test_an_owner_is_worth_the_same_looked_at_alone_or_among_all(garage: Garage) -> None:
    cars = [await overdue_car(garage), await overdue_car(garage)]
    owned = [
        await sell(garage, car, dt.date(2024, 1, 20), name) for car, name in zip(cars, "AB", strict=True)
    ]
    service = {
        "owner_id": owned[0],
        "vehicle_id": cars[0],
        "kind": OutcomeKind.SERVICE,
        "happened_on": TODAY - 100 * DAY,
        "amount": 90_000,
        "currency": "EUR",
        "sender_id": "1",
        "source": "test",
    }
    async with garage.store.write() as connection:
        await outcomes.put(connection, garage.dealer.id, service, now=NOW)
    await garage.derivation().dealer(garage.dealer, TODAY)
    among_all = {row["owner_id"]: row["value"] for row in await garage.rows(owner_signals)}
    await garage.derivation().vehicles(garage.dealer, TODAY, [cars[1]])
    await garage.derivation().vehicles(garage.dealer, TODAY, [cars[0]])
    assert {row["owner_id"]: row["value"] for row in await garage.rows(owner_signals)} == among_all
    assert among_all[owned[1]]["expected"][1] > 0, "what services usually bring"


async def test_what_an_owner_has_brought_and_may_bring_is_told_in_the_dealers_money(garage: Garage) -> None:
    car = await overdue_car(garage)
    owner = await sell(garage, car, dt.date(2024, 1, 20), "Owner")
    async with garage.store.write() as connection:
        for number, (kind, amount) in enumerate(
            ((OutcomeKind.SALE, 2_500_000), (OutcomeKind.SERVICE, 30_000), (OutcomeKind.SERVICE, None))
        ):
            values = {
                "owner_id": owner,
                "vehicle_id": car,
                "kind": kind,
                "happened_on": TODAY - 100 * DAY,
                "amount": amount,
                "currency": None if amount is None else "EUR",
                "sender_id": str(number),
                "source": "test",
            }
            await outcomes.put(connection, garage.dealer.id, values, now=NOW)
    await garage.derivation().dealer(garage.dealer, TODAY)
    (row,) = await garage.rows(owner_signals)
    value = row["value"]
    assert value["ledger"] == {"sale": 2_500_000, "service": 30_000, "subscription": 0}
    low, middle, high = value["expected"]
    assert 0 <= low < middle < high
    assert (value["currency"], value["until_on"]) == ("EUR", "2031-03-02")


async def test_a_full_derivation_keeps_what_it_learned(garage: Garage) -> None:
    for number in range(20):
        car = await garage.car()
        await garage.drive(car, km_per_month=800 + 40 * number, months=30)
    await garage.derivation().dealer(garage.dealer, TODAY)
    (row,) = await garage.rows(due_calibrations)
    assert row["document"]["pace"]["vehicles"] == 20
    assert [len(season) for season in row["document"]["battery_season"]] == [12, 12, 12]
    assert row["coverage"], "the past of twenty cars says how often intervals held"
    for knot in row["coverage"]:
        assert 0 <= knot["low"] <= knot["high"] <= 1
        assert 0 <= knot["covered"] <= 1
        assert knot["n"] > 0


async def test_what_staff_say_of_a_reading_goes_before_what_cleaning_says(garage: Garage) -> None:
    car = await garage.car()
    await garage.drive(car, km_per_month=1_000, months=6)
    await garage.derivation().dealer(garage.dealer, TODAY)
    *_, last = await garage.rows(odometer_judgements)
    assert (last["kept"], last["clean_m"]) == (True, 50_000 * KM)
    at = Place(car, last["stream_id"], last["seq"])
    await act(garage, car, ItemActionKind.ACKNOWLEDGED)  # there is somebody to say it
    async with garage.store.write() as connection:
        await overrules.put(connection, garage.dealer.id, at, keep=False, note="", staff_id=1, now=NOW)
        await dirty.mark(connection, [(garage.dealer.id, car)], now=NOW)
    await garage.derivation().dirty(10)
    *_, last = await garage.rows(odometer_judgements)
    assert (last["kept"], last["clean_m"]) == (False, None)
    assert "staff" in last["reason"]
    async with garage.store.write() as connection:
        await overrules.put(connection, garage.dealer.id, at, keep=None, note="", staff_id=1, now=NOW)
    await garage.derivation().vehicles(garage.dealer, TODAY, [car])
    *_, last = await garage.rows(odometer_judgements)
    assert (last["kept"], last["reason"]) == (True, None)


async def test_a_car_that_begins_to_stand_still_has_changed_its_use(garage: Garage) -> None:
    steady, parked = await garage.car(), await garage.car()
    await garage.drive(steady, km_per_month=1_000, months=24)
    months = [(n, 60_000 - 1_500 * max(n - 8, 0)) for n in range(24, -1, -1)]
    await garage.read(parked, [(NOW - 30.4375 * n * DAY, km * KM) for n, km in months])
    await garage.derivation().dealer(garage.dealer, TODAY)
    first, second = await garage.rows(vehicle_usage)
    assert (first["usage_change_reason"], first["usage_changed_on"], first["usage_change"]) == (None,) * 3
    assert second["usage_change_reason"] == "stopped"
    assert abs((second["usage_changed_on"] - (TODAY - 243 * DAY)).days) < 45
    assert second["usage_change"] < 0.1
