"""From vehicles to owners: what counts for whom on a day, and an owner's vehicles taken together.

An owner's signals rest on the vehicles owned at the as-of time, and of these only on what happened since: a
car that was sold takes its data out of the old owner's view, and its new owner inherits nothing of the old
one's. What a car is like (its wear, its faults, its odometer) goes with the car.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Bools, Floats, Ints

NOBODY = -1
"""In arrays of places: there is none."""


@dataclass(frozen=True, slots=True)
class Ownerships:
    """Whose car it was from when to when: N rows, of O owners and V vehicles by their places."""

    owner: Ints  # (N) 0 .. O - 1
    vehicle: Ints  # (N) 0 .. V - 1
    start_d: Floats  # (N) days since 1970 at which the first day begins
    end_d: Floats  # (N) days at which the first day begins on which it is over; NaN until further notice

    def at(self, as_of_d: float) -> Owned:
        """What is owned at ``as_of_d``, the end of the as-of day."""
        holds = (self.start_d < as_of_d) & ~(self.end_d < as_of_d)
        rows = np.flatnonzero(holds)
        return Owned(self.owner[rows], self.vehicle[rows], self.start_d[rows])


@dataclass(frozen=True, slots=True)
class Owned:
    """The N vehicles that are owned on one day; nearly always each vehicle once."""

    owner: Ints  # (N)
    vehicle: Ints  # (N)
    since_d: Floats  # (N)

    def since(self, vehicle: Ints, time_d: Floats) -> Bools:
        """Whether something at ``time_d`` (Q) of ``vehicle`` (Q) happened in its present owner's time.

        False for a vehicle that nobody owns, and for a NaN time.
        """
        if not len(vehicle):
            return np.zeros(0, dtype=np.bool_)
        size = max(int(np.max(vehicle)), int(np.max(self.vehicle, initial=0))) + 1
        began = np.full(size, np.inf)
        began[self.vehicle] = self.since_d
        happened: Bools = time_d >= began[vehicle]
        return happened


@dataclass(frozen=True, slots=True)
class RollUp:
    """The signals of O owners. Without a vehicle that could be scored, score and odds are NaN."""

    vehicles: Ints  # (O) how many they own
    top: Ints  # (O) row of `Owned` of the likeliest to be replaced; NOBODY where none is scored
    score: Floats  # (O) that of the top vehicle
    p_90d: Floats  # (O) that any of the owner's vehicles is replaced by then
    p_180d: Floats  # (O)


def roll_up(owned: Owned, score: Floats, p_90d: Floats, p_180d: Floats, owners: int) -> RollUp:
    """Take the vehicles of ``owners`` owners together; the scores and odds are those of each row (N), or NaN.

    One owner's cars are replaced independently of each other, as far as anybody knows.
    """
    scored = np.flatnonzero(np.isfinite(p_90d))
    # The best of equal owners stands last, and the last of equal places stays.
    order = scored[np.lexsort((-owned.vehicle[scored], score[scored], p_90d[scored], owned.owner[scored]))]
    top = np.full(owners, NOBODY, dtype=np.int64)
    top[owned.owner[order]] = order
    return RollUp(
        vehicles=np.bincount(owned.owner, minlength=owners).astype(np.int64),
        top=top,
        score=np.append(score, np.nan)[top],
        p_90d=_any(owned.owner[scored], p_90d[scored], top),
        p_180d=_any(owned.owner[scored], p_180d[scored], top),
    )


def _any(owner: Ints, odds: Floats, top: Ints) -> Floats:
    """The odds (O) that any of several independent events of an owner comes; NaN where there are none."""
    with np.errstate(divide="ignore"):
        none = np.bincount(owner, weights=np.log1p(-odds), minlength=len(top))
    return np.where(top == NOBODY, np.nan, -np.expm1(none))
