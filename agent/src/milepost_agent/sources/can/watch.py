"""Is the bus awake, and does its traffic jump, as it does with the ignition? Pure.

A controller repeats a frame that nobody acknowledges for ever, and any frame wakes a sleeping bus. So a bus
on which nothing is heard is not asked, whatever else is permitted.
"""

from __future__ import annotations

from typing import Final

BUCKET_S: Final = 1.0
JUMP_FACTOR: Final = 2.0
JUMP_FRAMES_MIN: Final = 20
"""Fewer frames in a second are no jump: a single unit that wakes to look around brings as many."""
DECAY: Final = 0.5


class BusWatch:
    """Follows the frames of a bus. ``quiet_s`` without one, and it sleeps; until the first, it does too."""

    def __init__(self, quiet_s: float) -> None:
        self._quiet_s = quiet_s
        self._heard_at_s = -float("inf")
        self._bucket_began_s = -float("inf")
        self._bucket = 0
        self._usual: float | None = None
        self._jumped = False

    def is_awake(self, mono_s: float) -> bool:
        """Whether something was heard lately."""
        return mono_s - self._heard_at_s < self._quiet_s

    def heard(self, mono_s: float) -> None:
        """Note a frame."""
        if mono_s - self._heard_at_s >= self._quiet_s:
            self._bucket_began_s, self._bucket, self._usual = mono_s, 0, None
        self._heard_at_s = mono_s
        if mono_s - self._bucket_began_s >= BUCKET_S:
            usual = self._bucket if self._usual is None else self._usual
            self._usual = DECAY * usual + (1 - DECAY) * self._bucket
            self._bucket_began_s, self._bucket = mono_s, 0
        self._bucket += 1
        if self._usual is not None and self._bucket > max(self._usual * JUMP_FACTOR, JUMP_FRAMES_MIN):
            self._jumped = True
            self._usual = float(self._bucket)

    def take_jump(self) -> bool:
        """Whether the traffic has jumped since this was asked last."""
        jumped, self._jumped = self._jumped, False
        return jumped
