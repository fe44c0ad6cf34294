"""The 12 V battery: how far the starter pulls it down, and where it rests.

A control module reports its voltage about once a second and the starter turns for less than that, so the dip
often falls between two readings. Only a fall that a starter alone explains is taken for one; a start without
it says nothing about the battery, and is counted as missed. No dip was missed where no starter turned: a car
with a traction battery starts its engine with that, and its converter carries the 12 V system meanwhile.
"""

from __future__ import annotations

from collections import deque
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.derive.accumulator import saved_number
from milepost_agent.readings import Reading
from milepost_agent.thresholds import RUNNING_RPM_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_agent.derive.accumulator import State

CRANK_S_MAX: Final = 10.0
"""How long before the engine runs a reading can belong to its start."""
CRANK_READINGS_MAX: Final = 256
DIP_V_MIN: Final = 0.8
"""Lamps, pumps and glow plugs pull less than this; a starter pulls more."""
BATTERY_V_MAX: Final = 12.9
"""No battery rests higher: what is above comes from a charger or a converter, whose end is no dip."""
CONVERTER_V_MIN: Final = 13.5
"""With the engine standing, only a converter holds this: a battery falls below it soon after charging."""
REST_S: Final = 1_800.0


class Voltage:
    """Cranking minimum per start, and rest voltage after ``rest_s`` seconds with the engine off."""

    name = "voltage"
    inputs = frozenset({paths.VOLTAGE, paths.RPM, paths.SYSTEM_STATE, paths.TRACTION_BATTERY_HEALTH})

    def __init__(self, rest_s: float = REST_S) -> None:
        self._rest_s = rest_s
        self._running: bool | None = None
        self._off_since_s: float | None = None
        self._before_start: deque[tuple[float, float]] = deque(maxlen=CRANK_READINGS_MAX)
        self._missed = 0
        self._has_traction_battery = False

    @property
    def missed(self) -> int:
        """Starts whose dip fell between two readings."""
        return self._missed

    def feed(self, reading: Reading) -> list[Reading]:
        if reading.signal == paths.VOLTAGE:
            return self._feed_voltage(float(reading.value), reading.mono_s)
        if reading.signal == paths.TRACTION_BATTERY_HEALTH:
            self._has_traction_battery = True
            return []
        if reading.signal == paths.SYSTEM_STATE:
            if reading.value == paths.STATE_OFF:
                self._stands(reading.mono_s)
            return []
        if float(reading.value) >= RUNNING_RPM_MIN:
            return self._runs(reading.mono_s)
        self._stands(reading.mono_s)
        return []

    def tick(self, mono_s: float) -> list[Reading]:  # noqa: ARG002 - a voltage has to be read
        return []

    def _feed_voltage(self, volts: float, mono_s: float) -> list[Reading]:
        if not self._running:
            self._before_start.append((volts, mono_s))
        if self._off_since_s is None or mono_s - self._off_since_s < self._rest_s:
            return []
        return [Reading(paths.REST_VOLTAGE, volts, mono_s)]

    def _stands(self, mono_s: float) -> None:
        if self._off_since_s is None:
            self._off_since_s = mono_s
        self._running = False

    def _runs(self, mono_s: float) -> list[Reading]:
        was, self._running = self._running, True
        self._off_since_s = None
        volts = [v for v, at_s in self._before_start if mono_s - at_s <= CRANK_S_MAX]
        self._before_start.clear()
        if was is not False:
            return []
        minimum_v = _dip_v(volts)
        if minimum_v is not None:
            return [Reading(paths.CRANKING_MINIMUM, minimum_v, mono_s)]
        if not self._has_traction_battery and max(volts, default=0.0) < CONVERTER_V_MIN:
            self._missed += 1
        return []

    def state(self) -> State:
        return {"missed": self._missed, "traction_battery": self._has_traction_battery}

    def restore(self, state: Mapping[str, object]) -> None:
        self._missed = int(saved_number(self.name, state, "missed"))
        self._has_traction_battery = state.get("traction_battery") is True


def _dip_v(volts: Sequence[float]) -> float | None:
    """The lowest of ``volts``, in the order in which they were read, that lies far below one before it.

    None if none does: a hybrid's engine is turned by its traction battery, and the converter that takes the
    12 V system over lifts it. A rise is no dip.
    """
    before = accumulate((min(v, BATTERY_V_MAX) for v in volts), max)
    dips = [v for v, before_v in zip(volts, before, strict=True) if before_v - v >= DIP_V_MIN]
    return min(dips, default=None)
