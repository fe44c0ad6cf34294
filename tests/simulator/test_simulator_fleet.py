"""Fleets: the same by seed whatever their size, plausible in their statistics, true to their own truth."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from milepost_protocol.identity import check_device_id, check_vin
from milepost_protocol.signals import catalogue
from milepost_simulator.car.models import Powertrain
from milepost_simulator.fleet.blocks import BLOCK_OWNERS
from milepost_simulator.fleet.fleet import Block, FleetVehicle, make_block, make_blocks
from milepost_simulator.fleet.history import Row, history
from milepost_simulator.fleet.items import ITEMS
from milepost_simulator.fleet.lot import FleetPlan
from milepost_simulator.fleet.makes import residual
from milepost_simulator.fleet.people import DOMAINS
from milepost_simulator.fleet.population import YEAR_DAYS, Contract
from milepost_simulator.fleet.records import owner_records, service_records, vehicle_truth
from milepost_simulator.fleet.workshop import NEVER

AS_OF_DAY = 20_500
PLAN = FleetPlan(owners=BLOCK_OWNERS, seed=7, months=18, as_of_day=AS_OF_DAY)


@pytest.fixture(scope="module")
def block() -> Block:
    return make_block(PLAN, 0, BLOCK_OWNERS)


@pytest.fixture(scope="module")
def histories(block: Block) -> list[tuple[FleetVehicle, list[Row]]]:
    return [(vehicle, history(vehicle)) for vehicle in list(block.vehicles())[:40]]


def of(rows: list[Row], signal: str) -> list[Row]:
    return [row for row in rows if row.signal == signal]


def test_the_same_plan_makes_the_same_fleet_and_another_seed_another(block: Block) -> None:
    again = make_block(PLAN, 0, BLOCK_OWNERS)
    other = make_block(PLAN._replace(seed=8), 0, BLOCK_OWNERS)
    assert owner_records(again) == owner_records(block)
    assert np.array_equal(again.first.km, block.first.km)
    for name in ("row", "item", "day", "odometer_m", "is_recorded"):
        mine, theirs = (getattr(b.first.life.services, name) for b in (block, again))
        assert np.array_equal(mine, theirs)
    assert owner_records(other) != owner_records(block)


def test_an_owner_is_the_same_in_a_larger_fleet(block: Block) -> None:
    (small,) = make_blocks(PLAN._replace(owners=3))
    assert owner_records(small) == owner_records(block)[:3]
    assert [vehicle_truth(v) for v in small.vehicles()] == [vehicle_truth(v) for v in block.vehicles()][
        : len(list(small.vehicles()))
    ]


def test_blocks_add_up_and_names_stay_apart() -> None:
    whole = list(make_blocks(FleetPlan(BLOCK_OWNERS + 5, 7, 2, AS_OF_DAY)))
    assert [block.owners for block in whole] == [BLOCK_OWNERS, 5]
    owners = [record for block in whole for record in owner_records(block)]
    vehicles = [vehicle for owner in owners for vehicle in owner["vehicles"]]
    assert len({owner["external_id"] for owner in owners}) == len(owners) == BLOCK_OWNERS + 5
    for key in ("vin", "device_id", "plate"):
        assert len({vehicle[key] for vehicle in vehicles}) == len(vehicles)
    for vehicle in vehicles:
        check_vin(vehicle["vin"])
        check_device_id(vehicle["device_id"])


def test_nobody_can_be_reached(block: Block) -> None:
    fiction = re.compile(r"\+44 7700 900\d{3}|\+1 202 555 01\d{2}|\+33 6 39 98 00 \d{2}|\+61 2 5550 01\d{2}")
    for person in block.people():
        assert person.email.rpartition("@")[2] in DOMAINS
        assert fiction.fullmatch(person.phone)
    assert len({person.name for person in block.people()}) > 120


def test_usage_is_what_roads_see(block: Block) -> None:
    km_year = block.first.km[:, : block.history_days].mean(axis=1) * YEAR_DAYS
    low, median, high = np.quantile(km_year, (0.05, 0.5, 0.95))
    assert 1_500 < low < 6_000
    assert 11_000 < median < 18_000
    assert 24_000 < high < 42_000
    assert 0.9 < block.first.km.mean() / block.first.level_km.mean() < 1.1
    electric = block.first.population.of_powertrain(Powertrain.EV)
    assert np.median(km_year[electric]) < np.median(km_year[~electric])


def test_some_cars_stand_for_weeks_and_some_lives_change(block: Block) -> None:
    history_km = block.first.km[:, : block.history_days]
    longest = [
        max(len(run) for run in "".join("x" if km else "." for km in row).split("x")) for row in history_km
    ]
    assert 0.1 < np.mean([days >= 10 for days in longest]) < 0.98
    changed = (block.first.level_km.max(axis=1) / block.first.level_km.min(axis=1)) > 1.05
    assert 0.2 < changed.mean() < 0.7


def test_pads_differ_between_drivers_about_five_fold(block: Block) -> None:
    low, high = np.quantile(block.first.population.pad_rate, (0.05, 0.95))
    assert 3 < high / low < 7


def test_true_due_days_lie_where_wear_and_calendar_say(block: Block) -> None:
    due_day = block.first.life.due_day(block.history_days, PLAN.first_day)
    overdue = (due_day <= AS_OF_DAY).any(axis=1)
    assert 0.03 < overdue.mean() < 0.35
    for index, item in enumerate(ITEMS):
        has = np.array([p in item.powertrains for p in block.first.population.powertrain])
        assert (due_day[~has, index] == NEVER).all()
        assert (due_day[has, index] < NEVER).any(), f"no car ever needs {item.key}"


def test_a_due_pad_is_worn_to_its_limit_on_that_day(block: Block) -> None:
    index = [item.key for item in ITEMS].index("front-pads")
    lives = block.first.life.lives
    due = np.flatnonzero((lives.item == index) & (lives.due_day > 0) & (lives.due_day < lives.days))
    at = lives.due_day[due]
    driven = lives.curves.at(lives.row[due], at) - lives.curves.at(lives.row[due], lives.seen_day[due])
    the_day = block.first.km[lives.row[due], at] * lives.per_km[due]
    worn = lives.seen_worn[due] + lives.per_km[due] * driven
    is_reached = at > lives.seen_day[due]
    assert is_reached.sum() > 100
    assert (worn >= 0.9 - 1e-6).all()
    assert (worn - the_day < 0.9 + 1e-6)[is_reached].all()


def test_services_are_in_order_and_some_are_done_elsewhere(block: Block) -> None:
    known = all_done = 0
    for vehicle in block.vehicles():
        services = vehicle.services()
        assert [s.day for s in services] == sorted(s.day for s in services)
        assert all(s.day < AS_OF_DAY for s in services)
        assert all(s.day >= vehicle.registered_day for s in services)
        in_history = [s for s in services if s.day >= PLAN.first_day]
        known += sum(s.is_recorded for s in in_history)
        all_done += len(in_history)
        elsewhere = len(in_history) - sum(s.is_recorded for s in in_history)
        everything = service_records(vehicle, recorded_only=False)
        assert len(service_records(vehicle)) == len(everything) - elsewhere
    assert 0.75 < known / all_done < 0.97


def test_intent_follows_the_contract(block: Block) -> None:
    people, intent = block.first.population, block.first.intent
    within_90, within_180 = (intent.within(PLAN.months, months) for months in (3, 6))
    near = (people.contract == Contract.LEASE) & (people.contract_end_day - AS_OF_DAY < 90)
    assert near.any()
    assert within_90[near].mean() > 3 * within_90[~near].mean()
    assert (within_90 <= within_180).all()
    happened = (intent.replaced_day > 0) & (intent.replaced_day < AS_OF_DAY + 182)
    expected = within_180.sum()
    assert abs(happened.sum() - expected) < 4 * np.sqrt(expected)


def test_every_row_is_a_sample_that_the_catalogue_accepts(
    histories: list[tuple[FleetVehicle, list[Row]]],
) -> None:
    signals = catalogue()
    for _, rows in histories:
        assert [row.time_ms for row in rows] == sorted(row.time_ms for row in rows)
        for row in rows:
            signals[row.signal].check(row.value)


def test_odometers_only_grow_and_end_at_the_truth(histories: list[tuple[FleetVehicle, list[Row]]]) -> None:
    for vehicle, rows in histories:
        readings = [int(row.value) for row in of(rows, "Vehicle.TraveledDistance")]
        assert readings == sorted(readings)
        silent = vehicle.silent_from_day
        last = (silent or AS_OF_DAY) - PLAN.first_day - 1
        assert readings[-1] == pytest.approx(vehicle.odometer_km()[last] * 1000, abs=100)
        assert max(row.time_ms for row in rows) < (silent or AS_OF_DAY) * 86_400_000


def test_cars_say_what_they_can_say(histories: list[tuple[FleetVehicle, list[Row]]]) -> None:
    for vehicle, rows in histories:
        signals = Counter(row.signal for row in rows)
        is_ev = vehicle.model.powertrain is Powertrain.EV
        assert (signals["Vehicle.Milepost.Engine.OilLife"] > 0) == vehicle.model.has_oil_monitor
        assert (signals["Vehicle.Powertrain.CombustionEngine.EngineHours"] == 0) == is_ev
        has_starter = vehicle.model.powertrain is Powertrain.COMBUSTION
        assert (signals["Vehicle.Milepost.Battery.CrankingMinimum"] > 0) == has_starter
        (source,) = of(rows, "Vehicle.Milepost.Odometer.Source")
        assert (source.value == "car") == vehicle.model.has_odometer


def test_faults_are_pending_before_they_are_confirmed(block: Block) -> None:
    told = 0
    for vehicle in block.vehicles():
        if not vehicle.faults():
            continue
        events = [str(row.value).split() for row in of(history(vehicle), "Vehicle.Milepost.Diagnostics.Dtc")]
        by_code: dict[str, list[str]] = {}
        for code, status in events:
            by_code.setdefault(code, []).append(status)
        for statuses in by_code.values():
            assert statuses == (["pending", "confirmed", "cleared"] * 4)[: len(statuses)]
            told += 1
    assert told > 20


def test_value_falls_as_the_market_says() -> None:
    assert residual(Powertrain.COMBUSTION, 0.0) == 1.0
    assert residual(Powertrain.COMBUSTION, 10.2) == pytest.approx(0.43, abs=0.05)
    assert residual(Powertrain.EV, 8.0) < residual(Powertrain.HYBRID, 8.0)
