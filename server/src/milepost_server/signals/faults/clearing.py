"""Codes that were cleared: when, and whether shortly before a visit.

Whoever clears codes hides them from the workshop for some days: the car has to test itself again first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.faults.fleet import FleetFaults
from milepost_server.signals.flat import Bools, Floats, Ints, count_up_to, offsets_of, owners_of


@dataclass(frozen=True, slots=True)
class ClearingRules:
    """The numbers behind cleared codes; part of the configuration version."""

    together_d: float = 1.0  # a code that is gone so soon before or after was cleared then
    before_visit_d: float = 7.0  # a clearing this close before a visit is worth a question


@dataclass(frozen=True, slots=True)
class Clearings:
    """The K times that codes of V vehicles were seen to be cleared, by vehicle and time."""

    vehicle: Ints  # (K)
    time_d: Floats  # (K)
    row: Ints  # (K) the reading that showed it
    codes: Ints  # (K) how many known codes went with it
    visit_d: Floats  # (K) the next visit; NaN where none is known
    before_visit: Bools  # (K) whether that came within ``before_visit_d``


def falls(offsets: Ints, value: Floats) -> Bools:
    """Where (N) a counter since clearing (PID 01 31 or 01 30) is less than the known reading before it.

    ``offsets`` (V + 1); rows rise in time within each vehicle; NaN readings are passed over.
    """
    known = np.flatnonzero(np.isfinite(value))
    fell = np.zeros(len(value), dtype=np.bool_)
    owner = owners_of(offsets)[known]
    fell[known[1:]] = (owner[1:] == owner[:-1]) & (value[known[1:]] < value[known[:-1]])
    return fell


def clearings(
    offsets: Ints,
    time_d: Floats,
    is_clearing: Bools,
    *,
    visits: tuple[Ints, Floats],
    faults: FleetFaults,
    rules: ClearingRules,
) -> Clearings:
    """The clearings among N readings of V vehicles.

    ``is_clearing`` (N): a fall of a counter, or the car's own word (``Diagnostics.CodesCleared``). ``visits``
    are offsets (V + 1) and rising times of service records and work orders.
    """
    row = np.flatnonzero(is_clearing & np.isfinite(time_d))
    vehicle, at = owners_of(offsets)[row], time_d[row]
    visit_d = _next(visits, vehicle, at)
    ended = np.lexsort((faults.cleared_d, faults.vehicle))  # NaN last within each vehicle
    cleared_d = faults.cleared_d[ended]
    gone = count_up_to(faults.offsets, cleared_d, vehicle, at + rules.together_d) - count_up_to(
        faults.offsets, cleared_d, vehicle, at - rules.together_d
    )
    return Clearings(vehicle, at, row, gone, visit_d, visit_d - at <= rules.before_visit_d)


def _next(times: tuple[Ints, Floats], vehicle: Ints, at: Floats) -> Floats:
    """The first of the ``times`` of ``vehicle`` (K) that is later than ``at`` (K); NaN where none is."""
    offsets, time_d = times
    place = offsets[vehicle] + count_up_to(offsets, time_d, vehicle, at)
    there = place < offsets[vehicle + 1]
    return np.append(time_d, np.nan)[np.where(there, place, -1)]


def cleared_before_visit(faults: FleetFaults, found: Clearings, rules: ClearingRules) -> Bools:
    """Whether each fault (F) was last cleared shortly before a visit, rather than gone by itself."""
    suspect = np.flatnonzero(found.before_visit)
    counts = np.bincount(found.vehicle[suspect], minlength=len(faults.offsets) - 1)
    offsets = offsets_of(counts.astype(np.int64))
    vehicle, time_d = faults.vehicle, found.time_d[suspect]
    at = np.nan_to_num(faults.cleared_d, nan=np.inf)
    near = count_up_to(offsets, time_d, vehicle, at + rules.together_d) - count_up_to(
        offsets, time_d, vehicle, at - rules.together_d
    )
    hidden: Bools = np.isfinite(faults.cleared_d) & (near > 0)
    return hidden
