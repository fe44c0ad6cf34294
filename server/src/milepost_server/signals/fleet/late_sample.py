"""How late a fleet's services came, chunk by chunk, by its records: what `items.lapse` learns from."""

from __future__ import annotations

import numpy as np

from milepost_server.signals.flat import Ints
from milepost_server.signals.fleet.groups import Group, groups
from milepost_server.signals.fleet.inputs import Fleet
from milepost_server.signals.items.lapse import LapseRules, Lateness, Seen, lapses_after_d, late_d
from milepost_server.signals.items.limits import add_months, intervals_of
from milepost_server.signals.items.starts import starts_of


class LateSample:
    """Collects services that had fallen due."""

    def __init__(self, rules: LapseRules) -> None:
        self._rules = rules
        self.parts: list[Lateness] = []

    def add(self, fleet: Fleet, as_of_d: float) -> None:
        """Add a chunk as it was known at ``as_of_d``, the end of the as-of day."""
        code = {key: code for code, key in enumerate(fleet.keys)}
        self.parts += [_lateness(fleet, group, code[group.key], as_of_d) for group in groups(fleet.plans)]

    def lapses_after_d(self) -> float:
        """From how many days of lateness on an item counts as done elsewhere."""
        return lapses_after_d(Lateness.together(self.parts), self._rules)


def _lateness(fleet: Fleet, group: Group, code: int, as_of_d: float) -> Lateness:
    """Each record of an item is a life, until the next record or until now."""
    row, place = _records(fleet, group, code, as_of_d)
    vehicle = group.vehicle[place]
    starts = starts_of(fleet.axis, fleet.records, row, vehicle, fleet.registered_d[vehicle])
    intervals = intervals_of(group.items, group.which[place], starts.age_months)
    came = np.append(vehicle[1:] == vehicle[:-1], np.zeros(min(len(vehicle), 1), dtype=np.bool_))
    next_d, next_m = (np.append(own[1:], np.nan)[: len(own)] for own in (starts.time_d, starts.odometer_m))
    seen = Seen(
        np.where(came, next_d, starts.anchor_d),
        np.where(came, next_m, starts.anchor_m),
        fleet.ahead.usage.rate_m_per_d[vehicle],
    )
    months_end_d = add_months(starts.time_d, intervals.months)
    late = late_d(starts, intervals, seen, np.where(came, next_d, as_of_d), months_end_d)
    due = late > 0
    return Lateness(late[due], came[due])


def _records(fleet: Fleet, group: Group, code: int, as_of_d: float) -> tuple[Ints, Ints]:
    """The rows of an item's records up to now by vehicle and day, one a day; their places in the group."""
    records = fleet.records
    of = np.full(len(fleet.registered_d), -1, dtype=np.int64)
    of[group.vehicle] = np.arange(len(group.vehicle))
    row = np.flatnonzero(
        (records.item == code) & (records.done_d < as_of_d) & (of[records.vehicle] >= 0)
    ).astype(np.int64)
    row = row[np.lexsort((records.done_d[row], records.vehicle[row]))]
    same = (np.diff(records.vehicle[row]) == 0) & (np.diff(np.floor(records.done_d[row])) == 0)
    row = row[np.append(~same, np.ones(min(len(row), 1), dtype=np.bool_))]
    return row, of[records.vehicle[row]]
