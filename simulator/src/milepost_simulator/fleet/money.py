"""Money of contracts: prices, debts, payments, fees, in cents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_simulator.fleet.makes import FLEET_MODELS, residuals
from milepost_simulator.fleet.population import MONTH_DAYS, YEAR_DAYS, Contract

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.population import Population

    Floats = NDArray[np.float64]

CENTS = 100.0
DEPOSIT = 0.15
INTEREST_YEAR = 0.049
BALLOON = 0.25
"""Of a financed car's price, due at the end."""
EXCESS_FEE_CENTS_PER_KM = (6.0, 12.0)
SUBSCRIPTION_SHARE_PER_MONTH = 0.024
"""Of the list price: all-in."""

PRICE = np.array([model.price for model in FLEET_MODELS])


def price_share(people: Population) -> Floats:
    """What was paid for the car when its owner got it, as a share of its list price."""
    age_years = np.maximum(people.owned_since_day - people.registered_day, 0) / YEAR_DAYS
    return residuals(people.model, age_years[:, None])[:, 0]


def term_months(people: Population) -> Floats:
    """Length of the contract (vehicles); 1 where there is none."""
    months: Floats = (people.contract_end_day - people.contract_start_day) / MONTH_DAYS
    return np.where(people.contract == Contract.OWNED, 1.0, np.maximum(months, 1.0))


def balloon_share(people: Population) -> Floats:
    """What is left to pay at the end, as a share of the list price: what a leased car is worth then."""
    end_age = np.maximum(people.contract_end_day - people.registered_day, 0) / YEAR_DAYS
    left = residuals(people.model, end_age[:, None])[:, 0]
    financed = BALLOON * price_share(people)
    return np.select(
        [people.contract == Contract.FINANCE, people.contract == Contract.LEASE], [financed, left]
    )


def payment_share(people: Population) -> Floats:
    """Paid a month, as a share of the list price: an annuity from the sum financed to the balloon."""
    rate, term = INTEREST_YEAR / 12, term_months(people)
    principal = (1 - DEPOSIT) * price_share(people)
    factor = (1 + rate) ** -term
    annuity = (principal - balloon_share(people) * factor) * rate / (1 - factor)
    is_debt = (people.contract == Contract.FINANCE) | (people.contract == Contract.LEASE)
    all_in = SUBSCRIPTION_SHARE_PER_MONTH * (people.contract == Contract.SUBSCRIPTION)
    return np.where(is_debt, annuity, all_in)


def payoff_share(people: Population, day: Floats) -> Floats:
    """What is still owed on each day (vehicles, days), as a share of the list price; 0 without a debt."""
    rate, term = INTEREST_YEAR / 12, term_months(people)[:, None]
    paid = np.clip((day - people.contract_start_day[:, None]) / MONTH_DAYS, 0.0, term)
    principal = ((1 - DEPOSIT) * price_share(people))[:, None]
    growth = (1 + rate) ** paid
    owed = principal * growth - payment_share(people)[:, None] * (growth - 1) / rate
    is_debt = (people.contract == Contract.FINANCE) | (people.contract == Contract.LEASE)
    runs = is_debt[:, None] & (day <= people.contract_end_day[:, None])
    return np.where(runs, np.maximum(owed, 0.0), 0.0)
