"""The weather around a car: a temperature by season and hour of the day."""

from __future__ import annotations

import math
from typing import NamedTuple

DAY_S = 86_400.0
YEAR_S = 365.2425 * DAY_S
COLDEST_DAY = 20
COLDEST_HOUR = 5


class Climate(NamedTuple):
    """Mean, yearly and daily swing in degrees Celsius; a southern summer has its swing negative."""

    mean_c: float = 11.0
    yearly_c: float = 9.5
    daily_c: float = 4.5

    def ambient_c(self, now_s: float) -> float:
        """Air temperature at ``now_s`` seconds since 1970."""
        year = 2 * math.pi * (now_s - COLDEST_DAY * DAY_S) / YEAR_S
        day = 2 * math.pi * (now_s - COLDEST_HOUR * 3600) / DAY_S
        return self.mean_c - self.yearly_c * math.cos(year) - self.daily_c * math.cos(day)


TEMPERATE = Climate()
