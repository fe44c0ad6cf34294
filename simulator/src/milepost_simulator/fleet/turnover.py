"""Cars that change hands: what an owner drives next, and who has the old car then."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np

from milepost_simulator.fleet.items import ITEMS
from milepost_simulator.fleet.lot import FleetPlan, Lot
from milepost_simulator.fleet.population import (
    YEAR_DAYS,
    Population,
    draw_contracts,
    draw_drivers,
    draw_models,
    draw_vin_numbers,
)
from milepost_simulator.fleet.state import CHANNEL, ITEM_OF_CHANNEL, Start, draw_start

if TYPE_CHECKING:
    from numpy.typing import NDArray

STAYS = 0.62
"""Of those who replace a car, the share whose next one comes from this dealer."""
NEXT_IS_NEW = 0.65
BOUGHT_BY_CUSTOMER = 0.35
"""Of the cars given away, the share that another customer of the dealer has then."""
LOT_DAYS = (5, 45)
"""How long such a car stands before it is sold."""
GENERATIONS_MAX = 4
"""A place in the fleet sees at most so many cars or owners one after another; later ones go away."""


def successors(
    rng: np.random.Generator, plan: FleetPlan, lot: Lot, first_car: int
) -> tuple[Population, Start] | None:
    """Who comes after those of ``lot`` who gave their car away; None where nobody does.

    ``first_car`` is the first index of a car that is free in the block.
    """
    last_day = plan.first_day + plan.days - 1
    gone = lot.until_day <= last_day
    stays = gone & (rng.random(len(gone)) < STAYS)
    sold_day = lot.until_day + rng.integers(*LOT_DAYS, len(gone))
    bought = gone & (rng.random(len(gone)) < BOUGHT_BY_CUSTOMER) & (sold_day <= last_day)
    next_cars = _next_cars(rng, lot, np.flatnonzero(stays), first_car)
    next_start = draw_start(rng, next_cars)
    in_other_hands = _in_other_hands(rng, plan, lot, np.flatnonzero(bought), sold_day)
    start = _start_of(plan, lot, np.flatnonzero(bought), in_other_hands)
    if not stays.any() and not bought.any():
        return None
    people = _joined(next_cars, in_other_hands)
    joined = (np.concatenate(columns) for columns in zip(next_start, start, strict=True))
    return people, Start(*joined)


def _joined(first: Population, second: Population) -> Population:
    names = [field.name for field in fields(Population)]
    return Population(**{n: np.concatenate([getattr(first, n), getattr(second, n)]) for n in names})


def _next_cars(rng: np.random.Generator, lot: Lot, row: NDArray[np.int64], first_car: int) -> Population:
    """The same people in other cars, new or used, from the day on which they gave the old one away."""
    count, people, from_day = len(row), lot.population.rows(row), lot.until_day[row]
    model = draw_models(rng, count)
    bought_new = rng.random(count) < NEXT_IS_NEW
    age_days = np.where(bought_new, 0, (rng.gamma(2.5, 1.4, count) * YEAR_DAYS).astype(np.int64))
    level = _level_at(lot, row, from_day)
    daily_km = level * rng.lognormal(0.0, 0.1, count)
    driven_km = daily_km * rng.lognormal(0.0, 0.3, count) * age_days + rng.uniform(5, 60, count)
    return replace(
        people,
        car=first_car + np.arange(count),
        from_day=from_day,
        model=model,
        registered_day=from_day - age_days,
        owned_since_day=from_day,
        bought_new=bought_new,
        odometer_m=1000 * driven_km,
        daily_km=daily_km,
        silent_from_day=np.zeros(count, dtype=np.int64),
        vin_number=draw_vin_numbers(rng, count),
        **draw_contracts(rng, from_day, daily_km, 0),
    )


def _level_at(lot: Lot, row: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.float64]:
    """The hidden kilometres a day of ``row`` on ``day``."""
    index = np.minimum(day, lot.until_day[row]) - int(lot.population.from_day.min())
    usage = lot.usage
    after = usage.change_day[row] <= index[:, None]
    factor: NDArray[np.float64] = np.prod(np.where(after, usage.change_factor[row], 1.0), axis=1)
    return lot.population.daily_km[row] * factor


def _in_other_hands(
    rng: np.random.Generator,
    plan: FleetPlan,
    lot: Lot,
    row: NDArray[np.int64],
    sold_day: NDArray[np.int64],
) -> Population:
    """The same cars with other people: another usage, another way of driving, another consent."""
    people, from_day = lot.population.rows(row), sold_day[row]
    drivers = draw_drivers(rng, people.model)
    km = lot.odometer_km(row, lot.until_day[row] - 1 - plan.first_day)
    contracts = draw_contracts(rng, from_day, drivers["daily_km"], 0)
    return replace(
        people,
        is_buyer=np.ones(len(row), dtype=bool),
        from_day=from_day,
        owned_since_day=from_day,
        bought_new=np.zeros(len(row), dtype=bool),
        odometer_m=1000 * km,
        silent_from_day=np.zeros(len(row), dtype=np.int64),
        **drivers,
        **contracts,
    )


def _start_of(plan: FleetPlan, lot: Lot, row: NDArray[np.int64], people: Population) -> Start:
    """The items of cars as their former owners left them."""
    shape = (len(row), len(ITEMS))
    rows = np.repeat(row, len(ITEMS))
    items = np.tile(np.arange(len(ITEMS)), len(row))
    day = np.repeat(lot.until_day[row] - 1 - plan.first_day, len(ITEMS))
    lives = lot.life.lives
    has = lives.has[rows, items]
    life = lives.at(rows, items, day)
    done_day = np.where(has, plan.first_day + lives.start_day[life], np.repeat(people.from_day, len(ITEMS)))
    done_km = np.where(has, lives.start_km[life], 0.0)
    worn = np.where(has & (CHANNEL[items] >= 0), lives.worn(rows, items, day), 0.0).reshape(shape)
    health = lot.life.battery_health(row, day[:: len(ITEMS)]) if len(row) else np.zeros(0)
    return Start(done_day.reshape(shape), done_km.reshape(shape), worn[:, ITEM_OF_CHANNEL], health)
