"""Who has which vehicle on a day, and what is true of it then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from milepost_server.evaluation.truth.files import Part
    from milepost_server.signals.flat import Bools, Floats, Ints

NONE = -1


@dataclass(frozen=True, slots=True)
class Owned:
    """The T tenures that hold a vehicle on a day."""

    tenure: Ints  # (T) rows of the part's tenures
    vehicle: Ints  # (T)
    owner: Ints  # (T)
    of_vehicle: Ints  # (V) which of the T has each vehicle; -1 where nobody that the dealer knows


def owned_on(part: Part, day: float) -> Owned:
    """The tenures of the day ``day``: begun on it or before, not ended before or on it."""
    tenures = part.observed["tenures"]
    ended = part.truth["tenures"]["replaced_day"]
    holds = (tenures["owned_since_day"] <= day) & ((ended == NONE) | (ended > day))
    row = np.flatnonzero(holds).astype(np.int64)
    vehicle = tenures["vehicle"][row]
    of_vehicle = np.full(part.vehicles, NONE, dtype=np.int64)
    of_vehicle[vehicle] = np.arange(len(row))
    return Owned(row, vehicle, tenures["owner"][row], of_vehicle)


@dataclass(frozen=True, slots=True)
class TrueItems:
    """The lives that items of vehicles are in on a day: Q rows."""

    known: Bools  # (Q) whether the vehicle is owned and has the item
    start_d: Floats  # (Q) when it was renewed last
    due_d: Floats  # (Q) when it is due if nobody acts; inf where that lies beyond the truth's days
    at_m: Floats  # (Q) the true odometer at which it is worn out; inf where wear is not by distance alone


def true_items(part: Part, owned: Owned, day: float, key: str, vehicle: Ints, *, limit: float) -> TrueItems:
    """The truth about the item ``key`` of ``vehicle`` (Q); ``limit`` is the used share that is the end."""
    lives = part.truth["lives"]
    now = lives["item"] == part.facts.place("items", key)
    now &= (lives["seen_day"] < day) & ((lives["renewed_day"] == NONE) | (lives["renewed_day"] >= day))
    row = np.flatnonzero(now)
    life_of = np.full(len(part.observed["tenures"]["vehicle"]), NONE, dtype=np.int64)
    life_of[lives["tenure"][row]] = row
    place = owned.of_vehicle[vehicle]
    life = np.where(place >= 0, life_of[owned.tenure[place]], NONE)
    known = life >= 0
    due_day = lives["due_day"][life].astype(np.float64)
    return TrueItems(
        known=known,
        start_d=np.where(known, lives["start_day"][life], np.nan),
        due_d=np.where(known, np.where(due_day < 0, np.inf, due_day), np.nan),
        at_m=_worn_at_m(
            lives["seen_m"][life],
            lives["seen_share"][life],
            # What ages by days too has no distance at which it is used up.
            np.where(lives["share_per_day"][life] > 0, 0.0, lives["share_per_m"][life]),
            limit,
        ),
    )


def _worn_at_m(seen_m: Ints, seen_share: Floats, per_m: Floats, limit: float) -> Floats:
    left_m = np.full(len(seen_m), np.inf)
    np.divide(limit - seen_share, per_m, out=left_m, where=per_m > 0)
    at_m: Floats = seen_m + left_m
    return at_m


def ended_after(part: Part, owned: Owned, day: float) -> Floats:
    """In how many days from ``day`` on the owner of each tenure (T) replaces the vehicle; inf for never."""
    ended = part.truth["tenures"]["replaced_day"][owned.tenure]
    return np.where(ended == NONE, np.inf, ended - day)


def true_odometer_m(part: Part, tenure: Ints, day: Floats) -> Floats:
    """The true odometer (Q) of ``tenure`` (Q) at times between the days of the grid."""
    grid = part.facts.grid_days.astype(np.float64)
    metres = part.truth["tenures"]["odometer_m"][tenure]
    at = np.nan_to_num(day, nan=grid[0])
    after = np.clip(np.searchsorted(grid, at, side="right"), 1, len(grid) - 1)
    pick = np.arange(len(tenure))
    share = np.clip((at - grid[after - 1]) / (grid[after] - grid[after - 1]), 0.0, 1.0)
    low, high = metres[pick, after - 1], metres[pick, after]
    found: Floats = low + share * (high - low)
    return found
