"""Where the odometer of each vehicle was at a time: between readings, before the first and after the last."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from milepost_server.signals.flat import Floats, Ints, owners_of
from milepost_server.signals.usage.rate import History

_SPAN_D = 2.0**17
"""Days that the times of one vehicle may span: more than there are between the years 1800 and 2100."""


@dataclass(frozen=True)
class OdometerAxis:
    """The continuous odometers of V vehicles."""

    history: History
    rate_m_per_d: Floats  # (V)
    anchor_d: Floats  # (V) the last reading; NaN where none
    anchor_m: Floats  # (V)
    origin_m: Floats  # (V) zero of the first instrument cluster on the continuous axis; NaN where none

    def at(self, vehicle: Ints, time_d: Floats) -> Floats:
        """The odometer (Q) of ``vehicle`` (Q): between readings on a line, before the first back at the
        vehicle's rate (not below the origin), after the last one that; NaN without a reading or a time."""
        result = self.anchor_m[vehicle]
        result[np.isnan(time_d)] = np.nan
        if not len(self.history.time_d):
            return result
        after, first, end = self.around(vehicle, time_d)
        rows = np.flatnonzero((after > first) & (after < end))
        late = after[rows]
        x, y = self.history.time_d, self.history.odometer_m
        early_d, early_m = x[late - 1], y[late - 1]
        share = (time_d[rows] - early_d) / np.maximum(x[late] - early_d, 1e-9)
        result[rows] = early_m + share * (y[late] - early_m)
        rows = np.flatnonzero(after == first)
        rows = rows[(first[rows] < end[rows]) & np.isfinite(time_d[rows])]
        late, owner = after[rows], vehicle[rows]
        back = y[late] - (x[late] - time_d[rows]) * self.rate_m_per_d[owner]
        result[rows] = np.maximum(back, np.fmin(self.origin_m[owner], y[late]))
        return result

    def around(self, vehicle: Ints, time_d: Floats) -> tuple[Ints, Ints, Ints]:
        """The first row (Q) of ``vehicle`` (Q) after ``time_d`` (Q), and where the vehicle's rows begin and
        end; NaN counts as before all of them."""
        offsets = self.history.offsets
        at = np.minimum(np.fmax(time_d, self._zero_d), self._zero_d + _SPAN_D - 1)
        row = np.searchsorted(self._keys, vehicle * _SPAN_D + (at - self._zero_d), side="right")
        return row, offsets[vehicle], offsets[vehicle + 1]

    @cached_property
    def _zero_d(self) -> float:
        return float(np.min(self.history.time_d, initial=0.0)) - 1.0

    @cached_property
    def _keys(self) -> Floats:
        """Vehicle and time in one number, rising over all rows: one search finds both."""
        keys: Floats = owners_of(self.history.offsets) * _SPAN_D + (self.history.time_d - self._zero_d)
        return keys
