"""How far the work on an item that needs attention has come: what staff did, and what time did since.

A pure function of the item's state (`states`), of what `listing` carries from day to day, and of all that
staff did about the item, in any order: what counts is when it was done. Of actions at one moment (a date
without an hour is one) that which leaves the item more surely in sight counts last: `Action` is their order.

What was done before the item began anew, or up to the day on which it cleared by itself, belongs to a life
that is over, except an appointment that is still to come. Nothing is forgotten for good: a snooze ends on its
day, an appointment that passed without a service comes back, and so does "done" without a record of it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from milepost_server.signals.errors import RulesError
from milepost_server.signals.flat import Bools, Floats, Ints
from milepost_server.signals.items.states import State


class Stage(enum.IntEnum):
    """Where the work on an item stands."""

    NONE = 0
    """It needs no attention."""
    OPEN = 1
    REMINDED = 2
    """Open, and nobody did anything for a week or longer."""
    ACKNOWLEDGED = 3
    BOOKED = 4
    SNOOZED = 5
    DONE = 6
    """Staff said so; the record of the service is still to come."""
    CLEARED = 7
    """Lately, by itself: a reading recovered, or a service record came."""


class Action(enum.IntEnum):
    """What staff do about an item; of several at one moment, the later one here counts last."""

    ACKNOWLEDGED = 0
    SNOOZED = 1
    BOOKED = 2
    DONE = 3
    REOPENED = 4


_TABLE: Final = MappingProxyType(
    {
        Stage.OPEN: (Stage.ACKNOWLEDGED, Stage.SNOOZED, Stage.BOOKED, Stage.DONE, Stage.OPEN),
        Stage.ACKNOWLEDGED: (Stage.ACKNOWLEDGED, Stage.SNOOZED, Stage.BOOKED, Stage.DONE, Stage.OPEN),
        Stage.SNOOZED: (Stage.ACKNOWLEDGED, Stage.SNOOZED, Stage.BOOKED, Stage.DONE, Stage.OPEN),
        # Who takes note of an appointment does not cancel it; who puts it off does.
        Stage.BOOKED: (Stage.BOOKED, Stage.SNOOZED, Stage.BOOKED, Stage.DONE, Stage.OPEN),
        # What is done can only be taken back.
        Stage.DONE: (Stage.DONE, Stage.DONE, Stage.DONE, Stage.DONE, Stage.OPEN),
    }
)
"""The stage after each `Action`, by the stage before it."""
_NEXT: Final = np.array([_TABLE.get(stage, (stage,) * len(Action)) for stage in Stage], dtype=np.int64)
_AIM: Final = np.array(_TABLE[Stage.OPEN], dtype=np.int64)
"""The stage that each action is meant to lead to."""

ACTIONS_MAX = 200
"""Actions on one item and life that are looked at, the newest: more is a machine that plays."""


@dataclass(frozen=True, slots=True)
class LifeCycleRules:
    """The numbers of a life cycle, days; part of the configuration version.

    Raises:
        RulesError: reminders that do not rise.
    """

    reminders_d: tuple[float, ...] = (7.0, 14.0)  # since it became due, or since somebody did something
    booked_grace_d: float = 3.0  # after the appointment, for the record to come
    done_grace_d: float = 7.0  # after "done", for the record to come
    snooze_d: float = 30.0  # where no day was said
    snooze_d_max: float = 365.0
    booked_d: float = 14.0  # where no day was said
    cleared_shown_d: float = 14.0  # so long it is said that an item cleared

    def __post_init__(self) -> None:
        if list(self.reminders_d) != sorted(self.reminders_d) or min(self.reminders_d, default=1.0) <= 0:
            raise RulesError("life cycle", f"reminders after {self.reminders_d} d must rise from above 0")


@dataclass(frozen=True, slots=True)
class Listing:
    """Since when each of K items needs attention; days since 1970, NaN where it does not."""

    since_d: Floats  # (K) upcoming or nearer
    due_since_d: Floats  # (K) due or overdue
    cleared_d: Floats  # (K) the last day on which it cleared by itself

    @classmethod
    def none(cls, size: int) -> Listing:
        """For items that nothing is known of yet."""
        return cls(*(np.full(size, np.nan) for _ in range(3)))

    def of_owner(self, since_d: Floats) -> Listing:
        """The same for who has each vehicle since then (K; NaN: nobody, and all of it stands).

        What a former owner was told of begins anew on the day on which the car changed hands.
        """

        def at_least(day: Floats) -> Floats:
            return np.where(np.isnan(day), day, np.fmax(day, since_d))

        cleared_d = np.where(self.cleared_d < since_d, np.nan, self.cleared_d)
        return Listing(at_least(self.since_d), at_least(self.due_since_d), cleared_d)


@dataclass(frozen=True, slots=True)
class Actions:
    """N actions of staff, in any order."""

    item: Ints  # (N) which of the K items
    action: Ints  # (N) of `Action`
    time_d: Floats  # (N) when it was done, days since 1970
    for_d: (
        Floats  # (N) booked: day of the appointment; snoozed: first day after; done: day of the work; or NaN
    )


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """The life cycle of K items at the as-of date."""

    stage: Ints  # (K) of `Stage`
    since_d: Floats  # (K) since when; NaN for `Stage.NONE`
    until_d: Floats  # (K) the appointment, or the first day after a snooze; else NaN
    reminders: Ints  # (K) how many this need has had since anybody did anything
    next_reminder_d: Floats  # (K) the day of the next one; NaN where none is to come
    shown: Bools  # (K) whether it stands on the list today
    action: Ints  # (K) the row of the action that led here, -1 where none did


def listing(previous: Listing, state: Ints, began_anew: Bools, as_of_d: float) -> Listing:
    """What the next day has to know of the ``state`` (K) at ``as_of_d``, the end of the as-of day.

    ``began_anew`` (K) is whether the item's start is another than the day before: a service record came.
    """
    today_d = as_of_d - 1.0
    is_known = state != State.UNKNOWN

    def since(before_d: Floats, at_least: State) -> Floats:
        held = np.where(np.isnan(before_d) | began_anew, today_d, before_d)
        return np.where(state >= at_least, held, np.nan)

    cleared = ~np.isnan(previous.since_d) & is_known & (state < State.UPCOMING)
    return Listing(
        since_d=since(previous.since_d, State.UPCOMING),
        due_since_d=since(previous.due_since_d, State.DUE),
        cleared_d=np.where(cleared, today_d, previous.cleared_d),
    )


def life_cycle(
    actions: Actions, listed: Listing, start_d: Floats, as_of_d: float, rules: LifeCycleRules
) -> LifeCycle:
    """The life cycle of K items at ``as_of_d``, the end of the as-of day; later actions are not looked at.

    ``start_d`` (K) is the day on which each item began anew, NaN where that is not known.
    """
    fold = _Fold(len(start_d), rules)
    order = _order(actions, _counting(actions, listed, start_d, as_of_d))
    for rows in _rounds(actions.item[order]):
        fold.act(actions, order[rows])
    fold.pass_time(np.arange(len(start_d)), np.full(len(start_d), as_of_d - 1.0))
    return fold.result(listed, as_of_d - 1.0)


def _rounds(owner: Ints) -> Iterator[Ints]:
    """Rows of ``owner`` (N, rising): the first of each, then the second of each, and so on to the last."""
    if not len(owner):
        return
    first = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    end = np.append(first[1:], len(owner))
    first = np.maximum(first, end - ACTIONS_MAX)
    for number in range(int(np.max(end - first))):
        yield first[first + number < end] + number


def _counting(actions: Actions, listed: Listing, start_d: Floats, as_of_d: float) -> Bools:
    """Which actions (N) are of the life that the item has now."""
    day = np.floor(actions.time_d)
    is_done, is_booked = actions.action == Action.DONE, actions.action == Action.BOOKED
    # Work that is on record is what the item began anew with.
    day_of_work = np.where(is_done & np.isfinite(actions.for_d), np.fmin(actions.for_d, day), day)
    cleared_d = listed.cleared_d[actions.item]
    is_over = (day_of_work <= start_d[actions.item]) | ((day <= cleared_d) & ~is_booked)
    counting: Bools = ~is_over & (actions.time_d < as_of_d)
    return counting


def _order(actions: Actions, counting: Bools) -> Ints:
    """The rows of ``counting`` actions by item, then as they happened."""
    rows = np.flatnonzero(counting)
    for_d = np.nan_to_num(actions.for_d[rows], nan=-np.inf)
    return rows[np.lexsort((for_d, actions.action[rows], actions.time_d[rows], actions.item[rows]))]


class _Fold:
    """Actions and time, applied one after the other to K items at once."""

    def __init__(self, size: int, rules: LifeCycleRules) -> None:
        self.rules = rules
        self.stage = np.full(size, int(Stage.OPEN))
        self.since_d = np.full(size, np.nan)
        self.until_d = np.full(size, np.nan)
        self.action = np.full(size, -1)

    def act(self, actions: Actions, rows: Ints) -> None:
        """Apply actions of different items."""
        item, action = actions.item[rows], actions.action[rows]
        time_d = actions.time_d[rows]
        self.pass_time(item, np.floor(time_d))
        after = _NEXT[self.stage[item], action]
        # What an action leaves as it is, it does not begin anew either.
        tells = after == _AIM[action]
        until_d = self._until(action, time_d, actions.for_d[rows])
        item, rows = item[tells], rows[tells]
        self.stage[item], self.since_d[item] = after[tells], time_d[tells]
        self.until_d[item], self.action[item] = until_d[tells], rows

    def _until(self, action: Ints, time_d: Floats, for_d: Floats) -> Floats:
        rules, day = self.rules, np.floor(time_d)
        snoozed = np.where(np.isnan(for_d), day + rules.snooze_d, np.minimum(for_d, day + rules.snooze_d_max))
        booked = np.where(np.isnan(for_d), day + rules.booked_d, for_d)
        return np.select([action == Action.SNOOZED, action == Action.BOOKED], [snoozed, booked], np.nan)

    def pass_time(self, item: Ints, day: Floats) -> None:
        """Let it become ``day`` (Q) for different items (Q): what was to be by then and was not, is open."""
        stage, until_d = self.stage[item], self.until_d[item]
        ends_d = np.select(
            [stage == Stage.SNOOZED, stage == Stage.BOOKED, stage == Stage.DONE],
            [
                until_d,
                until_d + self.rules.booked_grace_d + 1,
                np.floor(self.since_d[item]) + self.rules.done_grace_d + 1,
            ],
            np.inf,
        )
        over = ends_d <= day
        self.stage[item[over]], self.since_d[item[over]] = int(Stage.OPEN), ends_d[over]
        self.until_d[item[over]] = np.nan

    def result(self, listed: Listing, today_d: float) -> LifeCycle:
        """What it comes to for items that need attention, or do not."""
        waits = ~np.isnan(listed.since_d) & ((self.stage == Stage.OPEN) | (self.stage == Stage.ACKNOWLEDGED))
        reminders, reminded_d, next_d = self._reminders(listed, waits, today_d)
        is_open = waits & (self.stage == Stage.OPEN)
        stage = np.where(is_open & (reminders > 0), int(Stage.REMINDED), self.stage)
        since_d = np.where(is_open & np.isnan(self.since_d), listed.since_d, self.since_d)
        since_d = np.where(stage == Stage.REMINDED, reminded_d, since_d)
        # An appointment stands whatever the numbers say today.
        quiet = np.isnan(listed.since_d) & (stage != Stage.BOOKED)
        cleared = listed.cleared_d + self.rules.cleared_shown_d >= today_d
        return LifeCycle(
            stage=np.where(quiet, np.where(cleared, int(Stage.CLEARED), int(Stage.NONE)), stage),
            since_d=np.where(quiet, np.where(cleared, listed.cleared_d, np.nan), since_d),
            until_d=np.where(quiet, np.nan, self.until_d),
            reminders=reminders,
            next_reminder_d=next_d,
            shown=waits,
            action=np.where(quiet, -1, self.action),
        )

    def _reminders(self, listed: Listing, waits: Bools, today_d: float) -> tuple[Ints, Floats, Floats]:
        """How many reminders (K) there were, the day of the last one, and that of the next."""
        begin_d = np.where(waits, np.fmax(np.floor(self.since_d), listed.due_since_d), np.nan)
        # What is only upcoming is nothing to be reminded of.
        begin_d = np.where(np.isnan(listed.due_since_d), np.nan, begin_d)
        at_d = np.full((len(self.rules.reminders_d) + 2, len(begin_d)), np.nan)
        at_d[1:-1] = begin_d + np.array(self.rules.reminders_d)[:, None]
        count = (at_d <= today_d).sum(axis=0)
        every = np.arange(len(begin_d))
        return count, at_d[count, every], at_d[count + 1, every]
