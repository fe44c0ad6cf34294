"""How subscription plans fit, in words."""

from __future__ import annotations

from typing import Any

import pytest

from milepost_server.web.views.subscription import PLANS_SHOWN_MAX, SubscriptionView, subscription_view

KM = 1_000


def plan(name: str = "Town", **more: Any) -> dict[str, Any]:
    usual = {
        "plan": name,
        "allowance_m": 10_000 * KM,
        "over_m": [-2_100 * KM, 1_230 * KM, 5_600 * KM],
        "within_odds": 0.31,
        "cheapest_odds": 0.7,
        "expected_per_month": 42_312,
        "per_month": [40_000, 42_050, 49_300],
        "against_now_per_month": None,
    }
    return usual | more


def view(*plans: dict[str, Any], now: dict[str, Any] | None = None) -> SubscriptionView:
    year_m = [7_900 * KM, 11_230 * KM, 15_600 * KM]
    found = subscription_view({"currency": "EUR", "year_m": year_m, "now": now, "plans": list(plans)}, 7)
    assert found is not None
    return found


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_without_plans_there_is_nothing_to_show() -> None:
    assert subscription_view({}, 7) is None


@pytest.mark.parametrize(
    ("plans", "says"),
    [
        ([plan()], "Town would cost about 423 EUR a month with all kilometres paid."),
        (
            [plan(), plan("Country")],
            "Town would cost least, about 423 EUR a month with all kilometres paid; "
            "in 7 of 10 cases it is cheaper than the other.",
        ),
        (
            [plan(cheapest_odds=1.0), plan("A"), plan("B")],
            "Town would cost least, about 423 EUR a month with all kilometres paid; "
            "in more than 9 of 10 cases it is cheaper than all others.",
        ),
        (
            [plan(against_now_per_month=-3_720)],
            "Town would cost about 423 EUR a month with all kilometres paid. "
            "That is 37 EUR less than the contract of today.",
        ),
        (
            [plan(against_now_per_month=42)],
            "Town would cost about 423 EUR a month with all kilometres paid. "
            "That is the same as the contract of today.",
        ),
    ],
)
def test_the_finding_says_what_costs_least_and_how_sure_that_is(
    plans: list[dict[str, Any]], says: str
) -> None:
    assert plain(view(*plans).finding) == says


def test_a_plan_says_what_is_beyond_or_left_and_how_often_it_is_enough() -> None:
    beyond, left = view(
        plan(),
        plan("L", over_m=[-9, -4_420 * KM, -1], within_odds=0.996, per_month=[50_000] * 3),
    ).plans
    assert plain(beyond.fits) == "Most likely 1,200 km beyond it; enough in 31 of 100 cases."
    assert plain(left.fits) == "Most likely 4,400 km left; enough in more than 99 of 100 cases."
    assert [plain(one.interval) for one in (beyond, left)] == ["400 EUR to 493 EUR", ""]
    assert plain(beyond.includes) == "10,000 km"


def test_the_contract_is_named_and_held_against_plans_where_its_cost_is_known() -> None:
    known = view(plan(against_now_per_month=3_700), now={"contract": 3, "expected_per_month": 38_612})
    assert (known.contract_url, known.against) == ("#vehicle-7-contracts", "Against the contract of today")
    assert plain(known.plans[0].against_now) == "37 EUR more"
    unknown = view(plan(), now={"contract": 3, "expected_per_month": None})
    assert (unknown.contract_url, unknown.against) == ("#vehicle-7-contracts", "")
    assert (view(plan()).contract_url, view(plan()).against) == ("", "")


def test_many_plans_are_cut_and_that_is_said() -> None:
    found = view(*(plan(f"P{n}") for n in range(PLANS_SHOWN_MAX + 2)))
    assert (len(found.plans), found.left_out) == (PLANS_SHOWN_MAX, 2)


def test_the_year_ahead_is_said_with_its_interval() -> None:
    assert plain(view(plan()).why) == (
        "In the coming year this car most likely goes 11,200 km, in 80 of 100 cases between 7,900 km and "
        "15,600 km."
    )
