"""The car's own countdown to a service: kilometres and time that it says are left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Floats, Ints, last_rows, owners_of

LEFT_KM_MAX = 100_000.0
LEFT_D_MAX = 3_653.0
"""What a car says beyond these, either way, is how it says that it does not know."""
RISE_KM = 3_000.0
RISE_D = 60.0
"""A countdown that rises by this much between two readings was set back by a service that somebody did."""
SECONDS_PER_D = 86_400.0


@dataclass(frozen=True, slots=True)
class CountdownReadings:
    """Readings of one countdown of Q vehicles, N rows in the order of time."""

    offsets: Ints  # (Q + 1)
    time_d: Floats  # (N)
    odometer_m: Floats  # (N) continuous; NaN where not known
    left: Floats  # (N) km, or days


@dataclass(frozen=True, slots=True)
class CountdownLimit:
    """Where the countdown of Q vehicles ends; NaN where the car says nothing."""

    at_m: Floats  # (Q)
    at_d: Floats  # (Q)


def ends(readings: CountdownReadings, since_d: Floats, *, in_km: bool) -> Floats:
    """The odometer (Q, metres) or the day (Q) at which the latest reading says that the service is due.

    Readings before ``since_d`` (Q, NaN: none) are of the life before the last service. NaN where none is
    left, or where the value is one of those that mean "not known".
    """
    row = last_rows(readings.offsets)
    time_d, left = (np.append(values, np.nan)[row] for values in (readings.time_d, readings.left))
    limit = LEFT_KM_MAX if in_km else LEFT_D_MAX
    counts = (np.abs(left) < limit) & (np.isnan(since_d) | (time_d >= since_d))
    here = np.append(readings.odometer_m, np.nan)[row] if in_km else time_d
    return np.where(counts, here + left * (1_000.0 if in_km else 1.0), np.nan)


def set_back(readings: CountdownReadings, since_d: Floats, *, in_km: bool) -> Ints:
    """The row (Q) of the first reading after the countdown was last set back, -1 where it never was.

    Only readings from ``since_d`` (Q, NaN: all) on are compared: before it, the service is on record.
    """
    limit, rise = (LEFT_KM_MAX, RISE_KM) if in_km else (LEFT_D_MAX, RISE_D)
    result = np.full(len(readings.offsets) - 1, -1, dtype=np.int64)
    owner = owners_of(readings.offsets)
    since = np.where(np.isnan(since_d), -np.inf, since_d)[owner]
    row = np.flatnonzero((np.abs(readings.left) < limit) & (readings.time_d >= since))
    owner, left = owner[row], readings.left[row]
    rose = np.flatnonzero((owner[1:] == owner[:-1]) & (np.diff(left) >= rise)) + 1
    result[owner[rose]] = row[rose]  # rows rise, and of several the last one is written last
    return result
