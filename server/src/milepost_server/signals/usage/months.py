"""Distances month by month, back from each vehicle's last reading: how a vehicle's use looks over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, owners_of

if TYPE_CHECKING:
    from milepost_server.signals.usage.rate import History

_ROUNDING_MONTHS = 1e-6  # a reading this much short of a whole month ago counts as one of that month's begin


def month_steps(history: History, months: int) -> Floats:
    """The distance (V, ``months``) of each of the last months, the newest first; NaN before any reading.

    Months are of equal length and end at the vehicle's own last reading; odometers between readings are
    interpolated. One pass over the rows, without a search.
    """
    offsets, time_d = history.offsets, history.time_d
    vehicles = len(offsets) - 1
    if not len(time_d):
        return np.full((vehicles, months), np.nan)
    owner = owners_of(offsets)
    end_d = time_d[np.maximum(offsets[1:] - 1, 0)]
    ago = (end_d[owner] - time_d) / DAYS_PER_MONTH
    # In each month back, the newest row; then, for each border of a month, the newest row before it.
    back = np.minimum((ago + _ROUNDING_MONTHS).astype(np.int64), months)
    before = np.full((vehicles, months + 1), -1, dtype=np.int64)
    before.reshape(-1)[owner * (months + 1) + back] = np.arange(len(time_d))
    before = np.maximum.accumulate(before[:, ::-1], axis=1)[:, ::-1]

    row = np.maximum(before, 0)
    after = np.minimum(row + 1, np.maximum(offsets[1:] - 1, 0)[:, None])
    at_d = end_d[:, None] - np.arange(months + 1) * DAYS_PER_MONTH
    begin_d, begin_m = time_d[row], history.odometer_m[row]
    span = time_d[after] - begin_d
    share = np.clip((at_d - begin_d) / np.where(span > 0, span, 1.0), 0.0, 1.0)
    grid = np.where(before >= 0, begin_m + share * (history.odometer_m[after] - begin_m), np.nan)
    return grid[:, :-1] - grid[:, 1:]
