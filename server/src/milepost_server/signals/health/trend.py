"""A robust line through the noisy readings of each of many vehicles, and when it falls below a limit.

Readings become medians of ``BINS`` equal spans of time; the slope is Theil and Sen's median over all pairs of
them, shrunk to what is usual. The line is told by its value at its centre of time, whose error and that of
the slope are independent, so that where it lies at any time is normal with a variance in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import Bools, Floats, Ints, count_up_to, offsets_of, owners_of

BINS = 8
HORIZON_D_MAX = 10 * 365.25
"""A limit that is not reached within this time is said to be reached at this time."""
DAYS_PER_YEAR = 365.25
_MAD_TO_SIGMA = 1.4826  # of a normal variable: 1 / 0.6745
_MEDIAN_LOSS = 1.4  # variance of the median level over that of a mean, normal scatter, 4 to 8 spans
_SLOPE_LOSS = 1.15  # variance of Theil and Sen's slope over that of least squares, the same
_SIGMA_WEIGHT = 4.0  # the usual noise counts as if seen in so many spans
_RUN_D_MIN = 1e-6  # two spans of the same time differ by rounding only
_ROUNDS = 16  # of a bisection: the horizon over 2 ** 16 is 80 minutes


@dataclass(frozen=True, slots=True)
class Usual:
    """What is known of a quantity before any reading: its own unit, and that a year."""

    slope_per_year: float
    slope_sd_per_year: float
    noise: float  # scatter of the median of a span around the line
    value_max: float  # readings lie from 0 to below this; others are no readings


@dataclass(frozen=True, slots=True)
class Spans:
    """The medians of K vehicles in ``BINS`` spans of time, the oldest first; NaN where there is none."""

    time_d: Floats  # (K, BINS) mean time of the readings, relative to the as-of time: never above 0
    value: Floats  # (K, BINS)

    def taken(self, which: Ints) -> Spans:
        """The spans of ``which`` (Q) of the vehicles."""
        return Spans(self.time_d.T[:, which].T, self.value.T[:, which].T)

    def oldest_d(self, window_d: float) -> Floats:
        """How long ago the oldest span (K) that has a median began."""
        oldest = np.argmax(np.isfinite(self.value), axis=1)
        began_d: Floats = (BINS - oldest) * (window_d / BINS)
        return began_d


@dataclass(frozen=True, slots=True)
class Trend:
    """The line of each of V vehicles; NaN where there was no reading. Times relative to the as-of time."""

    centre_d: Floats  # (V)
    value: Floats  # (V) at the centre
    value_var: Floats  # (V)
    slope_per_d: Floats  # (V)
    slope_var: Floats  # (V)
    spans: Ints  # (V) how many spans had readings

    def mean(self, after_d: Floats) -> Floats:
        """Where the line lies (V) ``after_d`` (V) days after the as-of time."""
        return self.value + self.slope_per_d * (after_d - self.centre_d)

    def sd(self, after_d: Floats) -> Floats:
        """The standard deviation (V) of that."""
        deviation: Floats = np.sqrt(self.value_var + self.slope_var * (after_d - self.centre_d) ** 2)
        return deviation

    def odds_below(self, limit: float | Floats, after_d: Floats) -> Floats:
        """The probability (V) that the line lies below ``limit`` after ``after_d`` (V) days."""
        return gamma.normal_below((limit - self.mean(after_d)) / self.sd(after_d))

    def days_until(self, limit: float | Floats, z: float) -> Floats:
        """Days (V) after the as-of time until the line is below ``limit`` at the quantile ``z``.

        ``gamma.Z10`` gives the time by which one line in ten has fallen below. 0 where it has already, at
        most ``HORIZON_D_MAX``, NaN without a reading.
        """
        limits = np.broadcast_to(limit, self.value.shape)
        fallen = self._has_fallen(limits, z, 0.0)
        days = np.where(fallen, 0.0, HORIZON_D_MAX)
        # The deviation grows with time. A quantile up to the median is concave in it, so that it is lowest at
        # an end; one above the median lies nowhere below the mean at the end with the deviation of today.
        now, end = np.zeros_like(days), np.full_like(days, HORIZON_D_MAX)
        least = self.mean(end) + z * self.sd(now if z > 0 else end)
        row = np.flatnonzero(~fallen & (least < limits))
        days[row] = self.taken(row)._fallen_after(limits[row], z)
        days[np.isnan(self.value)] = np.nan
        return days

    def taken(self, row: Ints) -> Trend:
        """The lines of ``row`` (K)."""
        return Trend(
            self.centre_d[row],
            self.value[row],
            self.value_var[row],
            self.slope_per_d[row],
            self.slope_var[row],
            self.spans[row],
        )

    def _fallen_after(self, limit: Floats, z: float) -> Floats:
        """Days (V) until what has not fallen yet is below ``limit`` (V), by bisection of the horizon."""
        low, step = np.zeros(len(limit)), HORIZON_D_MAX
        for _ in range(_ROUNDS):
            step /= 2
            low += step * ~self._has_fallen(limit, z, low + step)
        return low + step

    def _has_fallen(self, limit: Floats, z: float, after_d: float | Floats) -> Bools:
        since_d = after_d - self.centre_d
        quantile = self.value + self.slope_per_d * since_d
        if z:
            quantile += z * np.sqrt(self.value_var + self.slope_var * since_d**2)
        fallen: Bools = quantile < limit
        return fallen


@dataclass(frozen=True, slots=True)
class Recent:
    """The usable readings of the K vehicles that have any, in order of vehicle and time."""

    vehicle: Ints  # (K)
    offsets: Ints  # (K + 1)
    row: Ints  # (N) where each was among all readings
    age_d: Floats  # (N) before the as-of time
    value: Floats  # (N)

    @property
    def count(self) -> Ints:
        """How many readings each vehicle (K) has: at least one."""
        return np.diff(self.offsets)

    @property
    def first(self) -> Ints:
        """The place (K) of each vehicle's first reading."""
        return self.offsets[:-1]

    def first_since(self, which: Ints, age_d: Floats) -> Ints:
        """The place (Q) of the first reading younger than ``age_d`` (Q), of ``which`` (Q) of the vehicles."""
        place = self.first[which]
        older = np.flatnonzero(self.age_d[place] >= age_d)
        place[older] += count_up_to(self.offsets, -self.age_d, which[older], -age_d[older])
        return place

    @property
    def last(self) -> Ints:
        """The place (K) of each vehicle's last reading."""
        return self.offsets[1:] - 1


def recent(
    offsets: Ints, time_d: Floats, value: Floats, begin_d: Floats, as_of_d: float, *, value_max: float
) -> Recent:
    """The readings (N) of V vehicles from ``begin_d`` (V) to the as-of time, both included.

    Readings that are NaN, without a time, or outside of 0 to ``value_max`` are passed over.
    """
    timely = (time_d >= np.repeat(begin_d, np.diff(offsets))) & (time_d <= as_of_d)
    row = np.flatnonzero(timely & (value >= 0) & (value < value_max))
    counts = np.diff(np.searchsorted(row, offsets))
    vehicle = np.flatnonzero(counts)
    return Recent(vehicle, offsets_of(counts[vehicle]), row, as_of_d - time_d[row], value[row])


def spans(found: Recent, window_d: float, value_max: float) -> Spans:
    """Medians of the readings of K vehicles in ``BINS`` equal spans of the last ``window_d`` days."""
    vehicles = len(found.vehicle)
    age, value = found.age_d, found.value
    back = np.minimum((age * (BINS / window_d)).astype(np.int64), BINS - 1)
    cell = owners_of(found.offsets) * BINS + BINS - 1 - back
    # One sort of one array: the cell in front of the point, the value behind it.
    width = float(value_max)
    ordered = np.sort(cell * width + value)
    begin = np.flatnonzero(np.diff(cell, prepend=-1))
    filled, size = cell[begin], np.diff(begin, append=len(cell))
    middle = (ordered[begin + (size - 1) // 2] + ordered[begin + size // 2]) / 2
    shape = (vehicles, BINS)
    medians, times = np.full(vehicles * BINS, np.nan), np.full(vehicles * BINS, np.nan)
    medians[filled] = middle - filled * width
    times[filled] = -np.bincount(cell, weights=age, minlength=vehicles * BINS)[filled] / size
    return Spans(np.asfortranarray(times.reshape(shape)), np.asfortranarray(medians.reshape(shape)))


def since_last_rise(found: Spans, rise: float) -> Spans:
    """``found`` without what came before the last rise of at least ``rise``: a part that was renewed unseen.

    The span after the rise has to stay above half of it; one odd span is no renewal.
    """
    highest, lowest = np.fmax.reduce(found.value, axis=1), np.fmin.reduce(found.value, axis=1)
    row = np.flatnonzero(highest - lowest >= rise)  # no other rises so much
    start = _last_rise(found.value[row], rise)
    time_d, value = found.time_d.copy(order="K"), found.value.copy(order="K")
    before = np.arange(BINS) < start[:, None]
    time_d[row], value[row] = np.where(before, np.nan, time_d[row]), np.where(before, np.nan, value[row])
    return Spans(time_d, value)


def _last_rise(value: Floats, rise: float) -> Ints:
    """The span (V) of the last lasting rise of ``value`` (V, BINS), 0 where there is none."""
    start = np.zeros(len(value), dtype=np.int64)
    before = value[:, 0]
    for place in range(1, BINS):
        here = value[:, place]
        after = _next_known(value, place + 1)
        risen = (here - before >= rise) & ~(after - before < rise / 2)
        start = np.where(risen, place, start)
        before = np.where(np.isnan(here), before, here)
    return start


def _next_known(value: Floats, place: int) -> Floats:
    """The first value (V) at or after ``place`` that is known; NaN where none is."""
    known = np.full(len(value), np.nan)
    for later in range(BINS - 1, place - 1, -1):
        known = np.where(np.isnan(value[:, later]), known, value[:, later])
    return known


def trend(found: Spans, usual: Usual) -> Trend:
    """The line through the spans of each vehicle, its slope shrunk to the usual one."""
    count = _row_sums(np.isfinite(found.value).astype(np.float64)).astype(np.int64)
    some = np.flatnonzero(count)
    seen = found.taken(some)
    lines = _lines(seen.time_d, seen.value, count[some], usual)
    columns = np.full((len(lines), len(count)), np.nan)
    columns[:, some] = lines
    centre, level, level_var, slope, slope_var = columns
    return Trend(centre, level, level_var, slope, slope_var, count)


def _lines(time: Floats, value: Floats, count: Ints, usual: Usual) -> list[Floats]:
    """The first five columns of `Trend` for vehicles that have at least one span."""
    known = np.isfinite(value)
    centre = _row_sums(np.where(known, time, 0.0)) / count
    since = time - centre[:, None]
    spread = _row_sums(np.where(known, since, 0.0) ** 2)

    measured = spread > 0
    raw = np.where(measured, theil_sen(time, value, count), 0.0)
    change = raw[:, None] * since
    level = median_rows(value - change, count)
    residual = np.abs(value - level[:, None] - change)
    sigma = _MAD_TO_SIGMA * median_rows(residual, count)
    free = np.maximum(count - 2, 0)  # level and slope took two of the spans
    noise_var = (count * sigma**2 + _SIGMA_WEIGHT * usual.noise**2) / (free + _SIGMA_WEIGHT)

    prior, prior_var = usual.slope_per_year / DAYS_PER_YEAR, (usual.slope_sd_per_year / DAYS_PER_YEAR) ** 2
    weight = prior_var * spread / (prior_var * spread + _SLOPE_LOSS * noise_var)
    return [
        centre,
        level,
        _MEDIAN_LOSS * noise_var / count,
        prior + weight * (raw - prior),
        prior_var * (1 - weight),
    ]


def _row_sums(values: Floats) -> Floats:
    """The sum (V) of each row of (V, BINS): of pairs, of pairs of them, and so on."""
    while values.shape[1] > 1:
        values = values[:, ::2] + values[:, 1::2]
    return values[:, 0]


def theil_sen(time: Floats, value: Floats, count: Ints) -> Floats:
    """The median slope (V) over all pairs of the ``count`` (V) known points of (V, BINS); NaN below two."""
    first = np.argmax(np.isfinite(value), axis=1)
    slope = np.full(len(value), np.nan)
    for start in range(BINS - 1):  # most have no reading before some span: few pairs are left
        row = np.flatnonzero(first == start)
        slopes = _slopes(time.T[start:, row], value.T[start:, row])
        slope[row] = median_rows(slopes.T, count[row] * (count[row] - 1) // 2)
    return slope


def _slopes(time: Floats, value: Floats) -> Floats:
    """The slopes (P * (P - 1) / 2, V) between all pairs of points (P, V)."""
    points, vehicles = value.shape
    slopes = np.empty((points * (points - 1) // 2, vehicles))
    done = 0
    for lag in range(1, points):
        here = slice(done, done + points - lag)
        rise, run = value[lag:] - value[:-lag], time[lag:] - time[:-lag]
        np.divide(rise, np.maximum(run, _RUN_D_MIN, out=run), out=slopes[here])
        done = here.stop
    return slopes


def median_rows(values: Floats, count: Ints) -> Floats:
    """The median (V) of the ``count`` (V) that are known in each row of (V, K); NaN where none is."""
    ordered = np.sort(np.ascontiguousarray(values), axis=1).ravel()  # NaN last
    begin = np.arange(len(values)) * values.shape[1]
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[1] - 1)
    middle: Floats = (ordered[begin + low] + ordered[begin + high]) / 2
    return middle
