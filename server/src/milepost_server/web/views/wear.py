"""How much of an item is used up, for its gauge: by measured wear, by distance, or by time."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from milepost_protocol.signals import catalogue
from milepost_server.signals.flat import DAYS_PER_MONTH, METRES_PER_KM
from milepost_server.signals.items.item import months_words
from milepost_server.web import words
from milepost_server.web.charts.gauge import Gauge

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from milepost_server.signals.items.item import Band, Item, Wear
    from milepost_server.store.schema import DueState

MONTHS_PER_YEAR = 12
ROWS = MappingProxyType({"Row1": "front", "Row2": "rear"})
SIDES = MappingProxyType({"Left": "left", "Right": "right"})


@dataclass(frozen=True, slots=True)
class Since:
    """What is known of an item's last renewal, and of now; distances in metres."""

    as_of: dt.date
    started_on: dt.date | None
    started_m: float | None
    born_on: dt.date | None
    odometer_m: float | None
    wear: Mapping[str, float]  # latest value by signal


def gauges_of(item: Item, basis: str, state: DueState, since: Since) -> list[Gauge]:
    """The gauges of what comes first; of measured wear where nothing else is known; none without either.

    Wear has one for each measured place; distance and time have one.
    """
    band = item.band_at(_age_months(since))
    makers = {
        "wear": lambda: [] if item.wear is None else _by_wear(item.wear, since.wear, state),
        "distance": lambda: _by_distance(band, state, since),
        "time": lambda: _by_time(band, state, since),
    }
    order = [basis, *makers] if basis in makers else list(makers)
    return next((gauges for kind in order if (gauges := makers[kind]())), [])


def _by_wear(wear: Wear, values: Mapping[str, float], state: DueState) -> list[Gauge]:
    measured = [path for path in wear.signals if path in values]
    measured.sort(key=lambda path: -abs(values[path] - wear.new))
    return [_measured(wear, path, values[path], state, is_one=len(measured) == 1) for path in measured]


def _measured(wear: Wear, path: str, value: float, state: DueState, *, is_one: bool) -> Gauge:
    unit = words.UNITS.get(catalogue()[path].unit, "")
    left = "worn" if wear.new < wear.limit else "left"
    place = "" if is_one else _place(path)
    text = f"{place}{value:g}{unit} {left}, limit {wear.limit:g}{unit}"
    return Gauge(abs(value - wear.new), abs(wear.limit - wear.new), text, state.value)


def _place(signal: str) -> str:
    """``Front left: `` for the signal of a wheel; nothing for what is not at a wheel."""
    row = next((name for part, name in ROWS.items() if f".{part}." in signal), "")
    side = next((name for part, name in SIDES.items() if f".{part}." in signal), "")
    place = " ".join(part for part in (row, side) if part)
    return f"{place[:1].upper()}{place[1:]}: " if place else ""


def _by_distance(band: Band | None, state: DueState, since: Since) -> list[Gauge]:
    if band is None or band.distance_km is None or since.started_m is None or since.odometer_m is None:
        return []
    used_km = max(since.odometer_m - since.started_m, 0.0) / METRES_PER_KM
    text = f"{words.number(used_km)} of {words.number(band.distance_km)} km"
    return [Gauge(used_km, band.distance_km, text, state.value)]


def _by_time(band: Band | None, state: DueState, since: Since) -> list[Gauge]:
    if band is None or band.time_months is None or since.started_on is None:
        return []
    used = max((since.as_of - since.started_on).days, 0) / DAYS_PER_MONTH
    text = f"{int(used)} of {band.time_months} months"
    if months_words(band.time_months).endswith("years"):
        text = f"{used / MONTHS_PER_YEAR:.1f} of {months_words(band.time_months)}"
    return [Gauge(used, float(band.time_months), text, state.value)]


def _age_months(since: Since) -> float:
    if since.born_on is None or since.started_on is None:
        return float("inf")
    return (since.started_on - since.born_on).days / DAYS_PER_MONTH
