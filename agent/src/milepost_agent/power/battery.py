"""The battery as one voltmeter shows it: smoothed, and watched for what moves it. Pure.

A lead-acid battery at rest shows its charge: about 12.7 V full, 12.2 V half, 11.8 V a fifth; what goes below
half shortens its life. Neither a reading under load nor one soon after charging shows it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_agent.power.limits import PowerLimits

WINDOW_READINGS: Final = 5
"""The median of so many is taken: a cranking dip or two readings gone wrong do not move it."""
READINGS_MIN: Final = 3
"""With fewer there is no median to trust."""
ROUNDING_V: Final = 1e-6
FORGET_S: Final = 7_200.0
"""A voltmeter that was silent for so long says nothing about the battery any more."""


class Heard(NamedTuple):
    """What one reading is by itself, unsmoothed: a hint to look at the car, never a judgement.

    ``is_step``: a starter, a generator or the ignition moved it, and not the end of charging; ``is_rise``: it
    rose to that of charging.
    """

    is_plausible: bool
    is_step: bool = False
    is_rise: bool = False


class Battery:
    """Follows one voltmeter. Voltages are those of the whole system, 12 or 24 V."""

    def __init__(self, limits: PowerLimits) -> None:
        self._limits = limits
        self._window: deque[float] = deque(maxlen=WINDOW_READINGS)
        self._last_v: float | None = None
        self._heard_at_s = -float("inf")
        self.implausible = 0
        """Readings that no battery of this system can have, which were left out."""

    def feed(self, volts: float, at_s: float) -> Heard:
        """Take a reading in."""
        low_v, high_v = self._limits.plausible_v
        if not low_v <= volts <= high_v:
            self.implausible += 1
            return Heard(is_plausible=False)
        if at_s - self._heard_at_s > FORGET_S:
            self._window.clear()
            self._last_v = None
        last_v, self._last_v = self._last_v, volts
        self._heard_at_s = at_s
        self._window.append(volts)
        charging_v, step_v = self._limits.charging_v, self._limits.step_v - ROUNDING_V
        return Heard(
            is_plausible=True,
            is_step=last_v is not None and last_v < charging_v and abs(volts - last_v) >= step_v,
            is_rise=volts >= charging_v and (last_v is None or last_v < charging_v),
        )

    def forget(self) -> None:
        """Begin anew: what was heard lies before a load or a charge that has ended."""
        self._window.clear()

    def volts(self, at_s: float) -> float | None:
        """The smoothed voltage, None where too little was heard or too long ago."""
        if len(self._window) < READINGS_MIN or at_s - self._heard_at_s > FORGET_S:
            return None
        return _median(self._window)

    def is_known(self, at_s: float) -> bool:
        """Whether this voltmeter works at all."""
        return at_s - self._heard_at_s <= FORGET_S


def _median(values: Iterable[float]) -> float:
    """The standard library's would bring fractions and decimals into memory for a car's life."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
