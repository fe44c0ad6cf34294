"""States: entered at once, left with a margin, the same in every replay."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.errors import RulesError
from milepost_server.signals.items.states import DueRules, State, carried, states

RULES = DueRules()
AS_OF_D = 20_000.0
DAYS = st.floats(-400, 400) | st.sampled_from([-1.0, 2.0, 30.0, 37.0, 90.0, 104.0])
STATES = st.sampled_from(State)


def one(ahead_d: float, previous: State = State.UNKNOWN, *, firm: bool = True) -> State:
    median_d = np.array([AS_OF_D + ahead_d])
    firm_d = median_d if firm else np.array([np.inf])
    return State(int(states(median_d, firm_d, AS_OF_D, RULES, np.array([int(previous)]))[0]))


def replay(days: list[float], *, firm: bool = True) -> list[State]:
    """The states of consecutive days, each from the one before."""
    found = [State.UNKNOWN]
    for ahead_d in days:
        found.append(one(ahead_d, found[-1], firm=firm))
    return found[1:]


@pytest.mark.parametrize(
    ("ahead_d", "previous", "expected"),
    [
        (104.0, State.UPCOMING, State.OK),
        (103.9, State.UPCOMING, State.UPCOMING),
        (103.9, State.OK, State.OK),
        (37.0, State.DUE, State.UPCOMING),
        (36.9, State.DUE, State.DUE),
        (36.9, State.UPCOMING, State.UPCOMING),
        (2.0, State.OVERDUE, State.DUE),
        (1.9, State.OVERDUE, State.OVERDUE),
        (-1.0, State.DUE, State.DUE),
        (-1.1, State.DUE, State.OVERDUE),
        (36.0, State.OVERDUE, State.DUE),
        (100.0, State.OVERDUE, State.UPCOMING),
        (300.0, State.OVERDUE, State.OK),
        (-50.0, State.OK, State.OVERDUE),
        (float("nan"), State.OVERDUE, State.UNKNOWN),
    ],
)
def test_a_state_is_entered_at_once_and_left_with_a_margin(
    ahead_d: float, previous: State, expected: State
) -> None:
    assert one(ahead_d, previous) is expected


def test_what_rests_on_nothing_sure_is_never_overdue_whatever_it_was() -> None:
    assert one(-50.0, State.OVERDUE, firm=False) is State.DUE


@given(ahead_d=DAYS, previous=STATES, firm=st.booleans())
def test_memory_only_ever_holds_a_nearer_state_and_never_past_the_margin(
    ahead_d: float, previous: State, firm: bool
) -> None:
    fresh = one(ahead_d, firm=firm)
    held = one(ahead_d, previous, firm=firm)
    assert fresh <= held <= max(fresh, previous)
    assert held <= one(ahead_d - max(RULES.margins), firm=firm)


@given(
    middle=DAYS,
    noise=st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=60),
)
def test_dates_that_move_by_less_than_the_margin_do_not_flap(middle: float, noise: list[float]) -> None:
    width = min(RULES.margins) * 0.999
    found = replay([middle + share * width for share in noise])
    changes = [(a, b) for a, b in pairwise(found) if a is not b]
    # Within less than a margin a state can be entered once, and is never left again.
    assert all(before < after for before, after in changes)
    assert len(changes) <= 1


@given(ahead_d=DAYS, history=st.lists(DAYS, max_size=30), firm=st.booleans())
def test_a_date_that_stays_outside_of_the_margins_ends_in_its_own_state(
    ahead_d: float, history: list[float], firm: bool
) -> None:
    inside = any(
        enters <= ahead_d < leaves for enters, leaves in zip(RULES.enters_d, RULES.leaves_d, strict=True)
    )
    found = replay([*history, ahead_d], firm=firm)[-1]
    if not inside:
        assert found is one(ahead_d, firm=firm)
    assert replay([*history, ahead_d, ahead_d, ahead_d], firm=firm)[-1] is found


@given(history=st.lists(DAYS, min_size=1, max_size=40), cut=st.integers(0, 39))
def test_a_replay_from_any_day_gives_the_same_states(history: list[float], cut: int) -> None:
    found = replay(history)
    cut = min(cut, len(history) - 1)
    again = found[cut]
    for place in range(cut + 1, len(history)):
        again = one(history[place], again)
        assert again is found[place]


def test_a_new_start_forgets_the_old_state() -> None:
    nan = np.nan
    previous = np.full(5, int(State.OVERDUE))
    result = carried(
        previous, np.array([10.0, 10.0, nan, nan, 10.0]), np.array([10.0, 200.0, nan, 200.0, nan])
    )
    overdue, unknown = int(State.OVERDUE), int(State.UNKNOWN)
    assert result.tolist() == [overdue, unknown, overdue, unknown, unknown]


def test_no_item_has_no_state() -> None:
    empty = np.zeros(0)
    assert states(empty, empty, AS_OF_D, RULES).shape == (0,)


@pytest.mark.parametrize(("firm_ahead_d", "expected"), [(-2.0, State.OVERDUE), (5.0, State.DUE)])
def test_an_item_is_overdue_by_its_firm_limits_alone(firm_ahead_d: float, expected: State) -> None:
    result = states(np.array([AS_OF_D - 50]), np.array([AS_OF_D + firm_ahead_d]), AS_OF_D, RULES)
    assert State(int(result[0])) is expected


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"due_margin_d": -1.0}, "must not be negative"),
        ({"due_d": 90.0}, "entered"),
        ({"due_margin_d": 80.0}, "left"),
        ({"overdue_margin_d": 40.0}, "left"),
    ],
)
def test_rules_that_contradict_themselves_say_so(numbers: dict[str, float], message: str) -> None:
    with pytest.raises(RulesError, match=message):
        DueRules(**numbers)
