"""How far a derivation has come, told after each of its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Tell: TypeAlias = Callable[[int, int], None]
"""Takes how many steps are done, and how many there are."""


def silent(done: int, total: int) -> None:
    """Nobody waits for it."""


@dataclass(slots=True)
class Progress:
    """Counts steps, and tells of each."""

    tell: Tell
    total: int
    done: int = 0

    def step(self) -> None:
        """One more is done."""
        self.done += 1
        self.tell(self.done, self.total)
