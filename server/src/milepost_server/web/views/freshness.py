"""When a car last spoke, and what is missing from its data, in words."""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import TYPE_CHECKING

from milepost_protocol.signals import catalogue
from milepost_server.web import words

if TYPE_CHECKING:
    from milepost_server.store.condition import GapRow
    from milepost_server.store.missing import RefusedRow, VinConflictRow

STALE_DAYS = 14

CLASS_WORDS = MappingProxyType(
    {
        "series": ("fine-grained value", "fine-grained values"),
        "event": ("event", "events"),
        "counter": ("counter value", "counter values"),
        "wear": ("wear reading", "wear readings"),
        "odometer": ("odometer reading", "odometer readings"),
        "fault": ("fault event", "fault events"),
        "unknown": ("value of a kind that is not known", "values of kinds that are not known"),
    }
)
REASON_WORDS = MappingProxyType(
    {
        "disk_budget": "its room on the disk was spent",
        "age": "they had grown too old",
        "disk_full": "the disk was full",
        "corrupt": "its storage was damaged",
        "restored": "they were asked for again after a restore, and no longer there",
    }
)
# Words of ``milepost_protocol.errors`` and of ``ingest.projection``; what is behind it, and what to do.
REFUSAL_WORDS = MappingProxyType(
    {
        "unknown-signal": "this server does not know the signal; a newer server may",
        "unit": "the unit is not the one of the catalogue; look at the device's version",
        "value": "no car can have that value; look at the sensor or the adapter",
        "vin": "it is no valid VIN; look at what the adapter answers",
    }
)


def is_stale(last_on: dt.date | None, as_of: dt.date) -> bool:
    """Whether a car has been silent for so long that it is said before everything else."""
    return last_on is None or (as_of - last_on).days >= STALE_DAYS


def silence(last_on: dt.date | None, as_of: dt.date) -> str | None:
    """The sentence about a silent car; None for one that speaks."""
    if last_on is None:
        return "No word from this car yet. Dates rest on its service records alone."
    if not is_stale(last_on, as_of):
        return None
    return f"No word from this car since {words.day_near(last_on, as_of)}; the interval is wider for it."


def heard(last_on: dt.date | None, as_of: dt.date) -> str:
    """How long ago a car spoke, in a few words: ``today``, ``3 days ago``, ``since 9 Feb``."""
    if last_on is None:
        return "no word yet"
    days = (as_of - last_on).days
    if days <= 0:
        return "today"
    if days == 1:
        return "yesterday"
    if days < STALE_DAYS:
        return f"{days} days ago"
    return f"silent since {words.short_day(last_on, as_of)}"


def gap_sentence(gap: GapRow, timezone: str, as_of: dt.date) -> str:
    """What a device dropped, and why."""
    parts = [words.count(number, *CLASS_WORDS.get(kind, (kind, kind))) for kind, number in gap.counts.items()]
    what = words.listed(parts) or words.count(gap.last_seq - gap.first_seq + 1, "value", "values")
    reason = REASON_WORDS.get(gap.reason, gap.reason)
    on = words.day_near(words.local_day(gap.received_at, timezone), as_of)
    return f"Device {gap.device_id} dropped {what}, because {reason} (reported on {on})."


def refusal_sentence(refused: RefusedRow, timezone: str, as_of: dt.date) -> str:
    """Which samples were not used, why, and when that was last."""
    why = REFUSAL_WORDS.get(refused.reason, refused.reason)
    on = words.day_near(words.local_day(refused.last_at, timezone), as_of)
    many = words.count(refused.samples, "value", "values")
    be = "was" if refused.samples == 1 else "were"
    return (
        f"{many} of {signal_words(refused.signal)} from device {refused.device_id} {be} not used "
        f"(last on {on}): {why}. Kept in the archive; the last one: {words.sentence(refused.detail)}"
    )


def vin_sentence(conflict: VinConflictRow, vin: str, timezone: str, as_of: dt.date) -> str:
    """That the device sits in another car than is on record."""
    on = words.day_near(words.local_day(conflict.last_at, timezone), as_of)
    return (
        f"The car in which device {conflict.device_id} sits says that its VIN is {conflict.vin_reported}, "
        f"not {vin} (last on {on}). Check in which car the device sits: its readings may be another car's."
    )


def signal_words(path: str) -> str:
    """What a signal measures, in words, with the place on the car that its path names."""
    if path not in catalogue():
        return path
    what = catalogue()[path].description.partition(":")[0].rstrip(".")
    places = {"Row1": "front", "Row2": "rear", "Left": "left", "Right": "right"}
    where = [word for part, word in places.items() if f".{part}." in f"{path}."]
    return f"{what}, {' '.join(where)}" if where else what
