"""Where an item stands on the way to its due date, without flapping from day to day.

An item enters a state the moment that its median date comes near enough, and falls back only when the date
has moved away by a margin more: new readings shift dates by a few days every day, and a list whose rows come
and go is not trusted. So today's state is a function of today's numbers and of yesterday's state. Yesterday's
is an argument: a replay of the history gives the same states, day by day.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from milepost_server.signals.errors import RulesError
from milepost_server.signals.flat import Bools, Floats, Ints


class State(enum.IntEnum):
    """Where an item stands on the way to its due date."""

    UNKNOWN = 0
    OK = 1
    UPCOMING = 2
    DUE = 3
    OVERDUE = 4


@dataclass(frozen=True, slots=True)
class DueRules:
    """From how many days ahead an item is called upcoming or due, and how far its date has to move away again
    before it is no longer; part of the configuration version.

    Raises:
        RulesError: a margin is negative, or a nearer state would be left later than a farther one.
    """

    due_d: float = 30.0
    upcoming_d: float = 90.0
    overdue_after_d: float = 1.0
    upcoming_margin_d: float = 14.0
    due_margin_d: float = 7.0
    overdue_margin_d: float = 3.0

    def __post_init__(self) -> None:
        if min(self.margins) < 0:
            raise RulesError("due", f"margins {self.margins} d must not be negative")
        for what, days in (("entered", self.enters_d), ("left", self.leaves_d)):
            if not days[0] > days[1] > days[2]:
                raise RulesError(
                    "due",
                    f"upcoming, due and overdue are {what} at {days} d before the date; these must fall",
                )

    @property
    def margins(self) -> tuple[float, float, float]:
        """Of upcoming, due and overdue, days."""
        return (self.upcoming_margin_d, self.due_margin_d, self.overdue_margin_d)

    @property
    def enters_d(self) -> tuple[float, float, float]:
        """Upcoming, due, overdue: entered when the median date is less than this many days ahead."""
        return (self.upcoming_d, self.due_d, -self.overdue_after_d)

    @property
    def leaves_d(self) -> tuple[float, float, float]:
        """Upcoming, due, overdue: left when the median date is at least this many days ahead."""
        enters, margins = self.enters_d, self.margins
        return (enters[0] + margins[0], enters[1] + margins[1], enters[2] + margins[2])


def states(
    median_d: Floats,
    firm_d: Floats,
    as_of_d: float,
    rules: DueRules,
    previous: Ints | None = None,
) -> Ints:
    """The `State` (K) of items whose median dates are ``median_d`` (K, NaN where unknown).

    ``firm_d`` (K) are the medians of those limits alone that rest on something that anybody has measured or
    noted down, NaN or infinite where there is none: only by these is an item overdue. ``as_of_d`` is the end
    of the as-of day, days since 1970. ``previous`` (K) is the state of the day before, `State.UNKNOWN` where
    there is none or where the item began anew since (see `carried`); without it, no state has a memory.
    """
    ahead_d, firm_ahead_d = median_d - as_of_d, firm_d - as_of_d
    fresh = _level(ahead_d, firm_ahead_d, rules.enters_d)
    if previous is not None:
        held = _level(ahead_d, firm_ahead_d, rules.leaves_d)
        fresh = np.maximum(fresh, np.minimum(previous, held))
    return np.where(np.isnan(ahead_d), int(State.UNKNOWN), fresh)


def _level(ahead_d: Floats, firm_ahead_d: Floats, nearer_than_d: tuple[float, float, float]) -> Ints:
    upcoming, due, overdue = nearer_than_d
    level: Ints = int(State.OK) + (ahead_d < upcoming).astype(np.int64)
    level += ahead_d < due
    level += firm_ahead_d < overdue
    return level


def carried(previous: Ints, previous_start_d: Floats, start_d: Floats) -> Ints:
    """Yesterday's states (K) without those of items that began anew since.

    ``previous_start_d`` and ``start_d`` (K) are where the items began then and now, NaN where that is not
    known. A service record, also one that arrives late, moves the start, and nothing of the old life holds.
    """
    return np.where(goes_on(previous_start_d, start_d), previous, int(State.UNKNOWN))


def goes_on(previous_start_d: Floats, start_d: Floats) -> Bools:
    """Whether items (K) are in the life that they were in: the start is the same, or unknown now as then."""
    same: Bools = previous_start_d == start_d
    return same | (np.isnan(previous_start_d) & np.isnan(start_d))
