"""Is the car in use? When to stop asking a car that stands, and when to ask again. Pure.

Asking an ECU can keep its bus awake and its battery loaded. The adapter reads the battery by itself (AT RV),
without the bus: a generator that begins to charge, or the step that a starter or the ignition makes, tells
that it is time to ask the bus again.
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
STEP_V_MIN: Final = 0.3
PROBE_S_MIN: Final = 60.0
PROBE_S_MAX: Final = 3_600.0
PROBE_FACTOR: Final = 2.0


@dataclass(frozen=True, slots=True)
class ParkingLimits:
    """``standing_s_max``: how long to ask a car whose engine stands; ``blind_probe_s``: how often to ask the
    bus of a parked car where the adapter cannot read the voltage."""

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


class ParkedWatch:
    """Follows the battery voltage of a car that is left alone, and says when to probe the bus.

    A rise over ``CHARGING_V_MIN`` and a step between two readings call for a probe at once. A voltage that
    stays high (a charger, a solar panel) calls for one ever more rarely.
    """

    def __init__(self, limits: ParkingLimits, mono_s: float) -> None:
        self._limits = limits
        self._last_v: float | None = None
        self._probe_s = PROBE_S_MIN
        self._probed_at_s = mono_s

    def feed(self, volts: float | None, mono_s: float) -> bool:
        """Whether to probe now; ``volts`` is ``None`` where the adapter did not tell."""
        last, self._last_v = self._last_v, volts
        if volts is None:
            return self._probe_after(self._limits.blind_probe_s, mono_s)
        if last is not None and (last < CHARGING_V_MIN <= volts or abs(volts - last) >= STEP_V_MIN):
            self._probe_s = PROBE_S_MIN
            self._probed_at_s = mono_s
            return True
        if volts >= CHARGING_V_MIN and self._probe_after(self._probe_s, mono_s):
            self._probe_s = min(self._probe_s * PROBE_FACTOR, PROBE_S_MAX)
            return True
        return False

    def _probe_after(self, seconds: float, mono_s: float) -> bool:
        if mono_s - self._probed_at_s < seconds:
            return False
        self._probed_at_s = mono_s
        return True
