"""Which changes of stance are told to the server, and when. Pure.

A change is told once, also where it lies between two lives of the agent. What flaps is told no more often
than the limit allows; then its last stance is told as soon as it may be. A stance for which nothing speaks
yet (the agent has just started) is not told at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_agent.credit import Credit
from milepost_agent.power.stance import Stance

if TYPE_CHECKING:
    from milepost_agent.power.policy import PowerPolicy

EVENTS_MAX: Final = 12
"""Events in a row; more than the errands of an afternoon make."""
EVENT_S: Final = 300.0
"""After that one event in so many seconds."""

_VALUES: Final = frozenset(stance.value for stance in Stance)


class Announcing:
    """Follows the stance, and says what is to be told."""

    def __init__(self) -> None:
        self._told = Stance.AWAKE
        self._withheld: Stance | None = None
        self._credit = Credit(EVENTS_MAX, EVENT_S)
        self.events = 0
        self.withheld = 0
        """Changes that were not told, for too many had been before."""

    def take_up(self, told: str) -> None:
        """What was told last, before the agent was started."""
        if told in _VALUES:
            self._told = Stance(told)

    def look(self, policy: PowerPolicy, at_s: float) -> Stance | None:
        """The stance that is to be told now, if any; it counts as told."""
        stance = policy.stance
        is_known = stance is not Stance.AWAKE or policy.is_proven
        if not is_known or stance is self._told:
            self._withheld = None
            return None
        if not self._credit.take(at_s):
            self.withheld += stance is not self._withheld
            self._withheld = stance
            return None
        self._told, self._withheld = stance, None
        self.events += 1
        return stance
