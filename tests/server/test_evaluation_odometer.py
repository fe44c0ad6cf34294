"""``evaluate odometer``: any file with a column map, baselines as by hand, clear words for what is wrong."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from milepost_server.cli import main
from milepost_server.evaluation.odometer.baselines import rates
from milepost_server.evaluation.odometer.file import ColumnMap, read_fleet

if TYPE_CHECKING:
    from pathlib import Path

MONTH_D = 365.2425 / 12


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Twenty cars of three years, a reading a month, of two models."""
    rng = np.random.default_rng(1)
    lines = ["car;model;on;km"]
    for car in range(20):
        km = np.cumsum(rng.gamma(4, 300 + 10 * car, 36)).round()
        for month, value in enumerate(km):
            lines.append(f"c{car};m{car % 2};{2020 + month // 12}-{month % 12 + 1:02d}-05;{value:.0f}")
    path = tmp_path / "cars.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


MAP = ["--vehicle", "car", "--group", "model", "--date", "on", "--odometer", "km"]


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["evaluate", "odometer", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_a_report_is_printed_and_written(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    printed = run(file, *MAP, "--distance", 5_000, "--folds", 3, "--seed", 9, "--out", out)
    assert "seed: 9" in printed
    assert "fold 3 of 3" in printed
    assert "Next 5000 km" in printed
    document = json.loads((out / "odometer.json").read_text())
    assert document["seed"] == 9
    figures = document["figures"]
    assert figures["due5000_mae_over_shrunk_low"] <= figures["due5000_mae_over_shrunk"]
    assert 0.6 < figures["due_coverage80"] < 0.95
    assert {path.name for path in out.glob("*.svg")} == {
        "odometer-errors-due5000.svg",
        "odometer-coverage-due5000.svg",
    }


def test_the_same_seed_gives_the_same_report(file: Path) -> None:
    first, again = (run(file, *MAP, "--distance", 3_000, "--folds", 2) for _ in range(2))
    assert first == again


def test_a_distance_that_nobody_reaches_is_said(file: Path) -> None:
    printed = run(file, *MAP, "--distance", 900_000, "--folds", 2)
    assert "900000 km: no origin of the file reaches it within the horizon" in printed


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--vehicle", "vin"], "has no column 'vin'; it has: car, model, on, km"),
        (["--vehicle", "car", "--odometer", "km"], "has no column 'date'"),
        (["--vehicle", "car", "--odometer", "km", "--year", "on"], "say where the dates are"),
        (
            ["--vehicle", "car", "--odometer", "model", "--date", "on"],
            "line 2: model is 'm0', which",
        ),
        (["--vehicle", "car", "--odometer", "km", "--date", "model"], "which is not a date (YYYY-MM-DD)"),
        ([*MAP, "--folds", 50], "20 vehicles cannot be split into 50 folds"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(file: Path, arguments: list[object], why: str) -> None:
    printed = run(file, *arguments, code=1)
    assert why in printed
    assert "Traceback" not in printed


def test_a_distance_of_nothing_is_refused(file: Path) -> None:
    assert "more than 0" in run(file, *MAP, "--distance", 0, code=2)


def test_day_first_dates_and_marks_between_thousands_are_read_as_they_are_said_to_be(
    file: Path, tmp_path: Path
) -> None:
    lines = [line.split(";") for line in file.read_text().splitlines()]
    other = tmp_path / "other.csv"
    with other.open("w", encoding="utf-8-sig", newline="") as written:
        writer = csv.writer(written, delimiter=";", quoting=csv.QUOTE_ALL)
        writer.writerow(lines[0])
        for car, model, on, km in lines[1:]:
            year, month, day = on.split("-")
            writer.writerow(
                [car, model, f"{day}.{month}.{year}", f"{float(km):,.0f}".replace(",", ".") + ",0"]
            )
    said = ["--date-format", "%d.%m.%Y", "--numbers", "1.234,5"]
    columns = ColumnMap("car", "km", date="on", group="model")
    fleet = read_fleet(file, columns, "km")
    again = read_fleet(other, replace(columns, date_format=said[1], numbers="1.234,5"), "km")
    np.testing.assert_array_equal(again.history.time_d, fleet.history.time_d)
    np.testing.assert_array_equal(again.history.odometer_m, fleet.history.odometer_m)
    assert "--date-format names another, such as %d.%m.%Y" in run(other, *MAP, code=1)
    assert "not a number written like 1234.5" in run(other, *MAP, *said[:2], code=1)
    assert "Next 3000 km" in run(other, *MAP, *said, "--distance", 3_000, "--folds", 2)


def test_rows_without_a_reading_are_counted_and_left_out(file: Path) -> None:
    whole = file.read_text().splitlines()
    file.write_text("\n".join([*whole, "c0;m0;2023-02-05;", "c1;m1;2023-02-05;NULL", ""]))
    fleet = read_fleet(file, ColumnMap("car", "km", date="on", group="model"), "km")
    assert fleet.counts == {"kept": len(whole) - 1, "missing": 2}


def test_two_readings_of_a_day_are_told_apart_by_their_time(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    lines = ["vehicle,date,odometer"]
    for day in range(1, 29):
        lines += [
            f"A,2024-02-{day:02}T18:00,{40_000 + 70 * day + 40}",
            f"A,2024-02-{day:02}T08:00,{40_000 + 70 * day}",
        ]
    path.write_text("\n".join(lines) + "\n")
    fleet = read_fleet(path, ColumnMap("vehicle", "odometer", date="date"), "km")
    assert fleet.counts == {"kept": 56}


def test_one_vehicle_is_too_few_whatever_the_folds(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("vehicle,date,odometer\nA,2024-01-01,10\nA,2024-09-01,9000\n")
    assert "two are the least" in run(path, "--folds", 2, code=1)


def test_too_short_histories_are_said(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("vehicle,date,odometer\nA,2024-01-01,10\nB,2024-01-01,10\n")
    assert "no vehicle has 3 months of history" in run(path, "--folds", 2, code=1)
    path.write_text("vehicle,date,odometer\n")
    assert "no odometer reading of it can be kept (it has no rows)" in run(path, code=1)


def test_errors_in_the_file_are_cleaned_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "typo.csv"
    rows = [f"A,2024-{month:02d}-01,{1_000 * month}" for month in range(1, 10)]
    rows.insert(5, "A,2024-05-15,900000")
    path.write_text("\n".join(["vehicle,date,odometer", *rows]) + "\n")
    fleet = read_fleet(path, ColumnMap("vehicle", "odometer", "date"), "mi")
    assert fleet.counts == {"kept": 9, "jump": 1}
    assert fleet.history.odometer_m[-1] == pytest.approx(9_000 * 1_609.344)


def test_a_vehicle_in_two_groups_is_two(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("vehicle,date,odometer,group\nA,2024-01-01,10,x\nA,2024-02-01,20,y\n")
    fleet = read_fleet(path, ColumnMap("vehicle", "odometer", "date", group="group"), "km")
    assert fleet.keys == [("x", "A"), ("y", "A")]
    assert fleet.group.tolist() == [0, 1]


def test_the_baselines_are_those_of_the_book_as_by_hand() -> None:
    month = np.arange(5) * MONTH_D
    odometers = [np.array([0.0, 900, 2_100, 3_600, 9_999]), np.array([0.0, 500, 1_000, 1_500, 2_000])]
    found = rates(
        times=[month, month],
        odometers=odometers,
        group=np.zeros(2, dtype=np.int64),
        origin_vehicle=np.array([0]),
        origin_row=np.array([3]),
    )
    group = (3_600 + 1_500) / 6
    shrunk = (1_500 + 0.8 * 1_200 + 0.64 * 900 + 1.5 * group) / (1 + 0.8 + 0.64 + 1.5)
    for name, per_month in {"trailing": 1_200, "lifetime": 1_200, "group": group, "shrunk": shrunk}.items():
        assert getattr(found, name) * MONTH_D == pytest.approx(per_month), name
