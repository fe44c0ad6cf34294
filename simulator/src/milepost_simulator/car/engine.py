"""Forces, gears and heat: what speed and acceleration ask of the powertrain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from milepost_simulator.car.models import CarModel

AIR_KG_M3 = 1.2
GRAVITY_M_S2 = 9.81
DRIVELINE_EFFICIENCY = 0.92
RATED_RPM = 5500.0
ENGINE_DRAG_N_PER_KG = 0.25
ACCESSORIES_KW = 0.7
FRICTION_SHARE = 0.15
THERMOSTAT_OPENS_C = 87.0
THERMOSTAT_OPEN_C = 95.0
HEAT_CAPACITY_KJ_K = 70.0
OIL_LAG_S = 260.0
COLD_IDLE_RPM_PER_K = 6.5
GEAR_HOLD_S = 2.0
COOLING_LAG_S = 5400.0
BAROMETER_KPA = 100.5


class Demand(NamedTuple):
    """What the road asks for at one instant: power at the wheels, and power that braking takes out, in kW."""

    drive_kw: float
    brake_kw: float
    regeneration_kw: float


def demand(model: CarModel, speed_m_s: float, acceleration_m_s2: float) -> Demand:
    """Split the force that the motion needs into driving, friction brakes and regeneration."""
    resistance_n = (
        model.mass_kg * GRAVITY_M_S2 * model.rolling_coefficient
        + 0.5 * AIR_KG_M3 * model.drag_area_m2 * speed_m_s**2
    )
    power_kw = (model.mass_kg * acceleration_m_s2 + resistance_n) * speed_m_s / 1000
    if power_kw >= 0:
        return Demand(power_kw, 0.0, 0.0)
    overrun_kw = model.mass_kg * ENGINE_DRAG_N_PER_KG * speed_m_s / 1000 if model.has_engine else 0.0
    to_brake_kw = max(0.0, -power_kw - overrun_kw)
    # Below walking pace no machine regenerates.
    regeneration_kw = min(to_brake_kw, model.regeneration_max_kw) if speed_m_s > 1.5 else 0.0
    return Demand(0.0, to_brake_kw - regeneration_kw, regeneration_kw)


def acceleration_max_m_s2(model: CarModel, speed_m_s: float) -> float:
    """What the powertrain has left for accelerating, at most what tyres and manners allow."""
    at_limit_kw = demand(model, speed_m_s, 0.0).drive_kw
    spare_kw = max(1.0, 0.85 * model.power_max_kw - at_limit_kw)
    return min(3.5, spare_kw * 1000 / (model.mass_kg * max(speed_m_s, 2.0)))


class Engine:
    """A combustion engine with its gearbox, coolant and oil."""

    def __init__(self, model: CarModel, temperature_c: float) -> None:
        self._model = model
        self._gear = 0
        self._since_shift_s = 0.0
        self.is_running = False
        self.run_time_s = 0.0
        self.engine_speed_rpm = 0.0
        self.load = 0.0
        self.manifold_kpa = BAROMETER_KPA
        self.coolant_c = temperature_c
        self.oil_c = temperature_c

    @property
    def gear(self) -> int:
        """The gear that is in, 1 the lowest."""
        return self._gear + 1

    def start(self) -> None:
        """It fires; run time counts anew, and the gear that fits goes in at once."""
        self.is_running = True
        self.run_time_s = 0.0
        self._since_shift_s = GEAR_HOLD_S

    def stop(self) -> None:
        """It stands; the manifold fills with outside air."""
        self.is_running = False
        self.engine_speed_rpm = self.load = 0.0
        self.manifold_kpa = BAROMETER_KPA

    def rest(self, elapsed_s: float, ambient_c: float) -> None:
        """Cool down towards the air for ``elapsed_s``; two rests in a row are as good as one long one."""
        kept = math.exp(-elapsed_s / COOLING_LAG_S)
        self.coolant_c = ambient_c + (self.coolant_c - ambient_c) * kept
        self.oil_c = ambient_c + (self.oil_c - ambient_c) * kept

    def step(self, dt_s: float, speed_m_s: float, drive_kw: float, braking: bool, ambient_c: float) -> None:
        """Go on by ``dt_s`` at the given speed and power at the wheels, engine running."""
        self.run_time_s += dt_s
        self._shift(dt_s, speed_m_s, drive_kw)
        self.engine_speed_rpm = max(self._idle_rpm(), self._wheel_rpm(speed_m_s, self._gear))
        shaft_kw = drive_kw / DRIVELINE_EFFICIENCY + ACCESSORIES_KW
        available_kw = self._power_kw(self.engine_speed_rpm)
        is_overrun = braking and speed_m_s > 4.0
        self.load = (
            0.0 if is_overrun else min(1.0, FRICTION_SHARE + (1 - FRICTION_SHARE) * shaft_kw / available_kw)
        )
        self.manifold_kpa = 20.0 + (BAROMETER_KPA - 20.0) * self.load
        self._warm(dt_s, 0.0 if is_overrun else shaft_kw, speed_m_s, ambient_c)

    def _idle_rpm(self) -> float:
        return self._model.idle_rpm + COLD_IDLE_RPM_PER_K * max(0.0, 70.0 - self.coolant_c)

    def _wheel_rpm(self, speed_m_s: float, gear: int) -> float:
        turns_per_s = speed_m_s / (2 * math.pi * self._model.wheel_radius_m)
        return turns_per_s * 60 * self._model.gear_ratios[gear] * self._model.final_drive

    def _power_kw(self, engine_speed_rpm: float) -> float:
        return self._model.power_max_kw * min(1.0, 1.15 * engine_speed_rpm / RATED_RPM)

    def _shift(self, dt_s: float, speed_m_s: float, drive_kw: float) -> None:
        self._since_shift_s += dt_s
        if self._since_shift_s < GEAR_HOLD_S and self.engine_speed_rpm < RATED_RPM:
            return
        wanted_rpm = 1350 + 2600 * min(1.0, drive_kw / self._model.power_max_kw)
        best = max(
            (g for g in range(len(self._model.gear_ratios)) if self._wheel_rpm(speed_m_s, g) >= wanted_rpm),
            default=0,
        )
        if best != self._gear:
            self._gear = best
            self._since_shift_s = 0.0

    def _warm(self, dt_s: float, shaft_kw: float, speed_m_s: float, ambient_c: float) -> None:
        above_c = self.coolant_c - ambient_c
        opening = (self.coolant_c - THERMOSTAT_OPENS_C) / (THERMOSTAT_OPEN_C - THERMOSTAT_OPENS_C)
        radiator_kw_k = 1.2 * max(0.0, min(1.0, opening))
        loss_kw = (0.028 + 0.0008 * speed_m_s + radiator_kw_k) * above_c
        heat_kw = 0.85 * shaft_kw + 2.2 * self.engine_speed_rpm / 1000
        self.coolant_c += (heat_kw - loss_kw) * dt_s / HEAT_CAPACITY_KJ_K
        oil_target_c = self.coolant_c + 10.0 * self.load + 5.0 * max(0.0, self.engine_speed_rpm / 1000 - 1.8)
        self.oil_c += (oil_target_c - self.oil_c) * dt_s / OIL_LAG_S
