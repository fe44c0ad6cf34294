"""The two orders of the work list: whom to call for service, and whom for another car.

Every need of a vehicle (an item, or a fault) has a key; an owner stands in the service list by the least of
the owner's keys. Owners stand in the sales list by the odds that they replace a car. Keys are plain numbers,
so that a database sorts by them, and that what is new is put in its place without ranking the rest anew.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Bools, Floats, Ints
from milepost_server.signals.owners import NOBODY


class Need(enum.IntEnum):
    """How much a need wants somebody, the most first. What is measured or on record goes before a guess."""

    FAULT_NOW = 0
    FAULT_SOON = 1
    OVERDUE = 2
    OVERDUE_GUESS = 3
    DUE = 4
    DUE_GUESS = 5
    UPCOMING = 6
    """Also a fault that can wait until the next visit."""
    UPCOMING_GUESS = 7
    BOOKED = 8
    """It has its appointment."""
    REST = 9
    """Nothing to do now, or somebody said that it may rest."""
    UNKNOWN = 10


CLASS_SPAN_D = 1_000_000.0
"""Keys of one class of need are less than this apart: its dates, days from the as-of day."""
_DATE_SPAN_D = 100_000.0
_OF_STATE = np.array([Need.UNKNOWN, Need.REST, Need.UPCOMING, Need.DUE, Need.OVERDUE], dtype=np.int64)
_OF_URGENCY = np.array([Need.FAULT_NOW, Need.FAULT_SOON, Need.UPCOMING, Need.REST], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class ItemNeeds:
    """K items of vehicles, as the list sees them."""

    state: Ints  # (K) of `due.State`
    is_guess: Bools  # (K) rests on nothing that was measured or noted down
    is_booked: Bools  # (K)
    may_rest: Bools  # (K) snoozed, or said to be done
    median_d: Floats  # (K) days since 1970; NaN where unknown


def item_keys(needs: ItemNeeds, as_of_d: float) -> Floats:
    """The key (K) of each item; ``as_of_d`` is the end of the as-of day."""
    need = _OF_STATE[needs.state]
    wants = need <= Need.UPCOMING
    need = np.where(wants & needs.is_guess, need + 1, need)
    need = np.where(wants & needs.is_booked, Need.BOOKED, need)
    need = np.where(wants & needs.may_rest, Need.REST, need)
    return _keys(need, needs.median_d - as_of_d)


def fault_keys(urgency: Ints, first_seen_d: Floats, as_of_d: float) -> Floats:
    """The key (F) of each active fault; ``urgency`` (F) is 0 for P0 to 3 for P3."""
    return _keys(_OF_URGENCY[urgency], first_seen_d - as_of_d)


def _keys(need: Ints, ahead_d: Floats) -> Floats:
    late = np.nan_to_num(ahead_d, nan=_DATE_SPAN_D)
    return np.asarray(need * CLASS_SPAN_D + np.clip(late, -_DATE_SPAN_D, _DATE_SPAN_D), dtype=np.float64)


NO_NEED_KEY = Need.UNKNOWN * CLASS_SPAN_D + _DATE_SPAN_D
"""Of an owner of whose vehicles nothing is known, or who has none."""


def first_needs(owner: Ints, key: Floats, owners: int) -> Ints:
    """The row (O) of the need with the least key of each of ``owners`` owners; NOBODY where there is none.

    ``owner`` and ``key`` (K) are those of each need; of equal keys the first row counts.
    """
    least = np.full(owners, np.inf)
    np.minimum.at(least, owner, key)
    row = np.flatnonzero(key == least[owner])[::-1]  # backwards, because the last of equal places stays
    first = np.full(owners, NOBODY, dtype=np.int64)
    first[owner[row]] = row
    return first


def sales_keys(p_90d: Floats) -> Floats:
    """The key (O) of each owner in the sales list: the likeliest first, who could not be scored last."""
    return np.where(np.isnan(p_90d), 1.0, -p_90d)
