"""Simulated cars stay within what physics and workshops know, and repeat by their seed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from milepost_simulator.car import pids
from milepost_simulator.car.battery import Battery
from milepost_simulator.car.climate import DAY_S, Climate
from milepost_simulator.car.models import MODELS, Powertrain
from milepost_simulator.car.physics import Activity, CarStart, SimulatedCar
from milepost_simulator.car.route import COMMUTER, Driver
from milepost_simulator.car.trouble import Fault
from milepost_simulator.car.wear import Durability, Wear, oil_ageing, pack_health
from support.cars import START_S, VIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MakeCar = Callable[..., SimulatedCar] if TYPE_CHECKING else object

BOUNDS = {
    pids.SPEED: (0, 145),
    pids.ENGINE_SPEED: (0, 6500),
    pids.LOAD: (0, 100),
    pids.COOLANT: (-25, 105),
    pids.OIL: (-25, 125),
    pids.MANIFOLD: (15, 101),
    pids.VOLTAGE: (8.5, 14.9),
    pids.THROTTLE: (0, 100),
    pids.INTAKE_AIR: (-25, 60),
    pids.PACK_LIFE: (50, 100),
}


def watch(car: SimulatedCar, seconds: float, every_s: float = 0.5) -> Iterator[dict[int, float]]:
    end_s = car.now_s + seconds
    at_s = car.now_s
    while at_s < end_s:
        at_s += every_s
        yield dict(car.snapshot(at_s).values)


@pytest.mark.parametrize("powertrain", list(Powertrain))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_values_stay_within_physics(make_car: MakeCar, powertrain: Powertrain, seed: int) -> None:
    car = make_car(seed, model=MODELS[powertrain], driver=Driver(vigour=1.0 + 0.3 * seed))
    speed_before = 0.0
    seen = set()
    for values in watch(car, 1800):
        seen |= values.keys()
        for pid, (low, high) in BOUNDS.items():
            assert low <= values.get(pid, low) <= high, (
                f"{pid:02X} is {values.get(pid)} at {car.now_s - START_S:.1f} s"
            )
        speed = values.get(pids.SPEED, 0.0)
        assert abs(speed - speed_before) <= 0.5 * 3.6 * 6.0
        speed_before = speed
    assert pids.SPEED in seen


def test_powertrains_answer_what_they_have(make_car: MakeCar) -> None:
    heard = {
        powertrain: set().union(*watch(make_car(model=MODELS[powertrain]), 60)) for powertrain in Powertrain
    }
    assert {pids.ENGINE_SPEED, pids.OIL, pids.ODOMETER} <= heard[Powertrain.COMBUSTION]
    assert pids.PACK_LIFE not in heard[Powertrain.COMBUSTION]
    assert {pids.ENGINE_SPEED, pids.PACK_LIFE} <= heard[Powertrain.HYBRID]
    assert pids.ODOMETER not in heard[Powertrain.HYBRID]
    assert pids.ENGINE_SPEED not in heard[Powertrain.EV]
    assert pids.COOLANT not in heard[Powertrain.EV]
    assert {pids.PACK_LIFE, pids.ODOMETER} <= heard[Powertrain.EV]


def test_the_same_seed_lives_the_same_life_however_often_it_is_asked(make_car: MakeCar) -> None:
    asked_often, asked_once, other = make_car(9), make_car(9), make_car(10)
    for _ in watch(asked_often, 900, every_s=0.37):
        pass
    end_s = asked_often.now_s
    asked_once.advance(end_s + 0.05)
    other.advance(end_s + 0.05)
    assert asked_once.odometer_m == pytest.approx(asked_often.odometer_m, abs=5.0)
    assert asked_once.trips == asked_often.trips
    assert asked_once.wear.pad_used == pytest.approx(asked_often.wear.pad_used, rel=0.02)
    assert other.odometer_m != asked_once.odometer_m


def test_the_odometer_is_speed_over_time(make_car: MakeCar) -> None:
    car = make_car(4)
    begin_m = car.odometer_m
    integrated_m = sum(values.get(pids.SPEED, 0.0) / 3.6 * 0.1 for values in watch(car, 600, every_s=0.1))
    assert car.odometer_m - begin_m == pytest.approx(integrated_m, rel=0.01)
    assert car.odometer_m - begin_m > 1000


def test_the_engine_warms_up_and_cools_down(make_car: MakeCar) -> None:
    car = make_car(2, habits=COMMUTER, climate=Climate(mean_c=0.0, yearly_c=0.0, daily_c=0.0))
    hottest_c = max(values.get(pids.COOLANT, -99.0) for values in watch(car, 1500))
    assert 85 <= hottest_c <= 100
    car.engine.stop()
    car.engine.rest(12 * 3600, 0.0)
    assert car.engine.coolant_c < 1.0


def test_starting_dips_and_charging_lifts(make_car: MakeCar) -> None:
    car = make_car(3)
    by_activity: dict[Activity, list[float]] = {activity: [] for activity in Activity}
    for step in range(1200):
        voltage_v = car.snapshot(START_S + step / 10).voltage_v
        by_activity[car.activity].append(voltage_v)
    assert 9.5 <= min(by_activity[Activity.CRANKING]) <= 11.2
    assert 12.2 <= min(by_activity[Activity.PARKED]) <= 13.1
    assert min(by_activity[Activity.DRIVING]) >= 13.4


@pytest.mark.parametrize(("worse", "better"), [((0.6, 20.0), (1.0, 20.0)), ((0.8, -15.0), (0.8, 25.0))])
def test_cranking_is_worse_old_and_cold(worse: tuple[float, float], better: tuple[float, float]) -> None:
    def dip_v(health: float, air_c: float) -> float:
        return Battery(0.95 * health, health).cranking_voltage_v(0.0, air_c, air_c)

    assert dip_v(*worse) < dip_v(*better) - 0.3


def test_a_battery_drains_parked_and_ages_faster_in_heat() -> None:
    cool, hot = Battery(), Battery()
    cool.rest(30 * DAY_S, 10.0)
    hot.rest(30 * DAY_S, 35.0)
    assert cool.rest_voltage_v() < Battery().rest_voltage_v() - 0.2
    assert hot.health < cool.health < 1.0


def test_oil_ages_least_at_working_temperature() -> None:
    assert oil_ageing(90) == pytest.approx(1.0)
    assert oil_ageing(100) == pytest.approx(2.0)
    assert oil_ageing(0) > oil_ageing(80)


def test_wear_of_a_year_is_what_workshops_see(make_car: MakeCar) -> None:
    car = make_car(5, habits=COMMUTER)
    begin_m = car.odometer_m
    car.advance(START_S + 3 * DAY_S)
    per_km = 1000 / (car.odometer_m - begin_m)
    assert 8_000 <= 1 / (car.wear.oil_used * per_km) <= 30_000
    assert 20_000 <= 1 / (car.wear.pad_used[0] * per_km) <= 120_000
    assert 25_000 <= 6.4 / ((8.0 - car.wear.tread_mm[0]) * per_km) <= 70_000


def test_durability_scales_wear() -> None:
    usual, careless = Wear(), Wear(Durability(pads=3.0))
    for wear in (usual, careless):
        wear.brake(10.0)
    assert careless.pad_used == pytest.approx([3 * used for used in usual.pad_used])


def drive_trips(car: SimulatedCar, trips: int) -> None:
    goal = car.trips + trips
    while car.trips < goal:
        car.advance(car.now_s + 10.0)


def test_a_fault_is_pending_then_confirmed_then_mended(make_car: MakeCar) -> None:
    car = make_car(6, faults=[Fault("P0301", onset_m=0.0)])
    drive_trips(car, 1)
    assert car.trouble.codes == ((), ("P0301",), (), False)
    drive_trips(car, 1)
    assert car.trouble.codes == (("P0301",), ("P0301",), ("P0301",), True)
    drive_trips(car, 1)
    assert car.trouble.distance_with_mil_m > 0
    car.clear_codes()
    assert car.trouble.codes == ((), (), ("P0301",), False)
    assert car.trouble.distance_since_cleared_m == 0.0
    car.service()
    drive_trips(car, 3)
    assert car.trouble.codes == ((), (), (), False)


def test_a_fault_waits_for_its_distance(make_car: MakeCar) -> None:
    car = make_car(6, start=CarStart(vin=VIN, odometer_m=0.0), faults=[Fault("P0420", onset_m=3000.0)])
    drive_trips(car, 1)
    while car.odometer_m < 3000.0:
        assert car.trouble.codes.pending == ()
        drive_trips(car, 1)
    drive_trips(car, 2)
    assert car.trouble.codes.stored == ("P0420",)


def test_the_lamp_goes_off_after_three_clean_cycles(make_car: MakeCar) -> None:
    car = make_car(7, faults=[Fault("P0171", onset_m=0.0)])
    drive_trips(car, 2)
    assert car.trouble.codes.is_mil_on
    car._faults = ()
    drive_trips(car, 3)
    assert not car.trouble.codes.is_mil_on
    assert car.trouble.codes.stored == ("P0171",)


def test_a_service_renews_what_it_names(make_car: MakeCar) -> None:
    car = make_car(8)
    car.wear.oil_used, car.wear.pad_used, car.wear.tread_mm = 0.9, (0.8,) * 4, (2.0,) * 4
    car.service(oil=True, tyres=True)
    assert car.wear.oil_used == 0.0
    assert car.wear.tread_mm == (8.0,) * 4
    assert car.wear.pad_used == (0.8,) * 4


def test_a_used_car_is_worn_and_its_pack_as_old_as_it_is() -> None:
    used = Wear.of_used_car(Durability(), odometer_m=120e6, age_years=8.0, rng=Random(3))
    assert 0.0 < used.oil_used < 1.0
    assert all(0.0 < pad < 1.0 for pad in used.pad_used)
    assert all(2.5 < tread < 8.1 for tread in used.tread_mm)
    assert 0.80 < used.pack_health < 0.87
    assert pack_health(0.0, 0.0) == 1.0
