"""What a car uses up: oil, pads, tyres, and the pack of an electric one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

WHEELS = ("Row1.Left", "Row1.Right", "Row2.Left", "Row2.Right")
OIL_REVOLUTIONS = 32e6
OIL_LIFE_S = 365.25 * 86_400
OIL_REFERENCE_C = 90.0
OIL_DOUBLING_K = 10.0
OIL_COLD_C = 60.0
PAD_KWH = (240.0, 240.0, 160.0, 160.0)
BRAKE_SHARE = (0.36, 0.34, 0.15, 0.15)
TREAD_NEW_MM = 8.0
TREAD_MM_PER_KM = (1.55e-4, 1.5e-4, 1.05e-4, 1.05e-4)
PRESSURE_KPA = 230.0
PRESSURE_LOSS_KPA_PER_DAY = 0.09
KELVIN = 273.15
PACK_LOSS_PER_YEAR = 0.018
PACK_LOSS_PER_MWH = 0.0006


class Durability(NamedTuple):
    """How this very car and its driver differ from the usual (1; 2 wears twice as fast): hidden truth."""

    oil: float = 1.0
    pads: float = 1.0
    tyres: float = 1.0


USUAL_DURABILITY = Durability()


@dataclass(slots=True)
class Wear:
    """Consumed life. Wheels come in the order of `WHEELS`."""

    durability: Durability = USUAL_DURABILITY
    oil_used: float = 0.0
    pad_used: tuple[float, ...] = (0.0,) * 4
    tread_mm: tuple[float, ...] = (TREAD_NEW_MM,) * 4
    pressure_loss_kpa: tuple[float, ...] = (0.0,) * 4
    pack_health: float = 1.0

    def revolve(self, revolutions: float, oil_c: float) -> None:
        """The engine turned: oil ages with revolutions, faster hot, and faster cold too."""
        self.oil_used += self.durability.oil * revolutions * oil_ageing(oil_c) / OIL_REVOLUTIONS

    def brake(self, energy_kwh: float) -> None:
        """Friction brakes took this energy."""
        self.pad_used = tuple(
            min(1.0, used + self.durability.pads * energy_kwh * share / capacity)
            for used, share, capacity in zip(self.pad_used, BRAKE_SHARE, PAD_KWH, strict=True)
        )

    def travel(self, distance_m: float, effort: float) -> None:
        """Tyres rolled; ``effort`` is 1 at constant speed and more when forces act."""
        self.tread_mm = tuple(
            max(0.0, tread - self.durability.tyres * rate * effort * distance_m / 1000)
            for tread, rate in zip(self.tread_mm, TREAD_MM_PER_KM, strict=True)
        )

    def cycle_pack(self, energy_kwh: float) -> None:
        """Energy went through the traction battery."""
        self.pack_health -= PACK_LOSS_PER_MWH * energy_kwh / 1000

    def age(self, elapsed_s: float) -> None:
        """Time alone wears, too."""
        days = elapsed_s / 86_400
        self.oil_used += elapsed_s / OIL_LIFE_S
        self.pressure_loss_kpa = tuple(
            loss + PRESSURE_LOSS_KPA_PER_DAY * days for loss in self.pressure_loss_kpa
        )
        self.pack_health = max(0.5, self.pack_health - PACK_LOSS_PER_YEAR * days / 365.25)

    def pressures_kpa(self, ambient_c: float) -> tuple[float, ...]:
        """Gauge pressure by wheel: follows the air's temperature."""
        ratio = (ambient_c + KELVIN) / (20.0 + KELVIN)
        return tuple((PRESSURE_KPA - loss + 100.0) * ratio - 100.0 for loss in self.pressure_loss_kpa)


def oil_ageing(oil_c: float) -> float:
    """How much one revolution ages the oil: 1 at 90 °C, twice that at 100 °C; fuel and water when cold."""
    hot = 2 ** ((oil_c - OIL_REFERENCE_C) / OIL_DOUBLING_K)
    cold = 1.5 * max(0.0, (OIL_COLD_C - oil_c) / OIL_COLD_C)
    return max(0.5, min(hot, 8.0)) + cold
