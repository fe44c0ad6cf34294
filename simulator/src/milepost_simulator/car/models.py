"""Kinds of car, as data: what physics needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Powertrain(StrEnum):
    """What drives the car."""

    COMBUSTION = "combustion"
    HYBRID = "hybrid"
    EV = "ev"


@dataclass(frozen=True, slots=True)
class CarModel:
    """One kind of car. Makes and models are invented; the figures are those of common cars."""

    make: str
    name: str
    powertrain: Powertrain
    mass_kg: float
    drag_area_m2: float
    power_max_kw: float
    regeneration_max_kw: float
    """Braking power that the traction battery takes; 0 without one."""
    pack_kwh: float
    has_odometer_pid: bool
    wheel_radius_m: float = 0.31
    rolling_coefficient: float = 0.011
    gear_ratios: tuple[float, ...] = (3.6, 1.95, 1.3, 0.97, 0.78, 0.65)
    final_drive: float = 4.0
    idle_rpm: float = 780.0

    @property
    def has_engine(self) -> bool:
        """Whether there is a combustion engine."""
        return self.powertrain is not Powertrain.EV


MODELS: dict[Powertrain, CarModel] = {
    Powertrain.COMBUSTION: CarModel(
        "Aldermoor", "Vale 1.5", Powertrain.COMBUSTION, 1320, 0.68, 81, 0.0, 0.0, has_odometer_pid=True
    ),
    Powertrain.HYBRID: CarModel(
        "Aldermoor", "Tern Hybrid", Powertrain.HYBRID, 1450, 0.66, 90, 30.0, 1.4, has_odometer_pid=False
    ),
    Powertrain.EV: CarModel(
        "Kestrel", "Lumen E", Powertrain.EV, 1780, 0.63, 150, 75.0, 62.0, has_odometer_pid=True
    ),
}
