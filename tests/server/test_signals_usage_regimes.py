"""Changes of use: found soon, dated to the month, never among steady vehicles, and what follows from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.flat import DAYS_PER_MONTH, offsets_of
from milepost_server.signals.usage.rate import GroupPrior, History, UsageRules, observe, shrink
from milepost_server.signals.usage.regimes import Change, RegimeRules, Regimes, regimes

RULES = RegimeRules()
KM = 1_000.0
BEGIN_D = 15_000.0


def history(*cars: list[float]) -> History:
    """Cars as lists of kilometres, month by month."""
    counts = np.array([len(car) + 1 for car in cars], dtype=np.int64)
    odometers = [np.concatenate([[0.0], np.cumsum(car)]) * KM for car in cars]
    times = [BEGIN_D + np.arange(count) * DAYS_PER_MONTH for count in counts]
    return History(offsets_of(counts), np.concatenate(times), np.concatenate(odometers))


def noisy(months: list[float], vehicles: int, seed: int) -> History:
    """Vehicles that go as far as ``months`` says, with a scatter of 40 % a month."""
    rng = np.random.default_rng(seed)
    return history(*(rng.gamma(1 / 0.16, 0.16, (vehicles, len(months))) * months).tolist())


def one(*months: float) -> Regimes:
    return regimes(history(list(months)), RULES)


def kind(found: Regimes) -> Change:
    return Change(int(found.kind[0]))


def test_the_latest_of_several_changes_is_found_and_dated() -> None:
    # 6,000, then 1,000, then 13,000 miles a year.
    found = one(*[800.0] * 12, *[135.0] * 8, *[1_740.0] * 5)
    assert kind(found) in {Change.MORE, Change.RESUMED}
    assert found.since_d[0] == pytest.approx(BEGIN_D + 20 * DAYS_PER_MONTH)
    assert found.before_m_per_d[0] * DAYS_PER_MONTH / KM == pytest.approx(135, rel=0.01)
    assert found.after_m_per_d[0] * DAYS_PER_MONTH / KM == pytest.approx(1_740, rel=0.01)
    assert found.ask_for_owner[0]


@pytest.mark.parametrize(
    ("months", "expected", "standing"),
    [
        ([1_000.0] * 24, Change.NONE, 0),
        ([1_000.0] * 20 + [450.0] * 6, Change.LESS, 0),
        ([1_000.0] * 20 + [2_600.0] * 6, Change.MORE, 0),
        ([1_000.0] * 20 + [0.0] * 5, Change.STOPPED, 5),
        ([1_000.0] * 12 + [0.0] * 6 + [1_000.0] * 6, Change.RESUMED, 0),
        ([0.0] * 12, Change.NONE, 0),
        ([1_000.0] * 3, Change.NONE, 0),
        ([], Change.NONE, 0),
    ],
)
def test_what_happened_is_told_in_a_word(months: list[float], expected: Change, standing: int) -> None:
    found = one(*months)
    assert kind(found) is expected
    assert found.standing_months[0] == standing
    assert kind(found).words


def test_a_parked_car_is_no_question_for_an_owner_and_one_month_is_no_change() -> None:
    parked = one(*[1_000.0] * 20, *[0.0] * 5)
    assert parked.is_break[0]
    assert not parked.ask_for_owner[0]
    assert kind(one(*[1_000.0] * 20, 0.0)) is Change.NONE


def test_steady_vehicles_are_left_alone() -> None:
    found = regimes(noisy([1_000.0] * 36, 2_000, seed=1), RULES)
    assert (found.kind != Change.NONE).mean() < 0.01
    assert found.ask_for_owner.mean() < 0.002


@pytest.mark.parametrize("times", [4.0, 0.2])
def test_large_changes_are_found_within_months_and_dated_to_the_month(times: float) -> None:
    found = regimes(noisy([1_000.0] * 20 + [1_000.0 * times] * 4, 500, seed=2), RULES)
    assert found.ask_for_owner.mean() > 0.85
    since = (found.since_d[found.is_break] - BEGIN_D) / DAYS_PER_MONTH
    assert np.median(np.abs(since - 20)) < 0.5
    change_d = BEGIN_D + 20 * DAYS_PER_MONTH
    within = (found.first_d <= change_d + 1e-6) & (change_d <= found.last_d + 1e-6)
    assert within[found.is_break].mean() > 0.95


def test_the_rate_follows_a_break_quickly_and_the_interval_opens_again() -> None:
    cars = noisy([500.0] * 24 + [2_500.0] * 4, 300, seed=3)
    as_of_d = BEGIN_D + 28 * DAYS_PER_MONTH
    rules = UsageRules()
    prior = GroupPrior(np.full(300, 1_500 * KM / DAYS_PER_MONTH), np.full(300, 0.3), np.full(300, 0.4))
    slow = shrink(observe(cars, as_of_d, rules), prior, rules)
    found = regimes(cars, RULES)
    quick = shrink(observe(cars, as_of_d, rules, found.counts_from_d), prior, rules)
    errors = [np.abs(usage.rate_m_per_d * DAYS_PER_MONTH / KM - 2_500).mean() for usage in (slow, quick)]
    assert errors[1] < 0.75 * errors[0]
    broken = found.is_break
    assert (quick.level_variance[broken] > slow.level_variance[broken]).all()


def test_what_lay_before_a_break_counts_for_nothing_also_within_a_step() -> None:
    rules = UsageRules()
    coarse = History(offsets_of(np.array([2])), np.array([0.0, 300.0]), np.array([0.0, 3e7]))
    half = observe(coarse, 300.0, rules, np.array([150.0]))
    fine = History(offsets_of(np.array([2])), np.array([150.0, 300.0]), np.array([1.5e7, 3e7]))
    assert half.distance_m[0] == pytest.approx(observe(fine, 300.0, rules).distance_m[0])
    assert half.weight_months[0] == pytest.approx(observe(fine, 300.0, rules).weight_months[0])
    all_ = observe(coarse, 300.0, rules, np.array([np.nan]))
    assert all_.distance_m[0] == pytest.approx(observe(coarse, 300.0, rules).distance_m[0])


@given(
    cars=st.lists(st.lists(st.floats(0, 20_000), max_size=40), min_size=1, max_size=5),
    scale=st.floats(0.1, 10),
)
def test_nothing_is_unknown_and_units_do_not_matter(cars: list[list[float]], scale: float) -> None:
    found = regimes(history(*cars), RULES)
    changed = found.kind != Change.NONE
    for values in (found.since_d, found.before_m_per_d, found.after_m_per_d):
        assert (np.isfinite(values) == changed).all()
    assert (~found.is_break | changed).all()
    assert (found.standing_months >= 0).all()
    large = [[km * scale for km in car] for car in cars]
    if all(min(car, default=0) > 1 for car in cars):
        assert (regimes(history(*large), RULES).kind == found.kind).all()


def test_no_vehicles_have_no_changes() -> None:
    nobody = History(np.zeros(1, dtype=np.int64), np.zeros(0), np.zeros(0))
    assert len(regimes(nobody, RULES).kind) == 0
