"""The trouble codes of one car, by the derivation of a fleet of one: easier to read in tests than arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from milepost_server.signals.faults import FaultEvent, FaultStatus
from milepost_server.signals.faults.events import STATUSES
from milepost_server.signals.faults.fleet import FaultEvents, FaultRules, fleet_faults


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
