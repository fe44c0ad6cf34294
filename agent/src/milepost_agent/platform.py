"""What an agent runs on: all that is outside it, in one place; a simulator brings a world of its own."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_agent.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from milepost_agent.clock import ClockReading


@dataclass(frozen=True, slots=True)
class Platform:
    """The outside of one agent.

    Attributes:
        clock: all clocks at one moment.
        entropy: so many random bytes, for the names of epochs.
        random: a number from 0 to below 1, for jitter.
    """

    clock: Callable[[], ClockReading]
    entropy: Callable[[int], bytes]
    random: Callable[[], float]


def this_machine() -> Platform:
    """The machine that this process runs on."""
    return Platform(SystemClock(), os.urandom, random.random)
