"""True odometer histories, and the mistakes that hands and programs make when they write them down.

Mistakes come at the rates that one city's fuel cards show: 6.2 % of the steps go backwards and 3.7 % jump by
more than 2,000 miles. What is no mistake comes as well: changes of regime, parked spells, swapped clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from milepost_server.signals.flat import METRES_PER_KM, offsets_of, owners_of
from milepost_server.signals.odometer import OdometerReadings

METRES_PER_MILE = 1_609.344
BACKWARD_SHARE = 0.062
JUMP_SHARE = 0.037
JUMP_M = 2_000 * METRES_PER_MILE
NEGLIGIBLE_M = 300.0
"""A smaller mistake than this cannot be told from rounding, and harms nothing."""
FIRST_D = 18_000.0
YEAR_D = 365.25
SWAP_SHARE = 0.05
SWAP_M_MIN = 20e6
"""A new cluster that shows nearly what the old one did cannot be told from two slips: none is drawn."""
DAY_M_MAX = 1_200_000.0
TRIES_MAX = 40

CADENCES = {"monthly": (30.4, 0.08), "weekly": (7.0, 0.25), "daily": (1.4, 0.6)}
"""Days between two readings, and their coefficient of variation."""


@dataclass(frozen=True)
class Truth:
    """True readings of V vehicles, N rows, as a faultless hand would have keyed them."""

    offsets: NDArray[np.int64]  # (V + 1)
    time_d: NDArray[np.float64]  # (N)
    shown_m: NDArray[np.float64]  # (N) what the instrument showed
    unit_m: NDArray[np.float64]  # (V) metres of the unit that it counts in
    after_change: NDArray[np.bool_]  # (N) in another regime, or on another cluster, than the first reading


@dataclass(frozen=True)
class Dirty:
    """What was written down, and what is wrong with it."""

    readings: OdometerReadings
    kind: NDArray[np.str_]  # (N) "" where it is true
    error_m: NDArray[np.float64]  # (N) written less true


def histories(rng: np.random.Generator, vehicles: int, readings: int, cadence: str) -> Truth:
    """``vehicles`` of ``readings`` each: lives with regimes, seasons, parked spells and swapped clusters."""
    offsets = offsets_of(np.full(vehicles, readings, dtype=np.int64))
    lives = [_life(rng, readings, *CADENCES[cadence]) for _ in range(vehicles)]
    unit_m = np.where(rng.random(vehicles) < 0.5, METRES_PER_MILE, METRES_PER_KM)
    time_d = np.concatenate([life[0] for life in lives])
    shown = np.concatenate([life[1] for life in lives])
    unit_row = unit_m[owners_of(offsets)]
    changed = np.concatenate([life[2] for life in lives])
    return Truth(offsets, time_d, np.floor(shown / unit_row) * unit_row, unit_m, changed)


def _life(
    rng: np.random.Generator, readings: int, every_d: float, cv: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    steps_d = np.maximum(np.rint(rng.gamma(cv**-2, every_d * cv**2, readings)), 0.0)
    day = np.cumsum(steps_d).astype(np.int64)
    days = int(day[-1]) + 1
    level, regime = _regimes(rng, days)
    season = 1 + 0.25 * np.sin(2 * np.pi * (np.arange(days) / YEAR_D + rng.random()))
    scatter = rng.uniform(0.3, 1.2)
    daily = level * season * rng.gamma(scatter**-2, scatter**2, days) * (rng.random(days) < 0.85) / 0.85
    daily = np.minimum(daily * ~_parked(rng, days), DAY_M_MAX)
    total_m = rng.uniform(0, 250e6) + np.cumsum(daily)
    shown_m, cluster = _swapped(rng, total_m[day], readings)
    changed = (regime[day] != regime[day[0]]) | cluster
    return FIRST_D + day.astype(np.float64), shown_m, changed


def _regimes(rng: np.random.Generator, days: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Metres a day, in regimes that last two years on the average: 6,000, then 1,000, then 13,000 a year."""
    changes = np.cumsum(rng.random(days) < 1 / (2 * YEAR_D))
    levels = np.minimum(np.exp(rng.normal(np.log(40_000.0), 0.8, int(changes[-1]) + 1)), 300_000.0)
    return levels[changes], changes


def _parked(rng: np.random.Generator, days: int) -> NDArray[np.bool_]:
    parked = np.zeros(days, dtype=np.bool_)
    for begin in np.flatnonzero(rng.random(days) < 1 / (4 * YEAR_D)):
        parked[begin : begin + int(rng.uniform(30, 200))] = True
    return parked


def _swapped(
    rng: np.random.Generator, total_m: NDArray[np.float64], readings: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    shown_m, on_new = total_m.copy(), np.zeros(readings, dtype=np.bool_)
    at = int(rng.integers(4, readings - 4))
    begins_m = float(rng.choice([rng.uniform(2e3, 20e3), rng.uniform(0, 200e6)]))
    if rng.random() < SWAP_SHARE and abs(begins_m - total_m[at - 1]) > SWAP_M_MIN:
        shown_m[at:] += begins_m - total_m[at - 1]
        on_new[at:] = True
    return shown_m, on_new


def inject(rng: np.random.Generator, truth: Truth, scale: float = 1.0) -> Dirty:
    """Write the truth down with mistakes at the rates of the fuel cards, times ``scale``."""
    rows = len(truth.time_d)
    owner = owners_of(truth.offsets)
    draw = rng.random(rows)
    goes_back = draw < BACKWARD_SHARE * scale
    jumps = ~goes_back & (draw < (BACKWARD_SHARE + JUMP_SHARE) * scale)
    written_m, kind = truth.shown_m.copy(), np.full(rows, "", dtype="U16")
    for row in np.flatnonzero(goes_back | jumps):
        unit = float(truth.unit_m[owner[row]])
        begin = int(truth.offsets[owner[row]])
        for _ in range(TRIES_MAX):
            name = str(rng.choice(list(SLIPS)))
            metres = SLIPS[name](rng, truth, int(row), begin, unit)
            if metres is None or metres < 0:
                continue
            error = metres - truth.shown_m[row]
            before = truth.shown_m[row - 1] if row > begin else truth.shown_m[row]
            wanted = error > JUMP_M if jumps[row] else metres < before - NEGLIGIBLE_M
            if wanted:
                written_m[row], kind[row] = metres, name
                break
    return written(truth, written_m, kind)


def inject_quiet(rng: np.random.Generator, truth: Truth, share: float = 0.03) -> Dirty:
    """Write the truth down, but now and then the value of the time before: no step back, no jump."""
    rows = np.arange(len(truth.time_d))
    is_first = np.isin(rows, truth.offsets[:-1])
    stale = (rng.random(len(rows)) < share) & ~is_first
    written_m = np.where(stale, truth.shown_m[rows - 1], truth.shown_m)
    return written(truth, written_m, np.where(stale, "stale", ""))


def written(truth: Truth, written_m: NDArray[np.float64], kind: NDArray[np.str_]) -> Dirty:
    """What was written as readings, and how far it is off."""
    rows = len(written_m)
    readings = OdometerReadings(
        offsets=truth.offsets,
        time_d=truth.time_d,
        odometer_m=written_m,
        trusted=np.ones(rows, dtype=np.bool_),
        plausible=np.ones(rows, dtype=np.bool_),
        tolerance_m=np.full(rows, 1_000.0),
    )
    return Dirty(readings, kind, written_m - truth.shown_m)


Slip = Callable[[np.random.Generator, Truth, int, int, float], float | None]


def _digits(change: Callable[[np.random.Generator, str], str]) -> Slip:
    def slip(rng: np.random.Generator, truth: Truth, row: int, begin: int, unit: float) -> float:
        return float(change(rng, str(round(truth.shown_m[row] / unit)))) * unit

    return slip


def _one_digit(rng: np.random.Generator, keyed: str) -> str:
    place = int(rng.integers(len(keyed)))
    return keyed[:place] + str(rng.integers(10)) + keyed[place + 1 :]


def _transposed(rng: np.random.Generator, keyed: str) -> str:
    place = int(rng.integers(max(len(keyed) - 1, 1)))
    return keyed[:place] + keyed[place : place + 2][::-1] + keyed[place + 2 :]


def _dropped(rng: np.random.Generator, keyed: str) -> str:
    place = int(rng.integers(len(keyed)))
    return keyed[:place] + keyed[place + 1 :] or "0"


def _extra(rng: np.random.Generator, keyed: str) -> str:
    place = int(rng.integers(len(keyed) + 1))
    doubled = keyed[max(place - 1, 0)] if rng.random() < 0.5 else str(rng.integers(10))
    return keyed[:place] + doubled + keyed[place:]


def _unit_mix(rng: np.random.Generator, truth: Truth, row: int, begin: int, unit: float) -> float:
    factor = METRES_PER_MILE / METRES_PER_KM
    return float(truth.shown_m[row] * rng.choice([factor, 1 / factor]))


def _tenfold(rng: np.random.Generator, truth: Truth, row: int, begin: int, unit: float) -> float:
    return float(truth.shown_m[row] * rng.choice([10.0, 0.1]))


def _stale(rng: np.random.Generator, truth: Truth, row: int, begin: int, unit: float) -> float | None:
    source = row - int(rng.integers(1, 4))
    return float(truth.shown_m[source]) if source >= begin else None


def _other_vehicle(rng: np.random.Generator, truth: Truth, row: int, begin: int, unit: float) -> float:
    return float(truth.shown_m[rng.integers(len(truth.shown_m))])


def _guess(rng: np.random.Generator, truth: Truth, row: int, begin: int, unit: float) -> float:
    """A number that merely is not right: the trip counter added, a page misread."""
    off_m = np.exp(rng.uniform(np.log(1e6), np.log(60e6)))
    return float(truth.shown_m[row] + rng.choice([-1, 1]) * off_m)


SLIPS: dict[str, Slip] = {
    "one-digit": _digits(_one_digit),
    "transposed": _digits(_transposed),
    "dropped-digit": _digits(_dropped),
    "extra-digit": _digits(_extra),
    "unit": _unit_mix,
    "tenfold": _tenfold,
    "stale": _stale,
    "other-vehicle": _other_vehicle,
    "guess": _guess,
}
