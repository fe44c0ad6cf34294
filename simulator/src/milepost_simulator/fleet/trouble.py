"""What gives reason to replace a car, by vehicle and month: true values of what a dealer can only guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_simulator.fleet.makes import FLEET_MODELS, residuals
from milepost_simulator.fleet.money import payoff_share
from milepost_simulator.fleet.population import MONTH_DAYS, YEAR_DAYS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.curves import Curves
    from milepost_simulator.fleet.faults import Faults
    from milepost_simulator.fleet.population import Population
    from milepost_simulator.fleet.usage import Usage
    from milepost_simulator.fleet.workshop import WorkshopLife

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

DUE_AHEAD_DAYS = 182
FAULT_FORGOTTEN_MONTHS = 5.0
BACK_WEIGHT = 1.8
"""A fault that comes back counts more than a new one."""
ITEM_COST = 260.0
FAULT_COST = 420.0
TRAILING_MONTHS = 12

PRICE = np.array([model.price for model in FLEET_MODELS])


@dataclass(frozen=True, slots=True)
class Trouble:
    """By vehicle and month, at the beginning of the month.

    Attributes:
        age_years: of the car.
        excess_share: projected kilometres over the allowance at the end, as a share of it; 0 without one.
        equity_share: value less debt, as a share of the list price.
        burden_share: what is due within half a year, over the car's value.
        fault_memory: confirmed faults, fading.
        services_2y: services in the last two years.
        log_change: log of the level of usage over that of a year before.
        changes: whether a life changes in the month.
    """

    age_years: Floats
    excess_share: Floats
    equity_share: Floats
    burden_share: Floats
    fault_memory: Floats
    services_2y: Floats
    log_change: Floats
    changes: NDArray[np.bool_]


def trouble(
    people: Population, usage: Usage, curves: Curves, life: WorkshopLife, faults: Faults, *, first_day: int
) -> Trouble:
    """All of it for the months that the days hold."""
    months = int(curves.days / MONTH_DAYS)
    begin = (first_day + np.arange(months) * MONTH_DAYS).astype(np.float64)
    age_years = np.maximum((begin - people.registered_day[:, None]) / YEAR_DAYS, 0.0)
    value = residuals(people.model, age_years)
    memory = _fault_memory(faults, len(people), months, first_day)
    costs = _due_soon(life, len(people), months) * ITEM_COST + np.minimum(memory, 3) * FAULT_COST
    level = _levels(usage, people, months)
    return Trouble(
        age_years=age_years,
        excess_share=_excess(people, curves, begin, first_day),
        equity_share=value - payoff_share(people, begin),
        burden_share=costs / np.maximum(value * PRICE[people.model][:, None], 1000.0),
        fault_memory=memory,
        services_2y=_services_2y(life, len(people), months, first_day),
        log_change=np.log(level / level[:, np.maximum(np.arange(months) - TRAILING_MONTHS, 0)]),
        changes=_changes(usage, months),
    )


def month_of(day: Ints, months: int) -> Ints:
    """The month that begins on or after an index of days, and at most ``months``."""
    return np.clip(np.ceil(day / MONTH_DAYS), 0, months).astype(np.int64)


def _sum_of_spans(count: int, months: int, row: Ints, begin: Ints, end: Ints) -> Floats:
    """How many spans (count, months) of ``row`` hold each month."""
    steps = np.zeros((count, months + 1))
    np.add.at(steps, (row, begin), 1.0)
    np.add.at(steps, (row, np.maximum(end, begin)), -1.0)
    total: Floats = np.cumsum(steps, axis=1)[:, :-1]
    return total


def _due_soon(life: WorkshopLife, count: int, months: int) -> Floats:
    lives = life.lives
    begin = month_of(np.maximum(lives.due_day - DUE_AHEAD_DAYS, lives.seen_day), months)
    begin = np.where(lives.due_day < lives.days, begin, months)
    return _sum_of_spans(count, months, lives.row, begin, month_of(lives.until_day, months))


def _services_2y(life: WorkshopLife, count: int, months: int, first_day: int) -> Floats:
    begin = life.services.day - first_day
    end = month_of(begin + round(2 * YEAR_DAYS), months)
    return _sum_of_spans(count, months, life.services.row, month_of(begin, months), end)


def _fault_memory(faults: Faults, count: int, months: int, first_day: int) -> Floats:
    told = np.zeros((count, months + 1))
    weight = np.where(faults.is_back, BACK_WEIGHT, 1.0)
    np.add.at(told, (faults.row, month_of(faults.confirmed_day - first_day, months)), weight)
    memory = np.zeros((count, months))
    level = np.zeros(count)
    for month in range(months):
        level = level * np.exp(-1 / FAULT_FORGOTTEN_MONTHS) + told[:, month]
        memory[:, month] = level
    return memory


def _excess(people: Population, curves: Curves, begin: Floats, first_day: int) -> Floats:
    """Kilometres a year since the contract or the history began, over the allowance, as a share of it."""
    since = np.maximum(people.contract_start_day, people.from_day)
    row = np.repeat(np.arange(len(people)), len(begin))
    day = np.tile((begin - first_day).astype(np.int64) - 1, len(people))
    driven_km = curves.at(row, np.minimum(day, curves.days - 1)).reshape(len(people), -1)
    years = (begin - since[:, None]) / YEAR_DAYS
    # The first quarter of a year says little.
    known = np.maximum(driven_km / np.maximum(years, 0.25), 0.0)
    allowance = np.maximum(people.allowance_km_year, 1)[:, None]
    excess = np.clip(known / allowance - 1, 0.0, 1.5)
    return np.where(people.allowance_km_year[:, None] > 0, excess, 0.0)


def _levels(usage: Usage, people: Population, months: int) -> Floats:
    level = np.repeat(people.daily_km[:, None], months, axis=1)
    begin = np.arange(months) * MONTH_DAYS
    for change in range(usage.change_day.shape[1]):
        after = begin >= usage.change_day[:, change][:, None]
        level *= np.where(after, usage.change_factor[:, change][:, None], 1.0)
    return level


def _changes(usage: Usage, months: int) -> NDArray[np.bool_]:
    changes = np.zeros((len(usage.change_day), months + 1), dtype=bool)
    row, change = np.nonzero(usage.change_day < usage.km.shape[1])
    changes[row, month_of(usage.change_day[row, change], months)] = True
    return changes[:, :-1]
