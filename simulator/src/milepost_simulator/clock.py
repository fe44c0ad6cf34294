"""Time of the simulated world: given as an argument, and able to run faster than the machine's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock(Protocol):
    """Says what time it is in the simulated world, in seconds since 1970."""

    def now_s(self) -> float:
        """Seconds since 1970 UTC in the simulated world; never goes back."""
        ...


class RunningClock:
    """Runs by itself, ``speed_up`` simulated seconds for each second of the machine."""

    def __init__(
        self, start_s: float, speed_up: float = 1.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._start_s = start_s
        self._speed_up = speed_up
        self._monotonic = monotonic
        self._origin_s = monotonic()

    def now_s(self) -> float:
        """Seconds since 1970 UTC in the simulated world."""
        return self._start_s + (self._monotonic() - self._origin_s) * self._speed_up


class ManualClock:
    """Stands still until it is moved: for tests, and for histories that are computed at once."""

    def __init__(self, start_s: float) -> None:
        self._now_s = start_s

    def now_s(self) -> float:
        """Seconds since 1970 UTC in the simulated world."""
        return self._now_s

    def advance(self, by_s: float) -> None:
        """Move on; time never goes back."""
        if by_s < 0:
            raise ValueError("a clock never goes back")
        self._now_s += by_s
