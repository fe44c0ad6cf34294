"""The trouble codes of one car now: what its fault events add up to, and what its control units add."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from milepost_server.signals.faults.codes import CODE_LENGTH
from milepost_server.signals.faults.fleet import FaultEvents, FaultRules, fleet_faults


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


@dataclass(frozen=True, slots=True)
class Fault:
    """A code and what is known of it; times are None where no event carried one that can be trusted."""

    code: str
    status: FaultStatus
    first_seen_ms: int | None
    """Since it was last cleared."""
    last_seen_ms: int | None
    """The last time that the car reported it, or reported it cleared."""

    @property
    def is_active(self) -> bool:
        return self.status is not FaultStatus.CLEARED


def parse_fault(text: str, time_ms: int | None) -> FaultEvent | None:
    """The event in a value of ``Vehicle.Milepost.Diagnostics.Dtc``; None where it is not one."""
    code, _, status = text.partition(" ")
    if len(code) != CODE_LENGTH or status not in STATUSES:
        return None
    return FaultEvent(code, FaultStatus(status), time_ms)


def current_faults(events: Iterable[FaultEvent]) -> list[Fault]:
    """What the events of one vehicle, in the order of its stream, add up to: active codes first, by code."""
    rows = list(events)
    names, code = np.unique([event.code for event in rows], return_inverse=True)
    found = fleet_faults(
        FaultEvents(
            offsets=np.array([0, len(rows)], dtype=np.int64),
            code=code.astype(np.int64),
            status=np.array([STATUSES.index(event.status) for event in rows], dtype=np.int64),
            time_d=np.array([np.nan if event.time_ms is None else event.time_ms for event in rows]),
            odometer_m=np.full(len(rows), np.nan),
        ),
        FaultRules(),
    )
    columns = zip(found.code, found.status, found.first_seen_row, found.last_seen_row, strict=True)
    faults = [
        Fault(str(names[name]), STATUSES[status], _time_ms(rows, first), _time_ms(rows, last))
        for name, status, first, last in columns
    ]
    return sorted(faults, key=lambda fault: (STATUSES.index(fault.status), fault.code))


def _time_ms(rows: list[FaultEvent], row: int) -> int | None:
    return rows[row].time_ms if row >= 0 else None


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
