"""Changes of use: when a vehicle began to go clearly more or less far, stood still, or went again.

Months are compared as gamma variables of equal relative scatter: the split of a vehicle's months into earlier
and later ones is likely by the gain of two means over one. The search goes on within the later part, so that
what is found is the latest change. A change is a fact about the vehicle; that somebody else may drive it now
is a question to be asked, with the consent that goes with it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import DAYS_PER_MONTH, Bools, Floats, Ints, last_rows
from milepost_server.signals.usage.months import month_steps

if TYPE_CHECKING:
    from milepost_server.signals.usage.rate import History

MONTHS = 36
"""How far back changes are looked for."""
ROUNDS = 3
"""At most so many changes lie one behind the other within these months."""
STANDING = 0.1
"""A month with less than this share of the vehicle's usual month is one in which it stood."""
DOUBT_D = DAYS_PER_MONTH
"""A change is dated to the month: it most likely came no farther than this from its day, either way."""
_LEAST = 1e-9  # keeps logarithms finite


class Change(enum.IntEnum):
    """What happened to the use of a vehicle, the last time that anything did."""

    NONE = 0
    MORE = 1
    LESS = 2
    STOPPED = 3
    RESUMED = 4

    @property
    def words(self) -> str:
        """As a reason on a page."""
        return _WORDS[self]


_WORDS = {
    Change.NONE: "used as before",
    Change.MORE: "goes clearly farther than before",
    Change.LESS: "goes clearly less far than before",
    Change.STOPPED: "stands still",
    Change.RESUMED: "goes again after it stood still",
}


@dataclass(frozen=True, slots=True)
class RegimeRules:
    """What counts as a change; part of the configuration version."""

    month_cv: float = 0.4  # scatter of single months that is no news
    before_months_min: int = 4
    after_months_min: int = 2
    gain_min: float = 14.0  # twice the log likelihood: one in 500 steady vehicles has as much by chance
    times_min: float = 1.7  # farther, or less far, by at least this factor
    break_gain_min: float = 20.0  # from these on it is a break: what lay before counts no more,
    break_times_min: float = 3.0  # and somebody else may be driving
    break_months_min: int = 3


@dataclass(frozen=True, slots=True)
class Regimes:
    """The latest change of V vehicles."""

    kind: Ints  # (V) of `Change`
    since_d: Floats  # (V) when it began, to the month; NaN without a change
    before_m_per_d: Floats  # (V) the rate between the change before and this one; NaN without a change
    after_m_per_d: Floats  # (V) the rate since; NaN without a change
    standing_months: Ints  # (V) months without use until the last reading
    is_break: Bools  # (V) so large, clear and lasting that what lay before counts no more

    @property
    def counts_from_d(self) -> Floats:
        """From when on (V) a vehicle's history says how it is used now; NaN: all of it does."""
        return np.where(self.is_break, self.since_d, np.nan)

    @property
    def first_d(self) -> Floats:
        """The day (V) after which it most likely came; NaN without a change."""
        return self.since_d - DOUBT_D

    @property
    def last_d(self) -> Floats:
        """The day (V) before which it most likely came; NaN without a change."""
        return self.since_d + DOUBT_D

    @property
    def ask_for_owner(self) -> Bools:
        """Whether (V) somebody else may be driving: it is used as another vehicle would be."""
        ask: Bools = self.is_break & (self.kind != Change.STOPPED)
        return ask


def regimes(history: History, rules: RegimeRules, steps: Floats | None = None) -> Regimes:
    """The latest change of each vehicle, from its last three years; a month of doubt about when.

    ``steps`` are the history's ``month_steps`` of three years, where they are at hand.
    """
    steps = month_steps(history, MONTHS) if steps is None else steps
    known = np.isfinite(steps)
    usual = np.where(known, steps, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    amounts = np.where(known, steps, 0.0) + 0.5 * STANDING * usual[:, None]
    window = known.sum(axis=1)
    latest = _latest_split(amounts, window, rules)
    # What lay before it is the regime before, not all that came earlier. Few vehicles have changed at all.
    rows = np.flatnonzero(latest.months)
    months = latest.months[rows]
    earlier = _latest_split(_older(amounts[rows], months), window[rows] - months, rules)
    latest.before[rows] = np.where(earlier.months > 0, earlier.after, latest.before[rows])
    end_d = np.append(history.time_d, np.nan)[last_rows(history.offsets)]
    since_d = np.where(latest.months > 0, end_d - latest.months * DAYS_PER_MONTH, np.nan)
    return _described(latest, since_d, 0.5 * STANDING * usual, _standing(steps, known), rules)


@dataclass(frozen=True, slots=True)
class _Split:
    months: Ints  # (V) how many months lie after it; 0 where there is none
    before: Floats  # (V) mean month
    after: Floats  # (V)
    gain: Floats  # (V)


def _older(amounts: Floats, months: Ints) -> Floats:
    """The months (V, M) before the newest ``months`` (V), as if those had not been; the last is repeated."""
    place = np.minimum(months[:, None] + np.arange(amounts.shape[1]), amounts.shape[1] - 1)
    return np.take_along_axis(amounts, place, axis=1)


def _latest_split(amounts: Floats, window: Ints, rules: RegimeRules) -> _Split:
    """The latest split of each vehicle's newest ``window`` (V) months: sought again within what follows."""
    latest = _likeliest_split(amounts, window, rules)
    rows = np.flatnonzero(latest.months)
    for _ in range(ROUNDS - 1):
        later = _likeliest_split(amounts[rows], latest.months[rows], rules)
        again = later.months > 0
        rows = rows[again]
        for name in _Split.__slots__:
            getattr(latest, name)[rows] = getattr(later, name)[again]
    return latest


def _likeliest_split(amounts: Floats, window: Ints, rules: RegimeRules) -> _Split:
    """The likeliest split of each vehicle's newest ``window`` (V) months, where it is likely enough."""
    count = np.arange(1, amounts.shape[1] + 1)
    rows = np.arange(len(amounts))
    total = np.cumsum(amounts, axis=1)
    whole = total[rows, np.maximum(window - 1, 0)][:, None]
    rest = window[:, None] - count
    allowed = (count >= rules.after_months_min) & (rest >= rules.before_months_min)
    later = total / count
    earlier = np.maximum(whole - total, _LEAST) / np.maximum(rest, 1)
    mean = whole / np.maximum(window, 1)[:, None]
    log_mean, log_later, log_earlier = (np.log(np.maximum(m, _LEAST)) for m in (mean, later, earlier))
    gain = window[:, None] * log_mean - count * log_later - rest * log_earlier
    allowed &= np.abs(log_later - log_earlier) >= np.log(rules.times_min)
    gain = np.where(allowed, 2 / rules.month_cv**2 * gain, 0.0)
    best = np.argmax(gain, axis=1)
    found = gain[rows, best]
    months = np.where(found >= rules.gain_min, best + 1, 0)
    return _Split(months, earlier[rows, best], later[rows, best], found)


def _standing(steps: Floats, known: Bools) -> Ints:
    """How many months (V) in a row, until the last reading, each vehicle has stood still."""
    usual = np.max(np.where(known, steps, 0.0), axis=1, initial=0.0)[:, None]
    stood = known & (steps < STANDING * usual)
    months: Ints = np.cumprod(stood, axis=1).sum(axis=1).astype(np.int64)
    return months


def _described(split: _Split, since_d: Floats, floor: Floats, standing: Ints, rules: RegimeRules) -> Regimes:
    """What a split means; ``floor`` (V) was added to its means, so that months of nothing can be compared."""
    changed = split.months > 0
    before, after = (np.maximum(mean - floor, 0.0) for mean in (split.before, split.after))
    kind = np.where(split.after > split.before, Change.MORE, Change.LESS)
    kind = np.where(after < STANDING * before, Change.STOPPED, kind)
    kind = np.where(before < STANDING * after, Change.RESUMED, kind)
    times = np.exp(np.abs(np.log(np.where(changed, split.after / split.before, 1.0))))
    is_break = (
        (times >= rules.break_times_min)
        & (split.gain >= rules.break_gain_min)
        & (split.months >= rules.break_months_min)
    )
    return Regimes(
        kind=np.where(changed, kind, Change.NONE).astype(np.int64),
        since_d=since_d,
        before_m_per_d=np.where(changed, before / DAYS_PER_MONTH, np.nan),
        after_m_per_d=np.where(changed, after / DAYS_PER_MONTH, np.nan),
        standing_months=standing,
        is_break=changed & is_break,
    )
