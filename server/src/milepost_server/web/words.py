"""Numbers and dates as people read them: pure functions, the as-of day comes in as an argument."""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from milepost_server.signals.flat import METRES_PER_KM

if TYPE_CHECKING:
    from collections.abc import Sequence

MINOR_UNITS = 100
# How a unit of the catalogue follows a number.
UNITS = MappingProxyType(
    {
        "percent": "%",
        "Celsius": "\u00a0°C",
        **{unit: f"\u00a0{unit}" for unit in ("mm", "V", "kPa", "km", "h", "s", "kWh", "rpm", "km/h")},
    }
)
# Above this, a distance that is an estimate is said to the nearest hundred.
EXACT_KM_MAX = 1000


def number(value: float) -> str:
    """``12400`` as ``12,400``."""
    return f"{round(value):,}"


def km(distance_m: float) -> str:
    """A measured distance in metres as ``48,213 km``."""
    return f"{number(distance_m / METRES_PER_KM)}\u00a0km"


def about_km(distance_m: float) -> str:
    """An estimated distance in metres: ``12,400 km``, ``640 km``; no false precision."""
    value = distance_m / METRES_PER_KM
    step = 100 if abs(value) >= EXACT_KM_MAX else 10
    return f"{number(step * round(value / step))}\u00a0km"


def money(amount: float, currency: str) -> str:
    """An amount in minor units as people say it: ``249 EUR``; no cents, which no advisor needs."""
    return f"{number(amount / MINOR_UNITS)}\u00a0{currency}"


def day(value: dt.date) -> str:
    """``14 March 2027``."""
    return f"{value.day}\u00a0{value:%B}\u00a0{value.year}"


def day_near(value: dt.date, as_of: dt.date) -> str:
    """``14 March`` in the year of ``as_of``, else ``14 March 2027``."""
    return f"{value.day}\u00a0{value:%B}" if value.year == as_of.year else day(value)


def short_day(value: dt.date, as_of: dt.date) -> str:
    """``14 Mar`` in the year of ``as_of``, else ``14 Mar 2027``; for tables."""
    year = "" if value.year == as_of.year else f"\u00a0{value.year}"
    return f"{value.day}\u00a0{value:%b}{year}"


def days_between(first: dt.date, last: dt.date, as_of: dt.date) -> str:
    """``between 14 March and 2 May``; the year is said once where both share one that is not this year's."""
    if first == last:
        return f"on {day_near(first, as_of)}"
    if first.year == last.year:
        month = "" if first.month == last.month else f"\u00a0{first:%B}"
        return f"between {first.day}{month} and {day_near(last, as_of)}"
    return f"between {day(first)} and {day(last)}"


def short_range(first: dt.date, last: dt.date, as_of: dt.date) -> str:
    """``14 Mar to 2 May``; for tables."""
    if first == last:
        return short_day(first, as_of)
    start = short_day(first, as_of)
    if first.year == last.year:
        start = f"{first.day}" if first.month == last.month else f"{first.day}\u00a0{first:%b}"
    return f"{start} to {short_day(last, as_of)}"


def moment(value: dt.datetime, timezone: str) -> str:
    """``14 March 2027, 09:05`` by the dealer's clock."""
    local = value.astimezone(ZoneInfo(timezone))
    return f"{day(local.date())}, {local:%H:%M}"


def local_day(value: dt.datetime, timezone: str) -> dt.date:
    """The day of a moment by the dealer's clock."""
    return value.astimezone(ZoneInfo(timezone)).date()


def day_of_ms(time_ms: int, timezone: str) -> dt.date:
    """The day of a moment in milliseconds since 1970 UTC, by the dealer's clock."""
    return local_day(dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC), timezone)


def count(value: int, one: str, many: str) -> str:
    """``1 car``, ``12 cars``, ``no cars``."""
    if value == 0:
        return f"no {many}"
    return f"{number(value)} {one if value == 1 else many}"


def listed(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def sentence(words: str) -> str:
    """With a capital at its beginning and a full stop at its end."""
    text = words[:1].upper() + words[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def size(size_bytes: int) -> str:
    """``812 bytes``, ``3.4 KB``."""
    return f"{size_bytes} bytes" if size_bytes < 1000 else f"{size_bytes / 1000:.1f}\u00a0KB"


FILTERS = MappingProxyType(
    {
        "number": number,
        "km": km,
        "about_km": about_km,
        "day": day,
        "day_near": day_near,
        "short_day": short_day,
        "short_range": short_range,
        "moment": moment,
        "sentence": sentence,
        "size": size,
    }
)
