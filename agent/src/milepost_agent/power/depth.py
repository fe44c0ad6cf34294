"""How far a parked agent has to go for the battery's sake: rest, save, or sleep. Pure.

Low is judged at rest only: after a time without use and charging, and for a time without a break, so that
lamps, fans and a door left open do not pass for an empty battery. Up it goes some way above the threshold: a
battery recovers a little when a load is taken from it. Both depths are left at the same voltage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.power.stance import Stance

if TYPE_CHECKING:
    from milepost_agent.power.limits import PowerLimits

CRITICAL_S: Final = 60.0
"""No starter turns for so long; what is so low for that time gives out next."""


class Standing(NamedTuple):
    """How a car stood when one agent ended and the next began; times by the clock of both.

    ``quiet_since_s`` is since when it has not been awake, ``parked_since_s`` since when not charged.
    """

    stance: Stance
    reason: str
    quiet_since_s: float
    parked_since_s: float


class Depth:
    """Follows the voltage of a car that is not in use. ``stance`` is never AWAKE."""

    def __init__(self, limits: PowerLimits, at_s: float) -> None:
        self._limits = limits
        self._quiet_since_s = at_s
        self._parked_since_s = at_s
        self._low_since_s: dict[float, float] = {}
        self.stance = Stance.RESTING
        self.reason = ""
        self.is_critical = False

    def standing(self, stance: Stance, reason: str) -> Standing:
        """What a depth under other limits goes on from."""
        return Standing(stance, reason, self._quiet_since_s, self._parked_since_s)

    def go_on(self, before: Standing) -> None:
        """Stand as before; whether that is still right shows at the next look."""
        self._quiet_since_s, self._parked_since_s = before.quiet_since_s, before.parked_since_s
        self._go(before.stance, before.reason)

    def loaded(self, at_s: float) -> None:
        """The car is awake: what the battery shows is no rest."""
        self._quiet_since_s = at_s

    def charged(self, why: str, at_s: float) -> None:
        """The engine runs, or the battery is being charged: all that was known of its rest is over."""
        self._quiet_since_s = self._parked_since_s = at_s
        self._low_since_s.clear()
        self.is_critical = False
        self._go(Stance.RESTING, why)

    def pardon(self) -> None:
        """Somebody has a use for the car: a critical voltage has to be seen anew."""
        self.is_critical = False
        self._low_since_s.pop(self._limits.critical_v, None)

    def is_settled(self, at_s: float) -> bool:
        """Whether the battery has been left alone for long enough to show its charge."""
        return at_s - self._quiet_since_s >= self._limits.settle_s

    def feed(self, volts: float, at_s: float) -> None:
        """Take a smoothed voltage in that is not one of charging."""
        limits = self._limits
        for threshold_v in (limits.saving_v, limits.sleep_v, limits.critical_v):
            if volts < threshold_v:
                self._low_since_s.setdefault(threshold_v, at_s)
            else:
                self._low_since_s.pop(threshold_v, None)
        self._judge_critical(volts, at_s)
        if self.is_settled(at_s):
            self._judge(volts, at_s)

    def _judge_critical(self, volts: float, at_s: float) -> None:
        if self._lasts(self._limits.critical_v, CRITICAL_S, at_s):
            self.is_critical = True
            self._go(Stance.ASLEEP, f"{volts:.1f} V, below {self._limits.critical_v:g} V under load")

    def _judge(self, volts: float, at_s: float) -> None:
        limits = self._limits
        if self._lasts(limits.sleep_v, limits.confirm_s, at_s):
            self._go(Stance.ASLEEP, f"{volts:.1f} V at rest, below {limits.sleep_v:g} V")
        elif self.stance is Stance.RESTING and self._lasts(limits.saving_v, limits.confirm_s, at_s):
            self._go(Stance.SAVING, f"{volts:.1f} V at rest, below {limits.saving_v:g} V")
        elif self.stance.is_closed and volts >= limits.saving_v + limits.hysteresis_v:
            self.is_critical = False
            self._recover(volts, at_s)

    def _recover(self, volts: float, at_s: float) -> None:
        if self._is_parked_for_long(at_s):
            self._go(Stance.SAVING, self._parked_reason())
        else:
            self._go(Stance.RESTING, f"{volts:.1f} V at rest again")

    def look(self, at_s: float) -> None:
        """Time has passed: a car that is left for long is looked at more rarely, however full its battery."""
        if self.stance is Stance.RESTING and self._is_parked_for_long(at_s):
            self._go(Stance.SAVING, self._parked_reason())

    def next_look_s(self) -> float:
        """When ``look`` may change its mind."""
        is_timed = self.stance is Stance.RESTING and self._limits.rest_s_max
        return self._parked_since_s + self._limits.rest_s_max if is_timed else float("inf")

    def _lasts(self, threshold_v: float, for_s: float, at_s: float) -> bool:
        since_s = self._low_since_s.get(threshold_v)
        return since_s is not None and at_s - since_s >= for_s

    def _is_parked_for_long(self, at_s: float) -> bool:
        return 0 < self._limits.rest_s_max <= at_s - self._parked_since_s

    def _parked_reason(self) -> str:
        return f"parked for {self._limits.rest_s_max / 3600:g} h"

    def _go(self, stance: Stance, why: str) -> None:
        if self._limits.deepest_is_rest:
            stance = Stance.RESTING
        if stance is not self.stance:
            self.stance, self.reason = stance, why
