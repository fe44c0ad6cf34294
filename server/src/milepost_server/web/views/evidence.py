"""Where a number comes from: the readings and records that it rests on, and how they were cleaned."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from milepost_protocol.signals import catalogue
from milepost_server.signals.items.item import worn_words
from milepost_server.store.schema import DueState
from milepost_server.web import words
from milepost_server.web.views import freshness, items, life_cycle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_server.signals.items.item import Item
    from milepost_server.store.condition import DueRow, OdometerRow, ReadingRow
    from milepost_server.store.item_actions import ItemActionRow
    from milepost_server.store.overrules import OverruleRow
    from milepost_server.store.service_records import ServiceRecordRow

TRUST_WORDS = MappingProxyType(
    {
        "synced": "clock set from the network",
        "rtc": "the device's own clock",
        "repaired": "time repaired afterwards",
        "untrusted": "clock not to be trusted",
    }
)
ROLE_WORDS = MappingProxyType(
    {"first": "First used", "latest": "Latest", "start": "Counted from here", "anchor": "Counted from here"}
)
RECORD_ROLE_WORDS = MappingProxyType(
    {"start": "Counted from here", "first": "First odometer used", "latest": "Latest odometer"}
)
# Words of ``signals.odometer.Verdict``.
CLEANING_WORDS = MappingProxyType(
    {
        "levelled": "Used at the value before it: it was lower by no more than its tolerance.",
        "tenfold": "Used at a tenth: it came unscaled, ten times too high.",
        "tenth": "Used tenfold: it came at a tenth of its value.",
        "in-miles": "Used as miles: it came as if it were kilometres.",
        "in-kilometres": "Used as kilometres: it came as if it were miles.",
        "one-digit": "Used with one digit changed: only so does it fit the readings around it.",
        "transposed": "Used with two digits exchanged: only so does it fit the readings around it.",
        "dropped-digit": "Used with one digit more: only so does it fit the readings around it.",
        "extra-digit": "Used with one digit less: only so does it fit the readings around it.",
        "cluster-swap": "Used as read: from here on another instrument counts.",
        "rolled-back": "Used as read: from here on the odometer counts from a lower value; it was set back.",
        "staff-kept": "Used as read: your staff say that it is right.",
        "backward": "Not used: lower than readings before it that later ones confirm.",
        "jump": "Not used: further than this car can have gone by then.",
        "isolated": "Not used: all later readings contradict it.",
        "copied": "Not used: it repeats an earlier reading, and later ones show that the car had gone on.",
        "placeholder": "Not used: a value that is typed in where none is known.",
        "same-day": "Not used: another reading of that day contradicts it and fits better.",
        "other-vehicle": "Not used: it belongs to a series that another vehicle may have sent.",
        "wrong-date": "Not used: it fits one year earlier or later, so its date is probably wrong.",
        "out-of-line": "Not used: too far from where the readings before and after it would have it.",
        "no-value": "Not used: no distance that an odometer can show.",
        "staff-rejected": "Not used: your staff say that it is wrong.",
        "untrusted-time": "Not used: the device's clock was not to be trusted.",
        "future-time": "Not used: its time lies in the future.",
        "impossible-time": "Not used: its time is before any device was made.",
    }
)


LIMIT_WORDS = MappingProxyType(
    {
        "distance": "Distance",
        "time": "Time",
        "wear": "Wear",
        "engine_hours": "Engine hours",
        "revolutions": "Engine revolutions",
        "countdown": "The car's own countdown",
    }
)
DATE_KEYS = ("p10_on", "p50_on", "p90_on")
OVERRULE_SAID = MappingProxyType(
    {
        "keep": "The reading counts now. What follows from it is worked out anew within seconds.",
        "reject": "The reading no longer counts. What follows from it is worked out anew within seconds.",
        "leave": "The reading is left to cleaning again.",
    }
)


@dataclass(frozen=True, slots=True)
class ReadingView:
    """One reading, ready to be read."""

    role: str
    what: str
    value: str
    at: str
    device_id: str
    trust: str


@dataclass(frozen=True, slots=True)
class OdometerView:
    """One odometer reading and what was made of it."""

    at: str
    reported: str
    used: str
    how: str
    device_id: str
    kept: bool
    ruled: str  # who overruled cleaning, and why; empty where nobody did
    address: str  # where a form about it is sent to


@dataclass(frozen=True, slots=True)
class Mistake:
    """A form about a reading that could not be taken: what was typed, and what is wrong with it."""

    address: str  # that of the reading's `OdometerView`
    note: str
    error: str


@dataclass(frozen=True, slots=True)
class LimitView:
    """One limit of an item, and when it is reached."""

    what: str
    at: str
    when: str


@dataclass(frozen=True, slots=True)
class PositionView:
    """One place on the car that wears."""

    what: str
    worn: str
    pace: str
    limit: str


@dataclass(frozen=True, slots=True)
class ActionView:
    """One thing that somebody did about an item."""

    at: str
    says: str


def chances(row: DueRow, as_of: dt.date) -> str:
    """The probabilities in words: of 100 cars like this one; nothing where the date has come."""
    has_come = row.p50_on is not None and row.p50_on <= as_of
    if row.p_30d is None or row.p_90d is None or row.state is DueState.UNKNOWN or has_come:
        return ""
    within_30, within_90 = (round(chance * 100) for chance in (row.p_30d, row.p_90d))
    return f"Of 100 cars like this one, {within_30} are due within 30 days, {within_90} within 90 days."


def sources(item: Item | None, row: DueRow) -> list[str]:
    """Where the limits that count come from, as the schedule names it."""
    if item is None:
        return []
    parts = re.split(r"; |, since|, counted|, but|[.] No service", row.limit_text)
    found = [band.source for band in item.interval if band.words in parts]
    if item.wear is not None and (row.worn is not None or row.basis == "wear"):
        found.append(item.wear.source)
    return found


def reading_views(row: DueRow, found: Sequence[ReadingRow], timezone: str) -> list[ReadingView]:
    """The readings that an item's dates rest on, by time."""
    roles = {
        (entry["stream"], entry["seq"]): str(entry["role"]) for entry in row.evidence.get("readings", ())
    }
    return [
        ReadingView(
            role=ROLE_WORDS.get(role := roles.get((reading.stream_id, reading.seq), ""), role.capitalize()),
            what=freshness.signal_words(reading.signal),
            value=value_words(reading),
            at=words.moment(_moment(reading.time_ms), timezone),
            device_id=reading.device_id,
            trust=TRUST_WORDS.get(reading.trust, reading.trust),
        )
        for reading in found
    ]


def record_views(
    row: DueRow, found: Sequence[ServiceRecordRow], titles: Mapping[str, str]
) -> list[tuple[str, str, ServiceRecordRow]]:
    """(role, what was done, record) of the service records that an item's dates rest on, the start first."""
    titles = {**titles, row.item: row.title}
    roles = {entry["id"]: str(entry["role"]) for entry in row.evidence.get("service_records", ())}
    views = [
        (RECORD_ROLE_WORDS[roles[record.id]], items.title_of(record.item, titles), record) for record in found
    ]
    return sorted(views, key=lambda view: view[0])


def limit_views(row: DueRow, as_of: dt.date) -> list[LimitView]:
    """Every limit of an item, the one that comes first at the front."""
    return [
        LimitView(
            LIMIT_WORDS.get(limit["limit"], limit["limit"]), _limit_at(limit), _limit_when(limit, as_of)
        )
        for limit in row.limits
    ]


def _limit_at(limit: Mapping[str, Any]) -> str:
    value = limit.get("at")
    if value is None or limit.get("unit") != "m":
        return ""  # a day stands in the next column
    return words.about_km(value)


def _limit_when(limit: Mapping[str, Any], as_of: dt.date) -> str:
    dates = [None if limit.get(key) is None else dt.date.fromisoformat(limit[key]) for key in DATE_KEYS]
    p10, p50, p90 = dates
    if p50 is not None and p50 <= as_of:
        return f"since {words.day_near(p50, as_of)}"
    return items.when(DueState.UPCOMING, (p10, p50, p90), as_of)


def position_views(row: DueRow) -> list[PositionView]:
    """Each place on the car that wears, the most worn first; none that is not measured and is no limit."""
    counts = any(limit["limit"] == "wear" for limit in row.limits)
    return [
        PositionView(
            what=freshness.signal_words(place["signal"]),
            worn="not measured" if place.get("worn") is None else f"{worn_words(place['worn'])} of the way",
            pace="" if place.get("per_1000_km") is None else f"{place['per_1000_km']:.1%} per 1,000\u00a0km",
            limit="" if place.get("limit_odometer_m") is None else words.about_km(place["limit_odometer_m"]),
        )
        for place in row.wear
        if counts or place.get("worn") is not None
    ]


def action_views(actions: Sequence[ItemActionRow], timezone: str, as_of: dt.date) -> list[ActionView]:
    """What was done about an item, the latest first."""
    return [
        ActionView(words.moment(action.at, timezone), words.sentence(life_cycle.acted(action, as_of)))
        for action in actions
    ]


def odometer_views(
    rows: Sequence[OdometerRow], ruled: Sequence[OverruleRow], timezone: str
) -> list[OdometerView]:
    """Odometer readings with how they were cleaned, and by whom that was overruled, the latest first."""
    said = {(one.stream_id, one.seq): one for one in ruled}
    return [
        OdometerView(
            at=words.moment(_moment(row.time_ms), timezone),
            reported=words.km(row.odometer_m),
            used="not used" if row.clean_m is None else words.km(row.clean_m),
            how=cleaning_words(row),
            device_id=row.device_id,
            kept=row.kept,
            ruled=_ruled(said.get((row.stream_id, row.seq))),
            address=reading_address(row.stream_id, row.seq),
        )
        for row in reversed(rows)
    ]


def reading_address(stream_id: int, seq: int) -> str:
    """Where a form about a reading is sent to, below its vehicle."""
    return f"/readings/{stream_id}/{seq}"


def _ruled(one: OverruleRow | None) -> str:
    if one is None:
        return ""
    verdict = "counts" if one.keep else "does not count"
    return f"{one.staff_name} says that it {verdict}{f': {one.note}' if one.note else '.'}"


def cleaning_words(row: OdometerRow) -> str:
    """What was made of an odometer reading, and why."""
    if row.reason is None:
        return "Used as read." if row.kept else "Not used."
    return CLEANING_WORDS.get(row.reason, words.sentence(row.reason.replace("-", " ")))


def value_words(reading: ReadingRow) -> str:
    """A value with its unit; metres as kilometres."""
    if isinstance(reading.value, str) or reading.signal not in catalogue():
        return str(reading.value)
    unit = catalogue()[reading.signal].unit
    if unit == "m":
        return words.km(reading.value)
    return f"{reading.value:g}{words.UNITS.get(unit, unit)}"


def title(row: DueRow) -> str:
    """The head of the page: which number is explained."""
    return f"{row.title}: what the dates rest on"


def _moment(time_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
