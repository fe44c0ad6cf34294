"""The 12 V battery: good, weak or to be replaced, and when it will have to be.

Three measures, each with a limit: the lowest voltage while the starter turns, the voltage after a rest, and
the state of health where the car tells it. The measure that says the worst speaks for the battery. Voltages
fall with the cold, so the season of the fleet is taken out before a slope is sought.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, Ints, owners_of
from milepost_server.signals.health.trend import (
    DAYS_PER_YEAR,
    HORIZON_D_MAX,
    Trend,
    Usual,
    median_rows,
    recent,
    since_last_rise,
    spans,
    trend,
)

MONTHS = 12
NO_SEASON: Floats = np.zeros(MONTHS)
SEASON_READINGS = 100


class BatteryState(enum.IntEnum):
    """What to say of a battery; worse is higher."""

    UNKNOWN = 0
    GOOD = 1
    WEAK = 2
    REPLACE = 3


class Measure(enum.IntEnum):
    """What a battery is judged by."""

    CRANKING_MINIMUM = 0
    REST_VOLTAGE = 1
    STATE_OF_HEALTH = 2


@dataclass(frozen=True, slots=True)
class MeasureRules:
    """Limits of one measure, and what is usual: volts, or percent for the state of health."""

    weak: float
    replace: float
    renewal: float  # a lasting rise of this much is a new battery
    two_above: float  # what no single battery shows is two in a row, a 24 V system, and halved
    usual: Usual


def _default_measures() -> tuple[MeasureRules, ...]:
    # A load test of a 12 V battery asks for 9.6 V at 21 C; starters stop turning well somewhat lower.
    # The slope is an assumption: batteries last five to six years, from 10.7 V down.
    cranking = MeasureRules(
        weak=9.6,
        replace=9.0,
        renewal=0.8,
        two_above=13.5,
        usual=Usual(slope_per_year=-0.25, slope_sd_per_year=0.60, noise=0.25, value_max=16.0),
    )
    # Lead-acid at rest: 12.7 V is full; 12.4 V three quarters, below it sulphates; 12.0 V a quarter.
    rest = MeasureRules(
        weak=12.3,
        replace=12.0,
        renewal=0.4,
        two_above=16.0,
        usual=Usual(slope_per_year=-0.06, slope_sd_per_year=0.20, noise=0.10, value_max=16.0),
    )
    # The car's own estimate. Limits are an assumption: half the capacity does not start a cold engine.
    health = MeasureRules(
        weak=70.0,
        replace=50.0,
        renewal=20.0,
        two_above=np.inf,
        usual=Usual(slope_per_year=-9.0, slope_sd_per_year=9.0, noise=5.0, value_max=101.0),
    )
    return cranking, rest, health


@dataclass(frozen=True, slots=True)
class BatteryRules:
    """The numbers behind 12 V batteries; part of the configuration version."""

    measures: tuple[MeasureRules, ...] = field(default_factory=_default_measures)  # by `Measure`
    window_d: float = 730.0
    silent_d_max: float = 120.0  # beyond, the last reading says nothing of today
    soon_d: float = 90.0  # a battery that reaches its limit within this is weak
    readings_min: int = 3


@dataclass(frozen=True, slots=True)
class BatteryReadings:
    """Readings of one measure of V vehicles, N rows, rising in time within each vehicle."""

    offsets: Ints  # (V + 1)
    time_d: Floats  # (N)
    value: Floats  # (N) volts or percent; NaN is passed over


@dataclass(frozen=True, slots=True)
class Battery:
    """The batteries of V vehicles. What is not known is UNKNOWN, -1 or NaN, and only together."""

    state: Ints  # (V) a `BatteryState`
    measure: Ints  # (V) the `Measure` that speaks, -1 where none does
    level: Floats  # (V) today, volts or percent
    level_sd: Floats  # (V)
    slope_per_year: Floats  # (V) volts or percent a year
    levels: Floats  # (measures, V) of each measure today, also of those that do not speak
    days_p10: Floats  # (V) days until it has to be replaced: early
    days_p50: Floats  # (V) most likely; HORIZON_D_MAX or later is not foretold
    days_p90: Floats  # (V) late
    first_row: Ints  # (V) the readings of ``measure`` that it rests on: first and last row, -1 where none
    last_row: Ints  # (V)


@dataclass(frozen=True, slots=True)
class _Judged:
    """One measure of V vehicles; UNKNOWN, NaN and -1 where it says nothing."""

    state: Ints
    columns: tuple[Floats, ...]  # level to days_p90 of `Battery`
    first_row: Ints
    last_row: Ints


def batteries(
    readings: Sequence[BatteryReadings],
    renewed_d: Floats,
    season: Sequence[Floats],
    as_of_d: float,
    rules: BatteryRules,
) -> Battery:
    """Judge the batteries of V vehicles.

    ``readings`` and ``season`` have one entry per `Measure`; ``season`` (12) is what a month adds to a
    reading (see `season_of`). ``renewed_d`` (V) is when a new battery was put in, NaN where nobody said so.
    """
    assert len(readings) == len(season) == len(rules.measures)
    judged = [
        _judge(rows, renewed_d, added, as_of_d, measure=measure, rules=rules)
        for rows, added, measure in zip(readings, season, rules.measures, strict=True)
    ]
    state = np.stack([one.state for one in judged])
    days = np.nan_to_num(np.stack([one.columns[4] for one in judged]), nan=HORIZON_D_MAX)
    # The worst state speaks, and of equal ones that which has the least time left.
    speaks = np.argmax(state * (2 * HORIZON_D_MAX) - days, axis=0)
    worst = state.max(axis=0)
    known = worst > BatteryState.UNKNOWN
    pick = np.arange(len(speaks))
    level, level_sd, slope, p10, p50, p90 = (
        np.stack(column)[speaks, pick] for column in zip(*(one.columns for one in judged), strict=True)
    )
    first = np.stack([one.first_row for one in judged])[speaks, pick]
    last = np.stack([one.last_row for one in judged])[speaks, pick]
    return Battery(
        state=worst,
        measure=np.where(known, speaks, -1),
        level=level,
        level_sd=level_sd,
        slope_per_year=slope,
        levels=np.stack([one.columns[0] for one in judged]),
        days_p10=p10,
        days_p50=p50,
        days_p90=p90,
        first_row=first,
        last_row=last,
    )


def _judge(
    rows: BatteryReadings,
    renewed_d: Floats,
    season: Floats,
    as_of_d: float,
    *,
    measure: MeasureRules,
    rules: BatteryRules,
) -> _Judged:
    """Judge the batteries of V vehicles by one measure."""
    value = _of_one(rows.value, measure)
    begin_d = np.fmax(as_of_d - rules.window_d, renewed_d)
    value_max = measure.usual.value_max
    seen = recent(rows.offsets, rows.time_d, value, begin_d, as_of_d, value_max=value_max)
    if season.any():
        seen = replace(seen, value=seen.value - season[month_of(as_of_d - seen.age_d)])
    known = np.flatnonzero((seen.count >= rules.readings_min) & (seen.age_d[seen.last] <= rules.silent_d_max))
    found = since_last_rise(spans(seen, rules.window_d, value_max).taken(known), measure.renewal)
    line = trend(found, measure.usual)
    first, last = seen.first_since(known, found.oldest_d(rules.window_d)), seen.last[known]
    state, columns = _say(line, _median_of_last(seen.value, last, rules.readings_min), measure, rules)

    told = seen.vehicle[known]
    states = np.full(len(renewed_d), BatteryState.UNKNOWN, dtype=np.int64)
    evidence = np.full((2, len(renewed_d)), -1, dtype=np.int64)
    numbers = np.full((len(columns), len(renewed_d)), np.nan)
    states[told] = state
    evidence[:, told] = seen.row[first], seen.row[last]
    numbers[:, told] = columns
    return _Judged(states, tuple(numbers), evidence[0], evidence[1])


def _of_one(value: Floats, measure: MeasureRules) -> Floats:
    """Readings (N) as those of a single battery: of two in a row, the half."""
    double = np.flatnonzero(value > measure.two_above)
    if not len(double):
        return value
    one = value.copy()
    one[double] /= 2
    return one


def _say(
    line: Trend, lately: Floats, measure: MeasureRules, rules: BatteryRules
) -> tuple[Ints, list[Floats]]:
    """State (K), and the columns level to days_p90 of `Battery`."""
    today = np.zeros(len(lately))
    # A dying battery falls faster than any line: its last readings say so before the line does.
    level = np.where(lately < measure.replace, np.fmin(lately, line.mean(today)), line.mean(today))
    p10, p50, p90 = (
        np.where(level < measure.replace, 0.0, line.days_until(measure.replace, z))
        for z in (gamma.Z10, gamma.Z50, gamma.Z90)
    )
    weak = (level < measure.weak) | (p50 <= rules.soon_d)
    state = np.where(weak, BatteryState.WEAK, BatteryState.GOOD)
    state = np.where(level < measure.replace, BatteryState.REPLACE, state)
    return state, [level, line.sd(today), line.slope_per_d * DAYS_PER_YEAR, p10, p50, p90]


def _median_of_last(value: Floats, last: Ints, count: int) -> Floats:
    """The median (K) of ``count`` readings up to the row ``last`` (K)."""
    return median_rows(value[last[:, None] - np.arange(count)], np.full(len(last), count))


def season_of(rows: BatteryReadings, measure: MeasureRules) -> Floats:
    """What each month of the year (12) adds to the readings of a fleet; 0 where the fleet says too little.

    The mean of what each reading lies above the mean of its own vehicle, as if ``SEASON_READINGS`` without
    any season had been seen besides. The sum over the year is 0.
    """
    value = _of_one(rows.value, measure)
    known = np.isfinite(value) & np.isfinite(rows.time_d)
    owner, month, value = owners_of(rows.offsets)[known], month_of(rows.time_d[known]), value[known]
    vehicles = len(rows.offsets) - 1
    count = np.bincount(owner, minlength=vehicles)
    mean = np.bincount(owner, weights=value, minlength=vehicles) / np.maximum(count, 1)
    above = np.bincount(month, weights=value - mean[owner], minlength=MONTHS)
    season = above / (np.bincount(month, minlength=MONTHS) + SEASON_READINGS)
    centred: Floats = season - season.mean()
    return centred


def month_of(time_d: Floats) -> Ints:
    """The month (N) of times in days since 1970: 0 is January; twelve equal parts of the mean year."""
    months = np.floor(time_d / DAYS_PER_MONTH).astype(np.int64)
    return months - months // MONTHS * MONTHS  # NumPy divides integers much faster than it takes remainders
