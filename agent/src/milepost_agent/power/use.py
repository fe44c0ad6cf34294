"""Is the car in use? By engine, wheels, run time, ignition line, answers and traffic. Pure.

A car that answers is not in use for that: asking can keep it awake. Neither is one whose battery is charged:
a charger, a solar panel, the converter of a hybrid do that to a parked car, and the converter may run only
because the asking keeps the car awake. So charging counts only where nothing tells of engine and wheels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.thresholds import MOVING_KMH_MIN, RUNNING_RPM_MIN

if TYPE_CHECKING:
    from milepost_agent.power.limits import PowerLimits
    from milepost_protocol.signals import Value

LINE_OFF_S: Final = 15.0
"""So long after the ignition line fell a car that still answers is left alone."""
DOUBT_S: Final = 60.0
"""A car that was asked without a reason has so long to show that engine or wheels turn."""


class Use:
    """Follows what tells that the car is in use; times are when it was heard."""

    def __init__(self, limits: PowerLimits) -> None:
        self._limits = limits
        self._active_at_s = -float("inf")
        self._until_s = -float("inf")
        self._run_time_s: float | None = None
        self._knows_engine = False
        self._line: bool | None = None
        self.reason = ""

    @property
    def line(self) -> bool | None:
        """The ignition line, None where there is none."""
        return self._line

    def began(self, why: str, at_s: float, *, is_doubtful: bool = False) -> None:
        """Something that is evidence by itself: a start, an answer after silence, a wake-up, traffic."""
        self._active(why, at_s, DOUBT_S if is_doubtful else self._limits.standing_s_max)

    def ended(self) -> None:
        """Nobody answers any more, or the battery comes first: what was heard so far is over."""
        self._active_at_s = self._until_s = -float("inf")
        self._run_time_s = None

    def read(self, signal: str, value: Value, at_s: float) -> bool:
        """Take a reading in; whether it shows that engine or wheels turn."""
        if signal == paths.RPM:
            turns, why = float(value) >= RUNNING_RPM_MIN, "the engine runs"
        elif signal == paths.SPEED:
            turns, why = abs(float(value)) >= MOVING_KMH_MIN, "the car moves"
        elif signal == paths.RUN_TIME:
            last_s, self._run_time_s = self._run_time_s, float(value)
            turns, why = last_s is not None and float(value) > last_s, "the run time grows"
        else:
            return False
        self._knows_engine = True
        if turns:
            self._active(why, at_s, self._limits.standing_s_max)
        return turns

    def charges(self, at_s: float) -> None:
        """The battery is being charged while the car answers."""
        if not self._knows_engine:
            why = "the battery is being charged, and nothing tells of the engine"
            self._active(why, at_s, self._limits.standing_s_max)

    def ignition(self, *, is_on: bool, at_s: float) -> bool:
        """The ignition line as it is now; whether it has just been turned on."""
        rose = is_on and self._line is not True
        self._line = is_on
        if is_on:
            self._active("the ignition is on", at_s, self._limits.standing_s_max)
        return rose

    def ends_at_s(self) -> float:
        """Until when the car counts as in use if nothing more is heard."""
        if self._line is False:
            return min(self._until_s, self._active_at_s + LINE_OFF_S)
        return self._until_s

    def _active(self, why: str, at_s: float, for_s: float) -> None:
        self._active_at_s = max(self._active_at_s, at_s)
        self._until_s = max(self._until_s, at_s + for_s)
        self.reason = why
