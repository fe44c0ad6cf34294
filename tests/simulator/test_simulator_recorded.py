"""Recorded drives: reading the files as they are, and playing them as a car."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milepost_simulator.car import pids
from milepost_simulator.car.elm327 import PROMPTLY, Elm327
from milepost_simulator.car.recorded import RecordedCar, load_drive
from milepost_simulator.clock import ManualClock
from milepost_simulator.errors import DriveFileError
from support.cars import START_S, VIN

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "ENGINE_RUN_TINE (),VEHICLE_SPEED (),CONTROL_MODULE_VOLTAGE (),ENGINE_RPM ()"


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def test_rows_of_one_second_are_spread_over_it(tmp_path: Path) -> None:
    drive = load_drive(
        write(tmp_path / "d.csv", "0,0,12.4,0", "0,0,9.9,0", "2,0,14,900", "2,36,14,1500", "3,36,14,1500")
    )
    assert drive.times_s == (0.0, 1.0, 2.0, 2.5, 3.0)
    assert drive.distance_m() == pytest.approx(5.0)


def test_cut_lines_and_steps_back_are_left_out_and_counted(tmp_path: Path) -> None:
    drive = load_drive(
        write(tmp_path / "d.csv", "0,0,12.4,0", "1,5", "5,0,14,900", "4,0,14,900", "6,x,14,900", "7,0,14,900")
    )
    assert drive.times_s == (0.0, 5.0, 7.0)
    assert drive.dropped_rows == 3


@pytest.mark.parametrize(
    ("header", "rows", "why"),
    [
        ("TIME,VEHICLE_SPEED ()", ["0,1"], "no column CONTROL_MODULE_VOLTAGE, ENGINE_RUN_TINE"),
        (HEADER, [], "no usable row"),
        (HEADER, ["a,b,c,d"], "no usable row"),
    ],
)
def test_a_file_that_is_no_drive_says_what_is_missing(
    tmp_path: Path, header: str, rows: list[str], why: str
) -> None:
    with pytest.raises(DriveFileError, match=why):
        load_drive(write(tmp_path / "d.csv", *rows, header=header))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(DriveFileError, match="No such file"):
        load_drive(tmp_path / "absent.csv")


def test_a_drive_plays_stands_and_plays_again(tmp_path: Path) -> None:
    drive = load_drive(write(tmp_path / "d.csv", "0,0,10.1,250", "10,36,14.2,1500", "20,0,14.2,800"))
    car = RecordedCar(drive, VIN, START_S, lead_s=5, rest_s=60)
    states = {at: car.snapshot(START_S + at) for at in (0, 5, 15, 24, 26, 85, 96)}
    assert [at for at, state in states.items() if state.is_ignition_on] == [5, 15, 24, 85, 96]
    assert states[5].voltage_v == 10.1
    assert states[15].values[pids.SPEED] == 36.0
    assert states[96].values[pids.SPEED] == 36.0
    once = RecordedCar(drive, VIN, START_S, lead_s=5, rest_s=None)
    assert once.snapshot(START_S + 24).is_ignition_on
    assert not once.snapshot(START_S + 96).is_ignition_on


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "duration_s", "distance_km"),
    [("long3", 1986, (16, 19)), ("drive1", 1330, (5, 12)), ("idle1", 590, (0, 0))],
)
def test_real_drives_have_their_length(
    data: Path, name: str, duration_s: float, distance_km: tuple[float, float]
) -> None:
    drive = load_drive(data / "drives" / f"{name}.csv")
    assert drive.duration_s == pytest.approx(duration_s, abs=1.0)
    assert distance_km[0] * 1000 <= drive.distance_m() <= distance_km[1] * 1000


@pytest.mark.data
def test_a_real_drive_answers_with_all_its_columns_and_shows_its_start(data: Path) -> None:
    drive = load_drive(data / "drives" / "drive5.csv")
    clock = ManualClock(START_S)
    elm = Elm327(RecordedCar(drive, VIN, START_S, lead_s=0.0), clock, timing=PROMPTLY)

    def say(command: bytes) -> bytes:
        return b"".join(output.data for output in elm.feed(command + b"\r"))

    say(b"ATE0")
    assert say(b"0100") == b"SEARCHING...\r41 00 9E 3E 80 03 \r\r>"
    lowest_v = 99.0
    for _ in range(40):
        raw = say(b"0142").split()
        lowest_v = min(lowest_v, int(raw[2] + raw[3], 16) / 1000)
        clock.advance(0.1)
    assert 9.5 < lowest_v < 10.5
    clock.advance(100.0)
    spoken = int(say(b"0105").split()[2], 16) - 40
    assert spoken in {int(row[pids.COOLANT]) for row in drive.rows}
