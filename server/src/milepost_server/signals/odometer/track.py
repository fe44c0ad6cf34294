"""The readings under judgement, and how fast and how evenly their vehicle goes around each of them.

Everything is a median over a few neighbouring steps, before a step and after it: one wrong reading spoils two
rates, and neither that nor a change of regime moves the median of five.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import Bools, Floats, Ints, offsets_of, owners_of

if TYPE_CHECKING:
    from milepost_server.signals.odometer.readings import OdometerRules

WINDOW = 5  # rates that a median is taken of
LAG_DAYS = 4.0  # a rate is measured over about this long, so that hours and week-ends do not count
LAG_STEPS_MAX = 16
_STEP_D_MIN = 0.5
_NORMAL_MEAN = 1.2533  # standard deviation over mean absolute deviation, of a normal distribution


@dataclass(frozen=True, slots=True)
class Track:
    """N readings of V vehicles in the order of time."""

    offsets: Ints  # (V + 1)
    time_d: Floats  # (N)
    value_m: Floats  # (N)
    tolerance_m: Floats  # (N) how far it, or the one after it, may fall
    must: Bools  # (N) cannot be rejected: staff say so

    def first_rows(self) -> Ints:
        """The first row of each vehicle that has any."""
        return self.offsets[:-1][np.diff(self.offsets) > 0]


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates (N, metres a day) that are usual on one side of each reading."""

    low: Floats
    high: Floats

    def take(self, row: Ints) -> Rates:
        """Those at the rows ``row``."""
        return Rates(self.low[row], self.high[row])


@dataclass(frozen=True, slots=True)
class Pace:
    """What is usual around each reading (N)."""

    before: Rates  # of the steps that end before the one into it, and of the vehicle on the whole
    after: Rates  # of the steps that begin with it
    floor_m_per_d: Floats  # (N) a standing car scatters as if it went so fast
    scatter_d: Floats  # (N) variance over a day, in rates squared
    still_share: Floats  # (N) of the vehicle's steps, those that lead nowhere

    def take(self, row: Ints) -> Pace:
        """That around the rows ``row``."""
        return Pace(
            self.before.take(row),
            self.after.take(row),
            self.floor_m_per_d[row],
            self.scatter_d[row],
            self.still_share[row],
        )


def rows_of(offsets: Ints, vehicle: Ints) -> Ints:
    """The rows of the vehicles ``vehicle``, one vehicle after the other."""
    counts = np.diff(offsets)[vehicle]
    begins = np.repeat(offsets[vehicle] - offsets_of(counts)[:-1], counts)
    rows: Ints = begins + np.arange(len(begins), dtype=np.int64)
    return rows


def holders(value_m: Floats, group: Ints) -> Ints:
    """The row (N) that holds the highest value so far within each group; ``group`` (N) rises."""
    row = np.arange(len(value_m), dtype=np.int64)
    falls = np.flatnonzero((np.diff(value_m) < 0) & (np.diff(group) == 0))
    if not len(falls):
        return row
    part = np.flatnonzero(np.isin(group, np.unique(group[falls])))
    order = np.argsort(value_m[part], kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    key = (group[part] - group[part][0]) * len(order)
    highest = np.maximum.accumulate(rank + key) - key
    row[part] = part[order[highest]]
    return row


def pace_of(track: Track, rules: OdometerRules) -> Pace:
    """Rates around each reading, and the scatter of the vehicle around them."""
    owner = owners_of(track.offsets)
    counts = np.diff(track.offsets)
    before, after = _middle_rates(track, owner, counts, rules)
    steps = np.maximum(counts - 1, 1)
    level = np.bincount(owner, weights=before, minlength=len(counts)) / np.maximum(counts, 1)
    floor = (rules.idle_share * level + rules.noise_m)[owner]
    first, last = track.offsets[:-1], np.maximum(track.offsets[1:] - 1, track.offsets[:-1])
    padded_d = np.append(track.time_d, 0.0)
    mean_step_d = np.maximum((padded_d[last] - padded_d[first]) / steps, _STEP_D_MIN)

    step_d = np.maximum(np.diff(track.time_d, prepend=0.0), 0.0)
    step_m = np.diff(track.value_m, prepend=0.0)
    off = np.minimum(
        np.abs(step_m - before * step_d) / np.maximum(before, floor),
        np.abs(step_m - after * step_d) / np.maximum(after, floor),
    )
    off /= np.sqrt(np.maximum(step_d, _STEP_D_MIN) * mean_step_d[owner])
    tells = (step_m != 0) | (np.maximum(before, after) > 0)  # a parked car says nothing of its scatter
    stands = step_m == 0
    tells[track.first_rows()] = stands[track.first_rows()] = False
    steps_told = np.bincount(owner, weights=tells, minlength=len(counts)).astype(np.float64)
    spread = _spread(off * tells, owner, steps_told, rules)
    last_step, next_step = _single_rates(track, step_m, step_d, before, after)
    level = level[owner]
    return Pace(
        Rates(
            np.minimum(np.minimum(before, last_step), level), np.maximum(np.maximum(before, last_step), level)
        ),
        Rates(np.minimum(after, next_step), np.maximum(after, next_step)),
        floor,
        (spread**2 * mean_step_d)[owner],
        (np.bincount(owner, weights=stands, minlength=len(counts)) / steps)[owner],
    )


def _single_rates(
    track: Track, step_m: Floats, step_d: Floats, before: Floats, after: Floats
) -> tuple[Floats, Floats]:
    """The rates (N) of the one step before the one into each reading, and of the one after it.

    So a burst of a few steps, too short to move a median, is usual to itself.
    """
    rate = np.maximum(step_m, 0.0) / np.maximum(step_d, _STEP_D_MIN)
    is_first = np.zeros(len(rate), dtype=np.bool_)
    is_first[track.first_rows()] = True
    last_step = np.where(is_first, before, np.append(rate[:1], rate[:-1]))
    second = np.append(False, is_first[:-1])
    next_step = np.append(rate[1:], 0.0)
    next_is_first = np.append(is_first[1:], True)[: len(rate)]
    return np.where(second, before, last_step), np.where(next_is_first, after, next_step)


def _spread(off: Floats, owner: Ints, steps: Floats, rules: OdometerRules) -> Floats:
    """The scatter (V) of usual steps: a mean that the largest cannot move, drawn to what is usual."""
    cap = np.full(len(steps), 2.0)
    for _ in range(2):
        clipped = np.minimum(off, cap[owner])
        mean = np.bincount(owner, weights=clipped, minlength=len(steps)) / np.maximum(steps, 1)
        cap = np.maximum(2.5 * mean, rules.spread_min)
    drawn = (steps * _NORMAL_MEAN * mean + rules.spread_weight * rules.usual_spread) / (
        steps + rules.spread_weight
    )
    return np.clip(drawn, rules.spread_min, rules.spread_max)


def _middle_rates(track: Track, owner: Ints, counts: Ints, rules: OdometerRules) -> tuple[Floats, Floats]:
    """The median rate (N) of the steps before and of the steps after the one into each reading."""
    first, end = track.offsets[:-1], track.offsets[1:]
    lag = _lags(track, counts)
    rates = counts - lag  # how many a vehicle has
    row = np.arange(len(owner), dtype=np.int64)
    lag_row = lag[owner]
    ahead = np.minimum(row + lag_row, max(len(owner) - 1, 0))
    span_d = np.maximum(track.time_d[ahead] - track.time_d, _STEP_D_MIN)
    rate = (track.value_m[ahead] - track.value_m) / span_d
    middle = _median_of_five(rate)
    _short(middle, rate, first, rates, rules.usual_m_per_d)
    last = np.maximum(end - lag - WINDOW, first)[owner]
    begin = first[owner]
    before = np.clip(row - WINDOW - lag_row, begin, last)
    after = np.clip(row, begin, last)
    return np.maximum(middle[before], 0.0), np.maximum(middle[after], 0.0)


def _lags(track: Track, counts: Ints) -> Ints:
    """Over how many steps (V) to measure a rate."""
    first, last = track.offsets[:-1], np.maximum(track.offsets[1:] - 1, track.offsets[:-1])
    padded_d = np.append(track.time_d, 0.0)
    span_d = padded_d[last] - padded_d[first]
    wanted = np.ceil(LAG_DAYS * (counts - 1) / np.maximum(span_d, _STEP_D_MIN))
    most = np.minimum(np.maximum((counts - 1) // 3, 1), LAG_STEPS_MAX)
    lags: Ints = np.clip(wanted, 1, most).astype(np.int64)
    return lags


def _median_of_five(x: Floats) -> Floats:
    """The median (N) of each value and the four after it; the last four are no medians."""
    result = x.copy()
    if len(x) < WINDOW:
        return result
    a, b, c, d, e = (x[k : len(x) - WINDOW + 1 + k] for k in range(WINDOW))
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    small, large = np.minimum(low, high), np.maximum(low, high)
    result[: len(low)] = np.maximum(small, np.minimum(large, e))
    return result


def _short(middle: Floats, rate: Floats, first: Ints, rates: Ints, usual_m_per_d: float) -> None:
    """Fill in the vehicles with fewer rates than a window: as if the others had been usual."""
    few = np.flatnonzero((rates >= 0) & (rates < WINDOW) & (first < len(rate)))
    if not len(few):
        return
    place = np.arange(WINDOW)
    at = np.minimum(first[few, None] + place, len(rate) - 1)
    filled = np.where(place < rates[few, None], rate[at], usual_m_per_d)
    middle[first[few]] = np.median(filled, axis=1)
