"""What the readings say of a vehicle's identity: where its instrument changed, and whether it is one.

A change of the VIN is known before the signals; what is left is what the readings show by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import owners_of
from milepost_server.signals.odometer.verdict import Verdict

if TYPE_CHECKING:
    from milepost_server.signals.flat import Floats, Ints
    from milepost_server.signals.odometer.readings import CleanOdometer


@dataclass(frozen=True, slots=True)
class Identity:
    """Of V vehicles and the C changes of their instruments, in order of vehicle and time."""

    strange_share: Floats  # (V) of the readings, those of another vehicle; 0 without readings
    vehicle: Ints  # (C)
    row: Ints  # (C) the first reading after the change, among all that were judged
    time_d: Floats  # (C) of that reading
    from_m: Floats  # (C) what the last reading before showed
    to_m: Floats  # (C) what it shows


def identity(clean: CleanOdometer, offsets: Ints) -> Identity:
    """``offsets`` (V + 1) are those of the readings that were cleaned."""
    vehicles = len(offsets) - 1
    strange = np.bincount(
        owners_of(offsets), weights=clean.verdict == Verdict.OTHER_VEHICLE, minlength=vehicles
    )
    owner = owners_of(clean.offsets)
    changed = (owner[1:] == owner[:-1]) & (clean.segment[1:] != clean.segment[:-1])
    at = np.flatnonzero(changed) + 1
    return Identity(
        strange_share=strange / np.maximum(np.diff(offsets), 1),
        vehicle=owner[at],
        row=clean.row[at],
        time_d=clean.time_d[at],
        from_m=clean.odometer_m[at - 1],
        to_m=clean.odometer_m[at],
    )
