"""Evaluation against a fleet's truth: on cars whose truth is arithmetic, and on folders that are no fleet."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from milepost_server.cli import main
from milepost_server.derivation.configuration import Configuration
from milepost_server.evaluation.errors import EvaluationError
from milepost_server.evaluation.truth import cleaning, due, lists, pace
from milepost_server.evaluation.truth.command import as_of_days
from milepost_server.evaluation.truth.derive import DerivedPart, Deriver
from milepost_server.evaluation.truth.files import OBSERVED, TRUTH, Part, read_facts, read_parts
from milepost_server.evaluation.truth.tenures import owned_on
from milepost_server.signals.items.due import FirstLimit
from milepost_server.signals.items.states import State
from support.columns import AS_OF_DAY, FIRST_DAY, ITEMS, EvenFleet

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[2] / "docs" / "fleet-columns.md"


def part_of(folder: Path) -> Part:
    (part,) = read_parts(folder, read_facts(folder))
    return part


def derived(part: Part, day: float) -> DerivedPart:
    return Deriver(day, Configuration()).derive(part)


def test_the_page_of_the_format_names_every_column_that_is_read() -> None:
    for side, tables in (("observed", OBSERVED), ("truth", TRUTH)):
        section = PAGE.read_text().split(f"## {side}\n")[1].split("\n## ")[0]
        named = set(re.findall(r"^\| `(\w+\.\w+)`", section, re.MULTILINE))
        read = {f"{table}.{column}" for table, columns in tables.items() for column in columns}
        assert read <= named


def test_what_is_said_of_even_cars_is_true_to_a_few_days(tmp_path: Path) -> None:
    fleet = EvenFleet()
    part = part_of(fleet.write(tmp_path))
    rows = due.compare(part, derived(part, float(AS_OF_DAY)), 0)
    assert len(rows) == 2 * fleet.cars
    oil = rows.where(rows.item == ITEMS.index("engine-oil"))
    assert np.array_equal(oil.true_d, fleet.oil_due_day() - AS_OF_DAY)
    assert np.abs(oil.p50_d - oil.true_d).max() < 25
    fluid = rows.where(rows.item == ITEMS.index("brake-fluid"))
    near = np.isfinite(fluid.true_d)
    # Two calendar years are 730 or 731 days.
    assert np.abs(fluid.p50_d - fluid.true_d)[near].max() <= 1
    assert rows.recorded.all()
    soon = oil.true_d < due.SOON_D
    assert soon.sum() >= 3
    assert (oil.state[oil.true_d < 15] >= State.DUE).all()
    assert (oil.state[oil.true_d > 60] < State.DUE).all()


def test_what_ends_with_a_day_that_is_written_down_is_told_apart(tmp_path: Path) -> None:
    fleet = EvenFleet()
    part = part_of(fleet.write(tmp_path))
    rows = due.compare(part, derived(part, float(AS_OF_DAY)), 0)
    fluid = rows.item == ITEMS.index("brake-fluid")
    assert rows.capped[fluid].all()
    assert (rows.first_limit[fluid] == FirstLimit.TIME).all()
    # Oil after 15,000 km or 12 months: who goes far is not held by the months, not even when slow.
    oil = rows.where(~fluid)
    by_distance = oil.first_limit == FirstLimit.DISTANCE
    free = by_distance & (oil.p90_d < oil.calendar_d)
    assert free.any()
    assert not oil.capped[free].any()
    assert np.array_equal(oil.capped, oil.p90_d >= oil.calendar_d)


def test_a_sold_car_and_a_service_not_yet_known_do_not_count(tmp_path: Path) -> None:
    fleet = EvenFleet()
    fleet.truth["tenures"]["replaced_day"][0] = AS_OF_DAY - 10
    fleet.observed["services"]["known_day"][1] = AS_OF_DAY + 5  # the oil of car 1: recorded late
    part = part_of(fleet.write(tmp_path))
    assert owned_on(part, AS_OF_DAY).of_vehicle[0] == -1
    assert owned_on(part, AS_OF_DAY - 11).of_vehicle[0] == 0
    rows = due.compare(part, derived(part, float(AS_OF_DAY)), 0)
    assert 0 not in rows.vehicle
    late = (rows.vehicle == 1) & (rows.item == 0)
    assert not rows.recorded[late].any()
    later = due.compare(part, derived(part, float(AS_OF_DAY + 6)), 0)
    assert later.recorded[(later.vehicle == 1) & (later.item == 0)].all()


def test_flagged_and_lost_readings_are_counted(tmp_path: Path) -> None:
    fleet = EvenFleet()
    readings, truth = fleet.observed["readings"], fleet.truth["readings"]
    tenfold, small = 12, 50
    readings["odometer_m"][tenfold] *= 10
    truth["flaw"][tenfold] = 3
    readings["odometer_m"][small] -= 100
    truth["flaw"][small] = 1
    part = part_of(fleet.write(tmp_path))
    rows = cleaning.compare(part, derived(part, float(AS_OF_DAY)))
    assert rows.flagged[tenfold]
    assert rows.off_m[small] == 100
    scores = cleaning.scores(rows, seed=1)
    assert scores["cleaning_precision"].value == 1.0
    assert scores["cleaning_recall"].value == 0.5
    assert scores["cleaning_recall_large"].value == scores["cleaning_f1"].value == 1.0
    assert np.isnan(scores["cleaning_lost_after_swap"].value)


def test_coverage_and_lists_by_hand() -> None:
    """Four items: one covered, one too late, one beyond the truth's days, one that nobody knows."""
    nan = np.nan
    rows = due.DueRows(
        item=np.zeros(4, np.int64),
        vehicle=np.arange(4),
        owner=np.arange(4),
        as_of=np.zeros(4, np.int64),
        p10_d=np.array([10.0, 10.0, 300.0, nan]),
        p50_d=np.array([20.0, 20.0, 350.0, nan]),
        p90_d=np.array([40.0, 40.0, 500.0, nan]),
        p_soon=np.array([0.9, 0.8, 0.0, 0.0]),
        state=np.array([State.DUE, State.DUE, State.OK, State.UNKNOWN]),
        true_d=np.array([25.0, 90.0, np.inf, 5.0]),
        recorded=np.array([True, False, True, True]),
        since_d=np.array([100.0, 300.0, 200.0, nan]),
        calendar_d=np.array([200.0, 20.0, np.inf, np.inf]),
        first_limit=np.array([FirstLimit.DISTANCE, FirstLimit.TIME, FirstLimit.WEAR, FirstLimit.NONE]),
        capped=np.array([False, True, False, False]),
        wear_left_m=np.full(4, nan),
        true_left_m=np.full(4, np.inf),
    )
    table = due.by_item(rows, ("oil",), seed=1)
    name, count, error, coverage, width = table.rows[-1]
    assert (name, count) == ("all", 3)
    assert error.value == pytest.approx((5 + 70 + 15) / 3)
    assert coverage.value == pytest.approx(2 / 3)
    assert width == pytest.approx((30 + 30 + 200) / 3)
    known, *others = due.known_by_horizon(rows, seed=1, capped=False)[0].rows
    assert (known[1], known[3].value, known[5:]) == (1, 1.0, (0.0, 0.0))
    assert [row[1] for row in others] == [0, 0, 0], "nothing is judged that the truth ends before"
    rows_of_record = replace(rows, recorded=np.ones(4, np.bool_))
    capped = due.known_by_horizon(rows_of_record, seed=1, capped=True)[0].rows[0]
    assert (capped[1], capped[3].value, capped[5:]) == (1, 0.0, (0.0, 1.0))

    table, figures = lists.listed(rows, seed=1)
    assert [row[1] for row in table.rows] == [2, 1, 1, 1, 2, 2]
    assert {key: each.value for key, each in figures.items()} == {
        "due_recall": 0.5,
        "due_precision": 0.5,
        "due_precision_known": 1.0,
        "due_precision_elsewhere": 0.0,
        "due_precision_calendar": 0.0,
        "due_precision_longest": 0.0,
        "due_precision_random": 0.5,
        "due_recall_calendar": 0.0,
    }
    _, figures = lists.best_vehicles(rows, seed=1)
    assert {key: each.value for key, each in figures.items()} == {
        "list_precision": 1.0,
        "list_precision_calendar": 0.0,
        "list_precision_random": 0.5,
    }


def test_the_command_prints_tables_and_writes_files(tmp_path: Path) -> None:
    folder, out = EvenFleet().write(tmp_path / "fleet"), tmp_path / "out"
    result = CliRunner().invoke(main, ["evaluate", "truth", str(folder), "--out", str(out), "--seed", "3"])
    assert result.exit_code == 0, result.output
    for words in ("Due dates within a year, by item", "brake-fluid", "States against the truth", "seed: 3"):
        assert words in result.output
    document = json.loads((out / "truth.json").read_text())
    assert document["figures"]["due_recall"] > 0.5
    assert document["figures"]["cleaning_f1"] is None  # nothing was wrong
    assert (out / "truth-coverage.svg").read_text().startswith("<svg")
    again = CliRunner().invoke(main, ["evaluate", "truth", str(folder), "--seed", "3"])
    assert again.output.split("\nwrote")[0][:2000] == result.output.split("\nwrote")[0][:2000]


def _without_column(fleet: EvenFleet) -> None:
    del fleet.truth["lives"]["due_day"]


def _ragged(fleet: EvenFleet) -> None:
    fleet.observed["readings"]["source"] = fleet.observed["readings"]["source"][:-1]


def _beyond(fleet: EvenFleet) -> None:
    fleet.observed["services"]["vehicle"][3] = 99


def _unordered(fleet: EvenFleet) -> None:
    fleet.observed["readings"]["time_d"] = fleet.observed["readings"]["time_d"][::-1].copy()


def _not_finite(fleet: EvenFleet) -> None:
    fleet.observed["readings"]["time_d"][4] = np.nan


def _words(fleet: EvenFleet) -> None:
    fleet.observed["readings"]["source"] = np.full(len(fleet.observed["readings"]["source"]), "own")


def _unknown_item(fleet: EvenFleet) -> None:
    fleet.truth["lives"]["item"][0] = 7


def _other_truth(fleet: EvenFleet) -> None:
    for name in ("flaw", "odometer_m"):
        fleet.truth["readings"][name] = fleet.truth["readings"][name][:-1]


def _short_grid(fleet: EvenFleet) -> None:
    fleet.truth["tenures"]["hazard"] = fleet.truth["tenures"]["hazard"][:, :-1]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_without_column, r"no column lives\.due_day"),
        (_ragged, "columns of readings differ in length"),
        (_beyond, r"services\.vehicle points beyond the 30 rows"),
        (_unordered, "not in the order of vehicle and time"),
        (_not_finite, "no finite numbers"),
        (_words, r"readings\.source holds <U3, not numbers"),
        (_unknown_item, r"lives\.item names items that fleet.json does not have"),
        (_other_truth, "truth of readings has another number of rows"),
        (_short_grid, "hazard is not of the shape"),
    ],
)
def test_a_part_that_contradicts_itself_is_named(
    tmp_path: Path, spoil: Callable[[EvenFleet], None], says: str
) -> None:
    fleet = EvenFleet()
    spoil(fleet)
    folder = fleet.write(tmp_path)
    with pytest.raises(EvaluationError, match=says) as raised:
        part_of(folder)
    assert "part-00000.npz" in str(raised.value)


def test_folders_that_are_no_fleet_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        EvaluationError, match=r"no fleet\.json: make a fleet with `milepost-sim fleet --columns"
    ):
        read_facts(tmp_path)
    (tmp_path / "fleet.json").write_text('{"format": 1}')
    with pytest.raises(EvaluationError, match="does not describe a fleet"):
        read_facts(tmp_path)
    (tmp_path / "fleet.json").write_text('{"format": 99}')
    with pytest.raises(EvaluationError, match="of format 99; this version reads format 1"):
        read_facts(tmp_path)
    (tmp_path / "fleet.json").write_text("not json")
    with pytest.raises(EvaluationError, match="does not describe a fleet"):
        read_facts(tmp_path)


def test_missing_and_damaged_parts_are_named(tmp_path: Path) -> None:
    folder = EvenFleet().write(tmp_path)
    path = folder / "observed" / "part-00000.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(EvaluationError, match="is damaged"):
        part_of(folder)
    path.unlink()
    with pytest.raises(EvaluationError, match=r"part-00000\.npz is missing: the fleet has 1 parts"):
        part_of(folder)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    fleet = EvenFleet()
    fleet.observed["vehicles"]["number"] = np.array([{"a": 1}] * fleet.cars, dtype=object)
    with pytest.raises(EvaluationError, match="damaged"):
        part_of(fleet.write(tmp_path))


def test_days_to_derive_as_of(tmp_path: Path) -> None:
    facts = read_facts(EvenFleet().write(tmp_path))
    days = as_of_days(facts, ())
    assert days.tolist() == [AS_OF_DAY - 546, AS_OF_DAY - 364, AS_OF_DAY - 182, AS_OF_DAY]
    assert (days >= FIRST_DAY + 182).all()
    result = CliRunner().invoke(main, ["evaluate", "truth", str(tmp_path), "--as-of", "1999-01-01"])
    assert result.exit_code == 1
    assert "1999-01-01 is no day of this fleet: it has 2022-07-09 to 2024-10-04" in result.output


def test_distances_ahead_of_even_cars_are_those_they_go(tmp_path: Path) -> None:
    fleet = EvenFleet()
    part = part_of(fleet.write(tmp_path))
    config = Configuration()
    result = derived(part, float(AS_OF_DAY))
    rows = pace.compare(part, result, pace.ahead_of(result, config))
    assert rows.true_m[:, 0] == pytest.approx(91 * fleet.daily_m, rel=1e-6)
    assert (np.abs(rows.p50_m / rows.true_m - 1) < 0.1).all()
    table, figures = pace.ahead_table(rows, seed=1)
    assert len(table.rows) == len(pace.AHEAD_D)
    assert figures["distance_coverage80_364d"].value > 0.9


def test_a_change_of_life_is_followed_as_far_as_the_pace_says(tmp_path: Path) -> None:
    """A change that is only claimed: the cars go on as before, so nothing of it is followed."""
    fleet = EvenFleet()
    fleet.truth["regimes"] = {
        "vehicle": np.array([2, 3, 4, 4, 5]),
        "day": AS_OF_DAY - np.array([100, 40, 50, 90, 400]),
        "factor": np.array([2.0, 1.1, 2.0, 2.0, 2.0]),
        "cause": np.zeros(5, np.int64),
    }
    part = part_of(fleet.write(tmp_path))
    result = derived(part, float(AS_OF_DAY))
    rows = pace.changes(part, result, pace.ahead_of(result, Configuration()))
    assert rows.owner.tolist() == [2]  # the others are small, not alone, or long ago
    assert rows.since_months == pytest.approx(100 / 30.436875)
    assert abs(rows.followed[0]) < 0.15
    assert [row[1] for row in pace.change_table(rows).rows] == [0, 0, 0, 1, 0]
