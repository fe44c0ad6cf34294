"""Credit: so many at once, then one in so many seconds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from milepost_agent.credit import Credit

BURST = 3
EVERY_S = 30.0


def test_a_burst_at_once_and_then_one_at_a_time() -> None:
    credit = Credit(BURST, EVERY_S)
    assert [credit.take(100.0) for _ in range(BURST + 1)] == [True, True, True, False]
    assert not credit.take(129.0)
    assert credit.take(130.0)
    assert not credit.take(131.0)


def test_it_says_when_the_next_may_be_taken() -> None:
    credit = Credit(1, EVERY_S)
    assert credit.next_s(0.0) == 0.0
    credit.take(0.0)
    assert credit.next_s(10.0) == EVERY_S
    assert credit.take(EVERY_S)


def test_it_is_full_again_after_a_refill_and_never_more_than_full() -> None:
    credit = Credit(BURST, EVERY_S)
    for _ in range(BURST):
        credit.take(0.0)
    credit.refill()
    assert [credit.take(1e6) for _ in range(BURST + 1)] == [True, True, True, False]


@given(st.lists(st.floats(0, 100), max_size=200))
def test_never_more_than_the_burst_and_what_was_earned(steps_s: list[float]) -> None:
    credit, at_s, taken = Credit(BURST, EVERY_S), 0.0, 0
    for step_s in steps_s:
        at_s += step_s
        taken += credit.take(at_s)
    assert taken <= BURST + at_s / EVERY_S + 1e-6


@given(st.lists(st.floats(0, 1e9), max_size=50))
def test_what_is_announced_for_a_moment_is_given_then(steps_s: list[float]) -> None:
    credit, at_s = Credit(BURST, 0.1), 0.0
    for step_s in steps_s:
        at_s = credit.next_s(at_s + step_s)
        assert credit.take(at_s)
