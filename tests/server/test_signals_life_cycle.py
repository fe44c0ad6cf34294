"""The life cycle of items: each action from each stage, time that passes, and any order of arrival."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.errors import RulesError
from milepost_server.signals.items.life_cycle import (
    ACTIONS_MAX,
    Action,
    Actions,
    LifeCycle,
    LifeCycleRules,
    Listing,
    Stage,
    life_cycle,
    listing,
)
from milepost_server.signals.items.states import State

RULES = LifeCycleRules()
TODAY = 100.0
NAN = math.nan
DUE = {"since": 60.0, "due_since": 90.0}


@dataclass(frozen=True)
class Act:
    """An action of one item; ``day`` may have a fraction."""

    day: float
    action: Action
    for_day: float = NAN


def run(
    *acts: Act,
    today: float = TODAY,
    since: float = 60.0,
    due_since: float = 90.0,
    cleared: float = NAN,
    start: float = NAN,
) -> LifeCycle:
    actions = Actions(
        np.zeros(len(acts), dtype=np.int64),
        np.array([act.action for act in acts], dtype=np.int64),
        np.array([act.day for act in acts], dtype=np.float64),
        np.array([act.for_day for act in acts], dtype=np.float64),
    )
    listed = Listing(np.array([since]), np.array([due_since]), np.array([cleared]))
    return life_cycle(actions, listed, np.array([start]), today + 1, RULES)


def stage(result: LifeCycle) -> Stage:
    return Stage(int(result.stage[0]))


ACK, SNOOZE, BOOK = Act(95, Action.ACKNOWLEDGED), Act(95, Action.SNOOZED, 120), Act(95, Action.BOOKED, 110)
DONE, REOPEN = Act(95, Action.DONE, 95), Act(95, Action.REOPENED)
AFTER = {
    # before: after acknowledged, snoozed, booked, done, reopened
    "open": "acknowledged snoozed booked done open",
    "acknowledged": "acknowledged snoozed booked done open",
    "snoozed": "acknowledged snoozed booked done open",
    "booked": "booked snoozed booked done open",
    "done": "done done done done open",
}
BEFORE = {"open": (), "acknowledged": (ACK,), "snoozed": (SNOOZE,), "booked": (BOOK,), "done": (DONE,)}


@pytest.mark.parametrize("before", AFTER)
@pytest.mark.parametrize("action", Action)
def test_every_action_from_every_stage(before: str, action: Action) -> None:
    for_day = {Action.SNOOZED: 125.0, Action.BOOKED: 115.0}.get(action, NAN)
    result = run(*BEFORE[before], Act(97, action, for_day))
    expected = AFTER[before].split()[action]
    assert stage(result) is Stage[expected.upper()]
    assert result.shown[0] == (expected in ("open", "acknowledged"))
    if expected in ("snoozed", "booked") and action is not Action.ACKNOWLEDGED:
        assert (result.since_d[0], result.until_d[0]) == (97, for_day)
    if (before, action) == ("booked", Action.ACKNOWLEDGED):
        assert (result.since_d[0], result.until_d[0], result.action[0]) == (95, 110, 0)


def test_nothing_done_is_open_since_it_came_onto_the_list() -> None:
    result = run(due_since=NAN)
    assert (stage(result), result.since_d[0], result.action[0]) == (Stage.OPEN, 60, -1)
    assert result.shown[0]
    # Nobody is reminded of what is only upcoming.
    assert (result.reminders[0], np.isnan(result.next_reminder_d[0])) == (0, True)


@pytest.mark.parametrize(
    ("days", "expected", "reminders", "next_day"),
    [
        (0, Stage.OPEN, 0, 7.0),
        (6, Stage.OPEN, 0, 7.0),
        (7, Stage.REMINDED, 1, 14.0),
        (13, Stage.REMINDED, 1, 14.0),
        (14, Stage.REMINDED, 2, NAN),
        (90, Stage.REMINDED, 2, NAN),
    ],
)
def test_reminders_come_after_seven_and_fourteen_days(
    days: float, expected: Stage, reminders: int, next_day: float
) -> None:
    result = run(today=90 + days)
    assert (stage(result), result.reminders[0]) == (expected, reminders)
    np.testing.assert_array_equal(result.next_reminder_d, [90 + next_day])
    assert result.shown[0]


def test_an_action_begins_the_reminders_anew() -> None:
    result = run(Act(95.6, Action.ACKNOWLEDGED), today=101)
    assert (stage(result), result.reminders[0], result.next_reminder_d[0]) == (Stage.ACKNOWLEDGED, 0, 102)
    assert run(Act(95.6, Action.ACKNOWLEDGED), today=102).reminders[0] == 1
    # Acknowledged while it was only upcoming: the reminders begin when it is due.
    assert run(Act(70, Action.ACKNOWLEDGED), today=96).reminders[0] == 0


@pytest.mark.parametrize(
    ("today", "expected"), [(119, Stage.SNOOZED), (120, Stage.OPEN), (127, Stage.REMINDED)]
)
def test_a_snooze_ends_on_its_day(today: float, expected: Stage) -> None:
    result = run(SNOOZE, today=today)
    assert stage(result) is expected
    assert result.shown[0] == (expected is not Stage.SNOOZED)
    assert np.isnan(result.until_d[0]) == (expected is not Stage.SNOOZED)


@pytest.mark.parametrize(("today", "expected"), [(110, Stage.BOOKED), (113, Stage.BOOKED), (114, Stage.OPEN)])
def test_an_appointment_that_passed_without_a_service_comes_back(today: float, expected: Stage) -> None:
    assert stage(run(BOOK, today=today)) is expected


@pytest.mark.parametrize(("today", "expected"), [(102, Stage.DONE), (103, Stage.OPEN)])
def test_done_without_a_record_comes_back(today: float, expected: Stage) -> None:
    assert stage(run(DONE, today=today)) is expected


@pytest.mark.parametrize(
    ("act", "until"),
    [
        (Act(95, Action.SNOOZED), 125),
        (Act(95, Action.SNOOZED, 9_999), 95 + 365),
        (Act(95, Action.BOOKED), 109),
    ],
)
def test_a_day_that_was_not_said_or_lies_too_far_is_a_usual_one(act: Act, until: float) -> None:
    assert run(act).until_d[0] == until


def test_a_service_record_ends_all_that_was_done_before_it() -> None:
    for act in (ACK, SNOOZE, BOOK, DONE):
        assert stage(run(act, start=96, since=97, due_since=98)) is Stage.OPEN
    # Said a day later, of the work that is on record.
    assert stage(run(Act(97, Action.DONE, 96), start=96, since=98, due_since=98)) is Stage.OPEN
    assert stage(run(Act(97, Action.ACKNOWLEDGED), start=96)) is Stage.ACKNOWLEDGED


def test_a_record_that_is_taken_back_brings_back_what_was_done() -> None:
    assert stage(run(DONE, Act(96, Action.REOPENED))) is Stage.OPEN


def test_what_cleared_by_itself_keeps_only_appointments() -> None:
    for act in (ACK, SNOOZE):
        assert stage(run(act, cleared=96, since=97, due_since=97)) is Stage.OPEN
    assert stage(run(BOOK, cleared=96, since=97, due_since=97)) is Stage.BOOKED
    assert stage(run(BOOK, cleared=96, since=NAN, due_since=NAN)) is Stage.BOOKED


@pytest.mark.parametrize(
    ("today", "expected"), [(100, Stage.CLEARED), (104, Stage.CLEARED), (105, Stage.NONE)]
)
def test_that_an_item_cleared_is_said_for_two_weeks(today: float, expected: Stage) -> None:
    result = run(ACK, cleared=90, since=NAN, due_since=NAN, today=today)
    assert (stage(result), result.shown[0], result.action[0]) == (expected, False, -1)
    np.testing.assert_array_equal(result.since_d, [90.0 if expected is Stage.CLEARED else NAN])


def test_actions_of_later_days_are_not_looked_at() -> None:
    assert stage(run(Act(101, Action.BOOKED, 110), today=100)) is Stage.REMINDED
    assert stage(run(Act(100.9, Action.BOOKED, 110), today=100)) is Stage.BOOKED


def test_of_one_moment_the_order_is_the_documented_one() -> None:
    assert stage(run(Act(95, Action.REOPENED), Act(95, Action.DONE))) is Stage.OPEN
    assert stage(run(Act(95, Action.BOOKED, 110), Act(95, Action.ACKNOWLEDGED))) is Stage.BOOKED
    assert run(Act(95, Action.BOOKED, 112), Act(95, Action.BOOKED, 110)).until_d[0] == 112
    # With hours, that of the hours.
    assert stage(run(Act(95.5, Action.ACKNOWLEDGED), Act(95.4, Action.REOPENED))) is Stage.ACKNOWLEDGED


def test_very_many_actions_count_from_the_end() -> None:
    acts = [Act(95 + n / 1e4, Action.ACKNOWLEDGED) for n in range(ACTIONS_MAX + 10)]
    assert run(*acts).action[0] == len(acts) - 1


def test_no_item_has_no_life_cycle() -> None:
    empty = np.zeros(0)
    none = Actions(empty.astype(np.int64), empty.astype(np.int64), empty, empty)
    assert life_cycle(none, Listing.none(0), empty, TODAY, RULES).stage.shape == (0,)


@pytest.mark.parametrize("reminders_d", [(14.0, 7.0), (0.0, 7.0)])
def test_reminders_have_to_rise(reminders_d: tuple[float, ...]) -> None:
    with pytest.raises(RulesError, match="must rise"):
        LifeCycleRules(reminders_d=reminders_d)


ACT = st.builds(
    Act,
    st.integers(40, 130).map(float) | st.floats(40, 130),
    st.sampled_from(Action),
    st.just(NAN) | st.integers(40, 160).map(float),
)
DAY = st.just(NAN) | st.integers(40, 130).map(float)


def same(a: LifeCycle, b: LifeCycle, acts: Sequence[Act], others: Sequence[Act]) -> None:
    for name in ("stage", "since_d", "until_d", "reminders", "next_reminder_d", "shown"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    told = [
        None if found.action[0] < 0 else each[found.action[0]] for found, each in ((a, acts), (b, others))
    ]
    assert repr(told[0]) == repr(told[1])


@given(data=st.data(), acts=st.lists(ACT, max_size=8), since=DAY, cleared=DAY, start=DAY)
def test_the_order_of_arrival_does_not_matter(
    data: st.DataObject, acts: list[Act], since: float, cleared: float, start: float
) -> None:
    shuffled = data.draw(st.permutations(acts))
    known = {"since": since, "due_since": since, "cleared": cleared, "start": start}
    same(run(*acts, **known), run(*shuffled, **known), acts, shuffled)


@dataclass
class Reference:
    """The rules in words, one item, one action after the other."""

    stage: str = "open"
    since: float = NAN
    until: float = NAN

    def act(self, act: Act) -> None:
        day = math.floor(act.day)
        self.wait(day)
        if self.stage == "done" and act.action not in (Action.REOPENED, Action.DONE):
            return
        if self.stage == "booked" and act.action is Action.ACKNOWLEDGED:
            return
        self.stage = {Action.REOPENED: "open"}.get(act.action, act.action.name.lower())
        self.since, self.until = act.day, NAN
        if act.action is Action.SNOOZED:
            self.until = min(act.for_day, day + 365.0) if act.for_day == act.for_day else day + 30.0
        if act.action is Action.BOOKED:
            self.until = act.for_day if act.for_day == act.for_day else day + 14.0

    def wait(self, day: float) -> None:
        ends = {
            "snoozed": self.until,
            "booked": self.until + 4,
            "done": (math.floor(self.since) if self.since == self.since else NAN) + 8,
        }.get(self.stage, math.inf)
        if ends <= day:
            self.stage, self.since, self.until = "open", ends, NAN


@given(acts=st.lists(ACT, max_size=10), cleared=DAY, start=DAY, today=st.integers(40, 200))
def test_columns_agree_with_the_rules_in_words(
    acts: list[Act], cleared: float, start: float, today: int
) -> None:
    reference = Reference()
    for act in sorted(
        acts, key=lambda act: (act.day, act.action, act.for_day if act.for_day == act.for_day else -1)
    ):
        day = math.floor(act.day)
        work = min(act.for_day, day) if act.action is Action.DONE and act.for_day == act.for_day else day
        is_over = work <= start or (day <= cleared and act.action is not Action.BOOKED)
        if not is_over and act.day < today + 1:
            reference.act(act)
    reference.wait(today)
    result = run(*acts, since=30, due_since=NAN, cleared=cleared, start=start, today=today)
    assert stage(result) is Stage[reference.stage.upper()]
    np.testing.assert_array_equal(result.until_d, [reference.until])
    np.testing.assert_array_equal(result.since_d, [30.0 if math.isnan(reference.since) else reference.since])


@given(acts=st.lists(ACT, max_size=8), since=DAY, cleared=DAY, start=DAY, today=st.integers(40, 200))
def test_what_holds_whatever_was_done(
    acts: list[Act], since: float, cleared: float, start: float, today: int
) -> None:
    result = run(*acts, since=since, due_since=since, cleared=cleared, start=start, today=today)
    at, listed = stage(result), not math.isnan(since)
    assert bool(result.shown[0]) == (listed and at in (Stage.OPEN, Stage.REMINDED, Stage.ACKNOWLEDGED))
    assert listed or at in (Stage.NONE, Stage.CLEARED, Stage.BOOKED)
    assert np.isnan(result.since_d[0]) == (at is Stage.NONE)
    assert np.isnan(result.until_d[0]) == (at not in (Stage.BOOKED, Stage.SNOOZED))
    if not np.isnan(result.next_reminder_d[0]):
        assert result.shown[0]
        assert result.next_reminder_d[0] > today
    if at is Stage.SNOOZED:
        assert result.until_d[0] > today
    if at is Stage.BOOKED:
        assert result.until_d[0] + RULES.booked_grace_d >= today


@given(acts=st.lists(ACT, max_size=6), since=DAY)
def test_left_alone_for_long_every_item_that_needs_attention_is_on_the_list(
    acts: list[Act], since: float
) -> None:
    result = run(*acts, since=since, due_since=since, today=160 + 365)
    assert bool(result.shown[0]) == (not math.isnan(since))


@given(items=st.lists(st.lists(ACT, max_size=5), max_size=5), since=DAY)
def test_items_together_are_as_items_alone(items: list[list[Act]], since: float) -> None:
    flat = [(place, act) for place, acts in enumerate(items) for act in acts]
    actions = Actions(
        np.array([place for place, _ in flat], dtype=np.int64),
        np.array([act.action for _, act in flat], dtype=np.int64),
        np.array([act.day for _, act in flat], dtype=np.float64),
        np.array([act.for_day for _, act in flat], dtype=np.float64),
    )
    size = len(items)
    listed = Listing(np.full(size, since), np.full(size, since), np.full(size, NAN))
    together = life_cycle(actions, listed, np.full(size, NAN), TODAY + 1, RULES)
    for place, acts in enumerate(items):
        alone = run(*acts, since=since, due_since=since)
        for name in ("stage", "since_d", "until_d", "reminders", "next_reminder_d", "shown"):
            np.testing.assert_array_equal(getattr(together, name)[place], getattr(alone, name)[0])


def days_of(states: list[State], anew: list[bool]) -> list[Listing]:
    held, found = Listing.none(1), []
    for day, (state, new) in enumerate(zip(states, anew, strict=True)):
        held = listing(held, np.array([int(state)]), np.array([new]), day + 1.0)
        found.append(held)
    return found


def test_a_listing_remembers_since_when_until_it_clears() -> None:
    states = [
        State.OK,
        State.UPCOMING,
        State.UPCOMING,
        State.DUE,
        State.OVERDUE,
        State.UPCOMING,
        State.OK,
        State.OK,
    ]
    found = days_of(states, [False] * len(states))
    np.testing.assert_array_equal([each.since_d[0] for each in found], [NAN, 1, 1, 1, 1, 1, NAN, NAN])
    np.testing.assert_array_equal(
        [each.due_since_d[0] for each in found], [NAN, NAN, NAN, 3, 3, NAN, NAN, NAN]
    )
    np.testing.assert_array_equal([each.cleared_d[0] for each in found], [NAN] * 6 + [6, 6])


def test_a_new_life_begins_its_listing_anew_and_not_knowing_clears_nothing() -> None:
    found = days_of([State.DUE, State.DUE, State.UNKNOWN], [False, True, False])
    assert [each.due_since_d[0] for each in found[:2]] == [0, 1]
    assert np.isnan(found[2].cleared_d[0])
    assert np.isnan(found[2].since_d[0])


@given(states=st.lists(st.sampled_from(State), min_size=1, max_size=30), anew=st.data())
def test_listings_hold_what_they_say(states: list[State], anew: st.DataObject) -> None:
    new = anew.draw(st.lists(st.booleans(), min_size=len(states), max_size=len(states)))
    for day, (state, held) in enumerate(zip(states, days_of(states, new), strict=True)):
        assert np.isnan(held.since_d[0]) == (state < State.UPCOMING)
        assert np.isnan(held.due_since_d[0]) == (state < State.DUE)
        since = held.since_d[0]
        if not np.isnan(since):
            assert all(each >= State.UPCOMING for each in states[int(since) : day + 1])
