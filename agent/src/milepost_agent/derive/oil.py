"""How fast a revolution ages the oil, by the oil's temperature.

Oil ages at both ends: oxidation grows with temperature as Arrhenius has it, and a cold engine puts fuel and
water into its oil, which only a warm one drives out again. That both count, by revolution, is the finding of
Schwartz and Smolenski, "Development of an Automatic Engine Oil-Change Indicator System", SAE 870403 (1987).
The numbers here are ours, and round on purpose: an activation energy at which ageing doubles every 10 K near
90 Celsius (the usual rule for mineral oil), and one more revolution's worth for every 20 K below 80 Celsius.
"""

from __future__ import annotations

import math
from typing import Final

GAS_CONSTANT_J_PER_MOL_K: Final = 8.314
ACTIVATION_ENERGY_J_PER_MOL: Final = 78_000.0
REFERENCE_K: Final = 363.15
COLD_BELOW_C: Final = 80.0
COLD_K_PER_UNIT: Final = 20.0
COLD_WEIGHT_MAX: Final = 4.0
WEIGHT_MIN: Final = 0.25
WEIGHT_MAX: Final = 16.0
ABSOLUTE_ZERO_C: Final = -273.15


def oil_weight(temperature_c: float) -> float:
    """Ageing of one revolution at ``temperature_c`` Celsius, as a multiple of that at 90 Celsius."""
    kelvin = max(temperature_c - ABSOLUTE_ZERO_C, 1.0)
    exponent = ACTIVATION_ENERGY_J_PER_MOL / GAS_CONSTANT_J_PER_MOL_K * (1 / REFERENCE_K - 1 / kelvin)
    oxidation = math.exp(min(exponent, math.log(WEIGHT_MAX)))
    contamination = min(max((COLD_BELOW_C - temperature_c) / COLD_K_PER_UNIT, 0.0), COLD_WEIGHT_MAX)
    return min(max(oxidation + contamination, WEIGHT_MIN), WEIGHT_MAX)
