"""Is a car that answers in use? When to stop asking one that stands. Pure.

Asking an ECU can keep its bus awake and its battery loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.thresholds import MOVING_KMH_MIN, RUNNING_RPM_MIN

if TYPE_CHECKING:
    from milepost_agent.readings import Reading

CHARGING_V_MIN: Final = 13.0
"""A resting 12 V battery is below this, a charging one above."""
PROBE_S_MIN: Final = 60.0
PROBE_S_MAX: Final = 3_600.0
PROBE_FACTOR: Final = 2.0
"""How often a parked car is asked that may be in use after all: ever more rarely."""


@dataclass(frozen=True, slots=True)
class ParkingLimits:
    """``standing_s_max``: how long to ask a car whose engine stands; ``blind_probe_s``: how often to ask the
    bus of a parked car where nothing tells whether it is in use; 0: never."""

    standing_s_max: float = 300.0
    blind_probe_s: float = 300.0


class Activity:
    """Follows the readings of a car that answers."""

    def __init__(self, limits: ParkingLimits, mono_s: float) -> None:
        self._limits = limits
        self._active_at_s = mono_s
        self._engine_running = False

    @property
    def is_standing(self) -> bool:
        """Whether the engine stands as far as is known: the starter may turn it at any moment."""
        return not self._engine_running

    def feed(self, reading: Reading) -> None:
        if reading.signal == paths.RPM:
            self._engine_running = float(reading.value) >= RUNNING_RPM_MIN
            active = self._engine_running
        elif reading.signal == paths.SPEED:
            active = abs(float(reading.value)) >= MOVING_KMH_MIN
        elif reading.signal == paths.VOLTAGE:
            active = float(reading.value) >= CHARGING_V_MIN
        else:
            return
        if active:
            self._active_at_s = reading.mono_s

    def is_parked(self, mono_s: float) -> bool:
        """Whether engine, wheels and generator have stood for long enough to let the car sleep."""
        return mono_s - self._active_at_s > self._limits.standing_s_max
