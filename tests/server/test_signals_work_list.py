"""The orders of the work list: what comes before what, and that keys sort as the words say."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.items.states import State
from milepost_server.signals.owners import NOBODY
from milepost_server.signals.work_list import (
    CLASS_SPAN_D,
    NO_NEED_KEY,
    ItemNeeds,
    Need,
    fault_keys,
    first_needs,
    item_keys,
    sales_keys,
)

AS_OF_D = 20_000.0
NAN = np.nan


def item(state: State, ahead_d: float, *, guess: bool = False, booked: bool = False, rest: bool = False):
    return (state, guess, booked, rest, AS_OF_D + ahead_d)


def keys_of(*rows: tuple[State, bool, bool, bool, float]) -> np.ndarray:
    state, guess, booked, rest, median = zip(*rows, strict=True)
    needs = ItemNeeds(
        np.array(state, dtype=np.int64), np.array(guess), np.array(booked), np.array(rest), np.array(median)
    )
    return item_keys(needs, AS_OF_D)


def needs_of(keys: np.ndarray) -> list[int]:
    """The class that each key stands in."""
    return np.rint(keys / CLASS_SPAN_D).astype(int).tolist()


def test_needs_stand_in_the_order_in_which_they_want_somebody() -> None:
    now, soon, visit, watch = fault_keys(np.arange(4), np.full(4, AS_OF_D - 5), AS_OF_D)
    items = keys_of(
        item(State.OVERDUE, -40),
        item(State.OVERDUE, -2),
        item(State.OVERDUE, -60, guess=True),
        item(State.DUE, 3),
        item(State.DUE, 3, guess=True),
        item(State.UPCOMING, 50),
        item(State.UPCOMING, 50, guess=True),
        item(State.OVERDUE, -90, booked=True),
        item(State.OK, 400),
        item(State.UNKNOWN, NAN),
    )
    overdue_long, overdue, overdue_guess, due, due_guess, *rest = items
    upcoming, upcoming_guess, booked, fine, unknown = rest
    expected = [
        *(now, soon, overdue_long, overdue, overdue_guess, due, due_guess, visit, upcoming, upcoming_guess),
        *(booked, watch, fine, unknown),
    ]
    assert expected == sorted(expected)
    assert len(set(expected)) == len(expected)
    assert unknown == NO_NEED_KEY, "who has no car at all stands with those of whose cars nothing is known"


def test_what_may_rest_wants_nobody_and_what_is_booked_only_looks_on() -> None:
    keys = keys_of(
        item(State.OVERDUE, -9, rest=True, booked=True),
        item(State.DUE, 3, booked=True, guess=True),
        item(State.OK, 99, booked=True),
        item(State.UNKNOWN, NAN, rest=True),
    )
    assert needs_of(keys) == [Need.REST, Need.BOOKED, Need.REST, Need.UNKNOWN]


@given(st.lists(st.tuples(st.sampled_from(list(State)), st.booleans(), st.floats(-1e7, 1e7)), min_size=1))
def test_no_date_ever_lifts_a_need_out_of_its_class(rows: list[tuple[State, bool, float]]) -> None:
    keys = keys_of(*(item(state, ahead, guess=guess) for state, guess, ahead in rows))
    for (state, guess, _), need in zip(rows, needs_of(keys), strict=True):
        wants = state in (State.UPCOMING, State.DUE, State.OVERDUE)
        name = state.name + ("_GUESS" if guess and wants else "")
        assert Need(need).name == {"OK": "REST", "OK_GUESS": "REST"}.get(name, name)


def test_the_first_need_of_an_owner_is_the_one_with_the_least_key() -> None:
    owner = np.array([2, 0, 2, 2, 0])
    key = np.array([5.0, 7, 3, 3, 7])
    assert first_needs(owner, key, 4).tolist() == [1, NOBODY, 2, NOBODY]
    assert first_needs(np.zeros(0, dtype=np.int64), np.zeros(0), 1).tolist() == [NOBODY]


def test_who_could_not_be_scored_stands_at_the_end_of_the_sales_list() -> None:
    keys = sales_keys(np.array([0.1, NAN, 0.9, 0.0]))
    assert np.argsort(keys).tolist() == [2, 0, 3, 1]
