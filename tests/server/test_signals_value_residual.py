"""What a car is worth: curves by age, models, kilometres; and where the curves come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.errors import DataFileError
from milepost_server.signals.value.residual import (
    MODEL_COLUMNS,
    RESIDUAL_COLUMNS,
    Cars,
    ValueRules,
    Values,
    parse_curves,
    shipped_curves,
    values,
)
from support import condensed

CURVES = shipped_curves()
RULES = ValueRules(trade_in_share=1.0)
KINDS = range(len(CURVES.kinds))
KM = 1_000.0
NAN = float("nan")


def cars(
    age: list[float],
    km: list[float] | None = None,
    kind: int = 0,
    price: float = 3_000_000.0,
    price_age: float = 0.0,
    over: float = 0.0,
) -> Cars:
    ages = np.array(age, dtype=np.float64)
    return Cars(
        np.full(len(ages), kind, dtype=np.int64),
        np.full(len(ages), over),
        ages,
        np.full(len(ages), price),
        np.full(len(ages), price_age),
        np.full(len(ages), NAN) if km is None else np.array(km) * KM,
    )


def usual_km(kind: int, age: float) -> float:
    return float(CURVES.at(CURVES.usual_m, np.array([kind]), np.array([age]))[0]) / KM


def test_a_new_car_is_worth_its_price_and_an_old_one_its_share() -> None:
    kind = CURVES.kind_of("combustion")
    found = values(cars([0.0, 60.0, 66.0], kind=kind), CURVES, RULES)
    shares = found.p50 / 3_000_000
    assert shares[0] == 1
    assert shares[1] == pytest.approx(0.689)
    assert shares[2] == pytest.approx(np.sqrt(0.689 * 0.631), rel=1e-3)
    assert (found.p10 < found.p50).all()
    assert (found.p50 < found.p90).all()


def test_a_dealer_pays_less_than_is_asked() -> None:
    full, less = (
        values(cars([48.0]), CURVES, replace(RULES, trade_in_share=share)).p50[0] for share in (1.0, 0.8)
    )
    assert less == pytest.approx(0.8 * full)


@pytest.mark.parametrize(("over", "factor"), [(0, 1.0), (20_000, np.exp(-0.05)), (-20_000, np.exp(0.05))])
def test_kilometres_above_the_usual_take_value_away(over: float, factor: float) -> None:
    usual = usual_km(0, 60.0)
    found = values(cars([60.0, 60.0], [usual, usual + over]), CURVES, RULES)
    assert found.p50[1] / found.p50[0] == pytest.approx(factor)
    assert found.over_usual_m[1] == pytest.approx(over * KM, abs=1)


def test_a_car_without_an_odometer_is_taken_for_a_usual_one() -> None:
    found = values(cars([60.0, 60.0], [NAN, usual_km(0, 60.0)]), CURVES, RULES)
    assert found.p50[0] == pytest.approx(found.p50[1])
    assert np.isnan(found.over_usual_m[0])


def test_a_price_known_at_some_age_is_where_the_curve_begins() -> None:
    used = values(cars([72.0], price=1_000_000.0, price_age=48.0), CURVES, RULES)
    new = values(cars([48.0, 72.0], price=1_000_000.0), CURVES, RULES)
    assert used.p50[0] / 1_000_000 == pytest.approx(new.p50[1] / new.p50[0])
    assert used.log_sd[0] < new.log_sd[1]


def test_a_model_that_loses_more_than_usual_is_worth_less_by_half_of_that() -> None:
    plain, poor = (values(cars([60.0], over=over), CURVES, RULES).p50[0] for over in (0.0, 0.04))
    assert poor / plain == pytest.approx(np.exp(-0.5 * 0.04 * 5))


def test_without_age_or_price_there_is_no_value() -> None:
    found = values(cars([NAN, 60.0], price=NAN), CURVES, RULES)
    assert np.isnan(values(cars([60.0], price=0.0), CURVES, RULES).p50).all()
    for column in (found.p10, found.p50, found.p90, found.log_sd):
        assert np.isnan(column).all()


@given(
    st.sampled_from(list(KINDS)),
    st.floats(0, 400),
    st.floats(0, 400),
    st.one_of(st.just(NAN), st.floats(0, 6e5)),
)
def test_no_car_gains_by_age_and_values_stay_in_bounds(
    kind: int, first: float, more: float, km: float
) -> None:
    found: Values = values(cars([first, first + more], [km, km], kind=kind), CURVES, RULES)
    assert (found.p50 > 0).all()
    plain = values(cars([first, first + more], kind=kind), CURVES, RULES)
    assert plain.p50[1] <= plain.p50[0] * (1 + 1e-9)
    assert (found.p10 <= found.p50).all()
    assert (found.p50 <= found.p90).all()
    assert np.isfinite(found.p90).all()


def test_models_are_found_and_others_fall_back_on_their_powertrain() -> None:
    kind, over = CURVES.of_model("Tesla", "Model 3", "ev")
    assert CURVES.kinds[kind] == ("ev", "car")
    assert over < 0
    assert CURVES.of_model("Nobody", "Nothing", "hybrid") == (CURVES.kind_of("hybrid"), 0.0)
    assert CURVES.kinds[CURVES.kind_of("ev", "pickup")] == ("ev", "all")
    with pytest.raises(KeyError):
        CURVES.kind_of("steam")


HEAD = ",".join(RESIDUAL_COLUMNS)
MODELS = ",".join(MODEL_COLUMNS)
ROW = "ev,all,12,0.7,0.8,0.9,1000,2000,3000"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (["age,value"], "line 1: the header"),
        ([HEAD], "has no rows"),
        ([HEAD, "ev,all,12,0.7"], "line 2: has 4 fields"),
        ([HEAD, ROW.replace("0.8", "x")], "line 2: could not convert"),
        ([HEAD, ROW.replace("0.8", "nan")], "line 2: has a number that is not finite"),
        ([HEAD, ROW.replace("0.8", "0.6")], "line 2: .* quartiles must rise"),
        ([HEAD, ROW, ROW.replace("12", "24").replace("0.8", "0.85")], "line 3: with age"),
        ([HEAD, ROW, ROW.replace("ev", "hybrid").replace("12", "24")], "hybrid all: has other ages"),
        ([HEAD, '"' + ROW], "is no CSV"),
    ],
)
def test_bad_curves_say_where(rows: list[str], why: str) -> None:
    with pytest.raises(DataFileError, match=why):
        parse_curves("\n".join(rows), MODELS, "curves.csv")


@pytest.mark.data
def test_the_shipped_tables_are_condensed_from_the_listings(data: Path) -> None:
    for name, text in condensed.tables(data / "usage-and-residuals").items():
        assert (condensed.TARGET / name).read_text(encoding="utf-8") == text


@pytest.mark.data
def test_shipped_quartiles_hold_on_the_listings(data: Path) -> None:
    """Half of the listings' bins of three months lie where the curve of their kind says, within a tenth."""
    worth = condensed.bins(data / "usage-and-residuals" / "depreciation.csv", "rr")
    off = []
    for place, (powertrain, body) in enumerate(CURVES.kinds):
        bins = worth[powertrain, body][50]
        ages = np.array([age for age in bins if 24 <= age <= 180])
        here = values(cars(list(ages), kind=place, price=1.0), CURVES, RULES).p50
        off += list(np.abs(np.log(here / np.array([bins[age] for age in ages]))))
    assert np.median(off) < 0.03
