"""Weeks in a car park: what is left in the battery of a car with an agent in it, in no time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from milepost_agent.power.limits import PowerLimits
from milepost_agent.power.stance import Stance
from milepost_simulator.car.battery import Battery
from milepost_simulator.car.climate import TEMPERATE
from milepost_simulator.car.parked import START_V_MIN, Draw, ParkedCar
from support.cars import START_S, VIN
from support.power import DAY_S, HOUR_S, Parking, coarse

DRAIN_S = 600.0
"""How long the gateway of these tests is online after a drive."""
STEP_S = 300.0


@dataclass
class CarPark:
    """A parked car, and an agent in it that obeys the policy; the gateway may be able to sleep or not."""

    battery: Battery
    machine_sleeps: bool = True
    limits: PowerLimits = field(default_factory=PowerLimits)

    def __post_init__(self) -> None:
        self.parking = Parking(coarse(self.limits))
        self.parking.drive(60.0)
        self.parking.park()
        self.began_s = self.parking.now_s
        self.car = ParkedCar(VIN, START_S, self.draw, self.battery)

    def draw(self) -> Draw:
        stance, is_open = self.parking.stance, self.parking.permit.is_open
        is_online = self.parking.now_s - self.began_s < DRAIN_S
        is_asleep = stance.is_closed and not is_open and self.machine_sleeps
        return Draw(is_adapter_low=not is_open, is_online=is_online, is_asleep=is_asleep)

    def stand(self, days: float) -> None:
        """Let the car stand; an adapter shows tenths of a volt."""
        end_s = self.parking.now_s + days * DAY_S
        while self.parking.now_s < end_s:
            volts = round(self.car.snapshot(START_S + self.parking.now_s).voltage_v, 1)
            self.parking.live(STEP_S, lambda _, volts=volts: volts)


def always_on(days: float) -> float:
    """The charge that is left to a gateway without a policy."""
    car = ParkedCar(VIN, START_S, Draw, Battery())
    car.advance(START_S + days * DAY_S)
    return car.battery.charge


def alone(days: float) -> float:
    """The charge that is left to a car without a gateway."""
    battery = Battery()
    for hour in range(round(days * 24)):
        battery.rest(HOUR_S, TEMPERATE.ambient_c(START_S + hour * HOUR_S))
    return battery.charge


def test_after_thirty_days_the_car_starts_where_an_agent_that_is_always_on_has_emptied_it() -> None:
    park = CarPark(Battery())
    park.stand(30)
    assert always_on(30) == 0.0
    assert park.car.battery.rest_voltage_v() > START_V_MIN
    assert park.car.battery.charge > alone(30) - 0.22
    assert park.parking.probes == []
    assert [stance for _, stance in park.parking.changes] == [Stance.AWAKE, Stance.RESTING, Stance.SAVING]


def test_it_never_empties_a_battery_that_the_car_alone_would_not_have_emptied() -> None:
    for charge in (0.9, 0.7, 0.5, 0.4):
        park, alone_v = CarPark(Battery(charge)), ParkedCar(VIN, START_S, Draw, Battery(charge))
        park.stand(14)
        alone_v.battery.rest(14 * DAY_S, 15.0)
        assert alone_v.battery.charge - park.car.battery.charge < 0.2, charge


def test_a_gateway_that_cannot_sleep_stops_at_the_thresholds() -> None:
    park = CarPark(Battery(), machine_sleeps=False, limits=replace(PowerLimits(), rest_s_max=0.0))
    park.stand(20)
    stances = [stance for _, stance in park.parking.changes]
    assert stances == [Stance.AWAKE, Stance.RESTING, Stance.SAVING, Stance.ASLEEP]
    rest_v = park.parking.policy.rest_v
    assert rest_v is not None
    assert rest_v < 11.8


@pytest.mark.parametrize("health", [1.0, 0.7])
def test_the_draw_of_the_agent_is_what_makes_the_difference(health: float) -> None:
    lasting = ParkedCar(VIN, START_S, lambda: Draw(is_adapter_low=True, is_asleep=True), Battery(0.9, health))
    spending = ParkedCar(VIN, START_S, Draw, Battery(0.9, health))
    for car in (lasting, spending):
        car.advance(START_S + 7 * DAY_S)
    assert lasting.battery.rest_voltage_v() > spending.battery.rest_voltage_v() + 0.3
