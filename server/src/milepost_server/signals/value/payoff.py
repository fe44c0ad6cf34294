"""What is still owed on a car: loans with an annuity and a balloon, and leases."""

from __future__ import annotations

import numpy as np

from milepost_server.signals.flat import DAYS_PER_MONTH, Floats
from milepost_server.signals.value.contracts import Contracts

MONTHS_PER_YEAR = 12.0
_RATE_MIN = 1e-9  # below, interest is none


def payment(principal: Floats, interest: Floats, months: Floats, balloon: Floats) -> Floats:
    """The level payment (Q) at each month's end that takes ``principal`` to ``balloon`` in ``months``.

    ``interest`` is nominal a year, 0.049 for 4.9 %. Without interest the difference is split evenly.
    ``months`` are at least 1.
    """
    rate = interest / MONTHS_PER_YEAR
    bears = np.abs(rate) > _RATE_MIN
    some = np.where(bears, rate, 1.0)
    growth = np.power(1 + some, months)
    with_interest = (principal * growth - balloon) * some / (growth - 1)
    return np.where(bears, with_interest, (principal - balloon) / months)


def balance(principal: Floats, interest: Floats, rate: Floats, months: Floats) -> Floats:
    """What is owed (Q) after ``months`` payments of ``rate`` on ``principal``; never below 0."""
    monthly = interest / MONTHS_PER_YEAR
    bears = np.abs(monthly) > _RATE_MIN
    some = np.where(bears, monthly, 1.0)
    growth = np.power(1 + some, months)
    owed = np.where(bears, principal * growth - rate * (growth - 1) / some, principal - rate * months)
    return np.maximum(owed, 0.0)


def payoff(contracts: Contracts, as_of_d: float) -> Floats:
    """What is owed on each contract (C) at the as-of time; 0 from its end on, NaN where too little is known.

    Payments fall due at the end of each full month. Where the payment is not known it is the level one of the
    term, where the interest is not known the debt falls evenly to the balloon. Without a principal, what is
    owed are the payments left and the balloon: a lease whose price nobody wrote down.
    """
    term = np.round((contracts.end_d - contracts.start_d) / DAYS_PER_MONTH)
    gone = np.floor(np.maximum(as_of_d - contracts.start_d, 0.0) / DAYS_PER_MONTH)
    left = np.maximum(term - gone, 0.0)
    balloon = np.nan_to_num(contracts.balloon)
    interest = np.where(np.isnan(contracts.annual_interest), 0.0, contracts.annual_interest)
    level = payment(contracts.principal, interest, np.maximum(term, 1.0), balloon)
    told = np.isfinite(contracts.annual_interest) & np.isfinite(contracts.monthly_rate)
    rate = np.where(told, contracts.monthly_rate, level)
    owed = balance(contracts.principal, interest, rate, np.minimum(gone, term))
    owed = np.where(np.isnan(contracts.principal), contracts.monthly_rate * left + contracts.balloon, owed)
    return np.where(contracts.end_d <= as_of_d, 0.0, owed)
