"""From vehicles to owners: an owner's vehicles of one day, taken together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Floats, Ints

NOBODY = -1
"""In arrays of places: there is none."""


@dataclass(frozen=True, slots=True)
class Owned:
    """The N vehicles that are owned on one day; nearly always each vehicle once."""

    owner: Ints  # (N)
    vehicle: Ints  # (N)


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
