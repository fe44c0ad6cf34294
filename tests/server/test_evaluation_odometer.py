"""``evaluate odometer``: any file with a column map, baselines as by hand, clear words for what is wrong."""

from __future__ import annotations

import json
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
