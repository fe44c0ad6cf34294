"""Brake energy: the kinetic energy that deceleration beyond coasting takes out.

What a coasting car loses anyway (rolling, driveline, engine drag, air) is taken off first. The slope of the
road and regenerative braking cannot be seen from speed alone; slopes even out over a month of trips, and for
a car with regeneration the figure is an upper bound. At one reading a second, taps on the pedal shorter than
that are not seen: on simulated cars that waver as drivers do, a fifth of the energy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.derive.accumulator import Step, saved_number
from milepost_agent.readings import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.derive.accumulator import State

MASS_KG: Final = 1_500.0
"""A mid-size car with its driver, where nobody entered the mass."""
GAP_S_MAX: Final = 3.0
STEP_S_MIN: Final = 0.9
"""Speed comes in whole km/h: over a shorter time, the steps of a coasting car look like braking."""
ROLLING_MPS2: Final = 0.13
ENGINE_DRAG_MPS2: Final = 0.25
AIR_PER_M: Final = 0.0003
"""Air drag's deceleration is this times speed squared: half the air's density x 0.7 m2 / 1,500 kg."""
J_PER_KWH: Final = 3.6e6


def beyond_coasting_j(step: Step, mass_kg: float) -> float:
    """Joules that a step of speed in m/s lost beyond what coasting takes; negative where it lost less."""
    lost_j_per_kg = (step.before**2 - step.after**2) / 2
    mean_mps = (step.before + step.after) / 2
    coasting_mps2 = ROLLING_MPS2 + ENGINE_DRAG_MPS2 + AIR_PER_M * mean_mps**2
    return mass_kg * (lost_j_per_kg - coasting_mps2 * mean_mps * step.seconds)


class Brakes:
    """Brake energy in kWh since counting began.

    Summed over each fall of speed as a whole: within one, the rounding to whole km/h cancels out, and what
    comes before and after it does not dilute it.
    """

    name = "brakes"
    inputs = frozenset({paths.SPEED})

    def __init__(self, mass_kg: float = MASS_KG) -> None:
        self._mass_kg = mass_kg
        self._speed_mps = 0.0
        self._at_s = -math.inf
        self._fall_j = 0.0
        self._energy_j = 0.0

    def feed(self, reading: Reading) -> list[Reading]:
        speed_mps = abs(float(reading.value)) / 3.6
        step = Step(self._speed_mps, speed_mps, reading.mono_s - self._at_s)
        if 0.0 <= step.seconds < STEP_S_MIN:
            return []
        self._speed_mps, self._at_s = speed_mps, reading.mono_s
        if 0.0 < step.seconds <= GAP_S_MAX and step.after < step.before:
            self._fall_j += beyond_coasting_j(step, self._mass_kg)
            if step.after > 0.0:
                return []
        return self._end_fall(reading.mono_s)

    def _end_fall(self, mono_s: float) -> list[Reading]:
        fall_j, self._fall_j = self._fall_j, 0.0
        if fall_j <= 0.0:
            return []
        self._energy_j += fall_j
        return [Reading(paths.BRAKE_ENERGY, self._energy_j / J_PER_KWH, mono_s)]

    def tick(self, mono_s: float) -> list[Reading]:  # noqa: ARG002 - braking has to be seen
        return []

    def state(self) -> State:
        return {"energy_j": round(self._energy_j + max(0.0, self._fall_j))}

    def restore(self, state: Mapping[str, object]) -> None:
        self._energy_j = saved_number(self.name, state, "energy_j")
