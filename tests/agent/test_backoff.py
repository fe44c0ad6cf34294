"""Waits between attempts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from milepost_agent.backoff import Backoff


@given(st.lists(st.floats(0, 0.999999), min_size=1, max_size=30))
def test_backoff_grows_within_its_bounds_and_begins_anew(jitters: list[float]) -> None:
    draws = iter(jitters)
    backoff = Backoff(lambda: next(draws), 1.0, 60.0)
    for n in range(len(jitters)):
        full_s = min(2.0**n, 60.0)
        assert full_s / 2 <= backoff.next_s() <= full_s
    backoff.reset()
    draws = iter([0.0])
    assert backoff.next_s() == 1.0
