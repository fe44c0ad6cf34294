"""So many at once, then one in so many seconds: the one limit on what happens again and again. Pure."""

from __future__ import annotations


class Credit:
    """Begins full. Times are seconds of one clock, which may stand still but never goes back.

    Args:
        burst: as many as may be taken in a row.
        every_s: how long it takes to earn another.
    """

    def __init__(self, burst: int, every_s: float) -> None:
        self._every_s = every_s
        self._burst_s = (burst - 1) * every_s
        self._full_at_s = -float("inf")

    def take(self, at_s: float) -> bool:
        """Take one, if there is one."""
        if at_s < self.next_s(at_s):
            return False
        self._full_at_s = max(self._full_at_s, at_s) + self._every_s
        return True

    def next_s(self, at_s: float) -> float:
        """When one may be taken: ``at_s`` itself, or later; ``take`` gives it then."""
        return max(at_s, self._full_at_s - self._burst_s)

    def refill(self) -> None:
        """Begin anew: what was taken has been worth it."""
        self._full_at_s = -float("inf")
