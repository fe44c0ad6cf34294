"""Contracts, payoff, equity, excess kilometres: by hand, against loops and against sampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from milepost_server.signals import gamma
from milepost_server.signals.ends import Place, first_of
from milepost_server.signals.faults.fleet import FaultEvents, FaultRules, FleetFaults, fleet_faults
from milepost_server.signals.faults.systems import shipped_systems
from milepost_server.signals.flat import DAYS_PER_MONTH
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.usage.rate import Usage, UsageRules
from milepost_server.signals.value.assessment import AssessmentRules, Facts, Known, assess
from milepost_server.signals.value.columns import Owned, columns
from milepost_server.signals.value.contracts import (
    NO_CONTRACT,
    ContractKind,
    Contracts,
    current,
    months_to_end,
    warranty_ends,
)
from milepost_server.signals.value.equity import equity
from milepost_server.signals.value.lease import TENTHS, lease_excess
from milepost_server.signals.value.payoff import balance, payment, payoff
from milepost_server.signals.value.repairs import Needs, shipped_prices
from milepost_server.signals.value.residual import Cars, Values, shipped_curves

AS_OF = 20_000.0
KM = 1_000.0
NAN = float("nan")


def contracts(*rows: dict[str, float]) -> Contracts:
    """Contracts from rows; what a row does not name is NaN."""
    names = [name for name in Contracts.__slots__ if name not in ("vehicle", "kind")]
    return Contracts(
        np.array([row.get("vehicle", 0) for row in rows], dtype=np.int64),
        np.array([row.get("kind", ContractKind.LEASE) for row in rows], dtype=np.int64),
        *(np.array([row.get(name, NAN) for row in rows], dtype=np.float64) for name in names),
    )


def ahead(*km_per_year: float) -> Ahead:
    vehicles = len(km_per_year)
    rate = np.array(km_per_year) * KM / 365.25
    usage = Usage(rate, np.full(vehicles, 0.03), np.full(vehicles, 0.12), np.full(vehicles, 4.0))
    return Ahead(usage, UsageRules())


def place(*km: float) -> Place:
    return Place(np.full(len(km), AS_OF), np.array(km) * KM)


def test_of_the_contracts_that_run_the_one_that_began_last_counts() -> None:
    found = contracts(
        {"vehicle": 1, "start_d": AS_OF - 900, "end_d": AS_OF + 100},
        {"vehicle": 1, "start_d": AS_OF - 10, "end_d": AS_OF + 300},
        {"vehicle": 1, "start_d": AS_OF + 1, "end_d": AS_OF + 900},
        {"vehicle": 2, "start_d": AS_OF - 900, "end_d": AS_OF},
        {"vehicle": 3, "start_d": AS_OF - 900, "kind": ContractKind.FINANCE},
    )
    row = current(found, (ContractKind.LEASE,), 5, AS_OF)
    assert row.tolist() == [NO_CONTRACT, 1, NO_CONTRACT, NO_CONTRACT, NO_CONTRACT]
    both = current(found, (ContractKind.LEASE, ContractKind.FINANCE), 5, AS_OF)
    months = months_to_end(found, both, AS_OF)
    assert months[1] == pytest.approx(300 / DAYS_PER_MONTH)
    assert np.isnan(months[[0, 2, 3, 4]]).all()


def test_no_contracts_and_no_vehicles_are_no_trouble() -> None:
    assert current(contracts(), (ContractKind.LEASE,), 2, AS_OF).tolist() == [NO_CONTRACT] * 2
    assert len(lease_excess(contracts(), place(), ahead(), AS_OF).row) == 0
    assert payoff(contracts(), AS_OF).tolist() == []


def test_a_warranty_ends_by_date_or_by_distance() -> None:
    kind = {"kind": ContractKind.WARRANTY, "start_d": 0.0}
    found = contracts(
        {"vehicle": 0, "end_d": AS_OF + 365.25, "end_m": 100_000 * KM, **kind},
        {"vehicle": 1, "end_d": AS_OF + 365.25, "end_m": 100_000 * KM, **kind},
        {"vehicle": 2, "end_d": AS_OF + 365.25, "end_m": 100_000 * KM, **kind},
        {"vehicle": 3, "end_m": 100_000 * KM, **kind},
    )
    ends = warranty_ends(found, place(50_000, 95_000, 101_000, NAN, 10), ahead(*[10_000] * 5), AS_OF)
    assert ends.by_distance.tolist() == [False, True, True, False, False]
    assert ends.months[0] == pytest.approx(12, rel=1e-3)
    assert ends.months[1] == pytest.approx(6, rel=0.05)
    assert ends.months[2] == pytest.approx(-12 / 10, rel=0.05)  # 1,000 km ago
    assert np.isnan(ends.months[3:]).all()
    assert ends.row.tolist() == [0, 1, 2, 3, NO_CONTRACT]
    assert ends.ends.p10_d[1] < ends.ends.p50_d[1] < ends.ends.p90_d[1]


@given(
    st.one_of(st.just(NAN), st.floats(0, 3e4)), st.one_of(st.just(NAN), st.floats(0, 3e8)), st.floats(0, 3e5)
)
def test_the_first_of_date_and_distance_is_never_after_either(end_d: float, end_m: float, km: float) -> None:
    ends = first_of(
        np.array([end_d]),
        np.array([end_m]),
        place(km),
        np.zeros(1, dtype=np.int64),
        ahead(12_000),
        as_of_d=AS_OF,
    )
    if np.isnan(end_d) and np.isnan(end_m):
        assert np.isnan(ends.p50_d[0])
        return
    assert ends.p10_d[0] <= ends.p50_d[0] <= ends.p90_d[0]
    if not np.isnan(end_d):
        assert ends.p90_d[0] <= end_d - AS_OF


def test_an_extended_warranty_goes_before_what_it_extends_and_an_ended_one_is_told() -> None:
    kind = {"kind": ContractKind.WARRANTY}
    found = contracts(
        {"vehicle": 0, "start_d": AS_OF - 9, "end_d": AS_OF + 60, **kind},
        {"vehicle": 0, "start_d": AS_OF - 900, "end_d": AS_OF + 600, **kind},
        {"vehicle": 1, "start_d": AS_OF - 900, "end_d": AS_OF - 60, **kind},
        {"vehicle": 2, "start_d": AS_OF + 1, "end_d": AS_OF + 60, **kind},
    )
    ends = warranty_ends(found, place(1, 1, 1), ahead(*[10_000] * 3), AS_OF)
    assert ends.row.tolist() == [1, 2, NO_CONTRACT]
    assert (ends.months[:2] * DAYS_PER_MONTH).tolist() == pytest.approx([600, -60])


def by_loop(principal: float, interest: float, rate: float, months: int) -> float:
    """Month by month, as a bank's statement has it."""
    owed = principal
    for _ in range(months):
        owed += owed * interest / 12
        owed -= rate
    return max(owed, 0.0)


@given(st.floats(1_000, 1e7), st.floats(0, 0.25), st.integers(1, 96), st.floats(0, 0.6), st.floats(0, 1))
def test_a_loan_is_amortised_as_by_a_loop(
    principal: float, interest: float, months: int, balloon_share: float, gone_share: float
) -> None:
    balloon, gone = principal * balloon_share, int(months * gone_share)
    one = [np.array([x], dtype=np.float64) for x in (principal, interest, months, balloon)]
    rate = payment(*one)
    assert by_loop(principal, interest, float(rate[0]), months) == pytest.approx(
        balloon, abs=principal * 1e-6
    )
    owed = balance(one[0], one[1], rate, np.array([float(gone)]))
    assert owed[0] == pytest.approx(by_loop(principal, interest, float(rate[0]), gone), abs=principal * 1e-6)


def test_a_known_payment_is_the_one_of_a_textbook() -> None:
    # 20,000.00 at 6 % over 60 months: 386.66 a month.
    rate = payment(np.array([20_000.0]), np.array([0.06]), np.array([60.0]), np.zeros(1))
    assert rate[0] == pytest.approx(386.656, abs=1e-3)


def loan(**more: float) -> dict[str, float]:
    month = DAYS_PER_MONTH
    return {
        "kind": ContractKind.FINANCE,
        "start_d": AS_OF - 24.5 * month,
        "end_d": AS_OF + 35.5 * month,
        **more,
    }


def test_payoff_takes_what_is_known_of_a_loan() -> None:
    known = {"principal": 2_000_000.0, "annual_interest": 0.06}
    owed = payoff(
        contracts(
            loan(**known, monthly_rate=38_665.6),
            loan(**known),
            loan(principal=2_000_000.0, balloon=500_000.0),
            loan(monthly_rate=30_000.0, balloon=900_000.0, kind=ContractKind.LEASE),
            loan(),
            loan(**known) | {"end_d": AS_OF - 1},
        ),
        AS_OF,
    )
    assert owed[0] == pytest.approx(by_loop(2_000_000, 0.06, 38_665.6, 24))
    assert owed[1] == pytest.approx(owed[0], rel=1e-5)
    assert owed[2] == pytest.approx(2_000_000 - 24 * 1_500_000 / 60)
    assert owed[3] == pytest.approx(36 * 30_000 + 900_000)
    assert np.isnan(owed[4])
    assert owed[5] == 0


def values(*p50: float, log_sd: float = 0.2) -> Values:
    middle = np.array(p50)
    p10, p90 = (middle * np.exp(z * log_sd) for z in (gamma.Z10, gamma.Z90))
    return Values(p10, middle, p90, np.full(len(p50), log_sd), np.zeros(len(p50)), np.ones(len(p50)))


def test_equity_is_value_less_payoff_with_its_odds() -> None:
    found = equity(
        values(1_000_000, 1_000_000, 1_000_000, NAN),
        contracts(
            loan(principal=1_250_000.0, annual_interest=0.0, monthly_rate=10_416.6666),
            loan(vehicle=1),
        ),
        AS_OF,
    )
    assert found.p50[0] == pytest.approx(1_000_000 - found.payoff[0])
    assert found.payoff[0] == pytest.approx(1_000_000, rel=1e-4)
    assert found.odds[0] == pytest.approx(0.5, abs=1e-3)
    assert found.share[0] == pytest.approx(0, abs=1e-4)
    assert found.p10[0] < found.p50[0] < found.p90[0]
    assert np.isnan([found.p50[1], found.odds[1], found.share[1]]).all()  # a loan of which nothing is known
    assert (found.p50[2], found.odds[2], found.share[2]) == (1_000_000, 1, 1)
    assert np.isnan([found.p50[3], found.odds[3]]).all()


def test_an_excess_is_projected_to_the_end_of_the_lease() -> None:
    lease = {"start_d": AS_OF - 730.5, "end_d": AS_OF + 365.25, "start_m": 0.0, "excess_fee_per_km": 10.0}
    found = lease_excess(
        contracts(
            {**lease, "vehicle": 0, "allowance_m": 45_000 * KM},
            {**lease, "vehicle": 1, "allowance_m": 300_000 * KM},
            {**lease, "vehicle": 2},
            {**lease, "vehicle": 3, "allowance_m": 20_000 * KM},
        ),
        place(40_000, 40_000, 40_000, 40_000, 40_000),
        ahead(*[20_000] * 5),
        AS_OF,
    )
    metres = ahead(20_000).metres_in(np.zeros(1, dtype=np.int64), np.array([365.25]), gamma.Z50)[0]
    assert found.at_end_m_p50[0] == pytest.approx(40_000 * KM + metres)
    assert found.excess_m_p50[0] == pytest.approx(metres - 5_000 * KM)
    assert found.fee_p50[0] == pytest.approx((metres / KM - 5_000) * 10)
    assert found.fee_p50[0] < found.fee_p90[0]
    assert 0.9 < found.odds[0] <= 1
    assert (found.excess_m_p90[1], found.fee_expected[1]) == (0, 0)
    assert found.odds[1] < 1e-6
    assert np.isnan([found.excess_m_p50[2], found.odds[2], found.fee_expected[2]]).all()
    assert found.at_end_m_p50[2] > 0
    assert found.odds[3] == 1
    assert np.isnan([found.end_d[4], found.odds[4]]).all()


def test_the_expected_fee_is_the_mean_over_many_paces() -> None:
    rng = np.random.default_rng(3)
    months = ahead(20_000)
    lease = {"start_d": AS_OF - 730.5, "end_d": AS_OF + 365.25, "start_m": 0.0, "excess_fee_per_km": 10.0}
    found = lease_excess(contracts({**lease, "allowance_m": 62_000 * KM}), place(40_000), months, AS_OF)
    zero = np.zeros(1, dtype=np.int64)
    gone = [float(months.metres_in(zero, np.array([365.25]), z)[0]) for z in rng.normal(size=4_000)]
    oracle = np.maximum(40_000 * KM + np.array(gone) - 62_000 * KM, 0) / KM * 10
    assert found.fee_expected[0] == pytest.approx(oracle.mean(), rel=0.06)
    assert found.odds[0] == pytest.approx((oracle > 0).mean(), abs=0.03)


def test_ten_paces_are_the_means_of_tenths() -> None:
    edges = stats.norm.pdf(stats.norm.ppf(np.arange(11) / 10))
    assert list(TENTHS) == pytest.approx(((edges[:-1] - edges[1:]) * 10).tolist(), abs=1e-6)


def no_faults(vehicles: int) -> FleetFaults:
    none = np.zeros(0, dtype=np.int64)
    offsets = np.zeros(vehicles + 1, dtype=np.int64)
    return fleet_faults(FaultEvents(offsets, none, none, np.zeros(0), np.zeros(0)), FaultRules())


def known(found: Contracts, here: Place, price: list[float], age: list[float], reports: list[bool]) -> Known:
    """Cars with one repair of 500.00, certain, on the first."""
    vehicles = len(price)
    zero = np.zeros(vehicles)
    kind = zero.astype(np.int64)
    cars = Cars(kind, zero, np.array(age), np.array(price), zero, here.odometer_m)
    need = Needs(np.zeros(1, dtype=np.int64), np.ones(1), np.array([50_000.0]), np.ones(1))
    return Known(cars, found, here, no_faults(vehicles), np.array(reports), need)


def test_readiness_gets_its_columns_and_what_is_not_known_is_nan() -> None:
    found = contracts(
        {
            "vehicle": 0,
            "start_d": AS_OF - 730.5,
            "end_d": AS_OF + 6 * DAYS_PER_MONTH,
            "start_m": 0.0,
            "allowance_m": 20_000 * KM,
            "excess_fee_per_km": 10.0,
            "monthly_rate": 30_000.0,
            "balloon": 800_000.0,
        },
    )
    age_months = 740 / DAYS_PER_MONTH
    cars = known(found, place(40_000, NAN), [3e6, NAN], [age_months, NAN], [True, False])
    facts = Facts(shipped_curves(), shipped_systems(), shipped_prices())
    result = assess(cars, ahead(20_000, 20_000), AS_OF, facts=facts, rules=AssessmentRules())
    owned = Owned(np.array([AS_OF - 700, NAN]), np.array([AS_OF - 740, NAN]))
    made = columns(result, owned, AS_OF)
    first = {name: float(column[0]) for name, column in made.items()}
    worth = float(result.values.p50[0])
    assert first["months_to_contract_end"] == pytest.approx(6)
    assert first["excess_fee_share"] == pytest.approx(result.excess.fee_expected[0] / 30_000)
    assert first["repair_burden_share"] == pytest.approx(50_000 / worth)
    assert first["equity_share"] == pytest.approx(1 - (800_000 + 6 * 30_000) / worth, abs=0.02)
    assert (first["is_lease"], first["bought_new"], first["recurring_faults"]) == (1, 1, 0)
    assert first["age_months"] == pytest.approx(age_months)
    assert first["months_owned_over_usual"] == pytest.approx(700 / DAYS_PER_MONTH - 71)
    assert np.isnan(first["months_to_warranty_end"])
    assert np.isnan([column[1] for column in made.values()]).all()
