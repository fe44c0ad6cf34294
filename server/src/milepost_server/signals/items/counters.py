"""Limits in engine hours and revolutions: counters of the car, as wear that goes from 0 to the interval.

A counter says how much a kilometre of this car costs in hours or revolutions; that rate, shrunk to what is
usual, carries the limit onto the odometer. What was counted before the device came, or before a service that
lies before the first reading, is filled in at the same rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Floats, Ints, interpolate, last_rows, owners_of
from milepost_server.signals.items.due import FirstLimit
from milepost_server.signals.items.wear import (
    VARIANCE_MAX,
    WearLimit,
    WearReadings,
    WearRules,
    usual_wear,
    wear_line,
)

SIGNALS = {
    FirstLimit.ENGINE_HOURS: "Vehicle.Powertrain.CombustionEngine.EngineHours",
    FirstLimit.REVOLUTIONS: "Vehicle.Milepost.Engine.Revolutions",
}
USUAL_M_PER_UNIT = {
    FirstLimit.ENGINE_HOURS: (20_000.0, 60_000.0),
    FirstLimit.REVOLUTIONS: (1 / 3.0, 1 / 1.6),
}
"""Distance in an hour with the engine on, and in a revolution: P10 and P90 of cars. Assumptions: 20 to
60 km/h door to door; 1,600 to 3,000 revolutions a kilometre."""
_NOISE = 0.005
"""Of a counter, as a share of its interval: counters are exact, roads and seasons are not."""


@dataclass(frozen=True, slots=True)
class CounterReadings:
    """Readings of one counter of Q vehicles, N rows in the order of time."""

    offsets: Ints  # (Q + 1)
    odometer_m: Floats  # (N) continuous; never falls within a vehicle
    total: Floats  # (N) as `running_total` makes it


def running_total(offsets: Ints, value: Floats) -> Floats:
    """Totals (N) that never fall, 0 at each vehicle's first row: after a fall the counter began anew at 0."""
    if not len(value):
        return np.zeros(0)
    step = np.diff(value, prepend=value[0])
    step = np.where(step < 0, value, step)
    step[offsets[:-1][np.diff(offsets) > 0]] = 0.0
    total = np.cumsum(step)
    first = np.minimum(offsets[:-1], len(value) - 1)
    base: Floats = total[first][owners_of(offsets)]
    return total - base


def counter_limit(
    readings: CounterReadings, start_m: Floats, interval: Floats, usual: tuple[float, float], rules: WearRules
) -> WearLimit:
    """Where on the odometer a counter has gone ``interval`` (Q, NaN for none) since ``start_m`` (Q).

    ``usual`` is one of `USUAL_M_PER_UNIT`. NaN where there is no interval, no start, or no reading after it:
    a counter that nobody reads says nothing.
    """
    owner = owners_of(readings.offsets)
    unit = usual_wear(*usual)
    used = readings.total / interval[owner]
    whole = WearReadings(readings.offsets, readings.odometer_m, np.nan_to_num(used))
    nowhere = np.full(len(start_m), np.nan)
    line = wear_line(whole, nowhere, rules, noise=_NOISE)
    prior_rate = float(unit.per_m) / np.where(np.isfinite(interval), interval, 1.0)
    seen, prior = line.square_m2 / line.noise_variance, 1 / (float(unit.variance) * prior_rate**2)
    rate = (seen * line.slope_per_m + prior * prior_rate) / (seen + prior)
    rate = np.maximum(rate, rules.rate_share_min * prior_rate)

    last, first = last_rows(readings.offsets), readings.offsets[:-1]
    measured = (last >= 0) & np.isfinite(interval) & np.isfinite(start_m)
    last_m = np.append(readings.odometer_m, np.nan)[last]
    first_m = np.append(readings.odometer_m, np.nan)[np.where(last >= 0, first, -1)]
    measured &= last_m >= start_m
    # Before the first reading at the rate; between readings as counted.
    back_m = np.maximum(first_m - start_m, 0.0)
    everyone = np.arange(len(start_m), dtype=np.int64)
    at_start = interpolate(readings.offsets, readings.odometer_m, used, everyone, start_m)
    counted = np.append(used, np.nan)[last] - np.where(np.isnan(at_start), 0.0, at_start)
    left_m = (1 - counted) / rate - back_m
    spread = 1 / (seen + prior) / rate**2 * ((left_m + back_m) / np.where(left_m > 0, left_m, np.inf)) ** 2
    known = np.where(measured, 0.0, np.nan)
    none = np.full(len(start_m), -1, dtype=np.int64)
    return WearLimit(
        at_m=last_m + left_m + known,
        variance=np.clip(np.nan_to_num(spread) + rules.change_variance, rules.change_variance, VARIANCE_MAX),
        worn=counted + back_m * rate + known,
        rate_per_m=rate,
        measured=measured,
        first_row=np.where(measured, first, -1),
        last_row=np.where(measured, last, -1),
        renewal_row=none,
        from_m=last_m + known,
    )
