"""Who will replace the car, and when: a hidden hazard by month, on what a car and a contract can say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_simulator.fleet.population import MONTH_DAYS, YEAR_DAYS, Contract, Population

if TYPE_CHECKING:
    from numpy.typing import NDArray

MONTHS_AHEAD = 12
USUAL_YEARS_NEW = 71 / 12
NOT_WITHIN = 0

# Log-odds of replacing in one month.
BASE = -4.9
LEASE_END = 3.4
FINANCE_END = 1.5
END_WIDTH_MONTHS = 2.5
PAST_USUAL_TIME = 0.35
EXCESS_KM = 0.9
OPEN_FAULT = 0.8
MANY_ITEMS = 0.35


@dataclass(frozen=True, slots=True)
class Intent:
    """The truth behind readiness.

    Attributes:
        hazard: float of shape (vehicles, MONTHS_AHEAD): probability to replace in that month after the
            as-of day, if not before.
        within_90_days, within_180_days: the probabilities that follow.
        replaced_day: the day on which it happens in this world; NOT_WITHIN where it does not.
    """

    hazard: NDArray[np.float64]
    within_90_days: NDArray[np.float64]
    within_180_days: NDArray[np.float64]
    replaced_day: NDArray[np.int64]


def draw_intent(
    rng: np.random.Generator,
    people: Population,
    as_of_day: int,
    *,
    excess_share: NDArray[np.float64],
    has_open_fault: NDArray[np.bool_],
    items_due_soon: NDArray[np.int64],
) -> Intent:
    """Hazards and what comes of them.

    Args:
        rng: the block's stream for intent.
        people: who they are; all own their vehicle on the as-of day.
        as_of_day: the day from which months are counted.
        excess_share: projected kilometres over the lease's allowance at its end, as a share of it.
        has_open_fault: whether a confirmed fault is there on the as-of day.
        items_due_soon: how many items are due within half a year of it.
    """
    month = np.arange(MONTHS_AHEAD)
    middle_day = as_of_day + (month + 0.5) * MONTH_DAYS
    to_end_months = (people.contract_end_day[:, None] - middle_day) / MONTH_DAYS
    nearness = np.exp(-0.5 * (to_end_months / END_WIDTH_MONTHS) ** 2)
    end_effect = np.select(
        [people.contract == Contract.LEASE, people.contract == Contract.FINANCE],
        [LEASE_END, FINANCE_END],
        0.0,
    )
    owned_years = (middle_day - people.owned_since_day[:, None]) / YEAR_DAYS
    log_odds = (
        BASE
        + people.propensity[:, None]
        + end_effect[:, None] * nearness
        + PAST_USUAL_TIME * np.clip(owned_years - USUAL_YEARS_NEW, -3.0, 5.0)
        + EXCESS_KM * np.clip(excess_share, 0.0, 1.0)[:, None]
        + OPEN_FAULT * has_open_fault[:, None]
        + MANY_ITEMS * np.clip(items_due_soon, 0, 4)[:, None]
    )
    hazard = 1 / (1 + np.exp(-log_odds))
    stays = np.cumprod(1 - hazard, axis=1)
    happens = rng.random(hazard.shape) < hazard
    chosen = happens.argmax(axis=1)
    day = as_of_day + ((chosen + rng.random(len(people))) * MONTH_DAYS).astype(np.int64)
    return Intent(hazard, 1 - stays[:, 2], 1 - stays[:, 5], np.where(happens.any(axis=1), day, NOT_WITHIN))
