"""The due date of every item of every vehicle: the steps of this room in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Bools, Floats, Ints
from milepost_server.signals.fleet.groups import Group, groups
from milepost_server.signals.fleet.inputs import Fleet, ItemRules, Previous
from milepost_server.signals.fleet.measured import Measured, PositionedWear
from milepost_server.signals.items.due import Due, FirstLimit, due
from milepost_server.signals.items.item import Item
from milepost_server.signals.items.lapse import Seen, late_d, worn_out_d
from milepost_server.signals.items.limits import (
    Intervals,
    ItemLimits,
    Lapsed,
    add_months,
    intervals_of,
    item_limits,
)
from milepost_server.signals.items.starts import Starts, last_services, starts_of
from milepost_server.signals.items.states import State, carried, goes_on
from milepost_server.signals.items.wear import WearLimit, WearLine


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One item of the Q vehicles that have it; rows of limits are those of the `SignalRows`."""

    key: str
    items: tuple[Item, ...]  # the different schedules that these vehicles have for it
    which: Ints  # (Q) place in ``items``
    starts: Starts  # with the vehicles (Q), rising
    record: Ints  # (Q) row of the service record that it starts from, -1 where none
    began_anew: Bools  # (Q) whether it starts elsewhere than the day before
    limits: ItemLimits
    wear: PositionedWear | None
    counters: tuple[tuple[FirstLimit, WearLimit], ...]
    due: Due


def item_results(
    fleet: Fleet, as_of_d: float, rules: ItemRules, previous: Previous | None = None
) -> Iterator[ItemResult]:
    """Each item of the fleet as seen at ``as_of_d``, the end of the as-of day (days since 1970).

    One after the other, so that what is done with one can be forgotten before the next. ``previous`` is the
    day before: without it, no state has a memory.
    """
    run = _Run(fleet, as_of_d, rules, previous)
    for group in groups(fleet.plans):
        yield run.result(group)


def wear_lines(fleet: Fleet, as_of_d: float, rules: ItemRules) -> Iterator[tuple[Group, str, WearLine]]:
    """The lines of all parts (Q in each group), by position, which its signal names: for `wear_prior`."""
    run = _Run(fleet, as_of_d, rules, None)
    for group in groups(fleet.plans):
        for signal, line in run.measured.lines(group, run.starts(group)[1]):
            yield group, signal, line


class _Run:
    """One derivation of one fleet."""

    def __init__(self, fleet: Fleet, as_of_d: float, rules: ItemRules, previous: Previous | None) -> None:
        self.fleet = fleet
        self.as_of_d = as_of_d
        self.rules = rules
        self.previous = previous
        self.measured = Measured(fleet, as_of_d, rules)
        self.code = {key: code for code, key in enumerate(fleet.keys)}
        self.last = last_services(fleet.records, len(fleet.registered_d), len(fleet.keys), as_of_d)

    def starts(self, group: Group) -> tuple[Ints, Starts]:
        """The row (Q) of each vehicle's last record, -1 where none, and where the item began by it."""
        last: Ints = self.last[group.vehicle, self.code[group.key]]
        registered_d = self.fleet.registered_d[group.vehicle]
        return last, starts_of(self.fleet.axis, self.fleet.records, last, group.vehicle, registered_d)

    def result(self, group: Group) -> ItemResult:
        """One item, from its start to its due date."""
        last, recorded = self.starts(group)
        wear = self.measured.wear(group, recorded)
        renewal = self.measured.renewal(group, recorded, wear)
        starts = recorded.renewed(*renewal, self.fleet.registered_d[group.vehicle])
        intervals = intervals_of(group.items, group.which, starts.age_months)
        months_end_d = add_months(starts.time_d, intervals.months)
        counters = self.measured.counters(group, starts, intervals)
        limits = item_limits(
            intervals,
            starts,
            None if wear is None else wear.limit,
            self.as_of_d,
            counters=counters,
            countdown=self.measured.countdown(group, starts),
            lapsed=self._lapsed(starts, intervals, wear, months_end_d),
            months_end_d=months_end_d,
        )
        before, began_anew = self._before(group, starts)
        return ItemResult(
            key=group.key,
            items=group.items,
            which=group.which,
            starts=starts,
            record=np.where(starts.recorded, last, -1),
            began_anew=began_anew,
            limits=limits,
            wear=wear,
            counters=counters,
            due=self._due(limits, before),
        )

    def _lapsed(
        self, starts: Starts, intervals: Intervals, wear: PositionedWear | None, months_end_d: Floats
    ) -> Lapsed | None:
        """Which items (Q) are so late, by time after ``months_end_d`` (Q), that they have lapsed."""
        if not np.isfinite(self.rules.lapses_after_d):
            return None
        rate = self.fleet.ahead.usage.rate_m_per_d[starts.vehicle]
        seen = Seen(starts.anchor_d, starts.anchor_m, rate)
        after_d = self.rules.lapses_after_d
        record = starts.recorded & (late_d(starts, intervals, seen, self.as_of_d, months_end_d) > after_d)
        if wear is None:
            return Lapsed(record, np.zeros(len(record), dtype=np.bool_))
        return Lapsed(record, worn_out_d(wear.limit, seen, self.as_of_d) > after_d)

    def _due(self, limits: ItemLimits, before: Ints | None) -> Due:
        return due(
            self.fleet.axis.history,
            self.fleet.ahead,
            limits.limits,
            self.as_of_d,
            self.rules.due,
            previous=before,
        )

    def _before(self, group: Group, starts: Starts) -> tuple[Ints | None, Bools]:
        """The states (Q) of the day before as far as they still hold, and which items began anew since."""
        if self.previous is None:
            return None, np.zeros(len(group.vehicle), dtype=np.bool_)
        place = (group.vehicle, self.code[group.key])
        state, start_d = self.previous.state[place], self.previous.start_d[place]
        anew = (state != State.UNKNOWN) & ~goes_on(start_d, starts.time_d)
        return carried(state, start_d, starts.time_d), anew
