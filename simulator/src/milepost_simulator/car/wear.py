"""What a car uses up: oil, pads, tyres, and the pack of an electric one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from random import Random

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
PACK_LOSS_PER_YEAR = 0.018
PACK_LOSS_PER_MWH = 0.0006
PACK_KWH_PER_KM = 0.17


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
    pack_health: float = 1.0

    @classmethod
    def of_used_car(cls, durability: Durability, odometer_m: float, age_years: float, rng: Random) -> Wear:
        """Somewhere in the lives of oil, pads and tyres, the pack as old as the car."""
        pads = tuple(rng.uniform(0.05, 0.85) for _ in range(2))
        tread = TREAD_NEW_MM - rng.uniform(0.2, 5.0)
        return cls(
            durability,
            oil_used=rng.uniform(0.05, 0.9),
            pad_used=(pads[0], 0.95 * pads[0], pads[1], 0.97 * pads[1]),
            tread_mm=(tread, tread, min(TREAD_NEW_MM, tread + 0.8), min(TREAD_NEW_MM, tread + 0.8)),
            pack_health=pack_health(odometer_m, age_years),
        )

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
        self.pack_health = max(0.5, self.pack_health - PACK_LOSS_PER_YEAR * days / 365.25)


def pack_health(odometer_m: float, age_years: float) -> float:
    """What years and kilometres leave of a traction battery, as a share of new."""
    throughput_mwh = odometer_m / 1000 * PACK_KWH_PER_KM / 1000
    return max(0.5, 1.0 - PACK_LOSS_PER_YEAR * age_years - PACK_LOSS_PER_MWH * throughput_mwh)


def oil_ageing(oil_c: float) -> float:
    """How much one revolution ages the oil: 1 at 90 °C, twice that at 100 °C; fuel and water when cold."""
    hot = 2 ** ((oil_c - OIL_REFERENCE_C) / OIL_DOUBLING_K)
    cold = 1.5 * max(0.0, (OIL_COLD_C - oil_c) / OIL_COLD_C)
    return max(0.5, min(hot, 8.0)) + cold
