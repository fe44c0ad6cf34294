"""Repair burden, value over a lifetime."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.errors import DataFileError
from milepost_server.signals.faults.codes import encode
from milepost_server.signals.faults.fleet import (
    CLEARED,
    CONFIRMED,
    PENDING,
    FaultEvents,
    FaultRules,
    fleet_faults,
)
from milepost_server.signals.faults.systems import shipped_systems
from milepost_server.signals.schedules.shipped import shipped_book
from milepost_server.signals.value.lifetime import (
    EntryKind,
    Ledger,
    Lifetime,
    LifetimeRules,
    Outlook,
    lifetime,
    usual_service,
)
from milepost_server.signals.value.repairs import (
    Needs,
    RepairRules,
    needs_of_faults,
    odds_due,
    parse_prices,
    repair_burden,
    shipped_prices,
)

AS_OF = 20_000.0
YEAR = 365.25
KM = 1_000.0
NAN = float("nan")


def needs(*rows: tuple[int, float, float, float]) -> Needs:
    """Rows (vehicle, odds, price, cv)."""
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return Needs(columns[0].astype(np.int64), *columns[1:])


def test_a_burden_is_the_sum_of_what_is_likely() -> None:
    found = repair_burden(
        needs((0, 0.5, 20_000, 0.3), (0, 1.0, 5_000, 0.0), (2, NAN, 9_000, 0.1)), np.array([1e6, 1e6, NAN])
    )
    assert found.expected.tolist() == [15_000, 0, 0]
    assert found.share[:2].tolist() == [0.015, 0]
    assert np.isnan(found.share[2])
    assert (found.p10[1], found.p90[1]) == (0, 0)
    assert found.p10[0] < found.p50[0] < found.p90[0]


def test_the_interval_of_a_burden_holds_what_sampling_says() -> None:
    rng = np.random.default_rng(5)
    rows = [
        (0, odds, price, 0.4)
        for odds, price in zip(rng.uniform(0.2, 1, 8), rng.uniform(1e4, 6e4, 8), strict=True)
    ]
    found = repair_burden(needs(*rows), np.array([1e6]))
    sigma = np.sqrt(np.log(1 + 0.4**2))
    drawn = sum(
        (rng.random(20_000) < odds) * price * np.exp(rng.normal(-(sigma**2) / 2, sigma, 20_000))
        for _, odds, price, _ in rows
    )
    assert found.expected[0] == pytest.approx(np.mean(drawn), rel=0.02)
    inside = np.mean((drawn >= found.p10[0]) & (drawn <= found.p90[0]))
    assert inside == pytest.approx(0.8, abs=0.03)


def test_the_odds_that_something_is_due_follow_the_quantiles_of_its_date() -> None:
    p10, p50, p90 = np.array([100.0]), np.array([150.0]), np.array([300.0])
    for day, odds in ((100.0, 0.1), (150.0, 0.5), (300.0, 0.9)):
        assert odds_due(p10, p50, p90, day)[0] == pytest.approx(odds, abs=1e-3)
    assert odds_due(p10, np.array([NAN]), p90, 200.0)[0] == 0
    assert odds_due(p50, p50, p50, 151.0)[0] == 1


def test_faults_need_one_repair_a_system_and_cleared_ones_none() -> None:
    codes = [("P0301", CONFIRMED), ("P0302", PENDING), ("P0420", PENDING), ("P0455", CLEARED)]
    faults = fleet_faults(
        FaultEvents(
            np.array([0, 0, 4]),
            encode([code for code, _ in codes]),
            np.array([status for _, status in codes]),
            np.arange(4.0),
            np.full(4, NAN),
        ),
        FaultRules(),
    )
    found = needs_of_faults(faults, shipped_systems(), shipped_prices(), RepairRules())
    price, _ = shipped_prices().of_systems(["misfire", "catalyst"])
    assert found.vehicle.tolist() == [1, 1]
    assert sorted(zip(found.price.tolist(), found.odds.tolist(), strict=True)) == sorted(
        zip(price.tolist(), [0.8, 0.3], strict=True)
    )
    both = found.and_(needs((0, 1.0, 100.0, 0.0)))
    assert repair_burden(both, np.ones(2)).expected.tolist() == pytest.approx(
        [100.0, 0.8 * price[0] + 0.3 * price[1]]
    )
    nothing = fleet_faults(
        FaultEvents(np.zeros(2, dtype=np.int64), *(np.zeros(0, dtype=np.int64),) * 2, *(np.zeros(0),) * 2),
        FaultRules(),
    )
    assert len(needs_of_faults(nothing, shipped_systems(), shipped_prices(), RepairRules()).odds) == 0


def test_every_item_and_every_system_has_a_price() -> None:
    prices = shipped_prices()
    book = shipped_book()
    keys = sorted(
        {item.key for schedule in book.generic for item in schedule.item}
        | {part.key for layer in book.layers.values() for part in layer.item}
    )
    assert set(keys) <= {entry.key for entry in prices.item}
    mean, cv = prices.of_items([*keys, "flux-capacitor"])
    assert (mean > 0).all()
    assert mean[-1] == next(entry.minor for entry in prices.item if entry.key == "other")
    assert ((cv > 0) & (cv < 1)).all()
    systems = {system.key for system in shipped_systems().systems}
    assert {entry.system for entry in prices.fault} - {"other"} <= systems


PRICES = 'schema = 1\ncurrency = "EUR"\n{item}\n{fault}\n'
ITEM = '[[item]]\nkey = "{key}"\nprice = {price}\nspread = 0.5\nsource = "assumption"'
FAULT = '[[fault]]\nsystem = "other"\nprice = 10\nspread = 0.5\nsource = "assumption"'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[", "is no TOML"),
        (PRICES.format(item=ITEM.format(key="other", price=-1), fault=FAULT), "price"),
        (
            PRICES.format(item=ITEM.format(key="tyres", price=9), fault=FAULT),
            "item: needs a price for 'other'",
        ),
        (PRICES.format(item=(ITEM + "\n" + ITEM).format(key="other", price=9), fault=FAULT), "stands twice"),
    ],
)
def test_bad_prices_say_where(text: str, why: str) -> None:
    with pytest.raises(DataFileError, match=why):
        parse_prices(text, "repairs.toml")


def ledger(*rows: tuple[int, EntryKind, float, float]) -> Ledger:
    """Rows (owner, kind, years ago, amount)."""
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return Ledger(
        columns[0].astype(np.int64), columns[1].astype(np.int64), AS_OF - columns[2] * YEAR, columns[3]
    )


def outlook(*since_years: float, odds: float = 0.0, left: float = 0.0) -> Outlook:
    owners = len(since_years)
    since_d = AS_OF - np.array(since_years, dtype=np.float64) * YEAR
    return Outlook(since_d, np.full(owners, odds), np.full(owners, left))


def value(rows: Ledger, ahead: Outlook, *, usual: float = 0.0, **rules: float) -> Lifetime:
    return lifetime(rows, ahead, AS_OF, LifetimeRules(**rules), usual=usual)


def test_the_ledger_adds_up_by_kind_and_leaves_out_what_is_not_told() -> None:
    found = value(
        ledger(
            (0, EntryKind.SALE, 3, 200_000),
            (0, EntryKind.SERVICE, 2, 30_000),
            (0, EntryKind.SERVICE, 1, 20_000),
            (1, EntryKind.SUBSCRIPTION, 1, 9_000),
            (1, EntryKind.SALE, -1, 1e9),  # after the as-of time
            (1, EntryKind.SALE, 1, NAN),
        ),
        outlook(3.0, NAN, NAN),
    )
    assert found.sales.tolist() == [200_000, 0, 0]
    assert found.service.tolist() == [50_000, 0, 0]
    assert found.subscription.tolist() == [0, 9_000, 0]
    assert found.total[0] == pytest.approx(250_000 + found.expected[0])
    assert np.isfinite(found.expected).all()


def test_what_services_usually_bring_is_the_mean_of_all_years_that_count() -> None:
    came = AS_OF - np.array([4.0, 1.0, 30.0, -1.0]) * YEAR
    found = usual_service(50_000.0, came, np.array([1, 2, 1, 7]), AS_OF, LifetimeRules(memory_years=5))
    assert found == pytest.approx(50_000 / (4 + 2 * 1 + 5))
    assert usual_service(50_000.0, np.zeros(0), np.zeros(0, dtype=np.int64), AS_OF, LifetimeRules()) == 0


def test_service_ahead_is_the_owners_own_shrunk_to_all_as_by_hand() -> None:
    usual = 50_000 / 5
    found = value(
        ledger((0, EntryKind.SERVICE, 1, 40_000), (1, EntryKind.SERVICE, 1, 10_000)),
        outlook(4.0, 1.0, 0.0),
        usual=usual,
        horizon_years=5,
    )
    assert found.expected[0] == pytest.approx(5 * (40_000 + 2 * usual) / 6)
    assert found.expected[1] == pytest.approx(5 * (10_000 + 2 * usual) / 3)
    assert found.expected[2] == pytest.approx(5 * usual)
    widths = (found.expected_p90 - found.expected_p10) / found.expected
    assert widths[0] < widths[1] < widths[2]


def test_a_next_car_and_agreed_payments_are_expected_too() -> None:
    found = value(ledger(), outlook(2.0, odds=0.3, left=12_000.0))
    assert found.expected[0] == pytest.approx(0.3 * 150_000 + 12_000)
    assert found.expected_p10[0] < found.expected[0] < found.expected_p90[0]
    certain = value(ledger(), outlook(2.0, left=12_000.0))
    certain_quantiles = (certain.expected_p10[0], certain.expected_p50[0], certain.expected_p90[0])
    assert certain_quantiles == (12_000, 12_000, 12_000)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(EntryKind), st.floats(0, 9), st.floats(-1e5, 1e6)))
)
def test_a_lifetime_is_finite_whatever_the_ledger(rows: list[tuple[int, EntryKind, float, float]]) -> None:
    found = value(ledger(*rows), outlook(NAN, 3.0, NAN, odds=0.5), usual=1e4)
    for column in (found.expected, found.expected_p10, found.expected_p90, found.total):
        assert np.isfinite(column).all()
    assert (found.expected_p10 <= found.expected_p90).all()
