"""What a car says of its trouble codes, read: events of codes, and what control units tell beside."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from milepost_server.signals.faults.codes import CODE_LENGTH


class FaultStatus(enum.StrEnum):
    """What the car said last about a code; its place in the order is its number in arrays."""

    CONFIRMED = "confirmed"
    PERMANENT = "permanent"
    """Confirmed, and kept by the car until it has seen by itself that the fault is gone."""
    PENDING = "pending"
    """Seen in one drive, not yet proven."""
    CLEARED = "cleared"


STATUSES = tuple(FaultStatus)


@dataclass(frozen=True, slots=True)
class FaultEvent:
    """One change of one code; events are ordered by their place in the stream, never by their time."""

    code: str
    status: FaultStatus
    time_ms: int | None  # None where the device's clock could not be trusted


def parse_fault(text: str, time_ms: int | None) -> FaultEvent | None:
    """The event in a value of ``Vehicle.Milepost.Diagnostics.Dtc``; None where it is not one."""
    code, _, status = text.partition(" ")
    if len(code) != CODE_LENGTH or status not in STATUSES:
        return None
    return FaultEvent(code, FaultStatus(status), time_ms)


@dataclass(frozen=True, slots=True)
class FaultDetail:
    """What a control unit tells of a code (ISO 14229)."""

    code: str
    failure_type: str
    """Two hex digits: what kind of failure, for example 13, circuit open; empty where not told."""
    unit: str
    status_byte: int
    """0 to 255; `urgency.status_of_bits` reads it."""
    counters: dict[str, int]
    """For example ``{"occurrences": 3, "ageing": 0}``; empty where the unit has none."""


_DETAIL = re.compile(
    r"(?P<code>[PCBU][0-3][0-9A-F]{3})(?:-(?P<type>[0-9A-F]{2}))? unit (?P<unit>\S{1,64})"
    r" status (?P<status>[0-9A-F]{2})(?P<counters>(?: [a-z]{1,32} [0-9]{1,6}){0,8})"
)


def parse_detail(text: str) -> FaultDetail | None:
    """The detail in a value of ``Vehicle.Milepost.Diagnostics.DtcDetail``; None where it is none."""
    match = _DETAIL.fullmatch(text)
    if match is None:
        return None
    words = match["counters"].split()
    counters = {name: int(count) for name, count in zip(words[::2], words[1::2], strict=True)}
    return FaultDetail(match["code"], match["type"] or "", match["unit"], int(match["status"], 16), counters)
