"""Odometers as drivers key them at the pump: some hardly ever look, and mistakes come in runs.

Harsher than ``dirty_odometers``: one vehicle in ten has more wrong readings than a third, a form that wants a
number gets any, and a card or a habit that is wrong stays so for several fills.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from milepost_server.signals.flat import owners_of
from support.dirty_odometers import SLIPS, Dirty, Truth, written

CARELESS = (0.35, 2.2)
"""Of a beta distribution: the share of fills at which a driver does not copy what the instrument shows."""
WRONG_SHARE = 0.7
"""Of those fills; at the others the number is right by chance or good will."""
RUN_FILLS = (2, 9)
GUESS_UNITS = 20_000.0
KINDS = {
    "nought": 0.13,
    "one": 0.04,
    "nines": 0.06,
    "litres": 0.10,
    "guess": 0.16,
    "other-card": 0.08,
    "no-first-digit": 0.06,
    "typo": 0.21,
    "stale": 0.11,
    "tenths": 0.05,
}
RUNS = ("other-card", "no-first-digit")
TYPOS = ("one-digit", "transposed", "dropped-digit", "extra-digit")


def cards(rng: np.random.Generator, truth: Truth) -> Dirty:
    """Write the truth down as the drivers would."""
    owner = owners_of(truth.offsets)
    careless = rng.beta(*CARELESS, size=len(truth.unit_m))
    written_m, kind = truth.shown_m.copy(), np.full(len(owner), "", dtype="U16")
    row = 0
    while row < len(owner):
        fills = 1
        if rng.random() < careless[owner[row]] * WRONG_SHARE:
            name = str(rng.choice(list(KINDS), p=list(KINDS.values())))
            fills = int(rng.integers(*RUN_FILLS)) if name in RUNS else 1
            fills = min(fills, int(truth.offsets[owner[row] + 1]) - row)
            rows = slice(row, row + fills)
            written_m[rows], kind[rows] = _keyed(rng, truth, name, rows), name
        row += fills
    return written(truth, written_m, kind)


def _keyed(rng: np.random.Generator, truth: Truth, name: str, rows: slice) -> NDArray[np.float64]:
    """What is written at the fills ``rows`` of one vehicle, in metres."""
    vehicle = int(np.searchsorted(truth.offsets, rows.start, side="right")) - 1
    unit, begin = float(truth.unit_m[vehicle]), int(truth.offsets[vehicle])
    true_m = truth.shown_m[rows]
    if name == "other-card":
        other = int(rng.integers(len(truth.shown_m) - len(true_m)))
        return truth.shown_m[other : other + len(true_m)]
    if name == "no-first-digit":
        return np.array([float(str(round(metres / unit))[1:] or 0) * unit for metres in true_m])
    if name == "typo":
        slip = SLIPS[str(rng.choice(TYPOS))](rng, truth, rows.start, begin, unit)
        return true_m if slip is None else np.array([slip])
    earlier = truth.shown_m[max(rows.start - int(rng.integers(1, 4)), begin)]
    guess = abs(round(float(true_m[0]) / unit + rng.normal(0, GUESS_UNITS))) * unit
    litres = round(rng.uniform(5.0, 90.0), 1) * unit
    values = {"nought": 0.0, "one": unit, "nines": 999_999 * unit, "litres": litres, "guess": guess}
    values |= {"stale": float(earlier), "tenths": float(true_m[0]) * 10}
    return np.array([values[name]])
