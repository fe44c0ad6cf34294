"""Brake energy: the kinetic energy that deceleration beyond coasting takes out.

What a coasting car loses anyway (rolling, driveline, engine drag, air) is taken off first. The slope of the
road and regenerative braking cannot be seen from speed alone; slopes even out over a month of trips, and for
a car with regeneration the figure is an upper bound.
"""

from __future__ import annotations

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
WINDOW_S_MIN: Final = 2.0
"""Speed comes in whole km/h: over a shorter time, the steps of a coasting car look like braking."""
ROLLING_MPS2: Final = 0.13
ENGINE_DRAG_MPS2: Final = 0.25
AIR_PER_M: Final = 0.0003
"""Air drag's deceleration is this times speed squared: half the air's density x 0.7 m2 / 1,500 kg."""
J_PER_KWH: Final = 3.6e6


def braking_j(step: Step, mass_kg: float) -> float:
    """Joules that the brakes took out over a step of speed in m/s; 0 where coasting explains it."""
    lost_j_per_kg = (step.before**2 - step.after**2) / 2
    mean_mps = (step.before + step.after) / 2
    coasting_mps2 = ROLLING_MPS2 + ENGINE_DRAG_MPS2 + AIR_PER_M * mean_mps**2
    return max(0.0, mass_kg * (lost_j_per_kg - coasting_mps2 * mean_mps * step.seconds))


class Brakes:
    """Brake energy in kWh since counting began."""

    name = "brakes"
    inputs = frozenset({paths.SPEED})

    def __init__(self, mass_kg: float = MASS_KG) -> None:
        self._mass_kg = mass_kg
        self._begun: tuple[float, float] | None = None
        self._last_s = 0.0
        self._energy_j = 0.0

    def feed(self, reading: Reading) -> list[Reading]:
        step = self._window(abs(float(reading.value)) / 3.6, reading.mono_s)
        energy_j = 0.0 if step is None else braking_j(step, self._mass_kg)
        if energy_j == 0.0:
            return []
        self._energy_j += energy_j
        return [Reading(paths.BRAKE_ENERGY, self._energy_j / J_PER_KWH, reading.mono_s)]

    def _window(self, speed_mps: float, mono_s: float) -> Step | None:
        """The step over the last window without a gap; ``None`` where none ends here."""
        has_gap = not 0.0 <= mono_s - self._last_s <= GAP_S_MAX
        self._last_s = mono_s
        if self._begun is None or has_gap:
            self._begun = (speed_mps, mono_s)
            return None
        before_mps, begun_s = self._begun
        if mono_s - begun_s < WINDOW_S_MIN:
            return None
        self._begun = (speed_mps, mono_s)
        return Step(before_mps, speed_mps, mono_s - begun_s)

    def tick(self, mono_s: float) -> list[Reading]:  # noqa: ARG002 - braking has to be seen
        return []

    def state(self) -> State:
        return {"energy_j": round(self._energy_j)}

    def restore(self, state: Mapping[str, object]) -> None:
        self._energy_j = saved_number(self.name, state, "energy_j")
