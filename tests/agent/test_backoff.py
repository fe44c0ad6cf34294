"""Waits between attempts."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from milepost_agent.backoff import Backoff


@given(st.lists(st.floats(0, 0.999999), min_size=1, max_size=30))
def test_backoff_grows_within_its_bounds_and_begins_anew(jitters: list[float]) -> None:
    draws = iter(jitters)
    backoff = Backoff(lambda: next(draws), 1.0, 60.0)
    for n, jitter in enumerate(jitters):
        assert 0 < backoff.next_s() <= min(2.0**n, 60.0) * (1 - jitter) + 1e-9
    backoff.reset()
    draws = iter([0.0])
    assert backoff.next_s() == 1.0


def test_a_fleet_that_lost_its_broker_in_one_moment_comes_back_spread_out() -> None:
    fleet, bound_s = 2_000, 120.0
    random = Random(17)
    attempts: Counter[int] = Counter()
    for _ in range(fleet):
        backoff, at_s = Backoff(random.random, 1.0, bound_s), 0.0
        while at_s < 1_800:
            at_s += backoff.next_s()
            attempts[int(at_s)] += 1
    steady = [attempts[second] for second in range(600, 1_800)]
    evenly = 2 * fleet / bound_s
    assert 0.9 * evenly < sum(steady) / len(steady) < 1.1 * evenly
    assert max(steady) < 2 * evenly
