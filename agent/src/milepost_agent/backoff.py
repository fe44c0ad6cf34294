"""How long to wait before trying again: growing, bounded, and not in step with others. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Backoff:
    """Waits drawn evenly between nothing and a bound that doubles from ``first_s`` to ``s_max``.

    Evenly over the whole bound, since a fleet loses its broker in one moment: a hundred thousand agents with
    a bound of 120 s try 1,700 times a second in all, and not in one wave after the other. ``jitter``, in
    [0, 1), is the share that is taken off.
    """

    def __init__(self, jitter: Callable[[], float], first_s: float = 1.0, s_max: float = 60.0) -> None:
        self._jitter = jitter
        self._first_s = first_s
        self._s_max = s_max
        self._next_s = first_s

    def next_s(self) -> float:
        """Seconds to wait after another failure."""
        bound_s, self._next_s = self._next_s, min(self._next_s * 2, self._s_max)
        return bound_s * (1 - self._jitter())

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._next_s = self._first_s
