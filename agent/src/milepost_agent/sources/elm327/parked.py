"""The watch over a parked car by its battery, which an adapter reads by itself. Pure.

AT RV reads the voltage without the bus: a generator that begins to charge, or the step that a starter or the
ignition makes, tells that it is time to ask the bus again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_agent.sources.obd.activity import CHARGING_V_MIN, PROBE_FACTOR, PROBE_S_MAX, PROBE_S_MIN

if TYPE_CHECKING:
    from milepost_agent.sources.obd.activity import ParkingLimits

STEP_V_MIN: Final = 0.3


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
