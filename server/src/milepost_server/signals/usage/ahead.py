"""What lies ahead of the last odometer reading: distance after a time, time to a distance, and the odds.

The three are closed forms on the same curves (see ``pace``), so they agree with each other: the fan of the
odometer meets a limit at the very days that `days_to` gives. Millions of questions are answered in pieces
that fit into the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, Ints
from milepost_server.signals.usage.pace import Learned, Place, curves, expected_log_months, log_months
from milepost_server.signals.usage.rate import Usage, UsageRules

if TYPE_CHECKING:
    from collections.abc import Iterator

HORIZON_D_MAX = 20 * 365.25
"""Nothing is foretold beyond this; what comes later is said to come at this time."""
PACES = (gamma.Z90, gamma.Z50, gamma.Z10)
"""Fast to slow. Who goes far is due early, so these are P10, P50 and P90 of a due date."""
QUERIES_AT_ONCE = 16_384
_LEAST = 1e-12  # keeps logarithms finite


class Ahead:
    """The future distance of V vehicles."""

    def __init__(self, usage: Usage, rules: UsageRules, learned: Learned | None = None) -> None:
        self.usage = usage
        self.rules = rules
        self.curves = curves(usage, rules, learned)

    def metres_in(self, vehicle: Ints, days: Floats, pace: float) -> Floats:
        """The distance (Q) of ``vehicle`` (Q) in ``days`` (Q), at the quantile ``pace`` of its rate."""
        result = np.zeros(len(vehicle))
        curve = self.curves.median - pace * self.curves.side(pace)
        for part in _parts(len(vehicle)):
            who, time = vehicle[part], days[part]
            expected = expected_log_months(curve, who, log_months(np.maximum(time, _LEAST)))
            metres = self.usage.rate_m_per_d[who] * DAYS_PER_MONTH * np.exp(expected)
            result[part] = np.where(time > 0, metres, 0.0)
        return result

    def days_to(self, vehicle: Ints, metres: Floats, wear_variance: Floats, pace: float) -> Floats:
        """Days (Q) until ``vehicle`` (Q) has gone ``metres`` (Q > 0), at the quantile ``pace`` of its rate.

        ``wear_variance`` (Q) is the relative variance of what a metre wears, 0 where the limit is a
        distance. At most ``HORIZON_D_MAX``.
        """
        result = np.empty(len(vehicle))
        side = self.curves.side(pace)
        for part in _parts(len(vehicle)):
            expected, place = self._expected(vehicle[part], metres[part])
            days = expected + place.on(self.curves.median)
            if wear_variance[part].any():
                days -= _median_of_wear(wear_variance[part])
            if pace:
                days -= pace * _with_wear(place.on(side), wear_variance[part])
            result[part] = np.exp(days)
        result *= DAYS_PER_MONTH
        return np.minimum(result, HORIZON_D_MAX, out=result)

    def odds_within(self, vehicle: Ints, metres: Floats, wear_variance: Floats, days: Floats) -> Floats:
        """The probability (Q) that ``vehicle`` (Q) has gone ``metres`` (Q > 0) within ``days`` (Q)."""
        result = np.zeros(len(vehicle))
        for part in _parts(len(vehicle)):
            expected, place = self._expected(vehicle[part], metres[part])
            median = expected + place.on(self.curves.median) - _median_of_wear(wear_variance[part])
            over = log_months(np.maximum(days[part], _LEAST)) - median
            side = np.where(over < 0, place.on(self.curves.early), place.on(self.curves.late))
            odds = gamma.normal_below(over / _with_wear(side, wear_variance[part]))
            result[part] = np.where(days[part] > 0, odds, 0.0)
        return result

    def _expected(self, vehicle: Ints, metres: Floats) -> tuple[Floats, Place]:
        """The expected time (Q, log months) to ``metres`` (Q), and its place between the knots."""
        expected = log_months(metres / self.usage.rate_m_per_d[vehicle])
        return expected, Place.of(vehicle, expected)


def _parts(queries: int) -> Iterator[slice]:
    return (slice(start, start + QUERIES_AT_ONCE) for start in range(0, queries, QUERIES_AT_ONCE))


def _median_of_wear(variance: Floats) -> Floats:
    """The logarithm (Q) of the median of a gamma factor of mean 1 and ``variance`` (Q)."""
    return 3 * np.log1p(-variance / 9)


def _with_wear(side: Floats, variance: Floats) -> Floats:
    """The spread (Q) where distance and wear are both uncertain, and know nothing of each other."""
    return np.sqrt(side**2 + np.log1p(variance)) if variance.any() else side


@dataclass(frozen=True, slots=True)
class Fan:
    """The odometer ahead of one vehicle: T times, with its quantiles at each (metres)."""

    time_d: Floats  # (T) days since 1970
    p10_m: Floats
    p50_m: Floats
    p90_m: Floats


def fan(ahead: Ahead, last_d: float, last_m: float, until_d: float, points: int) -> Fan:
    """The odometer of the one vehicle in ``ahead`` from its last reading (``last_d``, ``last_m``) on.

    ``points`` even times from ``last_d`` to ``until_d``, both included; the last reading alone where
    ``until_d`` is not later.
    """
    time_d = np.linspace(last_d, max(until_d, last_d), points if until_d > last_d else 1)
    vehicle = np.zeros(len(time_d), dtype=np.int64)
    fast, middle, slow = (last_m + ahead.metres_in(vehicle, time_d - last_d, pace) for pace in PACES)
    return Fan(time_d, slow, middle, fast)
