"""Proof that a loop turns: whoever watches sees a count move, or stand still."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Pulse:
    """A loop beats once a turn; a turn may take ``limit_s`` seconds, unless the loop says that it rests."""

    __slots__ = ("beats", "is_resting", "limit_s")

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.beats = 0
        self.is_resting = False

    def beat(self) -> None:
        """One turn is done."""
        self.beats += 1

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Wait for what may take days, such as a car that nobody may ask: this is no standstill."""
        self.is_resting = True
        try:
            yield
        finally:
            self.is_resting = False
            self.beats += 1
