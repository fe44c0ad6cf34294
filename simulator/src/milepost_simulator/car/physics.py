"""A simulated car: drives its trips, wears, develops faults, and can be asked at any instant.

The world moves on a fixed grid of steps, so that what a car does depends on its seed alone and not on
when, or how often, somebody asks.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from milepost_simulator.car import pids
from milepost_simulator.car.battery import Battery
from milepost_simulator.car.climate import TEMPERATE, Climate
from milepost_simulator.car.engine import BAROMETER_KPA, Engine, acceleration_max_m_s2, demand
from milepost_simulator.car.models import MODELS, CarModel, Powertrain
from milepost_simulator.car.route import COMMUTER, USUAL_DRIVER, Driver, Habits, SpeedProfile, plan_trip
from milepost_simulator.car.snapshot import Snapshot
from milepost_simulator.car.trouble import Fault, TroubleMemory
from milepost_simulator.car.wear import USUAL_DURABILITY, Durability, Wear

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

STEP_S = 0.1
KEY_ON_S = (2.0, 4.0)
KEY_OUT_S = (1.5, 3.0)
HYBRID_ENGINE_ON_KW = 12.0
HYBRID_ENGINE_OFF_KW = 6.0
WARM_C = 71.0
WARM_UP_K = 22.0


class Activity(StrEnum):
    """What the car is doing."""

    PARKED = "parked"
    KEY_ON = "key-on"
    CRANKING = "cranking"
    DRIVING = "driving"
    KEY_OUT = "key-out"


class CarStart(NamedTuple):
    """The state that a car begins with."""

    vin: str
    odometer_m: float = 0.0
    battery_health: float = 1.0
    fuel: float = 0.7
    first_departure_s: float = 5.0
    temperature_c: float | None = None
    wear: Wear | None = None
    """None: all of it new."""


class SimulatedCar:
    """One car, deterministic by its random generator.

    Args:
        rng: where all of its chances come from; nobody else may draw from it.
        now_s: when its life begins, seconds since 1970.
        start: identity and initial state.
        model: what kind of car it is.
        habits: when and how long it is driven.
        driver: how it is driven.
        climate: the weather around it.
        durability: how fast it wears, where ``start`` brings no wear of its own.
        faults: what will break.
    """

    def __init__(
        self,
        rng: Random,
        now_s: float,
        start: CarStart,
        *,
        model: CarModel = MODELS[Powertrain.COMBUSTION],
        habits: Habits = COMMUTER,
        driver: Driver = USUAL_DRIVER,
        climate: Climate = TEMPERATE,
        durability: Durability = USUAL_DURABILITY,
        faults: Sequence[Fault] = (),
    ) -> None:
        self.model = model
        self.vin = start.vin
        self.odometer_m = start.odometer_m
        self.brake_energy_kwh = 0.0
        self.revolutions = 0.0
        self.starts = 0
        self.trips = 0
        self.speed_m_s = 0.0
        self.activity = Activity.PARKED
        self.battery = Battery(charge=0.95 * start.battery_health, health=start.battery_health)
        self.wear = start.wear or Wear(durability)
        self.trouble = TroubleMemory()
        self._rng = rng
        self._now_s = now_s
        self._habits = habits
        self._driver = driver
        self._climate = climate
        self._faults = tuple(faults)
        self._fuel = start.fuel
        temperature_c = climate.ambient_c(now_s) if start.temperature_c is None else start.temperature_c
        self.engine = Engine(model, temperature_c)
        self._profile: SpeedProfile | None = None
        self._since_s = 0.0
        self._lasts_s = start.first_departure_s
        self._cycle_began_c = temperature_c
        self._faults_due: list[Fault] = []

    @property
    def now_s(self) -> float:
        """The instant up to which the car has lived."""
        return self._now_s

    def snapshot(self, now_s: float) -> Snapshot:
        """What the control units know at ``now_s``."""
        self.advance(now_s)
        return Snapshot(
            is_ignition_on=self.activity is not Activity.PARKED,
            voltage_v=self._voltage_v(),
            vin=self.vin,
            values=self._values(),
            codes=self.trouble.codes,
        )

    def clear_codes(self) -> None:
        """Erase trouble codes, as a workshop's tester does."""
        self.trouble.clear()

    def service(self, *, oil: bool = False, pads: bool = False, tyres: bool = False) -> None:
        """A visit to the workshop: faults are mended and codes cleared, and what is named is renewed."""
        self._faults = tuple(fault for fault in self._faults if fault.onset_m > self.odometer_m)
        self._faults_due.clear()
        self.trouble.clear()
        fresh = Wear(self.wear.durability, pack_health=self.wear.pack_health)
        if oil:
            self.wear.oil_used = fresh.oil_used
        if pads:
            self.wear.pad_used = fresh.pad_used
        if tyres:
            self.wear.tread_mm = fresh.tread_mm

    def advance(self, now_s: float) -> None:
        """Live until ``now_s``; an instant that lies before what was lived already changes nothing."""
        while True:
            left_s = now_s - self._now_s
            if self.activity is Activity.PARKED:
                step_s = min(left_s, self._lasts_s - self._since_s)
            else:
                step_s = STEP_S
            if step_s > left_s or step_s < 0 or left_s <= 0:
                return
            self._step(step_s)

    def _step(self, dt_s: float) -> None:
        ambient_c = self._climate.ambient_c(self._now_s)
        self._now_s += dt_s
        self._since_s += dt_s
        self.wear.age(dt_s)
        if self.activity is Activity.DRIVING:
            self._drive(dt_s, ambient_c)
        else:
            self.battery.rest(dt_s, ambient_c)
            self.engine.rest(dt_s, ambient_c)
        if self._is_done():
            self._next_activity()

    def _is_done(self) -> bool:
        if self.activity is Activity.DRIVING:
            return self._profile is None or self._profile.is_over
        return self._since_s >= self._lasts_s - 1e-9

    def _next_activity(self) -> None:
        followers = {
            Activity.PARKED: self._turn_key,
            Activity.KEY_ON: self._crank,
            Activity.CRANKING: self._set_off,
            Activity.DRIVING: self._arrive,
            Activity.KEY_OUT: self._park,
        }
        followers[self.activity]()

    def _begin(self, activity: Activity, lasts_s: float) -> None:
        self.activity = activity
        self._since_s = 0.0
        self._lasts_s = lasts_s

    def _turn_key(self) -> None:
        self._begin(Activity.KEY_ON, self._rng.uniform(*KEY_ON_S))

    def _crank(self) -> None:
        # A hybrid starts its engine from the traction battery, an electric car has none to start.
        has_starter = self.model.powertrain is Powertrain.COMBUSTION
        lasts_s = self.battery.crank_duration_s(self.engine.oil_c) if has_starter else STEP_S
        self._begin(Activity.CRANKING, lasts_s)
        if has_starter:
            self.battery.cranked(lasts_s)

    def _set_off(self) -> None:
        self._begin(Activity.DRIVING, 0.0)
        self._cycle_began_c = self.engine.coolant_c
        self._profile = SpeedProfile(plan_trip(self._habits, self._rng), self._driver, self._rng)
        shows = [(fault, self._rng.random() < fault.occurrence) for fault in self._faults]
        self._faults_due = [
            fault for fault, is_shown in shows if is_shown and fault.onset_m <= self.odometer_m
        ]
        self.starts += 1
        if self.model.powertrain is Powertrain.COMBUSTION:
            self.engine.start()

    def _arrive(self) -> None:
        self._profile = None
        self.speed_m_s = 0.0
        self.trips += 1
        coolant_c = self.engine.coolant_c
        was_warm_up = coolant_c >= WARM_C and coolant_c - self._cycle_began_c >= WARM_UP_K
        self.engine.stop()
        self.trouble.end_cycle(was_warm_up=was_warm_up)
        self._begin(Activity.KEY_OUT, self._rng.uniform(*KEY_OUT_S))

    def _park(self) -> None:
        self._begin(Activity.PARKED, self._rng.uniform(*self._habits.parked_s))

    def _drive(self, dt_s: float, ambient_c: float) -> None:
        assert self._profile is not None
        acceleration = self._profile.step(dt_s, acceleration_max_m_s2(self.model, self.speed_m_s))
        self.speed_m_s = self._profile.speed_m_s
        need = demand(self.model, self.speed_m_s, acceleration)
        distance_m = self.speed_m_s * dt_s
        self.odometer_m += distance_m
        self.trouble.travel(distance_m)
        self.wear.travel(distance_m, 1.0 + 0.25 * acceleration * acceleration)
        brake_kwh = need.brake_kw * dt_s / 3600
        self.brake_energy_kwh += brake_kwh
        self.wear.brake(brake_kwh)
        self.wear.cycle_pack(need.regeneration_kw * dt_s / 3600)
        self.battery.charging(dt_s)
        self.battery.age(dt_s, ambient_c)
        self._run_engine(dt_s, need.drive_kw, acceleration < -0.3, ambient_c)
        for fault in [f for f in self._faults_due if self._since_s >= f.latency_s]:
            self.trouble.observe(fault.code)
            self._faults_due.remove(fault)

    def _run_engine(self, dt_s: float, drive_kw: float, braking: bool, ambient_c: float) -> None:
        if self.model.powertrain is Powertrain.EV:
            self.wear.cycle_pack(drive_kw * dt_s / 3600)
            self._fuel = max(0.05, self._fuel - drive_kw * dt_s / 3600 / self.model.pack_kwh)
            return
        if self.model.powertrain is Powertrain.HYBRID:
            self._switch_hybrid(drive_kw)
        self._fuel = max(0.05, self._fuel - drive_kw * dt_s / 3600 / 140.0)
        if not self.engine.is_running:
            return
        self.engine.step(dt_s, self.speed_m_s, drive_kw, braking, ambient_c)
        revolutions = self.engine.engine_speed_rpm * dt_s / 60
        self.revolutions += revolutions
        self.wear.revolve(revolutions, self.engine.oil_c)

    def _switch_hybrid(self, drive_kw: float) -> None:
        is_cold = self.engine.coolant_c < 40.0
        if not self.engine.is_running and (drive_kw > HYBRID_ENGINE_ON_KW or is_cold):
            self.engine.start()
        elif self.engine.is_running and drive_kw < HYBRID_ENGINE_OFF_KW and not is_cold:
            self.engine.stop()

    def _voltage_v(self) -> float:
        ambient_c = self._climate.ambient_c(self._now_s)
        if self.activity is Activity.DRIVING:
            return self.battery.charging_voltage_v(ambient_c)
        if self.activity is Activity.CRANKING and self.model.powertrain is Powertrain.COMBUSTION:
            return self.battery.cranking_voltage_v(self._since_s, self.engine.oil_c, ambient_c)
        awake_v = 0.0 if self.activity is Activity.PARKED else 0.12
        return self.battery.rest_voltage_v() - awake_v

    def _values(self) -> dict[int, float]:
        if self.activity is Activity.PARKED:
            return {}
        ambient_c = self._climate.ambient_c(self._now_s)
        values = {
            pids.SPEED: self.speed_m_s * 3.6,
            pids.OBD_STANDARD: 6.0,
            pids.DISTANCE_WITH_MIL: self.trouble.distance_with_mil_m / 1000,
            pids.WARM_UPS: float(min(255, self.trouble.warm_ups_since_cleared)),
            pids.DISTANCE_SINCE_CLEARED: self.trouble.distance_since_cleared_m / 1000,
            pids.BAROMETER: BAROMETER_KPA,
            pids.VOLTAGE: self._voltage_v(),
            pids.AMBIENT_AIR: ambient_c,
        }
        if self.model.has_odometer_pid:
            values[pids.ODOMETER] = int(self.odometer_m / 100) / 10
        if self.model.has_engine:
            values |= self._engine_values(ambient_c)
        if self.model.powertrain is not Powertrain.COMBUSTION:
            values[pids.PACK_LIFE] = 100 * self.wear.pack_health
        return values

    def _engine_values(self, ambient_c: float) -> dict[int, float]:
        engine = self.engine
        is_cranking = self.activity is Activity.CRANKING and self.model.powertrain is Powertrain.COMBUSTION
        return {
            pids.LOAD: 100 * engine.load,
            pids.COOLANT: engine.coolant_c,
            pids.MANIFOLD: engine.manifold_kpa,
            pids.ENGINE_SPEED: 220.0 if is_cranking else engine.engine_speed_rpm,
            pids.INTAKE_AIR: ambient_c + 0.12 * (engine.coolant_c - ambient_c),
            pids.THROTTLE: 15.0 + 70.0 * engine.load,
            pids.RUN_TIME: engine.run_time_s,
            pids.FUEL_LEVEL: 100 * self._fuel,
            pids.OIL: engine.oil_c,
        }
