"""Proof that a loop turns: whoever watches sees a count move, or stand still."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

BUFFER_S_MAX: Final = 900.0
"""The buffer's thread answers within that: a large damaged file on slow flash takes minutes to salvage."""


class Pulse:
    """A loop beats once a turn; a turn may take ``limit_s`` seconds. Only what ``is_due`` has to beat."""

    __slots__ = ("beats", "is_due", "limit_s")

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.beats = 0
        self.is_due = False

    def beat(self) -> None:
        """One turn is done."""
        self.beats += 1

    @contextlib.contextmanager
    def turning(self) -> Iterator[None]:
        """The loop runs; before and after, nobody expects a beat."""
        self.is_due = True
        self.beats += 1
        try:
            yield
        finally:
            self.is_due = False

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Within ``turning``: wait for what may take days, such as a car that nobody may ask."""
        self.is_due = False
        try:
            yield
        finally:
            self.is_due = True
            self.beats += 1
