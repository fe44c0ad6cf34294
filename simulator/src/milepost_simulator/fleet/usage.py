"""How far each vehicle goes on each day: level, weekday, season, rests, long trips, and changes of life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_simulator.fleet.population import YEAR_DAYS, Population

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
REGIME_SPREAD = 0.55
SPELLS_PER_YEAR = 1.1
SPELL_DAYS = (4, 24)
LONG_TRIP = 0.012
LONG_TRIP_KM = (5.2, 0.5)
DAY_SHAPE = 2.2


def draw_usage(
    rng: np.random.Generator, people: Population, first_day: int, days: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Kilometres by vehicle and day, and the level that they waver around.

    Returns:
        Two arrays of shape (vehicles, days): what is driven, and the expected kilometres a day of the
        regime that the vehicle is in, which is hidden truth.
    """
    count = len(people)
    day = first_day + np.arange(days)
    weekday = (day + 3) % 7
    share = WEEKDAYS / WEEKDAYS.mean(axis=1, keepdims=True)
    season = 1 + SUMMER[:, None] * np.cos(2 * np.pi * (day % YEAR_DAYS - MIDSUMMER_DAY) / YEAR_DAYS)
    shape_of_style = share[:, weekday] * season
    level = people.daily_km[:, None] * _regimes(rng, count, days)
    active = ACTIVE_DAY[people.style][:, None]
    drives = rng.random((count, days)) < active
    noise = rng.gamma(DAY_SHAPE, 1 / DAY_SHAPE, (count, days))
    long_km = np.where(
        rng.random((count, days)) < LONG_TRIP, rng.lognormal(*LONG_TRIP_KM, (count, days)), 0.0
    )
    usual = 0.99 * level * shape_of_style[people.style] * noise / active
    driven = np.where(drives & ~_spells(rng, count, days), usual + long_km * np.minimum(1.0, level / 40), 0.0)
    # A day that is hardly begun is a car moved in its yard; it makes no trip.
    return np.where(driven < 0.4, 0.0, driven), level


def _regimes(rng: np.random.Generator, count: int, days: int) -> NDArray[np.float64]:
    """A factor by vehicle and day: 1 until the day on which a life changes, if it does."""
    probability = 1 - np.exp(-REGIME_CHANGES_PER_YEAR * days / YEAR_DAYS)
    change_day = np.where(rng.random(count) < probability, rng.integers(0, days, count), days)
    factor = np.clip(rng.lognormal(-0.1, REGIME_SPREAD, count), 0.15, 3.0)
    is_after = np.arange(days) >= change_day[:, None]
    return np.where(is_after, factor[:, None], 1.0)


def _spells(rng: np.random.Generator, count: int, days: int) -> NDArray[np.bool_]:
    """Which days fall into a spell in which the car stands: holidays without it, illness, winter."""
    begins = rng.random((count, days)) < SPELLS_PER_YEAR / YEAR_DAYS
    length = rng.integers(*SPELL_DAYS, (count, days))
    end = np.where(begins, np.arange(days) + length, 0)
    stands: NDArray[np.bool_] = np.maximum.accumulate(end, axis=1) > np.arange(days)
    return stands
