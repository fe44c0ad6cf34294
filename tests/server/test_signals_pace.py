"""What lies ahead, with and without what was learned: in order, coherent, exact where an oracle exists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from milepost_server.signals import gamma
from milepost_server.signals.flat import DAYS_PER_MONTH
from milepost_server.signals.usage.ahead import HORIZON_D_MAX, PACES, QUERIES_AT_ONCE, Ahead
from milepost_server.signals.usage.pace import KNOTS_MONTHS, RISE_MIN, Learned, curves
from milepost_server.signals.usage.rate import Usage, UsageRules

RULES = UsageRules()
KNOTS = len(KNOTS_MONTHS)
ODDS = (0.1, 0.5, 0.9)


def usage(rate_m_per_d: float, level: float, month: float) -> Usage:
    return Usage(*(np.array([value]) for value in (rate_m_per_d, level, month, 4.0)))


USAGES = st.builds(usage, st.floats(100, 400_000), st.floats(0, 0.5), st.floats(0, 0.81))
LEARNED = st.builds(
    Learned,
    arrays.arrays(np.float64, (1, KNOTS), elements=st.floats(-1, 1)),
    arrays.arrays(np.float64, KNOTS, elements=st.floats(0.4, 2.5)),
    arrays.arrays(np.float64, KNOTS, elements=st.floats(0.4, 2.5)),
)
AHEADS = st.builds(Ahead, USAGES, st.just(RULES), st.none() | LEARNED)
ONE = np.zeros(1, dtype=np.int64)
NONE = np.zeros(1)


@given(ahead=AHEADS, metres=st.floats(1_000, 1e8), more=st.floats(1.001, 100))
def test_quantiles_are_in_order_and_more_distance_takes_longer(
    ahead: Ahead, metres: float, more: float
) -> None:
    near, far = (
        np.array([ahead.days_to(ONE, np.array([m]), NONE, pace)[0] for pace in PACES])
        for m in (metres, metres * more)
    )
    assert (np.diff(near) >= 0).all()
    least = np.minimum(near * more**RISE_MIN * (1 - 1e-9), HORIZON_D_MAX)
    assert (far >= least).all()


@given(ahead=AHEADS, days=st.floats(0.5, 7_000), pace=st.sampled_from(PACES))
def test_distance_in_days_and_days_to_distance_are_each_others_way_back(
    ahead: Ahead, days: float, pace: float
) -> None:
    metres = ahead.metres_in(ONE, np.array([days]), pace)
    assert ahead.days_to(ONE, metres, NONE, pace)[0] == pytest.approx(days, rel=1e-9)


@given(ahead=AHEADS, metres=st.floats(1_000, 1e8), wear=st.floats(0, 0.5))
def test_the_odds_at_a_quantile_are_its_own(ahead: Ahead, metres: float, wear: float) -> None:
    far, spread = np.array([metres]), np.array([wear])
    for pace, odds in zip(PACES, ODDS, strict=True):
        days = ahead.days_to(ONE, far, spread, pace)
        if days[0] < HORIZON_D_MAX:
            assert ahead.odds_within(ONE, far, spread, days)[0] == pytest.approx(odds, abs=1e-6)


@given(ahead=AHEADS, metres=st.floats(1_000, 1e8), days=st.floats(1, 2_000), more=st.floats(1, 5))
def test_odds_rise_with_time_and_fall_with_distance(
    ahead: Ahead, metres: float, days: float, more: float
) -> None:
    def odds(m: float, d: float) -> float:
        return float(ahead.odds_within(ONE, np.array([m]), NONE, np.array([d]))[0])

    assert 0 <= odds(metres, days) <= 1
    assert odds(metres, days * more) >= odds(metres, days) - 1e-9
    # Between P10 and P90 no pace crosses another; beyond them the odds are small, and so is what may be off.
    if 0.1 <= odds(metres, days) <= 0.9:
        assert odds(metres * more, days) <= odds(metres, days) + 1e-9


@pytest.mark.parametrize("months", KNOTS_MONTHS)
@pytest.mark.parametrize("level", [0.0, 0.02, 0.1])
def test_untaught_quantiles_are_those_of_a_gamma_distributed_rate(months: float, level: float) -> None:
    variance = level + 0.1 * (RULES.lasting_share + RULES.passing_share / months)
    rate = stats.gamma(1 / variance, scale=variance)
    ahead = Ahead(usage(40_000, level, 0.1), RULES)
    metres = np.array([40_000 * months * DAYS_PER_MONTH])
    for pace, odds in zip(PACES, ODDS, strict=True):
        expected_d = months * DAYS_PER_MONTH / rate.ppf(1 - odds)
        assert ahead.days_to(ONE, metres, NONE, pace)[0] == pytest.approx(expected_d, rel=0.006)


def test_what_was_learned_moves_the_median_and_widens_the_sides() -> None:
    one = usage(40_000, 0.02, 0.1)
    plain = curves(one, RULES)
    taught = curves(one, RULES, Learned(np.full((1, KNOTS), 0.1), np.full(KNOTS, 1.5), np.full(KNOTS, 0.8)))
    assert (taught.median - plain.median)[0] == pytest.approx(0.1)
    assert (taught.early / plain.early)[0] == pytest.approx(1.5)
    assert (taught.late / plain.late)[0] == pytest.approx(0.8)


def test_uncertain_wear_opens_both_sides() -> None:
    ahead = Ahead(usage(40_000, 0.02, 0.1), RULES)
    metres = np.array([5e6])
    sure = [ahead.days_to(ONE, metres, NONE, pace)[0] for pace in PACES]
    unsure = [ahead.days_to(ONE, metres, np.array([0.2]), pace)[0] for pace in PACES]
    assert unsure[0] < sure[0] < sure[2] < unsure[2]
    # The median of a gamma factor of mean 1 and variance 0.2.
    assert unsure[1] / sure[1] == pytest.approx(1 / stats.gamma(5, scale=0.2).median(), rel=0.002)


def test_pieces_make_no_difference() -> None:
    many = QUERIES_AT_ONCE + 7
    rng = np.random.default_rng(1)
    ahead = Ahead(
        Usage(rng.uniform(1e3, 1e5, 5), rng.uniform(0, 0.1, 5), rng.uniform(0, 0.3, 5), np.ones(5)), RULES
    )
    vehicle, metres, wear = rng.integers(0, 5, many), rng.uniform(1e4, 1e7, many), np.zeros(many)
    last = slice(many - 3, many)
    for pace in PACES:
        whole = ahead.days_to(vehicle, metres, wear, pace)
        assert whole[last].tolist() == ahead.days_to(vehicle[last], metres[last], wear[last], pace).tolist()
        back = ahead.metres_in(vehicle, whole, pace)
        np.testing.assert_allclose(back[whole < HORIZON_D_MAX], metres[whole < HORIZON_D_MAX])


def test_no_vehicle_and_no_question_are_no_error() -> None:
    nobody = Ahead(Usage(*(np.zeros(0) for _ in range(4))), RULES)
    empty = np.zeros(0, dtype=np.int64)
    assert len(nobody.days_to(empty, np.zeros(0), np.zeros(0), gamma.Z50)) == 0
    assert len(nobody.metres_in(empty, np.zeros(0), gamma.Z50)) == 0
    assert len(nobody.odds_within(empty, np.zeros(0), np.zeros(0), np.zeros(0))) == 0
