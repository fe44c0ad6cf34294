"""Faults of a fleet: when they begin, whether they come back, when they are mended or merely cleared."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_simulator.car.models import Powertrain
from milepost_simulator.fleet.population import YEAR_DAYS, Population

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.curves import Curves
    from milepost_simulator.fleet.workshop import Visits

    Ints = NDArray[np.int64]

FAULTS_PER_YEAR = 0.22
AGE_EFFECT_PER_YEAR = 0.13
FAULTS_PER_YEAR_MAX = 1.5
COMES_BACK = 0.2
BACK_AFTER_DAYS = (5, 50)
MENDED_AFTER_DAYS = (3, 75)
CONFIRMED_AFTER_DAYS = 3
CLEARED_FIRST = 0.12
"""Of the faults that bring a car to a workshop, those whose owner clears the codes shortly before."""
CLEARED_BEFORE_DAYS = 3

CODES: dict[Powertrain, tuple[tuple[str, float], ...]] = {
    Powertrain.COMBUSTION: (
        ("P0420", 0.20),
        ("P0171", 0.14),
        ("P0455", 0.12),
        ("P0301", 0.10),
        ("P0302", 0.07),
        ("P0128", 0.10),
        ("P0141", 0.08),
        ("P0401", 0.08),
        ("P0011", 0.05),
        ("C0035", 0.06),
    ),
    Powertrain.HYBRID: (("P0A80", 0.15), ("P0420", 0.25), ("P0128", 0.2), ("P0A93", 0.2), ("C0035", 0.2)),
    Powertrain.EV: (("P0AA6", 0.2), ("P0A1B", 0.2), ("U0293", 0.25), ("C0035", 0.2), ("P0D26", 0.15)),
}
"""Generic trouble codes with their shares: invented frequencies of common kinds."""

ALL_CODES = tuple(sorted({code for codes in CODES.values() for code, _ in codes}))


class FaultEvent(NamedTuple):
    """One fault of one vehicle. ``mended_day`` is the first day without it."""

    vehicle: int
    code: str
    pending_day: int
    confirmed_day: int
    mended_day: int


@dataclass(frozen=True, slots=True)
class Faults:
    """F faults, by row and day; days count from 1970.

    Attributes:
        row: whose.
        code: index into `ALL_CODES`.
        pending_day, confirmed_day: when it shows itself and is confirmed.
        cleared_day: when its codes go: mended, or cleared shortly before a visit.
        mended_day: the first day without it.
        is_back: whether it is one that comes back.
    """

    row: Ints
    code: Ints
    pending_day: Ints
    confirmed_day: Ints
    cleared_day: Ints
    mended_day: Ints
    is_back: NDArray[np.bool_]

    def where(self, which: NDArray[np.bool_] | Ints) -> Faults:
        """Some of them."""
        return Faults(*(getattr(self, field.name)[which] for field in fields(self)))

    def of(self, row: int) -> list[FaultEvent]:
        """Those of one vehicle, oldest first."""
        return [
            FaultEvent(
                row,
                ALL_CODES[int(self.code[i])],
                int(self.pending_day[i]),
                int(self.confirmed_day[i]),
                int(self.mended_day[i]),
            )
            for i in np.flatnonzero(self.row == row)
        ]


def draw_faults(
    rng: np.random.Generator, people: Population, curves: Curves, visits: Visits, first_day: int
) -> Faults:
    """All faults of a block, as though nobody ever sold a vehicle.

    A fault shows itself on a day of driving, is confirmed within days, and lasts until the next visit to
    a workshop or some weeks; one in five comes back.
    """
    days = curves.days
    age_years = (people.from_day - people.registered_day) / YEAR_DAYS
    per_year = FAULTS_PER_YEAR * np.exp(AGE_EFFECT_PER_YEAR * (age_years - 5))
    number = rng.poisson(np.minimum(per_year, FAULTS_PER_YEAR_MAX) * days / YEAR_DAYS)
    row = np.repeat(np.arange(len(people)), number)
    # The first kilometre after that day.
    driven_km = curves.at(row, rng.integers(0, days, len(row)))
    begin = curves.first_at(row, np.nextafter(driven_km, np.inf) + 1e-6)
    row, begin = row[begin < days], begin[begin < days]
    code = _codes(rng, people, row)
    first = _course(rng, row, code, begin, visits=visits, days=days, is_back=False)
    back = np.flatnonzero(rng.random(len(row)) < COMES_BACK)
    again = np.minimum(first.mended_day[back] + rng.integers(*BACK_AFTER_DAYS, len(back)), days - 1)
    second = _course(rng, row[back], code[back], again, visits=visits, days=days, is_back=True)
    both = [np.concatenate([getattr(first, f.name), getattr(second, f.name)]) for f in fields(Faults)]
    faults = _without_overlap(Faults(*both))
    shift = first_day
    return Faults(
        faults.row,
        faults.code,
        faults.pending_day + shift,
        faults.confirmed_day + shift,
        faults.cleared_day + shift,
        faults.mended_day + shift,
        faults.is_back,
    )


def _codes(rng: np.random.Generator, people: Population, row: Ints) -> Ints:
    drawn = rng.random(len(row))
    code = np.zeros(len(row), dtype=np.int64)
    for powertrain, shares in CODES.items():
        upper = np.cumsum([share for _, share in shares])
        which = np.minimum(np.searchsorted(upper / upper[-1], drawn, side="right"), len(shares) - 1)
        index = np.array([ALL_CODES.index(name) for name, _ in shares])
        code = np.where(people.of_powertrain(powertrain)[row], index[which], code)
    return code


def _course(
    rng: np.random.Generator,
    row: Ints,
    code: Ints,
    begin: Ints,
    *,
    visits: Visits,
    days: int,
    is_back: bool,
) -> Faults:
    """How each fault goes that begins on the day ``begin``."""
    count = len(row)
    confirmed = begin + rng.integers(1, CONFIRMED_AFTER_DAYS + 1, count)
    visit = _next_visit(visits, row, begin, days)
    alone = begin + rng.integers(*MENDED_AFTER_DAYS, count)
    mended = np.maximum(np.minimum(alone, visit), confirmed + 1)
    first = (rng.random(count) < CLEARED_FIRST) & (visit <= alone)
    cleared = np.where(first, mended - rng.integers(1, CLEARED_BEFORE_DAYS + 1, count), mended)
    cleared = np.maximum(cleared, confirmed + 1)
    return Faults(row, code, begin, confirmed, cleared, mended, np.full(count, is_back))


def _next_visit(visits: Visits, row: Ints, after: Ints, days: int) -> Ints:
    """The first visit of ``row`` later than the day ``after``; far away where there is none."""
    if not len(visits.row):
        return np.full(len(row), 4 * days)
    span = 2 * days
    keys = visits.row * span + visits.day
    found = np.searchsorted(keys, row * span + after, side="right")
    inside = np.minimum(found, len(keys) - 1)
    there = (found < len(keys)) & (visits.row[inside] == row)
    return np.where(there, visits.day[inside], 4 * days)


def _without_overlap(faults: Faults) -> Faults:
    """One code is there only once at a time: a second beginning while it lasts is the same fault."""
    if not len(faults.row):
        return faults
    faults = faults.where(np.lexsort((faults.pending_day, faults.code, faults.row)))
    group = faults.row * len(ALL_CODES) + faults.code
    span = int(faults.mended_day.max()) + 2
    latest = np.maximum.accumulate(group * span + faults.mended_day)
    free = np.concatenate([[True], group[1:] * span + faults.pending_day[1:] > latest[:-1]])
    faults = faults.where(free)
    return faults.where(np.lexsort((faults.code, faults.pending_day, faults.row)))
