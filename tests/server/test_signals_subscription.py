"""Subscription plans: what a file may say, which hold on a day, and how they fit."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from milepost_server.signals import gamma
from milepost_server.signals.errors import DataFileError
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.usage.rate import Usage, UsageRules
from milepost_server.signals.value.contracts import NO_CONTRACT, ContractKind, Contracts
from milepost_server.signals.value.plans import FILE_BYTES_MAX, PLANS_MAX, Plans, parse_plans, price_list
from milepost_server.signals.value.subscription import PlanFit, Present, plan_fit, present

AS_OF = 20_000.0
YEAR = 365.25
KM = 1_000.0
NAN = float("nan")
DAY = dt.date(2026, 7, 1)
PLANS = """schema = 1
[[plan]]
name = "S"
km_per_year = 10000
price_per_year = 5000
price_per_extra_km = 0.20
[[plan]]
name = "L"
km_per_year = 20000
price_per_year = 6000
price_per_extra_km = 0.15
"""
S = PLANS.partition('[[plan]]\nname = "L"')[0]


def plans(text: str = PLANS, day: dt.date = DAY) -> Plans:
    return price_list({"plans.toml": parse_plans(text, "plans.toml")}).on(day)


def ahead(*km_per_year: float, months: float = 4.0) -> Ahead:
    vehicles = len(km_per_year)
    rate = np.array(km_per_year) * KM / YEAR
    usage = Usage(
        rate, np.full(vehicles, 0.03), np.full(vehicles, 0.12), np.full(vehicles, months, dtype=np.float64)
    )
    return Ahead(usage, UsageRules())


def contracts(*rows: dict[str, float]) -> Contracts:
    names = Contracts.__slots__
    columns = {name: np.array([row.get(name, NAN) for row in rows]) for name in names}
    kind, vehicle = (columns.pop(name).astype(np.int64) for name in ("kind", "vehicle"))
    return Contracts(kind=kind, vehicle=vehicle, **columns)


def lease(vehicle: int, **more: float) -> dict[str, float]:
    """A lease of three years that began a year ago, 45,000 km, 400 a month, 0.10 for a kilometre more."""
    usual = {
        "kind": ContractKind.LEASE,
        "vehicle": vehicle,
        "start_d": AS_OF - YEAR,
        "end_d": AS_OF + 2 * YEAR,
        "allowance_m": 45_000 * KM,
        "monthly_rate": 40_000.0,
        "excess_fee_per_km": 10.0,
    }
    return usual | more


def nothing(vehicles: int) -> Present:
    return present(contracts(), vehicles, AS_OF)


def fit(*km_per_year: float) -> PlanFit:
    return plan_fit(plans(), nothing(len(km_per_year)), ahead(*km_per_year))


def test_plans_cost_their_price_and_the_extra_kilometres() -> None:
    cost = plans().cost(np.array([8_000 * KM, 25_000 * KM]))
    assert cost / 100 == pytest.approx(np.array([[5_000, 6_000], [5_000 + 3_000, 6_000 + 750]]))


def test_the_plan_that_costs_least_is_likeliest_to_be_the_cheapest() -> None:
    found = fit(7_000, 30_000, 15_000)
    assert found.cost.argmin(axis=1).tolist()[:2] == [0, 1]
    assert found.cheapest_odds[0, 0] > 0.9
    assert found.cheapest_odds[1, 1] > 0.9
    assert 0.1 < found.cheapest_odds[2, 0] < 0.9, "around where the two cost the same, nobody can be sure"
    assert found.cheapest_odds.sum(axis=1) == pytest.approx(1.0)


def test_odds_and_intervals_agree_with_the_kilometres() -> None:
    found = fit(7_000, 20_000)
    assert (np.diff(found.year_m, axis=0) > 0).all()
    assert found.year_m[1] == pytest.approx([7_000 * KM, 20_000 * KM], rel=0.1)
    assert found.within_odds[0, 0] > 0.9
    assert found.within_odds[1, 0] < 0.05
    assert (found.within_odds[:, 1] > found.within_odds[:, 0]).all(), (
        "the larger allowance is kept more often"
    )
    assert (np.diff(found.cost_at, axis=0) >= 0).all()
    assert found.cost_at[:, 0, 0].tolist()[:2] == [500_000, 500_000], "within it, a plan costs its price"


def test_the_expected_cost_is_the_mean_over_many_years() -> None:
    rng = np.random.default_rng(2)
    pace, zero = ahead(15_000), np.zeros(1, dtype=np.int64)
    years = np.array([float(pace.metres_in(zero, np.array([YEAR]), z)[0]) for z in rng.normal(size=4_000)])
    found = plan_fit(plans(), present(contracts(lease(0)), 1, AS_OF), pace)
    costs = plans().cost(years)
    assert found.cost[0] == pytest.approx(costs.mean(axis=0), rel=0.01)
    assert found.now_cost[0] == pytest.approx(
        (480_000 + np.maximum(years / KM - 15_000, 0) * 10).mean(), rel=0.01
    )
    assert found.year_m[2, 0] == pytest.approx(
        np.quantile(years, gamma.normal_below(np.array(gamma.Z90))), rel=0.03
    )
    won = costs.argmin(axis=1)
    assert found.cheapest_odds[0] == pytest.approx([(won == 0).mean(), (won == 1).mean()], abs=0.06)


def test_an_allowance_of_nothing_is_never_kept() -> None:
    found = plan_fit(plans(PLANS.replace("10000", "0")), nothing(1), ahead(7_000))
    assert found.within_odds[0, 0] == pytest.approx(0.0, abs=1e-6)
    assert np.isfinite(found.cost).all()


def test_a_car_without_a_history_of_its_own_is_told_from_others() -> None:
    assert plan_fit(plans(), nothing(1), ahead(15_000, months=0.0)).has_own.tolist() == [False]
    assert fit(15_000).has_own.tolist() == [True]


def test_what_a_car_runs_on_now_is_a_lease_or_a_subscription_as_a_year() -> None:
    found = present(
        contracts(
            lease(0),
            lease(1, kind=ContractKind.FINANCE),
            lease(2, end_d=AS_OF - 1),
            lease(3, kind=ContractKind.SUBSCRIPTION, allowance_m=NAN),
        ),
        5,
        AS_OF,
    )
    assert found.row.tolist() == [0, NO_CONTRACT, NO_CONTRACT, 3, NO_CONTRACT]
    assert found.allowance_m[[0, 3]].tolist() == pytest.approx([15_000 * KM, np.inf])
    cost = found.cost(np.full(5, 20_000 * KM))
    assert cost[[0, 3]].tolist() == pytest.approx([480_000 + 50_000, 480_000])
    assert np.isnan(cost[[1, 2, 4]]).all()


@pytest.mark.parametrize(
    "unknown",
    [{"monthly_rate": NAN}, {"excess_fee_per_km": NAN}, {"end_d": NAN}],
    ids=lambda one: next(iter(one)),
)
def test_what_is_not_known_of_a_contract_makes_its_cost_unknown(unknown: dict[str, float]) -> None:
    now = present(contracts(lease(0, **unknown)), 1, AS_OF)
    assert np.isnan(plan_fit(plans(), now, ahead(30_000)).now_cost[0])


def dated(*entries: str, name: str = "S") -> str:
    """A file with one plan of several entries, each with its days."""
    body = f'name = "{name}"\nkm_per_year = 10000\nprice_per_extra_km = 0.2\n'
    return "schema = 1\n" + "".join(
        f"[[plan]]\n{body}price_per_year = {5_000 + place}\n{days}\n" for place, days in enumerate(entries)
    )


def test_a_price_holds_on_its_days() -> None:
    text = dated("until = 2026-12-31", "from = 2027-01-01\nuntil = 2027-06-30")
    days = (dt.date(2020, 1, 1), dt.date(2026, 12, 31), dt.date(2027, 1, 1), dt.date(2027, 7, 1))
    assert [plans(text, day).price.tolist() for day in days] == [[500_000], [500_000], [500_100], []]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "own.toml: is no TOML: "),
        ("schema = 1\n", "own.toml, plan: Field required"),
        ("schema = 1\nplan = 3\n", "own.toml, plan: Input should be a valid list"),
        ("schema = 1\nplan = [3]\n", "own.toml, plan 1: Input should be"),
        (PLANS.replace("schema = 1", "schema = 2"), "own.toml, schema: Input should be 1"),
        (PLANS.replace("6000", "-6000"), "own.toml, plan L, price_per_year: "),
        (PLANS.replace("6000", '"6000"'), "own.toml, plan L, price_per_year: "),
        (PLANS.replace("6000", "nan"), "own.toml, plan L, price_per_year: "),
        (PLANS.replace("km_per_year = 20000\n", ""), "own.toml, plan L, km_per_year: Field required"),
        (PLANS.replace('"L"', '" "'), "own.toml, plan 2, name: has space around it"),
        (PLANS + "currency = 'EUR'\n", "own.toml, plan L, currency: is not a key that plans have"),
        (PLANS + "from = 2027\n", "own.toml, plan L, from: "),
        (dated("from = 2027-01-02\nuntil = 2027-01-01"), "own.toml, plan S: ends on 2027-01-01, before"),
        (
            PLANS.replace('"L"', '"S"'),
            "own.toml, plan S: two entries hold at once; say from and until in each",
        ),
        (
            dated("until = 2026-12-31", "from = 2026-12-31"),
            "own.toml, plan S: two entries hold on 2026-12-31; say from and until in each",
        ),
        (
            dated("from = 2027-02-01", "until = 2026-12-31"),
            "own.toml, plan S: entries leave a hole after 2026-12-31, until 2027-02-01",
        ),
        ("schema = 1\n" + "#" * FILE_BYTES_MAX, f"own.toml: is longer than {FILE_BYTES_MAX} bytes"),
    ],
)
def test_a_bad_file_says_where(text: str, says: str) -> None:
    with pytest.raises(DataFileError) as caught:
        price_list({"own.toml": parse_plans(text, "own.toml")})
    assert str(caught.value).startswith(says)


def test_a_name_stands_in_one_file() -> None:
    files = {name: parse_plans(PLANS, name) for name in ("a", "b")}
    with pytest.raises(DataFileError, match="b, plan S: stands in a, too"):
        price_list(files)


def test_too_many_plans_on_one_day_are_refused_and_not_those_one_after_the_other() -> None:
    many = {f"f{n}": parse_plans(dated("", name=f"S{n}"), f"f{n}") for n in range(PLANS_MAX)}
    assert len(price_list(many).on(DAY).names) == PLANS_MAX
    one_more = parse_plans(dated("from = 2027-01-01", name="late"), "g")
    with pytest.raises(DataFileError, match=f"g, plan late: is one too many; {PLANS_MAX} may hold at once"):
        price_list({**many, "g": one_more})
    ended = {"f0": parse_plans(dated("until = 2026-12-31", name="S0"), "f0")}
    assert len(price_list({**many, **ended, "g": one_more}).terms) == PLANS_MAX + 1
