"""The faults of many vehicles: what the events of each code add up to, and whether it comes back.

A code begins when it is first reported, and again when it is reported after it was cleared. It *returned*
where that happens soon enough after the clearing to be the same fault.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from milepost_server.signals.faults.codes import CODES
from milepost_server.signals.flat import Bools, Floats, Ints, offsets_of, owners_of

CONFIRMED, PERMANENT, PENDING, CLEARED = range(4)
"""The numbers of `events.FaultStatus` in arrays."""
NO_ROW = -1


@dataclass(frozen=True, slots=True)
class FaultRules:
    """The numbers behind faults; part of the configuration version."""

    return_d_max: float = 365.0  # a code that comes back later than this is another fault
    return_m_max: float = 20_000_000.0
    recurring_returns_min: int = 1  # so often must a code come back to be called recurring


@dataclass(frozen=True, slots=True)
class FaultEvents:
    """What V vehicles reported, N rows in the order of their streams."""

    offsets: Ints  # (V + 1)
    code: Ints  # (N) 0 .. CODES - 1, see `codes.encode`
    status: Ints  # (N)
    time_d: Floats  # (N) NaN where the device's clock could not be trusted
    odometer_m: Floats  # (N) at that time; NaN where unknown


@dataclass(frozen=True, slots=True)
class FleetFaults:
    """The F codes that V vehicles ever reported, by vehicle and code. Rows are those of the events."""

    offsets: Ints  # (V + 1)
    code: Ints  # (F)
    status: Ints  # (F) the last that the car said
    first_seen_row: Ints  # (F) the first since it last began that has a time; NO_ROW where none has
    last_seen_row: Ints  # (F) the last that has a time; NO_ROW where none has
    first_seen_d: Floats  # (F) NaN where there is no such row
    last_seen_d: Floats  # (F)
    cleared_d: (
        Floats  # (F) when it was last reported cleared, also if it came back; NaN where never or unknown
    )
    returns: Ints  # (F) how often it came back after it was cleared
    back_after_d: Floats  # (F) days from clearing to coming back, the last time; NaN where unknown or never
    back_after_m: Floats  # (F) metres, the same

    @property
    def vehicle(self) -> Ints:
        """The vehicle (F) of each fault."""
        return owners_of(self.offsets)

    @property
    def is_active(self) -> Bools:
        """Whether the car still has each code (F)."""
        active: Bools = self.status != CLEARED
        return active

    def recurring(self, rules: FaultRules) -> Ints:
        """How many active codes of each vehicle (V) came back after they were cleared."""
        often = self.is_active & (self.returns >= rules.recurring_returns_min)
        return np.bincount(self.vehicle[often], minlength=len(self.offsets) - 1).astype(np.int64)


def fleet_faults(events: FaultEvents, rules: FaultRules) -> FleetFaults:
    """Add up the events of V vehicles; a vehicle without events has no faults."""
    vehicles = len(events.offsets) - 1
    key = owners_of(events.offsets) * CODES + events.code
    order = np.argsort(key, kind="stable")
    key = key[order]
    status = events.status[order]
    is_first = np.ones(len(key), dtype=np.bool_)
    is_first[1:] = key[1:] != key[:-1]
    after_clear = ~is_first
    after_clear[1:] &= status[:-1] == CLEARED
    comes_back = after_clear & (status != CLEARED)

    begin = np.flatnonzero(is_first | comes_back)
    last_of_fault = np.append(is_first[begin][1:], True)[: len(begin)]
    fault_begin = begin[last_of_fault]
    fault_end = np.append(np.flatnonzero(is_first)[1:], len(key))[: len(fault_begin)]
    fault_key = key[is_first]
    first_row, last_row = _timed_rows(events.time_d, order, fault_begin, fault_end)
    returns, back_d, back_m = _returns(events, order, comes_back, np.cumsum(is_first) - 1, rules)
    return FleetFaults(
        offsets=offsets_of(np.bincount(fault_key // CODES, minlength=vehicles).astype(np.int64)),
        code=fault_key % CODES,
        status=status[fault_end - 1],
        first_seen_row=first_row,
        last_seen_row=last_row,
        first_seen_d=_at(events.time_d, first_row),
        last_seen_d=_at(events.time_d, last_row),
        cleared_d=_cleared_d(events, order, np.cumsum(is_first) - 1),
        returns=returns,
        back_after_d=back_d,
        back_after_m=back_m,
    )


def _timed_rows(time_d: Floats, order: Ints, begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """The first and the last row (F) with a time among the sorted rows begin (F) to end (F)."""
    if not len(begin):
        return begin, begin
    timed = np.flatnonzero(np.isfinite(time_d[order]))
    low, high = np.searchsorted(timed, begin), np.searchsorted(timed, end)
    some = low < high
    rows = np.append(order[timed], NO_ROW)
    return rows[np.where(some, low, -1)], rows[np.where(some, high - 1, -1)]


def _cleared_d(events: FaultEvents, order: Ints, fault: NDArray[np.intp]) -> Floats:
    """When each fault (F) was last reported cleared."""
    cleared = np.full(int(fault[-1]) + 1 if len(fault) else 0, np.nan)
    at = np.flatnonzero((events.status[order] == CLEARED) & np.isfinite(events.time_d[order]))
    cleared[fault[at]] = events.time_d[order[at]]  # the last of equal places stays
    return cleared


def _returns(
    events: FaultEvents, order: Ints, comes_back: Bools, fault: NDArray[np.intp], rules: FaultRules
) -> tuple[Ints, Floats, Floats]:
    """How often each fault (F) came back, and after how many days and metres the last time."""
    faults = int(fault[-1]) + 1 if len(fault) else 0
    at = np.flatnonzero(comes_back)
    row, before = order[at], order[at - 1]
    after_d = events.time_d[row] - events.time_d[before]
    after_m = events.odometer_m[row] - events.odometer_m[before]
    # NaN is not beyond a limit: a return of unknown delay is one.
    soon = ~(after_d > rules.return_d_max) & ~(after_m > rules.return_m_max)
    of = fault[at[soon]]
    returns = np.bincount(of, minlength=faults).astype(np.int64)
    back_d, back_m = np.full(faults, np.nan), np.full(faults, np.nan)
    back_d[of], back_m[of] = after_d[soon], after_m[soon]  # the last of equal places stays
    return returns, back_d, back_m


def _at(values: Floats, row: Ints) -> Floats:
    """``values`` at ``row`` (F), NaN at NO_ROW."""
    return np.append(values, np.nan)[row]
