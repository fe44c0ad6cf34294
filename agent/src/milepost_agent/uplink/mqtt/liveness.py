"""Whether the other end is alive: asked when it is silent, given up when it does not answer. Pure.

What was sent says nothing: a network that swallows packets takes them for as long as the kernel's buffer has
room. Only what is heard counts. After a silence of ``keepalive_s`` the broker is asked; half as long later it
is given up. It is also asked when this end was silent for so long, as the protocol demands.
"""

from __future__ import annotations

import enum
from typing import Final

GIVE_UP_KEEPALIVES: Final = 1.5


class Todo(enum.Enum):
    """What has to be done now."""

    NOTHING = "nothing"
    ASK = "ask"
    GIVE_UP = "give_up"


class Liveness:
    """Of one connection, from ``now_s`` on; times are those of one monotonic clock."""

    def __init__(self, keepalive_s: float, now_s: float) -> None:
        self.keepalive_s = keepalive_s
        self.heard_s = now_s
        self._sent_s = now_s
        self._is_asked = False

    def heard(self, now_s: float) -> None:
        """Something came."""
        self.heard_s = now_s
        self._is_asked = False

    def sent(self, now_s: float) -> None:
        """Something was sent."""
        self._sent_s = now_s

    def asked(self, now_s: float) -> None:
        """A ping was sent."""
        self._sent_s = now_s
        self._is_asked = True

    def todo(self, now_s: float) -> Todo:
        """What has to be done now; after ``ASK`` call ``asked``."""
        if now_s >= self._give_up_s:
            return Todo.GIVE_UP
        if not self._is_asked and now_s >= self._ask_s:
            return Todo.ASK
        return Todo.NOTHING

    @property
    def next_s(self) -> float:
        """When ``todo`` may say something else."""
        return self._give_up_s if self._is_asked else min(self._ask_s, self._give_up_s)

    @property
    def _ask_s(self) -> float:
        return min(self.heard_s, self._sent_s) + self.keepalive_s

    @property
    def _give_up_s(self) -> float:
        return self.heard_s + GIVE_UP_KEEPALIVES * self.keepalive_s
