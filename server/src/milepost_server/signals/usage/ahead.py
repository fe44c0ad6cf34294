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
from milepost_server.signals.usage.pace import KNOTS, Learned, Place, curves, expected_log_months, log_months
from milepost_server.signals.usage.rate import Usage, UsageRules

if TYPE_CHECKING:
    from collections.abc import Iterator

HORIZON_D_MAX = 20 * 365.25
"""Nothing is foretold beyond this; what comes later is said to come at this time."""
PACES = (gamma.Z90, gamma.Z50, gamma.Z10)
"""Fast to slow. Who goes far is due early, so these are P10, P50 and P90 of a due date."""
QUERIES_AT_ONCE = 16_384
_LEAST = 1e-12  # keeps logarithms finite


@dataclass(frozen=True, slots=True)
class Ways:
    """When Q vehicles have gone a distance each; logarithms of months."""

    median: Floats  # (Q)
    early: Floats  # (Q) > 0, the spread to either side
    late: Floats  # (Q) > 0

    def days(self, pace: float) -> Floats:
        """Days (Q) until it is gone at the quantile ``pace`` of the rate; at most ``HORIZON_D_MAX``."""
        logs = self.median - pace * (self.early if pace > 0 else self.late) if pace else self.median
        days = np.exp(logs)
        days *= DAYS_PER_MONTH
        return np.minimum(days, HORIZON_D_MAX, out=days)

    def odds(self, days: Floats) -> Floats:
        """The probability (Q) that it is gone within ``days`` (Q)."""
        over = log_months(np.maximum(days, _LEAST)) - self.median
        odds = gamma.normal_below(over / np.where(over < 0, self.early, self.late))
        return np.where(days > 0, odds, 0.0)


class Ahead:
    """The future distance of V vehicles."""

    def __init__(self, usage: Usage, rules: UsageRules, learned: Learned | None = None) -> None:
        self.usage = usage
        self.rules = rules
        self.curves = curves(usage, rules, learned)
        self._ends_at: dict[float, Floats] = {}

    def metres_in(self, vehicle: Ints, days: Floats, pace: float) -> Floats:
        """The distance (Q) of ``vehicle`` (Q) in ``days`` (Q), at the quantile ``pace`` of its rate."""
        result = np.zeros(len(vehicle))
        ends = self._ends(pace)
        for part in _parts(len(vehicle)):
            who, time = vehicle[part], days[part]
            expected = expected_log_months(ends, who, log_months(np.maximum(time, _LEAST)))
            metres = self.usage.rate_m_per_d[who] * DAYS_PER_MONTH * np.exp(expected)
            result[part] = np.where(time > 0, metres, 0.0)
        return result

    def days_to(self, vehicle: Ints, metres: Floats, wear_variance: Floats, pace: float) -> Floats:
        """Days (Q) until ``vehicle`` (Q) has gone ``metres`` (Q > 0), at the quantile ``pace`` of its rate.

        ``wear_variance`` (Q) is the relative variance of what a metre wears, 0 where the limit is a
        distance. At most ``HORIZON_D_MAX``.
        """
        result = np.empty(len(vehicle))
        for part in _parts(len(vehicle)):
            result[part] = self.ways(vehicle[part], metres[part], wear_variance[part]).days(pace)
        return result

    def odds_within(self, vehicle: Ints, metres: Floats, wear_variance: Floats, days: Floats) -> Floats:
        """The probability (Q) that ``vehicle`` (Q) has gone ``metres`` (Q > 0) within ``days`` (Q)."""
        result = np.zeros(len(vehicle))
        for part in _parts(len(vehicle)):
            result[part] = self.ways(vehicle[part], metres[part], wear_variance[part]).odds(days[part])
        return result

    def ways(self, vehicle: Ints, metres: Floats, wear_variance: Floats) -> Ways:
        """``metres`` (Q > 0) that lie before ``vehicle`` (Q), to ask several things of; see `days_to`."""
        expected = log_months(metres / self.usage.rate_m_per_d[vehicle])
        place = Place.of(vehicle, expected)
        early, late = place.on(self.curves.early), place.on(self.curves.late)
        median = expected + place.on(self.curves.median)
        if wear_variance.any():
            median -= _median_of_wear(wear_variance)
            early, late = _with_wear(early, wear_variance), _with_wear(late, wear_variance)
        return Ways(median, early, late)

    def _ends(self, pace: float) -> Floats:
        """The time (V, K, log months) that a distance takes at ``pace``, at the knots."""
        if pace not in self._ends_at:
            self._ends_at[pace] = KNOTS + (self.curves.median - pace * self.curves.side(pace))
        return self._ends_at[pace]


def _parts(queries: int) -> Iterator[slice]:
    return (slice(start, start + QUERIES_AT_ONCE) for start in range(0, queries, QUERIES_AT_ONCE))


def _median_of_wear(variance: Floats) -> Floats:
    """The logarithm (Q) of the median of a gamma factor of mean 1 and ``variance`` (Q)."""
    return 3 * np.log1p(-variance / 9)


def _with_wear(side: Floats, variance: Floats) -> Floats:
    """The spread (Q) where distance and wear are both uncertain, and know nothing of each other."""
    spread: Floats = np.sqrt(side**2 + np.log1p(variance))
    return spread


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
