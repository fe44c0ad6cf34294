"""Engine: running and idle hours, revolutions, oil-weighted revolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.derive.accumulator import Steps, saved_number
from milepost_agent.derive.oil import oil_weight
from milepost_agent.readings import Reading
from milepost_agent.thresholds import MOVING_KMH_MIN, RUNNING_RPM_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.derive.accumulator import State, Step

GAP_S_MAX: Final = 5.0
SPEED_AGE_S_MAX: Final = 5.0
TEMPERATURE_AGE_S_MAX: Final = 120.0


class Engine:
    """Totals since they began: hours, idle hours, revolutions (plain, and weighted by ``oil_weight``).

    The weight takes the oil's temperature, or the coolant's where the car does not report the oil's (they are
    close once warm; oil warms more slowly, so short trips are weighted a little too low), else it is 1.
    """

    name = "engine"
    inputs = frozenset({paths.RPM, paths.SPEED, paths.COOLANT, paths.OIL_TEMPERATURE, paths.SYSTEM_STATE})

    def __init__(self) -> None:
        self._steps = Steps()
        self._latest: dict[str, tuple[float, float]] = {}
        self._running_s = 0.0
        self._idle_s = 0.0
        self._revolutions = 0.0
        self._weighted = 0.0

    def feed(self, reading: Reading) -> list[Reading]:
        if reading.signal == paths.SYSTEM_STATE:
            if reading.value == paths.STATE_OFF:
                self._steps.reset()
            return []
        if reading.signal != paths.RPM:
            self._latest[reading.signal] = (float(reading.value), reading.mono_s)
            return []
        step = self._steps.feed(float(reading.value), reading.mono_s)
        if step is None or not self._add(step, reading.mono_s):
            return []
        return self._readings(reading.mono_s)

    def tick(self, mono_s: float) -> list[Reading]:  # noqa: ARG002 - an engine that is not heard does not run
        return []

    def _add(self, step: Step, mono_s: float) -> bool:
        seconds = min(step.seconds, GAP_S_MAX)
        running_ends = (step.before >= RUNNING_RPM_MIN) + (step.after >= RUNNING_RPM_MIN)
        if not running_ends:
            return False
        running_s = seconds * running_ends / 2
        revolutions = (step.before + step.after) / 2 / 60 * seconds
        self._running_s += running_s
        self._revolutions += revolutions
        self._weighted += revolutions * self._weight(mono_s)
        speed_kmh = self._fresh(paths.SPEED, mono_s, SPEED_AGE_S_MAX)
        if speed_kmh is not None and abs(speed_kmh) < MOVING_KMH_MIN:
            self._idle_s += running_s
        return True

    def _weight(self, mono_s: float) -> float:
        for signal in (paths.OIL_TEMPERATURE, paths.COOLANT):
            temperature_c = self._fresh(signal, mono_s, TEMPERATURE_AGE_S_MAX)
            if temperature_c is not None:
                return oil_weight(temperature_c)
        return 1.0

    def _fresh(self, signal: str, mono_s: float, age_s_max: float) -> float | None:
        value, at_s = self._latest.get(signal, (0.0, float("-inf")))
        return value if mono_s - at_s <= age_s_max else None

    def _readings(self, mono_s: float) -> list[Reading]:
        return [
            Reading(paths.ENGINE_HOURS, self._running_s / 3600, mono_s),
            Reading(paths.IDLE_HOURS, self._idle_s / 3600, mono_s),
            Reading(paths.REVOLUTIONS, self._revolutions, mono_s),
            Reading(paths.OIL_WEIGHTED_REVOLUTIONS, self._weighted, mono_s),
        ]

    def state(self) -> State:
        return {
            "running_s": round(self._running_s, 2),
            "idle_s": round(self._idle_s, 2),
            "revolutions": round(self._revolutions, 1),
            "weighted": round(self._weighted, 1),
        }

    def restore(self, state: Mapping[str, object]) -> None:
        running_s, idle_s, revolutions, weighted = (
            saved_number(self.name, state, key) for key in ("running_s", "idle_s", "revolutions", "weighted")
        )
        self._running_s, self._idle_s = running_s, idle_s
        self._revolutions, self._weighted = revolutions, weighted
