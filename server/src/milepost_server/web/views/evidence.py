"""Where a number comes from: the readings and records that it rests on, and how they were cleaned."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from milepost_protocol.signals import catalogue
from milepost_server.store.schema import DueState
from milepost_server.web import words
from milepost_server.web.views import freshness, items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.signals.items import Item
    from milepost_server.store.condition import DueRow, OdometerRow, ReadingRow
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


def record_views(row: DueRow, found: Sequence[ServiceRecordRow]) -> list[tuple[str, str, ServiceRecordRow]]:
    """(role, what was done, record) of the service records that an item's dates rest on, the start first."""
    roles = {entry["id"]: str(entry["role"]) for entry in row.evidence.get("service_records", ())}
    views = [(RECORD_ROLE_WORDS[roles[record.id]], items.title_of(record.item), record) for record in found]
    return sorted(views, key=lambda view: view[0])


def odometer_views(rows: Sequence[OdometerRow], timezone: str) -> list[OdometerView]:
    """Odometer readings with how they were cleaned, the latest first."""
    return [
        OdometerView(
            at=words.moment(_moment(row.time_ms), timezone),
            reported=words.km(row.odometer_m),
            used="not used" if row.clean_m is None else words.km(row.clean_m),
            how=cleaning_words(row),
            device_id=row.device_id,
            kept=row.kept,
        )
        for row in reversed(rows)
    ]


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


def title(key: str) -> str:
    """The head of the page: which number is explained."""
    return f"{items.title_of(key)}: what the dates rest on"


def _moment(time_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
