"""Why a reading that no simple slip explains was rejected, in the words that help to find the mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import owners_of
from milepost_server.signals.odometer.repair import unit_of
from milepost_server.signals.odometer.verdict import Verdict

if TYPE_CHECKING:
    from milepost_server.signals.flat import Bools, Floats, Ints
    from milepost_server.signals.odometer.neighbours import Between
    from milepost_server.signals.odometer.track import Track

YEAR_D = 365.25
_SAME_DAY_D = 0.5
_SERIES_MIN = 3
_SERIES_RATE_RATIO_MAX = 3.0


def reasons(b: Between, value_m: Floats, is_copied: Bools) -> Ints:
    """The reason (Q, of `Verdict`) why each reading that came as ``value_m`` (Q) is not believed.

    ``is_copied`` (Q): the same value was reported shortly before.
    """
    has_before = np.isfinite(b.before_m)
    same_day = (b.time_d - b.before_d < _SAME_DAY_D) | (b.after_d - b.time_d < _SAME_DAY_D)
    return np.select(
        [
            is_placeholder(value_m),
            same_day,
            is_copied,
            _fits_another_year(b, value_m),
            ~has_before,
            value_m < b.before_m,
            (value_m > b.after_m) | ~np.isfinite(b.after_m),
        ],
        [
            Verdict.PLACEHOLDER,
            Verdict.SAME_DAY,
            Verdict.COPIED,
            Verdict.WRONG_DATE,
            Verdict.ISOLATED,
            Verdict.BACKWARD,
            Verdict.JUMP,
        ],
        Verdict.OUT_OF_LINE,
    ).astype(np.int64)


def is_placeholder(value_m: Floats) -> Bools:
    """Zero, at least four times the same digit, or the digits in their order."""
    keyed = np.floor(value_m / unit_of(value_m) + 1e-6)
    found: Bools = keyed == 0
    for digits in range(4, 8):
        found |= np.isin(keyed, int("1" * digits) * np.arange(1, 10))
        found |= keyed == int("1234567"[:digits])
    return found


def _fits_another_year(b: Between, value_m: Floats) -> Bools:
    """Whether the car's usual rate leads to the value one year earlier or later, and not to this date."""
    known_m = np.where(np.isfinite(b.before_m), b.before_m, b.after_m)
    known_d = np.where(np.isfinite(b.before_m), b.before_d, b.after_d)
    found = np.zeros(len(b.time_d), dtype=np.bool_)
    for years in (-1, 1):
        line_m = known_m + b.rate_m_per_d * (b.time_d + years * YEAR_D - known_d)
        found |= np.abs(value_m - line_m) <= 0.05 * b.rate_m_per_d * YEAR_D
    fits: Bools = found & (b.rate_m_per_d > 0)
    return fits


def is_series(track: Track, row: Ints) -> Bools:
    """Whether the rows (Q) of a vehicle, three or more, rise evenly: the odometer of another vehicle."""
    owner = owners_of(track.offsets)[row]
    together = owner[1:] == owner[:-1]
    days = np.maximum(np.diff(track.time_d[row]), _SAME_DAY_D)
    rate = np.diff(track.value_m[row]) / days
    vehicles = len(track.offsets) - 1
    slowest, fastest = np.full(vehicles, np.inf), np.zeros(vehicles)
    np.minimum.at(slowest, owner[1:][together], rate[together])
    np.maximum.at(fastest, owner[1:][together], rate[together])
    even = (slowest > 0) & (fastest <= _SERIES_RATE_RATIO_MAX * slowest)
    series: Bools = (even & (np.bincount(owner, minlength=vehicles) >= _SERIES_MIN))[owner]
    return series
