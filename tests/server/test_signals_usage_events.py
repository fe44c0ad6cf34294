"""Events of wear by distance: the likeliest hazard, late beginnings, small groups, and times by usage."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.usage.events import EventHazard, Parts, Spells, fit_hazard, survival
from milepost_server.signals.usage.rate import Usage, UsageRules

KM = 1_000.0
SHAPE, SCALE_M = 3.0, 200_000 * KM


def spells(count: int, seed: int, *, late: bool = True) -> Spells:
    """Parts that fail as a Weibull variable says, watched from somewhere to somewhere."""
    rng = np.random.default_rng(seed)
    fails = SCALE_M * rng.weibull(SHAPE, count)
    entry = rng.uniform(0, 150_000 * KM, count) if late else np.zeros(count)
    stop = entry + rng.uniform(50_000 * KM, 250_000 * KM, count)
    seen = fails > entry
    end = np.minimum(fails, stop)
    group = rng.integers(0, 2, count)
    return Spells(group[seen], entry[seen], end[seen], (fails <= stop)[seen].astype(np.float64))


def ahead(rate_m_per_d: float = 100_000.0) -> Ahead:
    return Ahead(Usage(*(np.array([value]) for value in (rate_m_per_d, 0.02, 0.1, 4.0))), UsageRules())


def test_the_fit_is_the_likeliest_one_also_where_watching_began_late() -> None:
    some = spells(400, seed=1)

    def loss(parameters: np.ndarray) -> float:
        shape, scale = np.exp(parameters)
        end, entry = some.exit_m / SCALE_M, some.entry_m / SCALE_M
        logs = np.log(shape / scale) + (shape - 1) * np.log(end / scale)
        return float(
            -(some.happened * logs).sum() + ((end / scale) ** shape - (entry / scale) ** shape).sum()
        )

    oracle = np.exp(optimize.minimize(loss, np.zeros(2), method="Nelder-Mead").x)
    fitted = fit_hazard(some, 2)
    assert fitted.shape == pytest.approx(oracle[0], abs=0.05)
    assert fitted.scale_m / SCALE_M == pytest.approx(oracle[1], rel=0.01)
    assert fitted.shape == pytest.approx(SHAPE, rel=0.15)
    assert fitted.factor == pytest.approx([1, 1], abs=0.2)


def test_complete_spells_give_the_fit_of_scipy() -> None:
    fails = SCALE_M * np.random.default_rng(2).weibull(SHAPE, 500)
    fitted = fit_hazard(Spells(np.zeros(500, dtype=np.int64), np.zeros(500), fails, np.ones(500)), 1)
    shape, _, scale = stats.weibull_min.fit(fails / SCALE_M, floc=0)
    assert fitted.shape == pytest.approx(shape, abs=0.05)
    assert fitted.scale_m / SCALE_M == pytest.approx(scale, rel=0.01)


def test_a_group_that_fails_twice_as_often_is_told_from_one_and_leans_on_it_when_small() -> None:
    some = spells(400, seed=3, late=False)
    often = Spells(some.group, some.entry_m, some.exit_m * np.where(some.group == 1, 0.6, 1.0), some.happened)
    fitted = fit_hazard(often, 3)
    assert fitted.factor[1] > 1.5 * fitted.factor[0]
    assert fitted.factor[2] == 1


def test_without_events_nothing_is_ever_expected() -> None:
    nothing = fit_hazard(Spells(np.zeros(2, dtype=np.int64), np.zeros(2), np.full(2, 1e8), np.zeros(2)), 1)
    nobody = fit_hazard(Spells(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros(0)), 1)
    for hazard in (nothing, nobody):
        again = EventHazard.from_document(json.loads(json.dumps(hazard.to_document())))
        parts = Parts(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.array([5e7]))
        assert survival(again, ahead(), parts, np.array([0.0, 1_000])).tolist() == [[1.0, 1.0]]


def test_few_events_say_nothing_of_wear() -> None:
    few = Spells(np.zeros(4, dtype=np.int64), np.zeros(4), np.full(4, 1e8), np.ones(4))
    assert fit_hazard(few, 1).shape == 1.0


def test_a_steady_vehicle_survives_as_the_hazard_says() -> None:
    hazard = EventHazard(SHAPE, SCALE_M, np.array([1.0, 2.0]))
    steady = Ahead(Usage(np.array([1e5]), np.zeros(1), np.array([1e-9]), np.ones(1)), UsageRules())
    parts = Parts(np.zeros(2, dtype=np.int64), np.arange(2), np.full(2, 1e8))
    found = survival(hazard, steady, parts, np.array([0.0, 500]))
    law = stats.weibull_min(SHAPE, scale=SCALE_M)
    one = law.sf(1.5e8) / law.sf(1e8)
    np.testing.assert_allclose(found, [[1, one], [1, one**2]], rtol=1e-3)


@given(
    shape=st.floats(0.5, 8),
    gone_m=st.floats(0, 4e8),
    rate=st.floats(1_000, 300_000),
    factor=st.floats(0.1, 5),
)
def test_survival_falls_from_one_and_never_below_nothing(
    shape: float, gone_m: float, rate: float, factor: float
) -> None:
    hazard = EventHazard(shape, SCALE_M, np.array([factor]))
    parts = Parts(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.array([gone_m]))
    curve = survival(hazard, ahead(rate), parts, np.linspace(0, 3_000, 40))[0]
    assert curve[0] == pytest.approx(1)
    assert (np.diff(curve) <= 1e-12).all()
    assert curve[-1] >= 0
