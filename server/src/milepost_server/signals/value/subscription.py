"""Which subscription plan fits: a year's kilometres against each plan's allowance, in money and odds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import METRES_PER_KM, Bools, Floats, Ints
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.value.contracts import ContractKind, Contracts, at, current
from milepost_server.signals.value.lease import TENTHS
from milepost_server.signals.value.plans import Plans

YEAR_D = 365.25
MONTHS_PER_YEAR = 12.0
PACES = (gamma.Z10, gamma.Z50, gamma.Z90)
"""Slow to fast: who goes far pays more, so these are P10, P50 and P90 of kilometres and of costs."""
BY_DISTANCE = (ContractKind.LEASE, ContractKind.SUBSCRIPTION)


@dataclass(frozen=True, slots=True)
class Present:
    """What V vehicles run on now, for a year: a lease or a subscription; NaN where there is none."""

    row: Ints  # (V) of the contract, NO_CONTRACT where there is none
    allowance_m: Floats  # (V) infinite where none is agreed
    price: Floats  # (V) minor units
    price_per_m: Floats  # (V) beyond the allowance; minor units

    def cost(self, metres: Floats) -> Floats:
        """What a year of ``metres`` (V) costs, minor units; NaN where it is not known."""
        beyond = np.maximum(metres - self.allowance_m, 0.0)
        return self.price + np.where(beyond == 0, 0.0, beyond * self.price_per_m)


def present(contracts: Contracts, vehicles: int, as_of_d: float) -> Present:
    """The running lease or subscription of each of V vehicles, as what it is for a year.

    A loan is none: with it the owner buys the car.
    """
    row = current(contracts, BY_DISTANCE, vehicles, as_of_d)
    years = (at(contracts.end_d, row) - at(contracts.start_d, row)) / YEAR_D
    allowance_m = at(contracts.allowance_m, row)
    return Present(
        row=row,
        allowance_m=np.where(np.isnan(allowance_m), np.inf, allowance_m / years),
        price=at(contracts.monthly_rate, row) * MONTHS_PER_YEAR,
        price_per_m=at(contracts.excess_fee_per_km, row) / METRES_PER_KM,
    )


@dataclass(frozen=True, slots=True)
class PlanFit:
    """How P plans fit V vehicles; kilometres and money of the coming year."""

    has_own: Bools  # (V) whether anything of its own use is known
    year_m: Floats  # (3, V) P10, P50, P90
    cost: Floats  # (V, P) expected: the mean over all paces; minor units
    cost_at: Floats  # (3, V, P) P10, P50, P90
    within_odds: Floats  # (V, P) probability of no more than the allowance
    cheapest_odds: Floats  # (V, P) probability that no other plan turns out cheaper
    now_cost: Floats  # (V) expected, of what it runs on now; NaN where that is not known
    now_row: Ints  # (V) of that contract


def plan_fit(plans: Plans, now: Present, ahead: Ahead) -> PlanFit:
    """Fit P plans, one or more, to V vehicles."""
    vehicles = len(now.row)
    vehicle = np.arange(vehicles, dtype=np.int64)
    days = np.full(vehicles, YEAR_D)
    tenths = [ahead.metres_in(vehicle, days, pace) for pace in TENTHS]
    costs = np.stack([plans.cost(metres) for metres in tenths])  # (T, V, P)
    year_m = np.stack([ahead.metres_in(vehicle, days, pace) for pace in PACES])
    cheapest = costs.argmin(axis=2)[:, :, None] == np.arange(len(plans.names))
    none = np.zeros(vehicles)
    over = [
        ahead.odds_within(vehicle, np.full(vehicles, max(allowance_m, 1.0)), none, days)
        for allowance_m in plans.allowance_m
    ]
    return PlanFit(
        has_own=ahead.usage.weight_months > 0,
        year_m=year_m,
        cost=costs.mean(axis=0),
        cost_at=np.stack([plans.cost(metres) for metres in year_m]),
        within_odds=1.0 - np.stack(over, axis=1),
        cheapest_odds=cheapest.mean(axis=0),
        now_cost=np.mean([now.cost(metres) for metres in tenths], axis=0),
        now_row=now.row,
    )
