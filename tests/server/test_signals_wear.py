"""Wear: the limit of a part from its readings, from what is usual, and after it was renewed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.api import OLS, add_constant

from milepost_server.signals import gamma
from milepost_server.signals.flat import offsets_of
from milepost_server.signals.items.wear import (
    VARIANCE_MAX,
    UsualWear,
    WearLimit,
    WearReadings,
    WearRules,
    first_to_wear,
    usual_wear,
    wear_limit,
    wear_line,
)

KM = 1_000.0
RULES = WearRules()
PADS = usual_wear(15_000 * KM, 80_000 * KM)
LIFE_KM = 1 / PADS.per_m / KM


def part(*rows: tuple[float, float]) -> WearReadings:
    """One part: (kilometres, worn)."""
    return WearReadings(
        offsets_of(np.array([len(rows)], dtype=np.int64)),
        np.array([km * KM for km, _ in rows], dtype=np.float64),
        np.array([worn for _, worn in rows], dtype=np.float64),
    )


def start(km: float = np.nan) -> np.ndarray:
    return np.array([km * KM])


def test_what_is_usual_has_the_quantiles_that_it_was_made_of() -> None:
    variance = np.array(PADS.variance)
    lives = [1 / PADS.per_m / float(gamma.quantile(variance, z)) / KM for z in (gamma.Z90, gamma.Z10)]
    assert lives == pytest.approx([15_000, 80_000], rel=1e-6)


def test_a_measured_slope_is_shrunk_to_the_usual_one_as_by_hand() -> None:
    limit = wear_limit(part((10_000, 0.0), (30_000, 0.8)), start(), PADS, RULES)
    usual = 1 / LIFE_KM
    # The slope of the two readings, 0.8 in 20,000 km, is known to noise / root of the sum of squares.
    seen, prior = 2 * 10_000**2 / RULES.noise**2, 1 / (PADS.variance * usual**2)
    per_km = (seen * 0.8 / 20_000 + prior * usual) / (seen + prior)
    way_km = (1 - 0.4) / per_km
    assert limit.rate_per_m[0] * KM == pytest.approx(per_km)
    assert limit.at_m[0] / KM == pytest.approx(20_000 + way_km)
    variance = 1 / (seen + prior) / per_km**2 + RULES.noise**2 / 2 / 0.6**2
    stretch = (way_km / (way_km - 10_000)) ** 2
    assert limit.variance[0] == pytest.approx(variance * stretch + RULES.change_variance)
    assert (limit.measured[0], limit.first_row[0], limit.last_row[0]) == (True, 0, 1)


def test_the_line_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(7)
    km = np.sort(rng.uniform(0, 60_000, 12))
    worn = km / 70_000 + rng.normal(0, 0.03, 12)
    line = wear_line(part(*zip(km, worn, strict=True)), start(), RULES)
    oracle = OLS(worn, add_constant(km)).fit()
    assert line.slope_per_m[0] * KM == pytest.approx(oracle.params[1])
    assert line.middle_worn[0] == pytest.approx(worn.mean())
    weight = RULES.noise_weight
    expected = (weight * RULES.noise**2 + oracle.ssr) / (weight + 10)
    assert line.noise_variance[0] == pytest.approx(expected)
    # What is known of the slope is what the oracle knows of it, but for its own estimate of the noise.
    assert line.noise_variance[0] / line.square_m2[0] == pytest.approx(
        (oracle.bse[1] / KM) ** 2 * expected / oracle.mse_resid
    )


def test_a_start_counts_as_a_reading_of_a_new_part() -> None:
    with_start = wear_limit(part((30_000, 0.8)), start(10_000), PADS, RULES)
    as_reading = wear_limit(part((10_000, 0.0), (30_000, 0.8)), start(), PADS, RULES)
    assert with_start.at_m.tolist() == as_reading.at_m.tolist()


def test_readings_before_the_last_service_are_of_the_old_part() -> None:
    limit = wear_limit(part((10_000, 0.1), (30_000, 0.9), (42_000, 0.2)), start(40_000), PADS, RULES)
    alone = wear_limit(part((42_000, 0.2)), start(40_000), PADS, RULES)
    assert limit.at_m.tolist() == alone.at_m.tolist()
    assert limit.first_row[0] == 2


def test_a_renewal_that_nobody_wrote_down_is_seen_in_the_fall() -> None:
    limit = wear_limit(
        part((10_000, 0.5), (30_000, 0.9), (31_000, 0.0), (41_000, 0.3)), start(0), PADS, RULES
    )
    alone = wear_limit(part((31_000, 0.0), (41_000, 0.3)), start(), PADS, RULES)
    assert limit.at_m.tolist() == alone.at_m.tolist()


def test_a_fall_that_the_service_record_tells_of_keeps_its_start() -> None:
    limit = wear_limit(part((30_000, 0.9), (41_000, 0.1)), start(40_000), PADS, RULES)
    alone = wear_limit(part((41_000, 0.1)), start(40_000), PADS, RULES)
    assert limit.at_m.tolist() == alone.at_m.tolist()


def test_without_readings_the_start_and_what_is_usual_are_all_there_is() -> None:
    limit = wear_limit(part(), start(10_000), PADS, RULES)
    assert limit.at_m[0] / KM == pytest.approx(10_000 + LIFE_KM)
    assert limit.variance[0] == pytest.approx(PADS.variance)
    assert not limit.measured[0]
    assert np.isnan(wear_limit(part(), start(), PADS, RULES).at_m[0])


@pytest.mark.parametrize(("worn_after", "is_new"), [(0.1, True), (0.4, True), (0.5, False), (0.9, False)])
def test_a_record_of_a_look_is_no_new_part(worn_after: float, *, is_new: bool) -> None:
    """New pads are not half worn a thousand kilometres later: a fifth and six usual rates are the most."""
    rows = ((10_000.0, 0.5), (30_000.0, 0.65), (41_000.0, worn_after))
    limit = wear_limit(part(*rows), start(40_000), PADS, RULES)
    expected = wear_limit(part(*rows[2:]), start(40_000), PADS, RULES) if is_new else None
    without = wear_limit(part(*rows), start(), PADS, RULES)
    assert limit.at_m.tolist() == (expected or without).at_m.tolist()


def test_one_reading_that_stands_out_alone_is_no_new_part() -> None:
    rows = [(10_000.0, 0.3), (20_000.0, 0.5), (25_000.0, 0.1), (30_000.0, 0.55), (40_000.0, 0.7)]
    without = part(*(row for row in rows if row[1] != 0.1))
    limit, expected = wear_limit(part(*rows), start(), PADS, RULES), wear_limit(without, start(), PADS, RULES)
    assert limit.at_m.tolist() == expected.at_m.tolist()
    assert limit.renewal_row[0] == -1
    # At the end of the readings there is nobody to contradict: that is a new part until one does.
    assert wear_limit(part(*rows[:3]), start(), PADS, RULES).renewal_row[0] == 2


def test_a_renewal_is_where_the_new_part_was_first_read() -> None:
    limit = wear_limit(part((30_000, 0.9), (31_000, 0.0), (41_000, 0.3)), start(0), PADS, RULES)
    assert (limit.renewal_row[0], limit.first_row[0]) == (1, 1)
    recorded = wear_limit(part((30_000, 0.9), (31_000, 0.0)), start(30_500), PADS, RULES)
    assert recorded.renewal_row[0] == -1


def test_more_noise_means_less_trust_in_a_slope_and_a_wider_interval() -> None:
    rows = ((10_000.0, 0.0), (15_000.0, 0.4))
    exact, vague = (wear_limit(part(*rows), start(), PADS, RULES, noise=noise) for noise in (0.01, 0.2))
    assert exact.rate_per_m[0] > vague.rate_per_m[0] > PADS.per_m
    assert exact.variance[0] < vague.variance[0]


def test_driving_on_without_a_reading_brings_the_limit_nearer_and_does_not_tell_where_it_lies() -> None:
    limit = wear_limit(part((10_000, 0.2), (20_000, 0.5)), start(), PADS, RULES)
    way_km = float(limit.at_m[0]) / KM - 20_000
    spread_km = np.sqrt(float(limit.variance[0])) * way_km
    for gone_km in (0.0, 0.3 * way_km, 0.5 * way_km):
        variance = float(limit.variance_from(start(20_000 + gone_km))[0])
        assert np.sqrt(variance) * (way_km - gone_km) == pytest.approx(spread_km)
    assert limit.variance_from(start(10_000))[0] == limit.variance[0], (
        "nothing was read before that is not known"
    )
    assert limit.variance_from(start(20_000 + 0.999 * way_km))[0] == VARIANCE_MAX
    assert limit.variance_from(start(20_001 + way_km))[0] == limit.variance[0], "it has come already"

    unread = wear_limit(part(), start(0.0), PADS, RULES)
    assert unread.variance_from(start(0.7 * LIFE_KM))[0] > 2 * unread.variance[0], (
        "a guess grows no better by use"
    )


def positions(*at_km: float, measured: str) -> list[WearLimit]:
    one, row = np.ones(1), np.array([0])
    return [
        WearLimit(one * km * KM, one * 0.1, one * 0.5, one, np.array([flag == "m"]), row, row, row - 1, one)
        for km, flag in zip(at_km, measured, strict=True)
    ]


@pytest.mark.parametrize(
    ("at_km", "measured", "expected"),
    [
        pytest.param((50.0, 40.0, 60.0), "mmm", 1, id="the one that is worn first"),
        pytest.param((50.0, 40.0, 60.0), "mum", 0, id="a guess is no news beside a measurement"),
        pytest.param((50.0, 40.0, 60.0), "uuu", 1, id="only guesses"),
        pytest.param((np.nan, 40.0, np.nan), "uuu", 1, id="only one is known at all"),
        pytest.param((np.nan, np.nan, np.nan), "uuu", 0, id="nothing is known"),
    ],
)
def test_the_wheel_that_decides_is_named(at_km: tuple[float, ...], measured: str, expected: int) -> None:
    position, limit = first_to_wear(positions(*at_km, measured=measured))
    assert position.tolist() == [expected]
    np.testing.assert_array_equal(limit.at_m, np.array([at_km[expected]]) * KM)


@pytest.mark.parametrize("readings_each", [1, 2, 3, 6])
@pytest.mark.parametrize("is_start_known", [True, False])
def test_intervals_hold_what_they_say_for_drivers_who_differ(
    readings_each: int, *, is_start_known: bool
) -> None:
    """80 of 100 intervals shall hold the truth; they may be a little wide, since drivers also change."""
    rng = np.random.default_rng(readings_each)
    cars = 4_000
    lives_m = 1 / (PADS.per_m * rng.gamma(1 / PADS.variance, PADS.variance, cars))
    start_m = rng.uniform(0, 5e7, cars)
    seen_m = lives_m[:, None] * np.sort(rng.uniform(0.05, 0.85, (cars, readings_each)), axis=1)
    worn = seen_m / lives_m[:, None] + rng.normal(0, RULES.noise, seen_m.shape)
    offsets = offsets_of(np.full(cars, readings_each))
    readings = WearReadings(offsets, (start_m[:, None] + seen_m).ravel(), worn.ravel())
    known = start_m if is_start_known else np.full(cars, np.nan)
    limit = wear_limit(readings, known, PADS, RULES)
    left = limit.at_m - start_m - seen_m[:, -1]
    near, far = (left / gamma.quantile(limit.variance, z) for z in (gamma.Z90, gamma.Z10))
    truth = lives_m - seen_m[:, -1]
    assert 0.76 <= np.mean((near <= truth) & (truth <= far)) <= 0.95


def test_a_part_past_its_limit_reached_it_behind_its_last_reading() -> None:
    limit = wear_limit(part((10_000, 0.0), (30_000, 1.05)), start(), PADS, RULES)
    assert 28_000 < limit.at_m[0] / KM < 30_000


@given(
    rows=st.lists(st.tuples(st.floats(0, 3e5), st.floats(-0.1, 1.2)), max_size=8),
    new_km=st.one_of(st.just(np.nan), st.floats(0, 3e5)),
    usual=st.tuples(st.floats(5_000, 50_000), st.floats(1.1, 10)),
)
def test_a_limit_is_finite_wherever_anything_is_known(
    rows: list[tuple[float, float]], new_km: float, usual: tuple[float, float]
) -> None:
    wear: UsualWear = usual_wear(usual[0] * KM, usual[0] * usual[1] * KM)
    limit = wear_limit(part(*sorted(rows)), start(new_km), wear, RULES)
    assert np.isfinite(limit.at_m[0]) == (bool(limit.measured[0]) or not np.isnan(new_km))
    assert 0 < limit.variance[0] <= VARIANCE_MAX + 1e-9
    assert limit.rate_per_m[0] > 0
