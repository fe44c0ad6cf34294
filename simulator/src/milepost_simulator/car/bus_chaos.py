"""What goes wrong on a bad bus: frames lost, doubled, late, cut short, or with bytes that are wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from milepost_simulator.car.can_unit import CanFrame


@dataclass(frozen=True, slots=True)
class BusRates:
    """Probability of each mishap per frame of a diagnostic answer; what a car says by itself is spared."""

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    cut: float = 0.0
    wrong_length: float = 0.0
    wrong_sequence: float = 0.0


CALM_BUS = BusRates()
MILD_BUS = BusRates(0.01, 0.01, 0.005, 0.005, 0.005, 0.005)
WILD_BUS = BusRates(0.05, 0.05, 0.03, 0.03, 0.03, 0.03)
DIAGNOSTIC_MIN = 0x600
DIAGNOSTIC_EXTENDED = 0x18DA


class BusChaos:
    """Spoils frames at the given rates; ``mishaps`` counts what was done, by kind."""

    def __init__(self, rng: Random, rates: BusRates) -> None:
        self._rng = rng
        self._rates = rates
        self._late: CanFrame | None = None
        self.mishaps: Counter[str] = Counter()

    def spoil(self, frame: CanFrame) -> list[CanFrame]:
        """What arrives of a frame."""
        is_diagnostic = (
            frame.number >> 16 == DIAGNOSTIC_EXTENDED if frame.is_extended else frame.number >= DIAGNOSTIC_MIN
        )
        if not is_diagnostic:
            return [frame]
        held, self._late = self._late, None
        arrived = self._one(frame)
        return arrived if held is None else [*arrived, held]

    def _one(self, frame: CanFrame) -> list[CanFrame]:
        if self._happens("lost"):
            return []
        if self._happens("late"):
            self._late = frame
            return []
        if self._happens("cut"):
            frame = frame._replace(data=frame.data[: self._rng.randrange(len(frame.data))])
        elif self._happens("wrong_length"):
            frame = frame._replace(data=bytes((frame.data[0] ^ self._rng.randrange(1, 16),)) + frame.data[1:])
        elif frame.data[0] >> 4 == 2 and self._happens("wrong_sequence"):
            frame = frame._replace(data=bytes((0x20 | self._rng.randrange(16),)) + frame.data[1:])
        return [frame, frame] if self._happens("doubled") else [frame]

    def _happens(self, kind: str) -> bool:
        rate: float = getattr(self._rates, kind)
        happens = self._rng.random() < rate
        self.mishaps[kind] += happens
        return happens
