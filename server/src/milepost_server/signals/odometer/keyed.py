"""Odometers that people keyed, as they stand in a table: vehicle, date, number, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import Floats, Ints, offsets_of
from milepost_server.signals.odometer.readings import OdometerReadings

if TYPE_CHECKING:
    from milepost_server.signals.odometer.readings import OdometerRules


def keyed_readings(
    vehicle: Ints, time_d: Floats, odometer: Floats, unit_m: float, rules: OdometerRules
) -> tuple[OdometerReadings, Ints]:
    """Rows of a table, in any order, as readings, and which row (N) each of them was.

    ``vehicle`` (N) counts from 0; ``time_d`` (N) days since 1970, with or without hours, NaN where unknown;
    ``odometer`` (N) in units of ``unit_m`` metres, NaN where unknown. Unknown ones come out rejected. Of one
    time the lower number comes first: a date without an hour says nothing of the order.
    """
    row = np.lexsort((odometer, time_d, vehicle)).astype(np.int64)
    rows = len(row)
    readings = OdometerReadings(
        offsets=offsets_of(np.bincount(vehicle).astype(np.int64)),
        time_d=time_d[row].astype(np.float64),
        odometer_m=odometer[row] * unit_m,
        trusted=np.ones(rows, dtype=np.bool_),
        plausible=np.ones(rows, dtype=np.bool_),
        tolerance_m=np.full(rows, max(rules.fall_m_max, unit_m)),
    )
    return readings, row
