"""The trouble codes of a car now: what its fault events add up to."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace

CODE_LENGTH = 5


class FaultStatus(enum.StrEnum):
    """What the car said last about a code."""

    CONFIRMED = "confirmed"
    PERMANENT = "permanent"
    """Confirmed, and kept by the car until it has seen by itself that the fault is gone."""
    PENDING = "pending"
    """Seen in one drive, not yet proven."""
    CLEARED = "cleared"


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
    if len(code) != CODE_LENGTH or status not in tuple(FaultStatus):
        return None
    return FaultEvent(code, FaultStatus(status), time_ms)


def current_faults(events: Iterable[FaultEvent]) -> list[Fault]:
    """What the events of one vehicle, in the order of its stream, add up to: active codes first, by code."""
    faults: dict[str, Fault] = {}
    for event in events:
        faults[event.code] = _after(faults.get(event.code), event)
    order = list(FaultStatus)
    return sorted(faults.values(), key=lambda fault: (order.index(fault.status), fault.code))


def _after(known: Fault | None, event: FaultEvent) -> Fault:
    if known is None or (not known.is_active and event.status is not FaultStatus.CLEARED):
        return Fault(event.code, event.status, event.time_ms, event.time_ms)
    return replace(
        known,
        status=event.status,
        first_seen_ms=known.first_seen_ms if known.first_seen_ms is not None else event.time_ms,
        last_seen_ms=event.time_ms if event.time_ms is not None else known.last_seen_ms,
    )
