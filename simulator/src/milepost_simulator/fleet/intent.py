"""Who will replace the car, and when: a hidden hazard by month.

A proportional hazard in continuous time: a restlessness of each owner multiplies an exponential of smooth
curves of time, money and trouble, some of which nobody can see. Nothing in it is binned or a sum of points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_simulator.fleet.population import MONTH_DAYS, YEAR_DAYS, Contract

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.population import Population
    from milepost_simulator.fleet.trouble import Trouble

    Floats = NDArray[np.float64]

NOT_WITHIN = 0
USUAL_YEARS_NEW, USUAL_YEARS_USED = 71 / 12, 50 / 12
BASE_PER_MONTH = 0.0026
SEASON = (0.22, 75.0)  # strength, and the day of the year on which most are bought
HALF_YEAR = (0.15, 75.0)
TENURE = 1.2
FRESH = (2.2, 0.6)  # nobody changes a car that is new to them; how long that lasts, years
CONTRACT_NEAR = {
    Contract.LEASE: (2.7, 4.0),
    Contract.FINANCE: (1.2, 6.0),
    Contract.SUBSCRIPTION: (1.9, 2.0),
}  # strength at the end, and over how many months before it one feels it
RETURNED_AT_END = {Contract.LEASE: 0.5, Contract.FINANCE: 0.0, Contract.SUBSCRIPTION: 0.25}
EXCESS = (1.3, 0.15, 9.0)
EQUITY = 0.6
BURDEN = 1.5
FAULT = 0.9
CHANGE = 0.8
DEVOTED = 0.9  # a young car and an owner who is often at the dealer's
SHOCKS_PER_YEAR = 0.08
SHOCK_WITH_CHANGE = 0.6
SHOCK = (1.6, 2.5)
HAZARD_MAX = 0.97


@dataclass(frozen=True, slots=True)
class Intent:
    """The truth behind readiness. Months are those of the history, from its first day on.

    Attributes:
        hazard: float of shape (vehicles, months): probability to replace in that month, if not before; 0
            where the row has not begun.
        replaced_day: the day on which it happens in this world, counted from 1970; NOT_WITHIN where it does
            not.
    """

    hazard: Floats
    replaced_day: NDArray[np.int64]

    def within(self, month: int, months: int) -> Floats:
        """The probability (vehicles) to replace within ``months`` from ``month`` on."""
        stays: Floats = np.prod(1 - self.hazard[:, month : month + months], axis=1)
        return 1 - stays


def draw_intent(
    rng: np.random.Generator, people: Population, trouble: Trouble, first_day: int, from_month: int
) -> Intent:
    """Hazards and what comes of them.

    Args:
        rng: the block's stream for intent.
        people: who they are.
        trouble: what the cars give reason for, by month.
        first_day: the day from which months are counted.
        from_month: nobody replaces a car before this month.
    """
    months = trouble.age_years.shape[1]
    begin = (first_day + np.arange(months) * MONTH_DAYS).astype(np.float64)
    pull = (
        _season(begin)
        + _tenure(people, begin)
        + _contract(people, begin, trouble)
        + _money(trouble)
        + _faults(trouble)
        + _change(trouble)
        + _shocks(rng, people, trouble)
    )
    hazard = 1 - np.exp(-BASE_PER_MONTH * people.frailty[:, None] * np.exp(pull))
    returned = _returned(people, begin)
    hazard = np.minimum(1 - (1 - hazard) * (1 - returned), HAZARD_MAX)
    month = np.arange(months)
    begun = (begin >= people.from_day[:, None]) & (month >= from_month)
    hazard = np.where(begun, hazard, 0.0)
    happens = rng.random(hazard.shape) < hazard
    chosen = happens.argmax(axis=1)
    day = first_day + ((chosen + rng.random(len(people))) * MONTH_DAYS).astype(np.int64)
    return Intent(hazard, np.where(happens.any(axis=1), day, NOT_WITHIN))


def _season(begin: Floats) -> Floats:
    """Spring, and a little the autumn."""
    year = 2 * np.pi * (begin + 0.5 * MONTH_DAYS) / YEAR_DAYS
    whole = SEASON[0] * np.cos(year - 2 * np.pi * SEASON[1] / YEAR_DAYS)
    half = HALF_YEAR[0] * np.cos(2 * year - 4 * np.pi * HALF_YEAR[1] / YEAR_DAYS)
    season: Floats = (whole + half)[None, :]
    return season


def _tenure(people: Population, begin: Floats) -> Floats:
    owned_years = np.maximum(begin - people.owned_since_day[:, None], 0.0) / YEAR_DAYS
    usual = np.where(people.bought_new, USUAL_YEARS_NEW, USUAL_YEARS_USED)[:, None]
    tenure: Floats = TENURE * np.tanh((owned_years - usual) / 2.0) - FRESH[0] * np.exp(
        -owned_years / FRESH[1]
    )
    return tenure


def _contract(people: Population, begin: Floats, trouble: Trouble) -> Floats:
    """What the end of a contract does before and after it, and kilometres that nobody has paid for yet."""
    left = (people.contract_end_day[:, None] - begin) / MONTH_DAYS - 0.5
    pull = np.zeros(left.shape)
    for contract, (strength, width) in CONTRACT_NEAR.items():
        near = np.where(left >= 0, np.exp(-((left / width) ** 2)), 0.4 * np.exp(np.minimum(left, 0.0) / 3))
        pull += (people.contract == contract)[:, None] * strength * near
    excess, strength, half, width = trouble.excess_share, *EXCESS
    felt = excess / (excess + half) * np.exp(-np.maximum(left, 0.0) / width) * (left > -1)
    return pull + strength * felt * (people.allowance_km_year > 0)[:, None]


def _returned(people: Population, begin: Floats) -> Floats:
    """The share of contracts whose car goes back in the month in which they end."""
    ends = (people.contract_end_day[:, None] >= begin) & (
        people.contract_end_day[:, None] < begin + MONTH_DAYS
    )
    share = np.zeros(len(people))
    for contract, back in RETURNED_AT_END.items():
        share = np.where(people.contract == contract, back, share)
    return ends * share[:, None]


def _money(trouble: Trouble) -> Floats:
    """What the car is worth beyond its debt, and what it is going to cost, against what it is worth."""
    equity: Floats = EQUITY * np.tanh(3 * trouble.equity_share)
    burden: Floats = BURDEN * (1 - np.exp(-3 * trouble.burden_share))
    return equity + burden


def _faults(trouble: Trouble) -> Floats:
    """Faults wear patience out, the more so in an old car."""
    old = 1 / (1 + np.exp(-(trouble.age_years - 4) / 1.5))
    young = np.exp(-np.maximum(trouble.age_years, 0.0) / 2.5)
    nuisance: Floats = FAULT * (1 - np.exp(-trouble.fault_memory)) * (0.4 + old)
    devoted: Floats = DEVOTED * young * np.tanh(trouble.services_2y / 4)
    return nuisance + devoted


def _change(trouble: Trouble) -> Floats:
    square = trouble.log_change**2
    change: Floats = CHANGE * square / (square + 0.25) * np.where(trouble.log_change > 0, 1.2, 0.8)
    return change


def _shocks(rng: np.random.Generator, people: Population, trouble: Trouble) -> Floats:
    """A child, a job, a house: nobody sees it but for its traces in the kilometres, in some cases."""
    months = trouble.age_years.shape[1]
    alone = rng.random((len(people), months)) < SHOCKS_PER_YEAR / 12
    drawn = rng.random((len(people), months)) < SHOCK_WITH_CHANGE
    begins = (alone | (trouble.changes & drawn)).astype(np.float64)
    felt = np.zeros((len(people), months))
    level = np.zeros(len(people))
    for month in range(months):
        level = np.maximum(level * np.exp(-1 / SHOCK[1]), begins[:, month])
        felt[:, month] = level
    return SHOCK[0] * felt
