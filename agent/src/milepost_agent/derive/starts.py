"""Engine starts and cold starts, also those that happened before the agent was listening."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.derive.accumulator import saved_number, saved_number_or_none
from milepost_agent.readings import Reading
from milepost_agent.thresholds import RUNNING_RPM_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.derive.accumulator import State

COLD_BELOW_C: Final = 40.0
COOLANT_AGE_S_MAX: Final = 60.0
"""How far from the start a coolant reading may lie, on either side, to tell a cold start."""
UNSEEN_RUN_TIME_S_MAX: Final = 180.0
"""An engine found running for no longer than this, with no earlier run time known, has just been started."""


class Starts:
    """Counts starts: seen (standing, then running), or told by a run time that is lower than the last one.

    The run time makes the count right for a gateway that boots after the engine started, and for an agent
    that was restarted during a trip.
    """

    name = "starts"
    inputs = frozenset({paths.RPM, paths.RUN_TIME, paths.COOLANT, paths.SYSTEM_STATE})

    def __init__(self) -> None:
        self._starts = 0
        self._cold_starts = 0
        self._running: bool | None = None
        self._run_time_s: float | None = None
        self._ask_run_time = False
        self._coolant: tuple[float, float] | None = None
        self._cold_open_since_s: float | None = None

    def feed(self, reading: Reading) -> list[Reading]:
        if reading.signal == paths.SYSTEM_STATE:
            if reading.value == paths.STATE_OFF:
                self._running = False
            return []
        if reading.signal == paths.COOLANT:
            return self._feed_coolant(float(reading.value), reading.mono_s)
        if reading.signal == paths.RUN_TIME:
            return self._feed_run_time(float(reading.value), reading.mono_s)
        return self._feed_rpm(float(reading.value), reading.mono_s)

    def tick(self, mono_s: float) -> list[Reading]:
        if self._cold_open_since_s is not None and mono_s - self._cold_open_since_s > COOLANT_AGE_S_MAX:
            self._cold_open_since_s = None
        return []

    def _feed_rpm(self, rpm: float, mono_s: float) -> list[Reading]:
        was, self._running = self._running, rpm >= RUNNING_RPM_MIN
        if not self._running or was:
            return []
        if was is None:
            self._ask_run_time = True
            return []
        self._run_time_s = 0.0
        return self._started(mono_s)

    def _feed_run_time(self, run_time_s: float, mono_s: float) -> list[Reading]:
        last, self._run_time_s = self._run_time_s, run_time_s
        is_first, self._ask_run_time = self._ask_run_time, False
        if not self._running or (last is None and not is_first):
            return []
        is_unseen = run_time_s < (UNSEEN_RUN_TIME_S_MAX if last is None else last)
        return self._started(mono_s) if is_unseen else []

    def _started(self, mono_s: float) -> list[Reading]:
        self._starts += 1
        started = Reading(paths.STARTS, self._starts, mono_s)
        self._cold_open_since_s = mono_s
        if self._coolant is None or mono_s - self._coolant[1] > COOLANT_AGE_S_MAX:
            return [started]
        return [started, *self._judge_cold(self._coolant[0], mono_s)]

    def _feed_coolant(self, coolant_c: float, mono_s: float) -> list[Reading]:
        self._coolant = (coolant_c, mono_s)
        self.tick(mono_s)
        return [] if self._cold_open_since_s is None else self._judge_cold(coolant_c, mono_s)

    def _judge_cold(self, coolant_c: float, mono_s: float) -> list[Reading]:
        self._cold_open_since_s = None
        if coolant_c < COLD_BELOW_C:
            self._cold_starts += 1
        return [Reading(paths.COLD_STARTS, self._cold_starts, mono_s)]

    def state(self) -> State:
        return {"starts": self._starts, "cold_starts": self._cold_starts, "run_time_s": self._run_time_s}

    def restore(self, state: Mapping[str, object]) -> None:
        starts = int(saved_number(self.name, state, "starts"))
        cold_starts = int(saved_number(self.name, state, "cold_starts"))
        self._run_time_s = saved_number_or_none(self.name, state, "run_time_s")
        self._starts, self._cold_starts = starts, cold_starts
