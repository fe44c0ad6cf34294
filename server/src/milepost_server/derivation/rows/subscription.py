"""From the fit of subscription plans in arrays to what ``readiness.subscription`` holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.derivation.rows.usage import Row
from milepost_server.signals.value.contracts import NO_CONTRACT
from milepost_server.signals.value.subscription import MONTHS_PER_YEAR

if TYPE_CHECKING:
    from milepost_server.derivation.fleet import Chunk
    from milepost_server.derivation.steps.subscription import Subscription
    from milepost_server.signals.flat import Floats

ODDS_DIGITS = 4


def fits(chunk: Chunk, found: Subscription | None, place: int, currency: str) -> Row:
    """How each plan fits the vehicle at ``place``, the cheapest first.

    Empty where no plan holds, or nothing is known of how far this very vehicle goes.
    """
    if found is None or not found.fit.has_own[place]:
        return {}
    order = np.argsort(found.fit.cost[place], kind="stable").tolist()
    return {
        "currency": currency,
        "year_m": _rounded(found.fit.year_m[:, place]),
        "now": _now(chunk, found, place),
        "plans": [_plan(found, place, plan) for plan in order],
    }


def _plan(found: Subscription, place: int, plan: int) -> Row:
    fit, allowance_m = found.fit, found.plans.allowance_m[plan]
    return {
        "plan": found.plans.names[plan],
        "allowance_m": round(float(allowance_m)),
        "over_m": _rounded(fit.year_m[:, place] - allowance_m),
        "within_odds": round(float(fit.within_odds[place, plan]), ODDS_DIGITS),
        "cheapest_odds": round(float(fit.cheapest_odds[place, plan]), ODDS_DIGITS),
        "expected_per_month": _per_month(fit.cost[place, plan]),
        "per_month": _rounded(fit.cost_at[:, place, plan] / MONTHS_PER_YEAR),
        "against_now_per_month": _per_month(fit.cost[place, plan] - fit.now_cost[place]),
    }


def _now(chunk: Chunk, found: Subscription, place: int) -> Row | None:
    row = int(found.fit.now_row[place])
    if row == NO_CONTRACT:
        return None
    return {
        "contract": int(chunk.contract_ids[row]),
        "expected_per_month": _per_month(found.fit.now_cost[place]),
    }


def _per_month(amount: float) -> int | None:
    """Of an amount a year; None where it is not known."""
    return round(float(amount) / MONTHS_PER_YEAR) if np.isfinite(amount) else None


def _rounded(values: Floats) -> list[int]:
    return [round(value) for value in values.tolist()]
