"""What ends at a date or at a distance, whichever comes first: a warranty, a contract."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.usage.ahead import Ahead

_YEAR_D = 365.25
WEIGHTS = (0.3, 0.4, 0.3)
"""Of P10, P50 and P90 as three points that stand for a whole distribution (Swanson's rule)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where V vehicles are: their last odometer reading; NaN where there is none."""

    time_d: Floats  # (V)
    odometer_m: Floats  # (V)


@dataclass(frozen=True, slots=True)
class Ends:
    """Days from the as-of time to the end of Q things, negative where it is past; NaN where there is none."""

    p10_d: Floats  # (Q) early
    p50_d: Floats  # (Q)
    p90_d: Floats  # (Q) late

    @property
    def points(self) -> tuple[tuple[float, Floats], ...]:
        """The ends with their weights: three points that stand for the distribution."""
        return tuple(zip(WEIGHTS, (self.p10_d, self.p50_d, self.p90_d), strict=True))


def first_of(
    end_d: Floats, end_m: Floats, place: Place, vehicle: Ints, ahead: Ahead, *, as_of_d: float
) -> Ends:
    """When the first of a date and a distance is reached, for Q things of ``vehicle`` (Q).

    ``end_d`` (Q) days since 1970 and ``end_m`` (Q) on the odometer, NaN where it does not end so. A distance
    says nothing where the odometer is not known; one that lies behind was reached at the usual pace.
    """
    left_m = end_m - place.odometer_m[vehicle]
    lies_ahead = left_m > 0
    metres = np.where(lies_ahead, left_m, 1.0)
    since_d = place.time_d[vehicle] - as_of_d
    none = np.zeros(len(vehicle))
    usual_m_per_d = ahead.metres_in(vehicle, np.full(len(vehicle), _YEAR_D), gamma.Z50) / _YEAR_D
    behind_d = np.minimum(left_m, 0.0) / usual_m_per_d

    def at(pace: float) -> Floats:
        days = np.where(lies_ahead, ahead.days_to(vehicle, metres, none, pace), behind_d)
        return np.fmin(end_d - as_of_d, np.where(np.isnan(left_m), np.nan, since_d + days))

    return Ends(at(gamma.Z90), at(gamma.Z50), at(gamma.Z10))
