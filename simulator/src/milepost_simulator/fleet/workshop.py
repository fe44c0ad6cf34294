"""Wear, and what workshops do about it: the lives of the items of each vehicle, from visit to visit.

Nothing here goes day by day. What wears is a sum that rises with the kilometres, so the day on which an item
reaches a share of its life is looked up, and a block's vehicles go from one visit to the next together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_simulator.fleet.items import BATTERY, ITEMS
from milepost_simulator.fleet.lives import Lives, LivesSoFar
from milepost_simulator.fleet.population import YEAR_DAYS
from milepost_simulator.fleet.state import NEW_DAYS, Start, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.curves import Curves
    from milepost_simulator.fleet.population import Population

TOGETHER = 0.85
"""Whoever is in the workshop anyway has renewed what is used up to this share."""
WAITS_DAYS = 12
"""Nobody comes on the very day: of those whose item waits, one in so many a day."""
WEAK_BATTERY, POOR_BATTERY = 0.42, 0.5
"""Health at which a car is brought because of it, and at which it is renewed on occasion of a visit."""
VISITS_PER_YEAR_MAX = 8
NEVER = np.iinfo(np.int64).max


class Service(NamedTuple):
    """One item renewed: ``vehicle`` is the population's row, ``is_recorded`` whether the dealer knows."""

    vehicle: int
    item: str
    day: int
    odometer_m: int
    is_recorded: bool


@dataclass(frozen=True, slots=True)
class Services:
    """All that was renewed, by vehicle and day; what a service book says of earlier years included."""

    row: NDArray[np.int64]
    item: NDArray[np.int64]
    day: NDArray[np.int64]
    """Counted from 1970."""
    odometer_m: NDArray[np.int64]
    is_recorded: NDArray[np.bool_]

    def of(self, row: int, before_day: int) -> list[Service]:
        """Those of one vehicle before a day."""
        found = np.flatnonzero((self.row == row) & (self.day < before_day))
        return [
            Service(
                row,
                ITEMS[int(self.item[i])].key,
                int(self.day[i]),
                int(self.odometer_m[i]),
                bool(self.is_recorded[i]),
            )
            for i in found
        ]


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits to a workshop, by vehicle and day; days are indices."""

    row: NDArray[np.int64]
    day: NDArray[np.int64]
    is_recorded: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WorkshopLife:
    """What happened to all items of V vehicles, as though nobody ever sold one.

    Attributes:
        lives: from one renewal to the next, with the day on which the item is due if nobody acts.
        services: everything done, oldest first within a vehicle.
        visits: when the vehicles were in a workshop.
        battery_start, battery_per_day: float64 of shape (vehicles,): see `battery_health`.
    """

    lives: Lives
    services: Services
    visits: Visits
    battery_start: NDArray[np.float64]
    battery_per_day: NDArray[np.float64]

    def battery_health(self, row: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.float64]:
        """The 12 V battery's health (Q), 1 new, of ``row`` (Q) at the end of ``day`` (Q), an index."""
        life = self.lives.at(row, np.full(len(row), BATTERY), day)
        first = self.lives.is_first[life]
        begun = np.where(first, self.battery_start[row], 1.0)
        faded = self.battery_per_day[row] * (day - self.lives.seen_day[life])
        health: NDArray[np.float64] = np.maximum(0.3, begun - faded)
        return health

    def due_day(self, day: int, first_day: int) -> NDArray[np.int64]:
        """When each item (vehicles, items) is due if nobody acts from ``day`` (an index) on.

        Counted from 1970; NEVER where that lies beyond the days or the vehicle has no such item.
        """
        due = np.full((len(self.battery_start), len(ITEMS)), NEVER, dtype=np.int64)
        lives = self.lives
        now = (lives.seen_day < day) & (lives.until_day >= day) & (lives.due_day < lives.days)
        due[lives.row[now], lives.item[now]] = first_day + lives.due_day[now]
        return due


def live(
    rng: np.random.Generator, people: Population, curves: Curves, first_day: int, start: Start
) -> WorkshopLife:
    """Let the items wear and be renewed, to the end of the days.

    Owners bring their cars when the first item has reached their personal share of its life.
    """
    days = curves.days
    visits_max = 12 + round(VISITS_PER_YEAR_MAX * days / YEAR_DAYS)
    delay = rng.geometric(1 / WAITS_DAYS, (len(people), visits_max))
    # Drawn for all, so that one more visit does not change who is loyal elsewhere.
    recorded = rng.random((len(people), visits_max)) < people.loyalty[:, None]
    state = State(people, curves, first_day, start)
    book, past = LivesSoFar(state), _before(state)
    rows, all_days, all_recorded = [], [], []
    crossing = state.reaches_all(people.compliance)
    for number in range(visits_max):
        waits = np.minimum(crossing.min(axis=1), state.battery_below(WEAK_BATTERY))
        day = waits + delay[:, number]
        day += (first_day + day + 3) % 7 == 6  # closed on Sundays
        row = np.flatnonzero((waits < days) & (day < days))
        if not len(row):
            break
        day = day[row]
        done = state.has[row] & (
            state.share_used(row, day) >= np.minimum(TOGETHER, people.compliance[row])[:, None]
        )
        done[:, BATTERY] |= state.battery_health(row, day) < POOR_BATTERY
        pair, item = np.nonzero(done)
        book.end(row[pair], item, day[pair], recorded[row[pair], number])
        state.renew(row[pair], item, day[pair])
        crossing[row[pair], item] = state.reaches(row[pair], item, people.compliance[row[pair]])
        rows.append(row)
        all_days.append(day)
        all_recorded.append(recorded[row, number])
    visits = _visits(rows, all_days, all_recorded)
    lives, services = book.close(), _services(past, book, first_day)
    return WorkshopLife(lives, services, visits, start.battery_health, state.battery_per_day)


def _before(state: State) -> Services:
    """The last services before the history, from the car's service book: the dealer knows all of them.

    A car that was never serviced has none.
    """
    row, item = np.nonzero(state.has & (state.start_day > state.registered + NEW_DAYS))
    return Services(
        row,
        item,
        state.first_day + state.start_day[row, item],
        (1000 * state.start_km[row, item]).astype(np.int64),
        np.ones(len(row), dtype=bool),
    )


def _services(past: Services, book: LivesSoFar, first_day: int) -> Services:
    row, item, day, odometer_m, recorded = (
        np.concatenate(columns)
        for columns in zip(
            (past.row, past.item, past.day, past.odometer_m, past.is_recorded),
            book.services(first_day),
            strict=True,
        )
    )
    order = np.lexsort((item, day, row))
    return Services(row[order], item[order], day[order], odometer_m[order], recorded[order])


def _visits(
    rows: list[NDArray[np.int64]], days: list[NDArray[np.int64]], recorded: list[NDArray[np.bool_]]
) -> Visits:
    none = np.zeros(0, dtype=np.int64)
    row, day = np.concatenate([none, *rows]), np.concatenate([none, *days])
    known = np.concatenate([none.astype(bool), *recorded])
    order = np.lexsort((day, row))
    return Visits(row[order], day[order], known[order])
