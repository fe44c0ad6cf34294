"""Rows of many vehicles in flat arrays: where each vehicle begins, and sums and look-ups that respect it.

``offsets`` has shape (V + 1): the rows of vehicle v are ``offsets[v]:offsets[v + 1]``, and may be none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DAYS_PER_MONTH = 365.2425 / 12
MS_PER_DAY = 86_400_000
METRES_PER_KM = 1_000.0


def offsets_of(counts: Ints) -> Ints:
    """Offsets (V + 1) of vehicles with ``counts`` (V) rows each."""
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def owners_of(offsets: Ints) -> Ints:
    """The vehicle (0 .. V - 1) that each row (N) belongs to."""
    return np.repeat(np.arange(len(offsets) - 1, dtype=np.int64), np.diff(offsets))


def sums(offsets: Ints, values: Floats) -> Floats:
    """The sum (V) of each vehicle's rows of ``values`` (N); 0 for a vehicle without rows."""
    total: Floats = np.bincount(owners_of(offsets), weights=values, minlength=len(offsets) - 1).astype(
        np.float64
    )
    return total


def last_rows(offsets: Ints) -> Ints:
    """The index (V) of each vehicle's last row, -1 where it has none."""
    return np.where(np.diff(offsets) > 0, offsets[1:] - 1, -1)


def count_up_to(offsets: Ints, x: Floats, vehicle: Ints, at: Floats) -> Ints:
    """How many rows of ``vehicle`` (Q) have x <= ``at`` (Q).

    ``x`` (N) rises within each vehicle. A bisection on all queries at once: log2(longest vehicle) steps.
    """
    low, high = offsets[vehicle].copy(), offsets[vehicle + 1].copy()
    longest = int(np.max(np.diff(offsets), initial=0))
    for _ in range(longest.bit_length()):
        middle = (low + high) // 2
        open_ = low < high
        right = open_ & (x[np.minimum(middle, max(len(x) - 1, 0))] <= at) if len(x) else open_
        low = np.where(right, middle + 1, low)
        high = np.where(open_ & ~right, middle, high)
    return low - offsets[vehicle]


def interpolate(offsets: Ints, x: Floats, y: Floats, vehicle: Ints, at: Floats) -> Floats:
    """y (Q) of ``vehicle`` at x = ``at``, linear between its rows; NaN outside of them or without rows."""
    result = np.full(len(vehicle), np.nan)
    if not len(x):
        return result
    count = count_up_to(offsets, x, vehicle, at)
    before = np.maximum(offsets[vehicle] + count - 1, 0)
    after = np.minimum(before + 1, len(x) - 1)
    inside = (count > 0) & (count < np.diff(offsets)[vehicle])
    span = np.where(inside, x[after] - x[before], 1.0)
    share = np.clip((at - x[before]) / np.where(span > 0, span, 1.0), 0.0, 1.0)
    result[inside] = (y[before] + share * (y[after] - y[before]))[inside]
    exact = (count > 0) & (x[before] == at)
    result[exact] = y[before][exact]
    return result
