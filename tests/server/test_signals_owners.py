"""Owners: several vehicles taken together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.owners import NOBODY, Owned, roll_up

NAN = np.nan


def test_two_cars_are_likelier_to_see_one_replaced_than_either() -> None:
    owned = Owned(np.array([1, 1, 2, 3]), np.array([5, 6, 7, 8]))
    rolled = roll_up(
        owned, np.array([40.0, 61, 5, NAN]), np.array([0.1, 0.2, 1.0, NAN]), np.array([0.2, 0.3, 1.0, NAN]), 5
    )
    assert rolled.vehicles.tolist() == [0, 2, 1, 1, 0]
    assert rolled.top.tolist() == [NOBODY, 1, 2, NOBODY, NOBODY]
    np.testing.assert_array_equal(rolled.score, [NAN, 61, 5, NAN, NAN])
    np.testing.assert_allclose(rolled.p_90d, [NAN, 0.28, 1.0, NAN, NAN])
    np.testing.assert_allclose(rolled.p_180d, [NAN, 0.44, 1.0, NAN, NAN])


def test_of_two_equal_cars_the_first_speaks_for_the_owner() -> None:
    owned = Owned(np.array([0, 0]), np.array([9, 4]))
    same = np.array([0.5, 0.5])
    assert roll_up(owned, same, same, same, 1).top.tolist() == [1]


def test_nobody_owns_nothing() -> None:
    none = np.zeros(0, dtype=np.int64)
    rolled = roll_up(Owned(none, none), np.zeros(0), np.zeros(0), np.zeros(0), 2)
    assert (rolled.vehicles.tolist(), rolled.top.tolist()) == ([0, 0], [NOBODY, NOBODY])
    assert np.isnan(rolled.p_90d).all()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1), st.booleans()), max_size=12), st.integers(0, 2**32)
)
def test_an_owner_is_the_same_in_whatever_order_the_cars_stand(
    cars: list[tuple[int, float, bool]], seed: int
) -> None:
    owner = np.array([car[0] for car in cars], dtype=np.int64)
    odds = np.array([car[1] if car[2] else NAN for car in cars], dtype=np.float64)
    vehicle = np.arange(len(cars))
    order = np.random.default_rng(seed).permutation(len(cars))
    first = roll_up(Owned(owner, vehicle), odds * 100, odds, odds, 4)
    again = roll_up(Owned(owner[order], vehicle[order]), odds[order] * 100, odds[order], odds[order], 4)
    np.testing.assert_allclose(again.p_90d, first.p_90d, rtol=1e-12)
    np.testing.assert_array_equal(again.score, first.score)
    tops = [
        np.where(each.top == NOBODY, NOBODY, rows[each.top]) if len(cars) else each.top
        for each, rows in ((first, vehicle), (again, vehicle[order]))
    ]
    np.testing.assert_array_equal(*tops)
    for place in range(4):
        alone = odds[(owner == place) & np.isfinite(odds)]
        expected = 1 - np.prod(1 - alone) if len(alone) else NAN
        assert first.p_90d[place] == pytest.approx(expected, nan_ok=True, abs=1e-12)
