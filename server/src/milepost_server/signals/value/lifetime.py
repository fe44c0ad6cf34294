"""What an owner has been worth and is expected to be: a ledger of entries, and a forecast with its interval.

The forecast has three parts: service at the owner's own pace, shrunk to that of the dealer's owners; what is
left of subscriptions; and the margin of the next car with the probability that it is bought. All are told in
money of today: nothing is discounted.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import Bools, Floats, Ints

DAYS_PER_YEAR = 365.25


class EntryKind(enum.IntEnum):
    """What an entry of the ledger is of."""

    SALE = 0
    SERVICE = 1
    SUBSCRIPTION = 2


@dataclass(frozen=True, slots=True)
class Ledger:
    """N entries of O owners in any order."""

    owner: Ints  # (N) 0 .. O - 1
    kind: Ints  # (N) an `EntryKind`
    time_d: Floats  # (N) days since 1970
    amount: Floats  # (N) minor units; what was paid back is negative


@dataclass(frozen=True, slots=True)
class LifetimeRules:
    """The numbers behind value over a lifetime; part of the configuration version. Years are assumptions."""

    horizon_years: float = 5.0
    prior_years: float = 2.0  # the dealer's mean service counts as if seen for so long
    service_cv: float = 1.0  # of one owner's yearly service around its own mean
    memory_years: float = 5.0  # service before that says nothing of today
    next_margin: float = 150_000.0  # an assumption: margin of the next car, minor units
    next_margin_cv: float = 0.6


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of the future of O owners; NaN counts as nothing."""

    since_d: Floats  # (O) when the owner came, days since 1970; NaN: by the first entry
    next_car_odds: Floats  # (O) probability of a next car within the horizon
    subscription_left: Floats  # (O) payments agreed within the horizon, minor units


@dataclass(frozen=True, slots=True)
class Lifetime:
    """O owners, minor units."""

    sales: Floats  # (O) so far
    service: Floats  # (O)
    subscription: Floats  # (O)
    expected: Floats  # (O) within the horizon, beyond what the ledger holds
    expected_p10: Floats  # (O)
    expected_p50: Floats  # (O)
    expected_p90: Floats  # (O)
    total: Floats  # (O) ledger and expected part


def usual_service(spent: float, since_d: Floats, owners: Ints, as_of_d: float, rules: LifetimeRules) -> float:
    """What one owner's services bring in a year, the mean of all: minor units; 0 where nobody was seen.

    ``spent`` is what all of them brought in the time that counts (see `memory_d`); ``owners`` (D) came at
    ``since_d`` (D, days since 1970).
    """
    years = float(np.clip((as_of_d - since_d) / DAYS_PER_YEAR, 0.0, rules.memory_years) @ owners)
    return spent / years if years > 0 else 0.0


def memory_d(rules: LifetimeRules) -> float:
    """For how many days back services count."""
    return rules.memory_years * DAYS_PER_YEAR


def lifetime(
    ledger: Ledger, outlook: Outlook, as_of_d: float, rules: LifetimeRules, *, usual: float
) -> Lifetime:
    """Value O owners; entries after the as-of time, and those whose time or amount is NaN, are left out.

    ``usual`` is what one owner's services bring in a year, minor units (see `usual_service`): that of all of
    the dealer's owners, so that nobody is worth more or less for being looked at alone.
    """
    owners = len(outlook.since_d)
    told = (ledger.time_d <= as_of_d) & np.isfinite(ledger.amount)
    sales, service, subscription = (_sums(ledger, told & (ledger.kind == kind), owners) for kind in EntryKind)
    mean, variance = _service_ahead(ledger, told, outlook.since_d, as_of_d, rules, usual=usual)
    odds = np.clip(np.nan_to_num(outlook.next_car_odds), 0.0, 1.0)
    mean = mean + odds * rules.next_margin + np.nan_to_num(outlook.subscription_left)
    second = odds * rules.next_margin**2 * (1 + rules.next_margin_cv**2)
    variance = variance + second - (odds * rules.next_margin) ** 2
    relative = variance / np.where(mean > 0, mean, 1.0) ** 2
    p10, p50, p90 = (
        np.where(relative > 0, mean * gamma.quantile(relative, z), mean)
        for z in (gamma.Z10, gamma.Z50, gamma.Z90)
    )
    total = sales + service + subscription + mean
    return Lifetime(sales, service, subscription, mean, p10, p50, p90, total)


def _sums(ledger: Ledger, which: Bools, owners: int) -> Floats:
    sums = np.bincount(ledger.owner[which], weights=ledger.amount[which], minlength=owners)
    return sums.astype(np.float64)


def _service_ahead(
    ledger: Ledger, told: Bools, since_d: Floats, as_of_d: float, rules: LifetimeRules, *, usual: float
) -> tuple[Floats, Floats]:
    """Mean and variance (O) of what service brings within the horizon."""
    owners = len(since_d)
    begin_d = np.where(np.isnan(since_d), _first_entries(ledger, told, owners), since_d)
    years = np.clip((as_of_d - begin_d) / DAYS_PER_YEAR, 0.0, rules.memory_years)
    years = np.nan_to_num(years)
    recent = told & (ledger.time_d >= as_of_d - memory_d(rules))
    spent = _sums(ledger, recent & (ledger.kind == EntryKind.SERVICE), owners)
    yearly = np.maximum((spent + usual * rules.prior_years) / (years + rules.prior_years), 0.0)
    # Two parts: the owner's own mean is not known exactly, and years scatter around it.
    of_mean = (rules.service_cv * yearly) ** 2 / (years + rules.prior_years)
    horizon = rules.horizon_years
    return yearly * horizon, of_mean * horizon**2 + (rules.service_cv * yearly) ** 2 * horizon


def _first_entries(ledger: Ledger, told: Bools, owners: int) -> Floats:
    """When each owner's (O) first entry was; NaN without any."""
    first = np.full(owners, np.inf)
    np.minimum.at(first, ledger.owner[told], ledger.time_d[told])
    return np.where(np.isfinite(first), first, np.nan)
