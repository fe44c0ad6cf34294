"""How much of an item is used up, for its gauge: by measured wear, by distance, or by time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_protocol.signals import catalogue
from milepost_server.signals.items import months_words
from milepost_server.web import words
from milepost_server.web.charts.gauge import Gauge

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from milepost_server.signals.items import Band, Item, Wear
    from milepost_server.store.schema import DueState

DAYS_PER_MONTH = 365.25 / 12
MONTHS_PER_YEAR = 12


@dataclass(frozen=True, slots=True)
class Since:
    """What is known of an item's last renewal, and of now; distances in metres."""

    as_of: dt.date
    started_on: dt.date | None
    started_m: float | None
    born_on: dt.date | None
    odometer_m: float | None
    wear: Mapping[str, float]  # latest value by signal


def gauge_of(item: Item, basis: str, state: DueState, since: Since) -> Gauge | None:
    """The gauge of what comes first; of measured wear where nothing else is known; None without either."""
    band = item.band_at(_age_months(since))
    makers = {
        "wear": lambda: _by_wear(item.wear, state, since),
        "distance": lambda: _by_distance(band, state, since),
        "time": lambda: _by_time(band, state, since),
    }
    order = [basis, *makers] if basis in makers else list(makers)
    return next((gauge for kind in order if (gauge := makers[kind]()) is not None), None)


def _by_wear(wear: Wear | None, state: DueState, since: Since) -> Gauge | None:
    if wear is None:
        return None
    values = [since.wear[path] for path in wear.signals if path in since.wear]
    if not values:
        return None
    # The position that is worn most decides.
    worst = max(values, key=lambda value: abs(value - wear.new))
    unit = words.UNITS.get(catalogue()[wear.signals[0]].unit, "")
    left = "" if wear.new < wear.limit else " left"
    text = f"{worst:g}{unit}{left or ' worn'}, limit {wear.limit:g}{unit}"
    return Gauge(abs(worst - wear.new), abs(wear.limit - wear.new), text, state.value)


def _by_distance(band: Band | None, state: DueState, since: Since) -> Gauge | None:
    if band is None or band.distance_km is None or since.started_m is None or since.odometer_m is None:
        return None
    used_km = max(since.odometer_m - since.started_m, 0.0) / words.METRES_PER_KM
    text = f"{words.number(used_km)} of {words.number(band.distance_km)} km"
    return Gauge(used_km, band.distance_km, text, state.value)


def _by_time(band: Band | None, state: DueState, since: Since) -> Gauge | None:
    if band is None or band.time_months is None or since.started_on is None:
        return None
    used = max((since.as_of - since.started_on).days, 0) / DAYS_PER_MONTH
    text = f"{int(used)} of {band.time_months} months"
    if months_words(band.time_months).endswith("years"):
        text = f"{used / MONTHS_PER_YEAR:.1f} of {months_words(band.time_months)}"
    return Gauge(used, float(band.time_months), text, state.value)


def _age_months(since: Since) -> float:
    if since.born_on is None or since.started_on is None:
        return float("inf")
    return (since.started_on - since.born_on).days / DAYS_PER_MONTH
