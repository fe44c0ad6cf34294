"""From values to places on the picture, and where the ticks of an axis stand."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

STEPS = (1, 2, 2.5, 5, 10)
MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60)


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight scale: ``first`` lands on ``start`` and ``last`` on ``end``."""

    first: float
    last: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of ``value``; outside of the domain it goes on straight."""
        span = self.last - self.first
        share = (value - self.first) / span if span else 0.5
        return self.start + share * (self.end - self.start)


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers that enclose ``low`` to ``high``, evenly spaced."""
    span = max(high - low, 1e-9)
    raw = span / max(count - 1, 1)
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(factor for factor in STEPS if factor * magnitude >= raw * (1 - 1e-9)) * magnitude
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, max(last, first + 1) + 1)]


def month_ticks(first: dt.date, last: dt.date, count_max: int) -> list[dt.date]:
    """At most ``count_max`` first days of months from ``first`` to ``last``, evenly spaced."""
    months_first, months_last = _month(first), _month(last)
    for step in MONTH_STEPS:
        begin = -(-(months_first if first.day == 1 else months_first + 1) // step) * step
        ticks = [_first_day(month) for month in range(begin, months_last + 1, step)]
        if len(ticks) <= count_max:
            break
    return ticks


def _month(day: dt.date) -> int:
    return day.year * 12 + day.month - 1


def _first_day(month: int) -> dt.date:
    return dt.date(month // 12, month % 12 + 1, 1)
