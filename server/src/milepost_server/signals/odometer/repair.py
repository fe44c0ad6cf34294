"""What a wrong reading was meant to be: the one simple slip of a hand or a program that explains it.

A value is corrected only when exactly one slip leads to where its neighbours would have it. Two that do, and
nobody can tell; none, and it stays rejected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import METRES_PER_KM
from milepost_server.signals.odometer.verdict import Verdict

if TYPE_CHECKING:
    from milepost_server.signals.flat import Bools, Floats, Ints

METRES_PER_MILE = 1_609.344
PLACES = 7
"""Digits of an odometer that a slip is looked for in."""
SCALES = (
    (Verdict.TENFOLD, 0.1),
    (Verdict.TENTH, 10.0),
    (Verdict.IN_MILES, METRES_PER_MILE / METRES_PER_KM),
    (Verdict.IN_KILOMETRES, METRES_PER_KM / METRES_PER_MILE),
)
_SCALE_WEIGHT = 4.0
"""There are four wrong units, and dozens of slips of the hand: a unit that fits is rarely chance."""
_SAME_UNITS = 1.0
_ROUNDED_M = 0.501  # miles that were rounded to whole metres on the way here
_EXACT_M = 0.001


def unit_of(value_m: Floats) -> Floats:
    """The unit (N, metres) whose digits were keyed: miles where the value is a whole number of them."""
    whole_km = _is_whole(value_m, METRES_PER_KM, _EXACT_M)
    in_miles = _is_whole(value_m, METRES_PER_MILE, _ROUNDED_M) | _is_whole(
        value_m, METRES_PER_MILE / 10, _EXACT_M
    )
    return np.where(in_miles & ~whole_km, METRES_PER_MILE, METRES_PER_KM)


def _is_whole(value_m: Floats, unit_m: float, within_m: float) -> Bools:
    near: Bools = np.abs(value_m - np.rint(value_m / unit_m) * unit_m) <= within_m
    return near


def repair(
    value_m: Floats, low_m: Floats, high_m: Floats, is_between: Bools, tight_share: float
) -> tuple[Floats, Ints]:
    """The corrected values (Q) and how they came about (`Verdict`); ``KEPT`` where no one slip explains it.

    ``low_m`` and ``high_m`` (Q) bound where the neighbours would have each reading. A slip proves something
    only where they are nearer to each other than ``tight_share`` of what it changes; a slip of the hand only
    where there is a neighbour on both sides, ``is_between`` (Q).
    """
    unit = unit_of(value_m)
    keyed = value_m / unit
    found = _Fits.of(keyed, low_m / unit, high_m / unit, tight_share)
    for verdict, factor in SCALES:
        found.take(keyed * factor, verdict, weight=_SCALE_WEIGHT)
    whole = np.floor(keyed + 1e-6)
    rest = np.maximum(keyed - whole, 0.0)
    for place in range(PLACES + 1):
        _change_place(found, whole, rest, 10.0**place, is_between)
    return np.where(found.is_single, found.least * unit, value_m), np.where(
        found.is_single, found.verdict, Verdict.KEPT
    )


def _change_place(found: _Fits, whole: Floats, rest: Floats, place: float, may: Bools) -> None:
    """All slips of one digit at ``place`` (1, 10, 100, ...)."""
    upper, lower = np.floor(whole / place), np.mod(whole, place) + rest
    digit, above = np.mod(upper, 10.0), np.floor(upper / 10.0)
    has_digit = may & (upper >= 1.0)
    found.choose(above * 10 * place + lower, place, Verdict.ONE_DIGIT, has_digit, is_leading=above == 0.0)
    following, further = np.mod(above, 10.0), np.floor(above / 10.0)
    turned = (further * 100 + digit * 10 + following) * place + lower
    found.take(turned, Verdict.TRANSPOSED, has_digit & (above >= 1.0) & ((digit > 0.0) | (further > 0.0)))
    found.choose(upper * 10 * place + lower, place, Verdict.DROPPED_DIGIT, may, is_leading=upper == 0.0)
    found.take(above * place + lower, Verdict.EXTRA_DIGIT, has_digit)


@dataclass(slots=True)
class _Fits:
    """The least and the greatest value that a slip leads to, of those between the bounds."""

    keyed: Floats  # (Q)
    low: Floats  # (Q)
    high: Floats  # (Q)
    tight_share: float
    least: Floats  # (Q)
    greatest: Floats  # (Q)
    verdict: Ints  # (Q) of the first that fitted

    @classmethod
    def of(cls, keyed: Floats, low: Floats, high: Floats, tight_share: float) -> _Fits:
        none = np.full(len(low), np.inf)
        verdict = np.full(len(low), Verdict.KEPT, dtype=np.int64)
        return cls(keyed, low, high, tight_share, none, -none, verdict)

    @property
    def is_single(self) -> Bools:
        """Whether all that fitted are one value."""
        single: Bools = np.isfinite(self.least) & (self.greatest - self.least < _SAME_UNITS)
        return single

    def take(self, value: Floats, verdict: Verdict, may: Bools | None = None, *, weight: float = 1.0) -> None:
        """One candidate for each reading; what it changes counts ``weight`` times."""
        fits = (value >= self.low) & (value <= self.high)
        at = np.flatnonzero(fits if may is None else fits & may)
        self._add(at, value[at], value[at], weight * np.abs(value - self.keyed)[at], verdict)

    def choose(self, base: Floats, place: float, verdict: Verdict, may: Bools, *, is_leading: Bools) -> None:
        """All digits at ``place`` of ``base``, which has a nought there."""
        from_digit = np.maximum(np.ceil((self.low - base) / place), np.where(is_leading, 1.0, 0.0))
        to_digit = np.minimum(np.floor((self.high - base) / place), 9.0)
        at = np.flatnonzero(may & (from_digit <= to_digit))
        least, greatest = base[at] + from_digit[at] * place, base[at] + to_digit[at] * place
        self._add(at, least, greatest, np.full(len(at), place), verdict)

    def _add(self, at: Ints, least: Floats, greatest: Floats, changed: Floats, verdict: Verdict) -> None:
        """Count in what fits; bounds too wide for it make it chance, which leaves the case unclear."""
        is_chance = self.high[at] - self.low[at] > self.tight_share * changed
        self.verdict[at[~np.isfinite(self.least[at])]] = verdict
        self.least[at] = np.minimum(self.least[at], least)
        self.greatest[at] = np.where(is_chance, np.inf, np.maximum(self.greatest[at], greatest))
