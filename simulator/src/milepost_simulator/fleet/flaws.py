"""What goes wrong between an instrument cluster and a record: slips of hand and of firmware."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

KM_PER_MILE = 1.609344
SLIPS = 0.04
"""Of the readings that people key in; fuel cards of a city have 6 % of steps going backwards."""
SLIP_SHARES = (0.45, 0.25, 0.10, 0.20)
"""One digit, two transposed, one too many or too few, and the other unit."""
ROUNDED, ROUND_KM = 0.1, 100
SCALED = 0.003
"""Of a device's readings: firmware that forgets to scale sends ten times the value."""
SWAPS_PER_YEAR = 0.006
SWAP_TO_NEW = 0.4
"""The share of instrument clusters that are replaced by a new one; the others come from a scrapyard."""


class Flaw(IntEnum):
    """What is wrong with a reading as it was sent."""

    NONE = 0
    DIGIT = 1
    TRANSPOSED = 2
    TENFOLD = 3
    UNIT = 4
    SCALED = 5


def key_in(rng: np.random.Generator, shown_km: Floats) -> tuple[Ints, Ints]:
    """Kilometres (N) as people write them down, and the `Flaw` (N) of each."""
    count = len(shown_km)
    km = np.floor(np.maximum(shown_km, 0.0)).astype(np.int64)
    km = np.where(rng.random(count) < ROUNDED, km // ROUND_KM * ROUND_KM, km)
    slips = rng.random(count) < SLIPS
    kind = 1 + rng.choice(len(SLIP_SHARES), size=count, p=SLIP_SHARES)
    digits = np.floor(np.log10(np.maximum(km, 1))).astype(np.int64) + 1
    wrong = np.choose(
        kind - 1,
        (
            _one_digit(rng, km, digits),
            _transposed(rng, km, digits),
            np.where(rng.random(count) < 0.5, km * 10, km // 10),
            _other_unit(rng, km),
        ),
    )
    slips &= wrong != km
    return np.where(slips, wrong, km), np.where(slips, kind, int(Flaw.NONE))


def _other_unit(rng: np.random.Generator, km: Ints) -> Ints:
    """Miles where kilometres are wanted, more often than the reverse."""
    factor = np.where(rng.random(len(km)) < 0.7, 1 / KM_PER_MILE, KM_PER_MILE)
    return np.floor(km * factor).astype(np.int64)


def _one_digit(rng: np.random.Generator, km: Ints, digits: Ints) -> Ints:
    """Another digit in one place, not in the last, where nobody would notice; the number stays as long."""
    low = 1 + np.floor(rng.random(len(km)) * (digits - 1)).astype(np.int64)
    place = np.where(digits > 1, 10**low, 1)
    old = km // place % 10
    new = (old + rng.integers(1, 10, len(km))) % 10
    result: Ints = km + (new - old) * place
    return result


def _transposed(rng: np.random.Generator, km: Ints, digits: Ints) -> Ints:
    """Two neighbours change places."""
    low = np.floor(rng.random(len(km)) * np.maximum(digits - 1, 1)).astype(np.int64)
    place = 10**low
    pair = km // place % 100
    swapped: Ints = km + 9 * place * (pair % 10 - pair // 10)
    return np.where(digits > 1, swapped, km)


class Clusters:
    """Which cars of a block get another instrument cluster, and what it shows."""

    def __init__(self, rng: np.random.Generator, cars: int, days: int) -> None:
        happens = rng.random(cars) < SWAPS_PER_YEAR * days / 365.25
        self.day = np.where(happens, rng.integers(0, days, cars), -1)
        """Index of the day; -1 where none."""
        self._share = np.where(rng.random(cars) < SWAP_TO_NEW, 0.0, rng.uniform(0.1, 0.8, cars))
        self.offset_km = np.zeros(cars)
        """What the new one shows more than is true, from that day on; 0 until it is known."""

    def place(self, car: Ints, true_km: Floats) -> None:
        """Put new clusters into ``car`` (Q), which have gone ``true_km`` (Q)."""
        self.offset_km[car] = (self._share[car] - 1.0) * true_km

    def shown_km(self, car: Ints, day: Ints, true_km: Floats) -> Floats:
        """What ``car`` (Q) shows at the end of ``day`` (Q)."""
        swapped = (self.day[car] >= 0) & (day >= self.day[car])
        return true_km + np.where(swapped, self.offset_km[car], 0.0)
