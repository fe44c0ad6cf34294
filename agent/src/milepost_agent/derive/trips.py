"""Trips: that one began, that it ended, how many there were; never where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.derive.accumulator import saved_number
from milepost_agent.readings import Reading
from milepost_agent.thresholds import MOVING_KMH_MIN, RUNNING_RPM_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.derive.accumulator import State

STANDING_S_MAX: Final = 120.0
"""Engine off and standing, or nothing heard, for this long ends a trip; a stalled engine does not."""


class Trips:
    """A trip begins when the engine runs or the car moves, and ends when it is off or silent for a while."""

    name = "trips"
    inputs = frozenset({paths.RPM, paths.SPEED, paths.SYSTEM_STATE})

    def __init__(self) -> None:
        self._count = 0
        self._ongoing = False
        self._active_at_s: float | None = None

    def feed(self, reading: Reading) -> list[Reading]:
        if reading.signal == paths.SYSTEM_STATE:
            return self._end(reading.mono_s) if reading.value == paths.STATE_OFF else []
        limit = RUNNING_RPM_MIN if reading.signal == paths.RPM else MOVING_KMH_MIN
        if abs(float(reading.value)) < limit:
            return self.tick(reading.mono_s)
        ended = self.tick(reading.mono_s)
        self._active_at_s = reading.mono_s
        if self._ongoing:
            return ended
        self._ongoing = True
        return [*ended, Reading(paths.TRIP_IS_ONGOING, True, reading.mono_s)]

    def tick(self, mono_s: float) -> list[Reading]:
        if not self._ongoing:
            return []
        if self._active_at_s is None:
            self._active_at_s = mono_s
        return self._end(mono_s) if mono_s - self._active_at_s > STANDING_S_MAX else []

    def _end(self, mono_s: float) -> list[Reading]:
        if not self._ongoing:
            return []
        self._ongoing = False
        self._count += 1
        return [
            Reading(paths.TRIP_IS_ONGOING, False, mono_s),
            Reading(paths.TRIP_COUNT, self._count, mono_s),
        ]

    def state(self) -> State:
        return {"count": self._count, "ongoing": self._ongoing}

    def restore(self, state: Mapping[str, object]) -> None:
        self._count = int(saved_number(self.name, state, "count"))
        self._ongoing = bool(state.get("ongoing", False))
