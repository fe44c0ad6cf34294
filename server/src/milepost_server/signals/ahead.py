"""What lies ahead of the last odometer reading: distance after a time, time to a distance, and the odds.

The three agree with each other: the fan of the odometer meets a limit at the very days that `days_to` gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.usage import Usage, UsageRules

HORIZON_D_MAX = 20 * 365.25
"""Nothing is foretold beyond this; what comes later is said to come at this time."""
PACES = (gamma.Z90, gamma.Z50, gamma.Z10)
"""Fast to slow. Who goes far is due early, so these are P10, P50 and P90 of a due date."""
_ROUNDS = 8  # the fixed point contracts by 0.25 or better, so days are exact to 1e-5 of themselves


@dataclass(frozen=True, slots=True)
class Ahead:
    """The future distance of V vehicles."""

    usage: Usage
    rules: UsageRules

    def metres_in(self, vehicle: Ints, days: Floats, pace: float) -> Floats:
        """The distance (Q) of ``vehicle`` (Q) in ``days`` (Q), at the quantile ``pace`` of its rate."""
        factor = gamma.quantile(self.usage.variance(vehicle, days, self.rules), pace)
        return self.usage.rate_m_per_d[vehicle] * factor * days

    def days_to(self, vehicle: Ints, metres: Floats, wear_variance: Floats, pace: float) -> Floats:
        """Days (Q) until ``vehicle`` (Q) has gone ``metres`` (Q > 0), at the quantile ``pace`` of its rate.

        ``wear_variance`` (Q) is the relative variance of what a metre wears, 0 where the limit is a
        distance. At most ``HORIZON_D_MAX``.
        """
        at_mean = metres / self.usage.rate_m_per_d[vehicle]
        days = at_mean
        for _ in range(_ROUNDS):
            variance = _of_product(self.usage.variance(vehicle, days, self.rules), wear_variance)
            days = at_mean / gamma.quantile(variance, pace)
        return np.minimum(days, HORIZON_D_MAX)

    def odds_within(self, vehicle: Ints, metres: Floats, wear_variance: Floats, days: Floats) -> Floats:
        """The probability (Q) that ``vehicle`` (Q) has gone ``metres`` (Q > 0) within ``days`` (Q)."""
        variance = _of_product(self.usage.variance(vehicle, days, self.rules), wear_variance)
        needed = metres / (self.usage.rate_m_per_d[vehicle] * np.maximum(days, 1e-9))
        return np.where(days > 0, 1 - gamma.below(variance, needed), 0.0)


def _of_product(first: Floats, second: Floats) -> Floats:
    """The relative variance of a product of two independent factors."""
    return (1 + first) * (1 + second) - 1


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
