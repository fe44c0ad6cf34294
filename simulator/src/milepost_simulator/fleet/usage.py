"""How far each vehicle goes on each day: level, weekday, season, rests, long trips, and changes of life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_simulator.fleet.population import MONTH_DAYS, YEAR_DAYS, Population

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Rows: Style; columns: Monday to Sunday. The mean of a row does not matter, it is divided out.
WEEKDAYS = np.array(
    [
        [1.25, 1.25, 1.25, 1.25, 1.2, 0.6, 0.5],
        [1.0, 1.0, 1.0, 1.0, 1.1, 1.1, 0.9],
        [0.2, 0.2, 0.2, 0.3, 0.9, 2.4, 2.6],
        [0.9, 1.0, 1.1, 1.0, 1.1, 0.8, 0.8],
        [1.35, 1.35, 1.35, 1.35, 1.25, 0.4, 0.1],
    ]
)
ACTIVE_DAY = np.array([0.93, 0.88, 0.45, 0.72, 0.9])
SUMMER = np.array([-0.05, 0.15, 0.4, 0.2, 0.0])
MIDSUMMER_DAY = 196
REGIME_CHANGES_PER_YEAR = 0.25
REGIMES_MAX = 6
REGIME_SPREAD = 0.55
REGIME_FACTOR = (0.15, 3.0)
LEVEL_KM = (0.5, 250.0)
MONTH_SPREAD = 0.22
"""Standard deviation of a month's level around the regime's, as a share: no month of life is like another."""
MONTH_KEPT = 0.4
"""How much of one month's deviation the next one keeps."""
SPELLS_PER_YEAR = 1.1
SPELL_DAYS = (4, 24)
LONG_SPELL = 0.05
LONG_SPELL_DAYS = (45, 150)
LONG_TRIP = 0.012
LONG_TRIP_KM = (5.2, 0.5)
DAY_SHAPE = 2.2
YARD_KM = 0.4
"""A day that is hardly begun is a car moved in its yard; it makes no trip."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What is driven, and the hidden reasons. Days are indices into the days that were drawn.

    Attributes:
        km: float64 of shape (vehicles, days).
        change_day: int64 of shape (vehicles, REGIMES_MAX), rising: when a life changes; the number of days
            where it does not.
        change_factor: float64 of the same shape: what it multiplies the level by.
        spell_row, spell_from, spell_until: int64: spells of standing.
    """

    km: NDArray[np.float64]
    change_day: NDArray[np.int64]
    change_factor: NDArray[np.float64]
    spell_row: NDArray[np.int64]
    spell_from: NDArray[np.int64]
    spell_until: NDArray[np.int64]


def draw_usage(rng: np.random.Generator, people: Population, first_day: int, days: int) -> Usage:
    """Kilometres by vehicle and day, from ``first_day`` on for ``days``."""
    count = len(people)
    change_day, change_factor = _changes(rng, people.daily_km, days)
    level = level_km(people.daily_km, change_day, change_factor, days) * _months(rng, count, days)
    active = ACTIVE_DAY[people.style].astype(np.float32)[:, None]
    drives = rng.random((count, days), dtype=np.float32) < active
    noise = rng.standard_gamma(DAY_SHAPE, (count, days), dtype=np.float32)
    usual = (0.99 / DAY_SHAPE) * level * _shapes(first_day, days)[people.style] * noise / active
    usual += _long_trips(rng, count, days) * np.minimum(1.0, level / 40)
    spells = _spells(rng, count, days)
    km = np.where(drives & ~_stands(spells, count, days) & (usual >= YARD_KM), usual, 0.0)
    return Usage(km.astype(np.float64), change_day, change_factor, *spells)


def level_km(
    daily_km: NDArray[np.float64],
    change_day: NDArray[np.int64],
    change_factor: NDArray[np.float64],
    days: int,
) -> NDArray[np.float32]:
    """The expected kilometres a day, of shape (vehicles, days): hidden truth."""
    factor = np.ones((len(daily_km), days), dtype=np.float32)
    index = np.arange(days)
    for change in range(REGIMES_MAX):
        changes = np.flatnonzero(change_day[:, change] < days)
        after = index >= change_day[changes, change][:, None]
        factor[changes] *= np.where(after, change_factor[changes, change][:, None], 1.0).astype(np.float32)
    level: NDArray[np.float32] = daily_km.astype(np.float32)[:, None] * factor
    return level


def _shapes(first_day: int, days: int) -> NDArray[np.float32]:
    """By style and day: weekday and season, around 1."""
    day = first_day + np.arange(days)
    share = WEEKDAYS / WEEKDAYS.mean(axis=1, keepdims=True)
    season = 1 + SUMMER[:, None] * np.cos(2 * np.pi * (day % YEAR_DAYS - MIDSUMMER_DAY) / YEAR_DAYS)
    shapes: NDArray[np.float32] = (share[:, (day + 3) % 7] * season).astype(np.float32)
    return shapes


def _changes(
    rng: np.random.Generator, daily_km: NDArray[np.float64], days: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Days and factors of changes of life; no level leaves `LEVEL_KM`."""
    shape = (len(daily_km), REGIMES_MAX)
    number = np.minimum(rng.poisson(REGIME_CHANGES_PER_YEAR * days / YEAR_DAYS, len(daily_km)), REGIMES_MAX)
    happens = np.arange(REGIMES_MAX) < number[:, None]
    change_day = np.sort(np.where(happens, rng.integers(0, days, shape), days), axis=1)
    factor = np.clip(rng.lognormal(-0.1, REGIME_SPREAD, shape), *REGIME_FACTOR)
    factor = np.where(happens, factor, 1.0)
    level = daily_km[:, None] * np.cumprod(factor, axis=1)
    level = np.clip(level, *LEVEL_KM)
    before = np.concatenate([np.clip(daily_km, *LEVEL_KM)[:, None], level[:, :-1]], axis=1)
    return change_day, level / before


def _months(rng: np.random.Generator, count: int, days: int) -> NDArray[np.float32]:
    """A factor around 1 by vehicle and day, the same for a whole month."""
    months = int(days / MONTH_DAYS) + 1
    drawn = rng.standard_normal((count, months))
    for month in range(1, months):
        drawn[:, month] = MONTH_KEPT * drawn[:, month - 1] + np.sqrt(1 - MONTH_KEPT**2) * drawn[:, month]
    factor = np.exp(MONTH_SPREAD * drawn - MONTH_SPREAD**2 / 2).astype(np.float32)
    return factor[:, (np.arange(days) / MONTH_DAYS).astype(np.int64)]


def _long_trips(rng: np.random.Generator, count: int, days: int) -> NDArray[np.float32]:
    km = np.zeros(count * days, dtype=np.float32)
    number = rng.binomial(count * days, LONG_TRIP)
    km[rng.integers(0, count * days, number)] = rng.lognormal(*LONG_TRIP_KM, number)
    return km.reshape(count, days)


def _spells(
    rng: np.random.Generator, count: int, days: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows, first days and ends of spells in which a car stands: holidays without it, illness, winter."""
    number = rng.poisson(SPELLS_PER_YEAR * days / YEAR_DAYS, count)
    row = np.repeat(np.arange(count), number)
    first = rng.integers(0, days, len(row))
    is_long = rng.random(len(row)) < LONG_SPELL
    length = np.where(is_long, rng.integers(*LONG_SPELL_DAYS, len(row)), rng.integers(*SPELL_DAYS, len(row)))
    return row, first, np.minimum(first + length, days)


def _stands(
    spells: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], count: int, days: int
) -> NDArray[np.bool_]:
    row, first, until = spells
    open_spells = np.zeros((count, days + 1), dtype=np.int16)
    np.add.at(open_spells, (row, first), 1)
    np.add.at(open_spells, (row, until), -1)
    stands: NDArray[np.bool_] = np.cumsum(open_spells, axis=1, dtype=np.int16)[:, :-1] > 0
    return stands
