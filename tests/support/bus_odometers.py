"""The real odometers of city buses, taken as true."""

from __future__ import annotations

import csv
import datetime as dt
from collections import defaultdict
from pathlib import Path

import numpy as np

from milepost_server.signals.flat import offsets_of
from support.dirty_odometers import METRES_PER_MILE, Truth

SHIFT_D = dt.date(2000, 1, 1).toordinal() - dt.date(1974, 1, 1).toordinal()
"""The buses ran in 1974 to 1985, before any time that the server takes for a reading's: they are moved."""
_EPOCH = dt.date(1970, 1, 1).toordinal()


def bus_truth(data: Path) -> Truth:
    """Monthly readings of all buses, of the first of each month."""
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with (data / "bus-odometers" / "odometer.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            day = dt.date(int(row["year"]), int(row["month"]), 1).toordinal() - _EPOCH + SHIFT_D
            rows[row["bus"]].append((float(day), float(row["odometer_mi"]) * METRES_PER_MILE))
    buses = [np.array(sorted(history)) for history in rows.values()]
    readings = np.concatenate(buses)
    return Truth(
        offsets=offsets_of(np.array([len(bus) for bus in buses], dtype=np.int64)),
        time_d=readings[:, 0],
        shown_m=readings[:, 1],
        unit_m=np.full(len(buses), METRES_PER_MILE),
        after_change=np.zeros(len(readings), dtype=np.bool_),
    )
