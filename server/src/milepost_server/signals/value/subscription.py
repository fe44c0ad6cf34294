"""Which subscription plan fits: a year's kilometres against each plan's allowance, in money and odds."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from milepost_server.signals import gamma
from milepost_server.signals.errors import DataFileError
from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.value.lease import METRES_PER_KM, TENTHS

PLANS_MAX = 50
YEAR_D = 365.25
NO_PLAN = -1
MINOR_PER_MAIN = 100.0


class Plan(BaseModel):
    """A plan with an allowance; prices in the main unit of the dealer's currency."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=60)]
    km_per_year: Annotated[float, Field(ge=0, le=500_000)]
    price_per_year: Annotated[float, Field(ge=0, le=10_000_000)]
    price_per_extra_km: Annotated[float, Field(ge=0, le=1_000)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(alias="schema")
    plan: Annotated[list[Plan], Field(min_length=1, max_length=PLANS_MAX)]


@dataclass(frozen=True, slots=True)
class Plans:
    """P plans; money in minor units."""

    names: tuple[str, ...]
    allowance_m: Floats  # (P) a year
    price: Floats  # (P) a year
    price_per_m: Floats  # (P) beyond the allowance

    def cost(self, metres: Floats) -> Floats:
        """What a year of ``metres`` (Q) costs in each plan: (Q, P)."""
        beyond = np.maximum(metres[:, None] - self.allowance_m, 0.0)
        return self.price + beyond * self.price_per_m


def parse_plans(text: str, name: str) -> Plans:
    """Read a dealer's plans; ``name`` is what errors call the file.

    Raises:
        DataFileError: no TOML, an unknown key, a number out of bounds, two plans of one name.
    """
    try:
        plans = _File.model_validate(tomllib.loads(text)).plan
    except tomllib.TOMLDecodeError as error:
        raise DataFileError(name, "", f"is no TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DataFileError(name, ", ".join(str(part) for part in first["loc"]), first["msg"]) from None
    names = tuple(plan.name for plan in plans)
    if len(set(names)) < len(names):
        raise DataFileError(name, "plan", "two plans have the same name")
    return Plans(
        names,
        np.array([plan.km_per_year for plan in plans]) * METRES_PER_KM,
        np.array([plan.price_per_year for plan in plans]) * MINOR_PER_MAIN,
        np.array([plan.price_per_extra_km for plan in plans]) * MINOR_PER_MAIN / METRES_PER_KM,
    )


@dataclass(frozen=True, slots=True)
class PlanFit:
    """How the plans fit V vehicles."""

    year_m_p10: Floats  # (V) the coming year
    year_m_p50: Floats  # (V)
    year_m_p90: Floats  # (V)
    cost: Floats  # (V, P) expected, minor units a year
    best: Ints  # (V) the plan with the least expected cost
    best_odds: Floats  # (V) probability that it turns out to be the cheapest
    best_cost: Floats  # (V) expected, minor units a year
    over_m_p50: Floats  # (V) beyond the present plan's allowance; negative: not used. NaN without a plan
    over_odds: Floats  # (V) probability of more than the present plan's allowance; NaN without a plan
    saving: Floats  # (V) expected, of the best plan against the present one, a year; NaN without a plan


def plan_fit(plans: Plans, present: Ints, ahead: Ahead) -> PlanFit:
    """Fit the plans to V vehicles; ``present`` (V) is the plan that each has, or NO_PLAN."""
    vehicle = np.arange(len(present), dtype=np.int64)
    days = np.full(len(present), YEAR_D)
    costs = np.stack([plans.cost(ahead.metres_in(vehicle, days, pace)) for pace in TENTHS])  # (T, V, P)
    expected = costs.mean(axis=0)
    best = expected.argmin(axis=1)
    best_odds = (costs.argmin(axis=2) == best).mean(axis=0)
    p10, p50, p90 = (ahead.metres_in(vehicle, days, pace) for pace in (gamma.Z10, gamma.Z50, gamma.Z90))

    has_plan = present != NO_PLAN
    plan = np.where(has_plan, present, 0)
    allowance = plans.allowance_m[plan]
    odds = ahead.odds_within(vehicle, np.maximum(allowance, 1.0), np.zeros(len(vehicle)), days)
    best_cost = expected[vehicle, best]
    return PlanFit(
        year_m_p10=p10,
        year_m_p50=p50,
        year_m_p90=p90,
        cost=expected,
        best=best.astype(np.int64),
        best_odds=best_odds,
        best_cost=best_cost,
        over_m_p50=np.where(has_plan, p50 - allowance, np.nan),
        over_odds=np.where(has_plan, odds, np.nan),
        saving=np.where(has_plan, expected[vehicle, plan] - best_cost, np.nan),
    )
