"""Time to events: Kaplan and Meier's curve, scores, spells, and who wins where distance decides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from statsmodels.duration.survfunc import SurvfuncRight

from milepost_server.cli import main
from milepost_server.evaluation.errors import EvaluationError
from milepost_server.evaluation.odometer.events import read_lives
from milepost_server.evaluation.odometer.file import ColumnMap, read_fleet
from milepost_server.evaluation.odometer.survival import best_lean, given_until_now, life_table, log_score

if TYPE_CHECKING:
    from pathlib import Path


def test_without_censoring_in_a_period_the_table_is_kaplan_and_meiers_curve() -> None:
    rng = np.random.default_rng(1)
    # Events in even periods, ends of watching at the very beginning of odd ones.
    duration = rng.integers(0, 10, 300) * 2 + np.zeros(300)
    happened = (rng.random(300) < 0.6).astype(np.float64)
    duration[happened == 0] += 1
    ours = life_table(duration, happened, 20)
    theirs = SurvfuncRight(duration, happened)
    expected = dict(zip(theirs.surv_times, theirs.surv_prob, strict=True))
    for time, probability in expected.items():
        assert ours[int(time) + 1] == pytest.approx(probability)


def test_a_lean_table_has_no_period_in_which_nothing_can_happen() -> None:
    duration, happened = np.array([2.5, 7.5]), np.ones(2)
    bare, lean = life_table(duration, happened, 10), life_table(duration, happened, 10, 5.0)
    assert (np.diff(bare)[[0, 1, 3]] == 0).all()
    assert (np.diff(lean) < 0).all()
    assert bare[0] == lean[0] == 1


def test_the_score_is_the_logarithm_of_what_was_given_to_what_came() -> None:
    curve = np.array([[1.0, 0.8, 0.5, 0.5]] * 4)
    score = log_score(curve, np.array([0.5, 1.2, 1.2, 2.9]), np.array([1.0, 1, 0, 1]))
    assert np.exp(score).tolist() == pytest.approx([0.2, 0.3, 0.65, 1e-6])


def test_those_who_came_so_far_have_the_rest_of_the_curve() -> None:
    table = np.array([1.0, 0.8, 0.4, 0.1])
    assert given_until_now(table, np.array([1.0]))[0].tolist() == pytest.approx([1, 0.5, 0.125, 0.125])


def test_the_best_lean_is_large_where_there_is_only_noise() -> None:
    rng = np.random.default_rng(2)
    duration, fold = rng.exponential(10, 60), rng.integers(0, 4, 60)
    assert best_lean(duration, np.ones(60), fold, 40) >= 10


MAP = ColumnMap("vehicle", "odometer", "date")


@pytest.fixture
def readings(tmp_path: Path) -> Path:
    """Forty buses that go from 20 to 160 km a day, a reading a month for six years."""
    rng = np.random.default_rng(3)
    path = tmp_path / "readings.csv"
    lines = ["vehicle,date,odometer"]
    for bus in range(40):
        km = np.cumsum(rng.gamma(20, (600 + 110 * bus) / 20, 72))
        for month, value in enumerate(km):
            lines.append(f"b{bus},{2015 + month // 12}-{month % 12 + 1:02d}-01,{value:.0f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_events(readings: Path, at_km: float) -> Path:
    """An event whenever a bus has gone about ``at_km`` since the one before."""
    rng = np.random.default_rng(4)
    fleet = read_fleet(readings, MAP, "km")
    lines = ["vehicle,date"]
    for place, (_, vehicle) in enumerate(fleet.keys):
        rows = slice(*fleet.history.offsets[place : place + 2])
        goal = at_km * rng.normal(1, 0.1)
        while goal * 1_000 < fleet.history.odometer_m[rows][-1]:
            day = np.interp(goal * 1_000, fleet.history.odometer_m[rows], fleet.history.time_d[rows])
            lines.append(f"{vehicle},{np.datetime64('1970-01-01') + int(day)}")
            goal += at_km * rng.normal(1, 0.1)
    path = readings.with_name("events.csv")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_spells_run_from_new_to_event_to_event_to_the_end(tmp_path: Path) -> None:
    readings, events = tmp_path / "r.csv", tmp_path / "e.csv"
    readings.write_text("vehicle,date,odometer\nA,2024-01-01,500\nA,2024-01-31,1100\nB,2024-01-01,0\n")
    events.write_text("vehicle,date\nA,2024-01-11\nA,2024-01-21\nA,2024-01-21\nA,2025-01-01\n")
    lives = read_lives(events, MAP, read_fleet(readings, MAP, "km"))
    assert (lives.end_d - lives.begin_d).tolist() == [10, 10, 10]
    assert lives.happened.tolist() == [1, 1, 0]
    assert (lives.entry_m / 1_000).tolist() == pytest.approx([500, 0, 0])
    assert (lives.exit_m / 1_000).tolist() == pytest.approx([700, 200, 200])


def test_an_event_of_an_unknown_vehicle_is_named_by_its_line(tmp_path: Path, readings: Path) -> None:
    events = tmp_path / "e.csv"
    fleet = read_fleet(readings, MAP, "km")
    events.write_text("vehicle,date\nb1,2016-01-01\nnobody,2016-01-01\n")
    with pytest.raises(EvaluationError, match="line 3: vehicle 'nobody' has no readings"):
        read_lives(events, MAP, fleet)
    events.write_text("vehicle,date\n")
    with pytest.raises(EvaluationError, match="has no event"):
        read_lives(events, MAP, fleet)


def test_where_distance_decides_distance_and_usage_foretell_better(readings: Path, tmp_path: Path) -> None:
    events = write_events(readings, 60_000)
    out = tmp_path / "out"
    arguments = [
        *("evaluate", "odometer", str(readings), "--events", str(events)),
        *("--distance", "5000", "--folds", "4", "--out", str(out)),
    ]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "Kaplan-Meier" in result.output
    figures = json.loads((out / "odometer.json").read_text())["figures"]
    assert figures["replacement_logscore_gain_low"] > 0.2
