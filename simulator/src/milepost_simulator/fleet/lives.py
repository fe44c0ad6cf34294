"""The lives of items: from one renewal to the next, and when each would be due if nobody acted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_simulator.fleet.items import ITEMS, Channel
from milepost_simulator.fleet.state import CHANNEL, USED_MAX, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.curves import Curves

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lives:
    """L lives, by row, item and day. Days are indices, before the first day negative.

    Attributes:
        curves: the kilometres of the vehicles.
        row, item: whose it is.
        start_day, start_km: when it was renewed, by calendar and odometer.
        seen_day, seen_worn: from the end of which day on it is followed, and its used share then.
        per_km, per_day: how the used share grows; 0 for what is not measured.
        due_day: the first day on which it is due if nobody renews it; the number of days if later.
        until_day: when it was renewed again; the number of days where it was not.
        is_first: whether it had begun before the row did.
    """

    curves: Curves
    row: Ints
    item: Ints
    start_day: Ints
    start_km: Floats
    seen_day: Ints
    seen_worn: Floats
    per_km: Floats
    per_day: Floats
    due_day: Ints
    until_day: Ints
    is_first: NDArray[np.bool_]

    @property
    def days(self) -> int:
        """How many days there are."""
        return self.curves.days

    @property
    def has(self) -> NDArray[np.bool_]:
        """Which vehicles have which items (vehicles, items)."""
        has = np.zeros((len(self.curves.value), len(ITEMS)), dtype=bool)
        has[self.row, self.item] = True
        return has

    def at(self, row: Ints, item: Ints, day: Ints) -> Ints:
        """Which life (Q) of ``item`` of ``row`` it is at the end of ``day``."""
        span = self.days + 2
        keys = (self.row * len(ITEMS) + self.item) * span + self.seen_day + 1
        wanted = (row * len(ITEMS) + item) * span + day + 1
        found: Ints = np.searchsorted(keys, wanted, side="right") - 1
        return found

    def worn(self, row: Ints, item: Ints, day: Ints) -> Floats:
        """The used share (Q) of measured items at the end of ``day``, at most `USED_MAX`."""
        life = self.at(row, item, day)
        seen = self.seen_day[life]
        driven_km = self.curves.at(row, day) - self.curves.at(row, seen)
        worn = self.seen_worn[life] + self.per_km[life] * driven_km + self.per_day[life] * (day - seen)
        return np.minimum(worn, USED_MAX)


class LivesSoFar:
    """Collects lives as they end."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._ended: list[tuple[NDArray[Any], ...]] = []
        self._services: list[tuple[NDArray[Any], ...]] = []

    def end(self, row: Ints, item: Ints, day: Ints, recorded: NDArray[np.bool_]) -> None:
        """Write down the lives that end with a renewal on ``day``, before the state is changed."""
        self._ended.append(self._facts(row, item, day))
        odometer_m = 1000 * (self._state.odometer_km[row] + self._state.curves.at(row, day))
        self._services.append((row, item, day, odometer_m.astype(np.int64), recorded))

    def close(self) -> Lives:
        """All lives, those that have not ended too."""
        row, item = np.nonzero(self._state.has)
        self._ended.append(self._facts(row, item, np.full(len(row), self._state.curves.days)))
        columns = [np.concatenate(column) for column in zip(*self._ended, strict=True)]
        order = np.lexsort((columns[4], columns[1], columns[0]))
        columns = [column[order] for column in columns]
        same = (columns[0][1:] == columns[0][:-1]) & (columns[1][1:] == columns[1][:-1])
        is_first = np.concatenate([[True], ~same])[: len(order)]
        columns.append(is_first)
        return Lives(self._state.curves, *columns)

    def services(self, first_day: int) -> tuple[NDArray[Any], ...]:
        """Row, item, day (from 1970), odometer and whether it is recorded, of each renewal."""
        if not self._services:
            none = np.zeros(0, dtype=np.int64)
            return none, none, none, none, none.astype(bool)
        row, item, day, odometer_m, recorded = (
            np.concatenate(column) for column in zip(*self._services, strict=True)
        )
        return row, item, first_day + day, odometer_m, recorded

    def _facts(self, row: Ints, item: Ints, until_day: Ints) -> tuple[NDArray[Any], ...]:
        state = self._state
        channel = CHANNEL[item]
        is_measured = channel >= 0
        return (
            row,
            item,
            state.start_day[row, item],
            state.start_km[row, item],
            state.seen_day[row, item],
            state.seen_worn[row, item],
            np.where(is_measured, state.per_km[row, channel], 0.0),
            np.where(channel == Channel.OIL, state.oil_per_day[row], 0.0),
            state.reaches(row, item, np.ones(len(row))),
            until_day,
        )
