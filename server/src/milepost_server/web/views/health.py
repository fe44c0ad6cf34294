"""The 12 V battery and the traction battery in words: how they are, and when they will be at their limit."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from milepost_server.store.schema import BatteryMeasure, BatteryWord, DueState, PackWord
from milepost_server.web import words
from milepost_server.web.charts.gauge import Gauge
from milepost_server.web.views import items

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from milepost_server.store.vehicle_health import HealthRow

BATTERY_BADGES = MappingProxyType(
    {
        BatteryWord.GOOD: items.Badge("ok", "In order"),
        BatteryWord.WEAK: items.Badge("upcoming", "Weak: test it at the next visit"),
        BatteryWord.REPLACE: items.Badge("overdue", "Replace it"),
    }
)
PACK_BADGES = MappingProxyType(
    {
        PackWord.UNKNOWN: items.Badge("unknown", "Not known"),
        PackWord.HOLDS: items.Badge("ok", "Holds beyond its warranty"),
        PackWord.POSSIBLE: items.Badge("upcoming", "A claim is possible"),
        PackWord.LIKELY: items.Badge("due", "A claim is likely"),
        PackWord.CLAIM: items.Badge("overdue", "Below what the warranty promises"),
        PackWord.ENDED: items.Badge("unknown", "The warranty is over"),
    }
)
MEASURED = MappingProxyType(
    {
        BatteryMeasure.CRANKING_MINIMUM: "while the starter turns",
        BatteryMeasure.REST_VOLTAGE: "after a rest",
        BatteryMeasure.STATE_OF_HEALTH: "of its health, as the car tells",
    }
)
# What a new battery shows: where a gauge begins.
NEW = MappingProxyType(
    {
        BatteryMeasure.CRANKING_MINIMUM: 11.0,
        BatteryMeasure.REST_VOLTAGE: 12.8,
        BatteryMeasure.STATE_OF_HEALTH: 100.0,
    }
)
FULL_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class HealthView:
    """One battery, ready to be read."""

    title: str
    badge: items.Badge
    says: str
    why: str
    gauge: Gauge | None


def health_views(row: HealthRow | None, as_of: dt.date) -> Sequence[HealthView]:
    """The batteries of which anything is known."""
    if row is None:
        return []
    made = []
    if row.battery_state is not BatteryWord.UNKNOWN and row.battery_measure is not None:
        made.append(_battery(row, row.battery_measure, as_of))
    if row.pack_outcome is not None:
        made.append(_pack(row, row.pack_outcome, as_of))
    return made


def _battery(row: HealthRow, measure: BatteryMeasure, as_of: dt.date) -> HealthView:
    badge = BATTERY_BADGES[row.battery_state]
    level, limit, slope = row.battery_level, row.battery_limit, row.battery_per_year
    why = [] if level is None else [f"{_amount(level, measure)} {MEASURED[measure]}"]
    if limit is not None:
        why.append(f"the limit is {_amount(limit, measure)}")
    if slope is not None and slope < 0:
        why.append(f"it falls by {_amount(-slope, measure, decimals=2)} a year")
    gauge = None
    if level is not None and limit is not None:
        text = f"{_amount(level, measure)}, limit {_amount(limit, measure)}"
        gauge = Gauge(max(NEW[measure] - level, 0.0), NEW[measure] - limit, text, badge.kind)
    dates = (row.battery_p10_on, row.battery_p50_on, row.battery_p90_on)
    return HealthView("12 V battery", badge, _when(dates, as_of), _sentence(why), gauge)


def _amount(value: float, measure: BatteryMeasure, decimals: int = 1) -> str:
    if measure is BatteryMeasure.STATE_OF_HEALTH:
        return f"{value:.0f}\u00a0%"
    return f"{value:.{decimals}f}\u00a0V"


def _pack(row: HealthRow, outcome: PackWord, as_of: dt.date) -> HealthView:
    badge = PACK_BADGES[outcome]
    health, limit = row.pack_percent, row.pack_limit_percent
    why = []
    if health is not None:
        why.append(f"{health:.0f}\u00a0% of its capacity is left")
    if limit is not None and row.pack_warranty_ends_on is not None:
        until = words.day_near(row.pack_warranty_ends_on, as_of)
        promises = "promised" if outcome is PackWord.ENDED else "promises"
        why.append(f"the warranty {promises} {limit:.0f}\u00a0%, most likely until {until}")
    if row.pack_per_year is not None and row.pack_per_year < 0:
        why.append(f"it loses {-row.pack_per_year:.1f} points a year")
    if row.pack_claim_odds is not None and outcome in (PackWord.POSSIBLE, PackWord.LIKELY):
        why.append(f"{round(row.pack_claim_odds * 100)} of 100 like this one come below that before it ends")
    gauge = None
    if health is not None and limit is not None:
        text = f"{health:.0f}\u00a0% left, promised {limit:.0f}\u00a0%"
        gauge = Gauge(max(FULL_PERCENT - health, 0.0), FULL_PERCENT - limit, text, badge.kind)
    dates = (row.pack_p10_on, row.pack_p50_on, row.pack_p90_on)
    return HealthView("Traction battery", badge, _when(dates, as_of), _sentence(why), gauge)


def _sentence(parts: Sequence[str]) -> str:
    return words.sentence("; ".join(parts)) if parts else ""


def _when(dates: items.Dates, as_of: dt.date) -> str:
    p10, p50, p90 = dates
    if p50 is not None and p50 <= as_of:
        return "It is at its limit now."
    if p10 is None:
        return "It is not foreseen to come down to its limit."
    if p50 is None or p90 is None:
        return words.sentence(f"down to its limit not before {words.day_near(p10, as_of)}")
    return words.sentence(f"down to its limit {items.when(DueState.UPCOMING, dates, as_of)}")
