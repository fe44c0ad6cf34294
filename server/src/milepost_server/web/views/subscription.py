"""How the dealer's subscription plans fit a car, in words: kilometres, money, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from milepost_server.web import words
from milepost_server.web.views.readiness import of_hundred

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLANS_SHOWN_MAX = 5
SAME = "the same"
MINOR_UNITS_NOTICED = 100
"""A difference in money of less a month is none."""


@dataclass(frozen=True, slots=True)
class PlanView:
    """One plan: what it includes, how that fits, what a month costs with all kilometres paid."""

    name: str
    includes: str
    fits: str
    per_month: str
    interval: str
    against_now: str


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """The plans, the cheapest first; ``against`` heads the column of differences, empty without one."""

    finding: str
    why: str
    plans: Sequence[PlanView]
    left_out: int
    against: str
    contract_url: str


def subscription_view(fit: Mapping[str, Any], vehicle_id: int) -> SubscriptionView | None:
    """What `store.schema.scores` describes, ready to be read; None where no plan can be said to fit."""
    if not fit:
        return None
    plans, now = fit["plans"], fit["now"]
    is_compared = now is not None and now["expected_per_month"] is not None
    return SubscriptionView(
        finding=_finding(plans, fit["currency"]),
        why=_why(fit["year_m"]),
        plans=[_plan(plan, fit["currency"]) for plan in plans[:PLANS_SHOWN_MAX]],
        left_out=max(len(plans) - PLANS_SHOWN_MAX, 0),
        against="Against the contract of today" if is_compared else "",
        contract_url="" if now is None else f"#vehicle-{vehicle_id}-contracts",
    )


def _finding(plans: Sequence[Mapping[str, Any]], currency: str) -> str:
    """What the plan that costs least costs, how sure that is, and how it stands against today's contract."""
    best = plans[0]
    cost = f"about {words.money(best['expected_per_month'], currency)} a month with all kilometres paid"
    said = f"{best['plan']} would cost {cost}."
    if len(plans) > 1:
        others = "the other" if len(plans) == 2 else "all others"
        odds = f"in {_of_ten(best['cheapest_odds'])} cases it is cheaper than {others}"
        said = f"{best['plan']} would cost least, {cost}; {odds}."
    against = _against(best["against_now_per_month"], currency)
    if not against:
        return said
    return f"{said} That is {against} {'as' if against == SAME else 'than'} the contract of today."


def _of_ten(odds: float) -> str:
    tenths = round(odds * 10)
    return "fewer than 1 of 10" if tenths < 1 else "more than 9 of 10" if tenths > 9 else f"{tenths} of 10"


def _why(year_m: Sequence[float]) -> str:
    low, middle, high = (words.about_km(metres) for metres in year_m)
    return (
        f"In the coming year this car most likely goes {middle}, in 80 of 100 cases between {low} and {high}."
    )


def _plan(plan: Mapping[str, Any], currency: str) -> PlanView:
    low, _, high = (words.money(amount, currency) for amount in plan["per_month"])
    return PlanView(
        name=plan["plan"],
        includes=words.about_km(plan["allowance_m"]),
        fits=_fits(plan),
        per_month=words.money(plan["expected_per_month"], currency),
        interval="" if low == high else f"{low} to {high}",
        against_now=_against(plan["against_now_per_month"], currency),
    )


def _fits(plan: Mapping[str, Any]) -> str:
    """Most likely so many beyond it, or left; and how often it is enough."""
    over_m = plan["over_m"][1]
    likely = f"{words.about_km(abs(over_m))} {'beyond it' if over_m > 0 else 'left'}"
    return words.sentence(f"Most likely {likely}; enough in {of_hundred(plan['within_odds']).lower()} cases")


def _against(difference: int | None, currency: str) -> str:
    if difference is None:
        return ""
    if abs(difference) < MINOR_UNITS_NOTICED:
        return SAME
    return f"{words.money(abs(difference), currency)} {'less' if difference < 0 else 'more'}"
