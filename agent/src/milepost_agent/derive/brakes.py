"""Brake energy: the kinetic energy that deceleration beyond coasting takes out.

What a coasting car loses anyway (rolling, driveline, engine drag, air) is taken off first. The slope of the
road and regenerative braking cannot be seen from speed alone; slopes even out over a month of trips, and for
a car with regeneration the figure is an upper bound.

Speed comes about once a second, in whole km/h. Two things follow. A pedal goes down and comes up between two
readings: a step whose deceleration lies between those of its neighbours is taken for a part of each, so that
the part without braking is not charged to the brakes. And rounding makes even the steadiest coasting look
like braking in one second and like none in the next: within a fall of speed, steps are added up with their
signs, where it cancels out, and the stretch of the fall that took out most is what counts.
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
STEP_S_MIN: Final = 0.9
"""Speed comes in whole km/h: over a shorter time, the steps of a coasting car look like braking."""
DECELERATION_MPS2_MAX: Final = 13.0
"""More than tyres on a dry road hold: a speed that was misread."""
ROLLING_MPS2: Final = 0.13
ENGINE_DRAG_MPS2: Final = 0.25
AIR_PER_M: Final = 0.0003
"""Air drag's deceleration is this times speed squared: half the air's density x 0.7 m2 / 1,500 kg."""
J_PER_KWH: Final = 3.6e6


def deceleration_mps2(step: Step) -> float:
    """Mean deceleration over a step of speed in m/s; negative where it gained speed."""
    return (step.before - step.after) / step.seconds


def beyond_coasting_j_per_kg(step: Step, earlier_mps2: float, later_mps2: float) -> float:
    """Joules per kilogram that a step of speed in m/s lost beyond what coasting takes; negative: less.

    ``earlier_mps2`` and ``later_mps2`` are the decelerations of the steps beside it. Where this step's lies
    between them it went from one to the other, and what it lost is that of the part spent at each.
    """
    mean_mps = (step.before + step.after) / 2
    coasting_mps2 = ROLLING_MPS2 + ENGINE_DRAG_MPS2 + AIR_PER_M * mean_mps**2
    own_mps2 = deceleration_mps2(step)
    low_mps2, high_mps2 = sorted((earlier_mps2, later_mps2))
    if low_mps2 < own_mps2 < high_mps2:
        share = (own_mps2 - low_mps2) / (high_mps2 - low_mps2)
        beyond_mps2 = share * max(0.0, high_mps2 - coasting_mps2)
        beyond_mps2 += (1 - share) * max(0.0, low_mps2 - coasting_mps2)
    else:
        beyond_mps2 = own_mps2 - coasting_mps2
    return beyond_mps2 * mean_mps * step.seconds


class Brakes:
    """Brake energy in kWh since counting began. Each step of speed is judged when the next one is known."""

    name = "brakes"
    inputs = frozenset({paths.SPEED})

    def __init__(self, mass_kg: float = MASS_KG) -> None:
        self._mass_kg = mass_kg
        self._last: tuple[float, float] | None = None
        self._step: Step | None = None
        self._earlier_mps2 = 0.0
        self._stretch_j_per_kg = 0.0
        self._fall_j_per_kg = 0.0
        self._energy_j = 0.0

    def feed(self, reading: Reading) -> list[Reading]:
        speed_mps = abs(float(reading.value)) / 3.6
        last = self._last
        if last is not None and 0.0 <= reading.mono_s - last[1] < STEP_S_MIN:
            return []
        self._last = (speed_mps, reading.mono_s)
        if last is None or not 0.0 < reading.mono_s - last[1] <= GAP_S_MAX:
            return self._break_off(reading.mono_s)
        step = Step(last[0], speed_mps, reading.mono_s - last[1])
        if abs(deceleration_mps2(step)) > DECELERATION_MPS2_MAX:
            return self._break_off(reading.mono_s)
        return self._follow(step, reading.mono_s)

    def _follow(self, step: Step, mono_s: float) -> list[Reading]:
        """Judge the step before ``step``, which becomes the one to be judged next."""
        judged, self._step = self._step, step
        if judged is None:
            return []
        ended = self._judge(judged, deceleration_mps2(step))
        self._earlier_mps2 = deceleration_mps2(judged)
        return self._end_fall(mono_s) if ended else []

    def _break_off(self, mono_s: float) -> list[Reading]:
        """What comes does not follow on what was read: judge what there is."""
        self._fall_j_per_kg = self._fall_so_far_j_per_kg()
        self._step, self._earlier_mps2 = None, 0.0
        return self._end_fall(mono_s)

    def _judge(self, step: Step, later_mps2: float) -> bool:
        """Add one step to the fall; whether the fall is over with it."""
        self._stretch_j_per_kg = self._stretch_with(step, later_mps2)
        self._fall_j_per_kg = max(self._fall_j_per_kg, self._stretch_j_per_kg)
        return step.after >= step.before and (self._earlier_mps2 > 0.0 or later_mps2 <= 0.0)

    def _stretch_with(self, step: Step, later_mps2: float) -> float:
        beyond = beyond_coasting_j_per_kg(step, self._earlier_mps2, later_mps2)
        if step.after >= step.before:
            # It gains speed, but the pedal may be down in its first part, or its last.
            beyond = max(0.0, beyond)
        return max(0.0, self._stretch_j_per_kg + beyond)

    def _fall_so_far_j_per_kg(self) -> float:
        """The fall with the step that nothing follows yet: what stopped stands, what moves goes on so."""
        if self._step is None:
            return self._fall_j_per_kg
        later_mps2 = 0.0 if self._step.after == 0.0 else deceleration_mps2(self._step)
        return max(self._fall_j_per_kg, self._stretch_with(self._step, later_mps2))

    def _end_fall(self, mono_s: float) -> list[Reading]:
        fall_j = self._mass_kg * self._fall_j_per_kg
        self._fall_j_per_kg = self._stretch_j_per_kg = 0.0
        if fall_j <= 0.0:
            return []
        self._energy_j += fall_j
        return [Reading(paths.BRAKE_ENERGY, self._energy_j / J_PER_KWH, mono_s)]

    def tick(self, mono_s: float) -> list[Reading]:  # noqa: ARG002 - braking has to be seen
        return []

    def state(self) -> State:
        return {"energy_j": round(self._energy_j + self._mass_kg * self._fall_so_far_j_per_kg())}

    def restore(self, state: Mapping[str, object]) -> None:
        self._energy_j = saved_number(self.name, state, "energy_j")
