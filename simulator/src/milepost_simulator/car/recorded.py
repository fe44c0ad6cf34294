"""A real drive, recorded once through OBD, played again as a car that can be asked.

The file is CSV with a column a value, as the logger wrote it: names end in ``()``, rows come about twice
a second and repeat, the engine's run time (`ENGINE_RUN_TINE`, spelt so) is the only clock, and a line
may be cut short. Rows that share one second of run time are spread over it, so that the cranking dip in
the first seconds keeps its place.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from milepost_simulator.car import pids
from milepost_simulator.car.snapshot import Snapshot
from milepost_simulator.errors import DriveFileError

if TYPE_CHECKING:
    from pathlib import Path

TIME_COLUMN = "ENGINE_RUN_TINE"
ROWS_MAX = 200_000
REST_VOLTAGE_V = 12.4
COLUMNS: dict[str, int] = {
    "ENGINE_RUN_TINE": pids.RUN_TIME,
    "ENGINE_RPM": pids.ENGINE_SPEED,
    "VEHICLE_SPEED": pids.SPEED,
    "THROTTLE": pids.THROTTLE,
    "ENGINE_LOAD": pids.LOAD,
    "COOLANT_TEMPERATURE": pids.COOLANT,
    "LONG_TERM_FUEL_TRIM_BANK_1": pids.LONG_TRIM,
    "SHORT_TERM_FUEL_TRIM_BANK_1": pids.SHORT_TRIM,
    "INTAKE_MANIFOLD_PRESSURE": pids.MANIFOLD,
    "FUEL_TANK": pids.FUEL_LEVEL,
    "ABSOLUTE_THROTTLE_B": pids.THROTTLE_B,
    "PEDAL_D": pids.PEDAL_D,
    "PEDAL_E": pids.PEDAL_E,
    "COMMANDED_THROTTLE_ACTUATOR": pids.THROTTLE_ACTUATOR,
    "FUEL_AIR_COMMANDED_EQUIV_RATIO": pids.COMMANDED_RATIO,
    "ABSOLUTE_BAROMETRIC_PRESSURE": pids.BAROMETER,
    "RELATIVE_THROTTLE_POSITION": pids.RELATIVE_THROTTLE,
    "INTAKE_AIR_TEMP": pids.INTAKE_AIR,
    "TIMING_ADVANCE": pids.TIMING,
    "CATALYST_TEMPERATURE_BANK1_SENSOR1": pids.CATALYST_1,
    "CATALYST_TEMPERATURE_BANK1_SENSOR2": pids.CATALYST_2,
    "CONTROL_MODULE_VOLTAGE": pids.VOLTAGE,
    "COMMANDED_EVAPORATIVE_PURGE": pids.PURGE,
    "TIME_RUN_WITH_MIL_ON": pids.TIME_WITH_MIL,
    "TIME_SINCE_TROUBLE_CODES_CLEARED": pids.TIME_SINCE_CLEARED,
    "DISTANCE_TRAVELED_WITH_MIL_ON": pids.DISTANCE_WITH_MIL,
    "WARM_UPS_SINCE_CODES_CLEARED": pids.WARM_UPS,
}


class Drive(NamedTuple):
    """A recorded drive: instants in seconds from the first row, and what the car said at each."""

    times_s: tuple[float, ...]
    rows: tuple[dict[int, float], ...]
    dropped_rows: int

    @property
    def duration_s(self) -> float:
        """From the first row to the last."""
        return self.times_s[-1]

    def distance_m(self) -> float:
        """Speed summed over time, each row's speed held until the next."""
        steps = zip(self.times_s, self.times_s[1:], self.rows, strict=False)
        return sum((after - before) * row[pids.SPEED] / 3.6 for before, after, row in steps)


def load_drive(path: Path) -> Drive:
    """Read a recorded drive.

    Rows that are cut short, or whose run time goes back, are left out and counted.

    Raises:
        DriveFileError: no such file, no run time, speed or voltage in it, too long, or no usable row.
    """
    try:
        with path.open(newline="", encoding="ascii", errors="replace") as file:
            reader = csv.reader(file)
            names = [name.split("(")[0].strip() for name in next(reader, [])]
            raw = [row for row, _ in zip(reader, range(ROWS_MAX + 1), strict=False)]
    except OSError as error:
        raise DriveFileError(path, error.strerror or "cannot be read") from error
    missing = {TIME_COLUMN, "VEHICLE_SPEED", "CONTROL_MODULE_VOLTAGE"} - set(names)
    if missing:
        raise DriveFileError(path, f"has no column {', '.join(sorted(missing))}")
    if len(raw) > ROWS_MAX:
        raise DriveFileError(path, f"has more than {ROWS_MAX} rows")
    wanted = [(index, COLUMNS[name]) for index, name in enumerate(names) if name in COLUMNS]
    rows = _in_order([values for row in raw if (values := _values(row, wanted))])
    if not rows:
        raise DriveFileError(path, "has no usable row")
    return Drive(_spread([row[pids.RUN_TIME] for row in rows]), tuple(rows), len(raw) - len(rows))


def _values(row: list[str], wanted: list[tuple[int, int]]) -> dict[int, float] | None:
    try:
        return {pid: float(row[index]) for index, pid in wanted}
    except (ValueError, IndexError):
        return None


def _in_order(rows: list[dict[int, float]]) -> list[dict[int, float]]:
    kept: list[dict[int, float]] = []
    for row in rows:
        if not kept or row[pids.RUN_TIME] >= kept[-1][pids.RUN_TIME]:
            kept.append(row)
    return kept


def _spread(seconds: list[float]) -> tuple[float, ...]:
    groups = [(second, len(list(same))) for second, same in groupby(seconds)]
    ends = [second for second, _ in groups[1:]] + [groups[-1][0] + 1.0]
    first = groups[0][0]
    return tuple(
        second - first + (end - second) * index / count
        for (second, count), end in zip(groups, ends, strict=True)
        for index in range(count)
    )


class RecordedCar:
    """Plays a drive as a car: ignition off, the drive, ignition off again, and so on.

    Args:
        drive: what to play.
        vin: the identity that it answers with; the recording has none.
        now_s: when its life begins, seconds since 1970.
        lead_s: how long it stands before the drive.
        rest_s: how long it stands after the drive before the next one; None: it stays parked.
    """

    def __init__(
        self, drive: Drive, vin: str, now_s: float, *, lead_s: float = 5.0, rest_s: float | None = 60.0
    ) -> None:
        self._drive = drive
        self._vin = vin
        self._began_s = now_s + lead_s
        self._rest_s = rest_s

    def snapshot(self, now_s: float) -> Snapshot:
        """What the control units said at this place of the recording."""
        at_s = self._position_s(now_s)
        if at_s is None:
            return Snapshot(is_ignition_on=False, voltage_v=REST_VOLTAGE_V, vin=self._vin, values={})
        row = self._drive.rows[bisect_right(self._drive.times_s, at_s) - 1]
        return Snapshot(is_ignition_on=True, voltage_v=row[pids.VOLTAGE], vin=self._vin, values=row)

    def clear_codes(self) -> None:
        """A recording has no codes, and stays as it is."""

    def _position_s(self, now_s: float) -> float | None:
        since_s = now_s - self._began_s
        if self._rest_s is not None and since_s >= 0:
            since_s %= self._drive.duration_s + self._rest_s
        return since_s if 0 <= since_s <= self._drive.duration_s else None
