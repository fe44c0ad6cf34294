"""A lot: vehicles in the hands of owners, and all that happens to them in the days of a fleet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_simulator.fleet.blocks import Stream, generator
from milepost_simulator.fleet.curves import Curves
from milepost_simulator.fleet.faults import Faults, draw_faults
from milepost_simulator.fleet.intent import NOT_WITHIN, Intent, draw_intent
from milepost_simulator.fleet.population import MONTH_DAYS, Population
from milepost_simulator.fleet.trouble import trouble
from milepost_simulator.fleet.usage import Usage, draw_usage, level_km
from milepost_simulator.fleet.workshop import WorkshopLife, live

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.state import Start

AHEAD_DAYS = 365


class FleetPlan(NamedTuple):
    """What a fleet follows from. Days count from 1970; the history ends with the day before ``as_of_day``.

    In a ``settled`` fleet nobody has sold a car before the as-of day; in others cars change hands all along.
    """

    owners: int
    seed: int
    months: int
    as_of_day: int
    settled: bool = True

    @property
    def first_day(self) -> int:
        """The first day of the history."""
        return self.as_of_day - round(self.months * MONTH_DAYS)

    @property
    def days(self) -> int:
        """How many days are drawn: the history and a year beyond it."""
        return self.as_of_day - self.first_day + AHEAD_DAYS


@dataclass(frozen=True, slots=True)
class Lot:
    """Vehicles and what happens to them, a year beyond the as-of day included.

    What is worn, broken and renewed goes on in these columns after a car was sold, as it would have
    without: `until_day` says to where it is true.

    Attributes:
        generation: 0 for the vehicles of the first day, 1 for those that came after them, and so on.
        population: who has what, V rows.
        usage: kilometres, and the reasons behind them.
        curves: kilometres since the row began, summed up.
        life: wear and services.
        faults: what broke.
        intent: who replaces, and when.
        until_day: int64 (V), counted from 1970: the day on which the owner gives the car away; the day after
            the last one where that does not happen.
    """

    generation: int
    population: Population
    usage: Usage
    curves: Curves
    life: WorkshopLife
    faults: Faults
    intent: Intent
    until_day: NDArray[np.int64]

    @property
    def km(self) -> NDArray[np.float64]:
        """Kilometres (vehicles, days)."""
        return self.usage.km

    @property
    def level_km(self) -> NDArray[np.float32]:
        """The hidden level of usage (vehicles, days)."""
        usage = self.usage
        return level_km(self.population.daily_km, usage.change_day, usage.change_factor, usage.km.shape[1])

    def odometer_km(self, row: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.float64]:
        """The true odometer (Q) of ``row`` (Q) at the end of ``day`` (Q), an index."""
        return self.population.odometer_m[row] / 1000 + self.curves.at(row, day)


def make_lot(plan: FleetPlan, block: int, generation: int, people: Population, start: Start) -> Lot:
    """Let the cars of ``people`` be driven, wear, break and be replaced."""

    def stream(which: Stream) -> np.random.Generator:
        return generator(plan.seed, block, which, *((generation,) if generation else ()))

    first_day, days = plan.first_day, plan.days
    usage = draw_usage(stream(Stream.USAGE), people, first_day, days)
    if generation:
        usage.km[np.arange(days) < (people.from_day - first_day)[:, None]] = 0.0
    curves = Curves.of(np.cumsum(usage.km, axis=1))
    life = live(stream(Stream.WORKSHOP), people, curves, first_day, start)
    faults = draw_faults(stream(Stream.FAULTS), people, curves, life.visits, first_day)
    reasons = trouble(people, usage, curves, life, faults, first_day=first_day)
    from_month = plan.months if plan.settled else 0
    intent = draw_intent(stream(Stream.INTENT), people, reasons, first_day, from_month)
    replaced = intent.replaced_day
    until_day = np.where(replaced == NOT_WITHIN, first_day + days, replaced)
    return Lot(generation, people, usage, curves, life, faults, intent, until_day)
