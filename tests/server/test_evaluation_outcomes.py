"""``evaluate outcomes``: its report, what it refuses, and what it warns of."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

from milepost_server.cli import main
from milepost_server.evaluation.outcomes.map import OutcomeMap, load_map
from milepost_server.evaluation.outcomes.report import sum_error
from milepost_server.evaluation.outcomes.rows import columns_of, read_rows, split
from milepost_server.signals.readiness.card import Card, Scale, Table
from milepost_server.signals.readiness.columns import Column, bins_of
from support.outcome_tables import OutcomeTable, outcome_table

USED = 6
HEADER = ["id", "sold", "gender", "model", *(f"c{place}" for place in range(USED))]
MAP = """
ignore = ["id", "gender"]
missing = ["NULL"]
age = "c0"

[label]
column = "sold"
positive = "yes"

[columns.model]
kind = "category"
""" + "".join(f'[columns.c{place}]\nbins = "as given"\n' for place in range(USED))


def rows_of(table: OutcomeTable) -> list[list[str]]:
    models = np.random.default_rng(1).choice(["sedan", "truck", "van"], len(table.event))
    return [
        [
            str(number),
            "yes" if event else "no",
            "f",
            models[number],
            *("NULL" if np.isnan(value) else f"{value:g}" for value in values[:USED]),
        ]
        for number, (event, values) in enumerate(zip(table.event, table.values, strict=True))
    ]


def write(path: Path, rows: list[list[str]], header: list[str] = HEADER) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([header, *rows])
    return path


def run(folder: Path, *arguments: str, mapped: str = MAP) -> Any:
    (folder / "map.toml").write_text(mapped, encoding="utf-8")
    options = ["--map", str(folder / "map.toml"), "--draws", "20", "--pairs", "2"]
    return CliRunner().invoke(main, ["evaluate", "outcomes", *arguments, *options])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outcomes")
    table = outcome_table(9_000, 2, "strong")
    rows = rows_of(table)
    write(path / "train.csv", rows[:6_000])
    write(path / "test.csv", rows[6_000:])
    return path


def test_a_report_with_figures_tables_and_pictures(folder: Path) -> None:
    result = run(folder, str(folder / "train.csv"), str(folder / "test.csv"), "--out", str(folder / "out"))
    assert result.exit_code == 0, result.output
    for words in (
        "looking for pairs of columns: fold 4 of 4",
        "training rows: 6,000 of train.csv",
        "largest difference between a score and the sum of its reasons: 0",
        "scorecard without pairs",
        "plain logistic",
        "youngest first",
        "oldest first",
        "base rate",
        "Reliability of the scorecard",
        "everybody starts with",
        "Note: all 2 pairs that --pairs allows were worth a table; up to 20",
        "the rows carry no dates",
    ):
        assert words in result.output
    document = json.loads((folder / "out" / "outcomes.json").read_text())["figures"]
    assert document["score_sum_error"] == 0
    assert document["auc_low"] < document["auc"] < document["auc_high"]
    methods = document["methods"]
    assert methods["scorecard"]["auc"][0] > methods["plain logistic"]["auc"][0] > 0.6
    assert methods["base rate"]["auc"][0] == 0.5
    assert methods["youngest first"]["auc"][0] + methods["oldest first"]["auc"][0] == pytest.approx(1)
    assert sum(document["reliability"]["rows"]) == 3_000
    for name in ("reliability", "lift", "auc"):
        assert (folder / "out" / f"outcomes-{name}.svg").read_text().startswith("<svg")


def test_the_card_in_the_file_gives_the_auc_that_is_printed(folder: Path) -> None:
    run(folder, str(folder / "train.csv"), str(folder / "test.csv"), "--out", str(folder / "out"))
    document = json.loads((folder / "out" / "outcomes.json").read_text())["figures"]
    card = document["card"]
    mapped = OutcomeMap.model_validate(
        {
            "label": {"column": "sold", "positive": "yes"},
            "ignore": ["id", "gender"],
            "missing": ["NULL"],
            "columns": {
                "model": {"kind": "category"},
                **{f"c{place}": {"bins": "as given"} for place in range(USED)},
            },
        }
    )
    test = read_rows(folder / "test.csv", mapped)
    log_odds = np.full(len(test), card["base_log_odds"])
    for table in card["tables"]:
        for row in range(len(test)):
            cell: Any = table["log_odds"]
            for name in table["columns"]:
                value = test.cells[name][row] if name == "model" else test.amounts[name][row]
                said = value if name == "model" else "not known" if np.isnan(value) else f"{value:g}"
                cell = cell[card["columns"][name].index(said)]
            log_odds[row] += cell
    assert document["auc"] == pytest.approx(roc_auc_score(test.event, log_odds), abs=1e-9)


def test_a_score_that_is_not_the_sum_of_the_printed_card_is_told() -> None:
    columns = (Column("a", "a", edges=(1.0,)), Column("b", "b", edges=(1.0, 2.0)))
    alone = Table((0,), np.array([-0.5, 0.5, 0.0]))
    pair = Table((0, 1), np.arange(12.0).reshape(3, 4) / 10)
    card = Card(columns, -1.0, (alone, pair), Scale(-2.0, 20.0))
    bins = bins_of(columns, {"a": np.array([0.0, 3.0, np.nan]), "b": np.array([np.nan, 1.5, 0.0])})
    points = card.reason_points(bins).sum(axis=1)
    assert sum_error(card, bins, points) == 0
    assert sum_error(card, bins, points + np.array([0, -3, 1])) == 3
    assert sum_error(card, bins[:0], points[:0]) == 0


def test_a_split_by_seed_gives_the_same_report_twice(folder: Path) -> None:
    arguments = (str(folder / "train.csv"), "--split", "0.4", "--seed", "5")
    first, second = run(folder, *arguments), run(folder, *arguments)
    assert first.exit_code == 0, first.output
    assert first.output == second.output
    assert "test rows: 2,400 of train.csv" in first.output


def test_groups_are_told_apart_and_an_empty_one_is_no_error(folder: Path, tmp_path: Path) -> None:
    mapped = MAP.replace('[columns.model]\nkind = "category"\n', "").replace(
        'age = "c0"', 'age = "c0"\ngroup = "model"'
    )
    rows = rows_of(outcome_table(3_000, 4, "strong"))
    for row in rows[2_000:]:
        row[3] = "van" if row[1] == "no" else "sedan"
    write(tmp_path / "train.csv", rows[:2_000])
    write(tmp_path / "test.csv", rows[2_000:])
    result = run(tmp_path, str(tmp_path / "train.csv"), str(tmp_path / "test.csv"), mapped=mapped)
    assert result.exit_code == 0, result.output
    told = result.output.partition("By group")[2]
    assert "van" in told
    assert "truck" not in told
    assert "nan" not in result.output


def test_a_column_that_knows_the_outcome_is_a_warning(tmp_path: Path) -> None:
    table = outcome_table(3_000, 3, "strong")
    rows = [[*row, "1" if row[1] == "yes" else "0"] for row in rows_of(table)]
    write(tmp_path / "train.csv", rows, [*HEADER, "delivered"])
    result = run(tmp_path, str(tmp_path / "train.csv"), mapped=MAP + "[columns.delivered]\nkind = 'flag'\n")
    assert result.exit_code == 0, result.output
    assert "Note: delivered alone ranks the test rows with an AUC of 1.000" in result.output
    assert "c0 alone" not in result.output


def test_a_column_that_knows_some_of_the_outcomes_is_a_warning(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rows = rows_of(outcome_table(3_000, 3, "strong"))
    prices = [[*row, "30000" if row[1] == "yes" and rng.random() < 0.5 else ""] for row in rows]
    write(tmp_path / "train.csv", prices, [*HEADER, "price_of_next"])
    result = run(
        tmp_path, str(tmp_path / "train.csv"), mapped=MAP + "[columns.price_of_next]\nkind = 'category'\n"
    )
    assert result.exit_code == 0, result.output
    assert "Note: price_of_next has values where nearly every row has the event" in result.output
    assert result.output.count("(a leak)") == 1


def test_of_a_category_with_very_many_values_the_frequent_ones_are_told_apart_with_a_note(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(6)
    rows = [[*row, f"D{rng.integers(0, 900)}"] for row in rows_of(outcome_table(3_000, 3, "strong"))]
    write(tmp_path / "train.csv", rows, [*HEADER, "dealer"])
    mapped = MAP + "[columns.dealer]\nkind = 'category'\n"
    result = run(tmp_path, str(tmp_path / "train.csv"), mapped=mapped)
    assert result.exit_code == 0, result.output
    assert "values; the 32 most frequent are told apart, the others, 9" in result.output


def test_columns_without_points_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(14)
    bins = rng.integers(0, 10, size=(3_000, 50))
    sold = rng.random(3_000) < 1 / (1 + np.exp(6 - 1.5 * bins[:, 0] + 1.2 * bins[:, 1]))
    rows = [
        ["yes" if event else "no", *map(str, row)] for event, row in zip(sold, bins.tolist(), strict=True)
    ]
    names = [f"d{place}" for place in range(50)]
    write(tmp_path / "train.csv", rows, ["sold", *names])
    mapped = '[label]\ncolumn = "sold"\npositive = "yes"\n'
    mapped += "".join(f'[columns.{name}]\nbins = "as given"\n' for name in names)
    result = run(tmp_path, str(tmp_path / "train.csv"), mapped=mapped)
    assert result.exit_code == 0, result.output
    told = result.output.partition("Note: no points for ")[2].partition(":")[0].split(", ")
    assert len(told) > 25
    assert not {"d0", "d1"} & set(told)


def test_a_column_with_one_value_is_left_out_with_a_note(tmp_path: Path) -> None:
    rows = [[*row, "7"] for row in rows_of(outcome_table(3_000, 3, "strong"))]
    write(tmp_path / "train.csv", rows, [*HEADER, "same"])
    result = run(tmp_path, str(tmp_path / "train.csv"), mapped=MAP + "[columns.same]\n")
    assert result.exit_code == 0, result.output
    assert "Note: same has one value only and is left out" in result.output


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (('ignore = ["id", "gender"]', 'ignore = ["id"]'), "the map says nothing of gender"),
        (("[label]", "[columns.gender]\n[label]"), "named more than once: gender"),
        (("columns.c5", "columns.c55"), "has no column 'c55'"),
        (('positive = "yes"', 'positive = "1"'), "sold is never '1'; it is 'no', 'yes'"),
        (('positive = "yes"', "positive = [1]"), "label.positive"),
        (('age = "c0"', 'age = "c9"'), "'c9' is not among the columns"),
        (('bins = "as given"', "bins = 1"), "columns.c0.bins"),
        (('bins = "as given"', "bins = [3, 2]"), "must be finite and rise"),
        (('kind = "category"', 'kind = "amount"'), "line 2: model is"),
        (('kind = "category"', 'kind = "flag"'), "is a flag, but has 3 values"),
        (("[label]", "[label"), "is not TOML"),
        (('age = "c0"', 'age = "c0"\npairs = [["c1", "c1"]]'), "a pair of 'c1' with itself"),
        (("[label]", "".join(f"[columns.d{place}]\n" for place in range(150)) + "[label]"), "at most 150"),
    ],
)
def test_a_map_that_does_not_fit_is_a_clear_error(folder: Path, change: tuple[str, str], what: str) -> None:
    result = run(folder, str(folder / "train.csv"), mapped=MAP.replace(*change))
    assert result.exit_code == 1
    assert result.output.startswith("milepost-server: ")
    assert what in result.output


@pytest.mark.parametrize("name", ["gender", "age_band", "owner_postcode", "age"])
def test_people_and_places_are_kept_out_unless_they_are_ignored(
    folder: Path, tmp_path: Path, name: str
) -> None:
    header = [name if each == "gender" else each for each in HEADER]
    write(tmp_path / "train.csv", rows_of(outcome_table(2_000, 5, "strong")), header)
    mapped = MAP.replace('"gender"', "")
    result = run(
        tmp_path, str(tmp_path / "train.csv"), mapped=mapped + f"[columns.{name}]\nkind = 'category'\n"
    )
    assert result.exit_code == 1
    assert f"kept out: '{name}'" in result.output
    assert "list it under ignore" in result.output
    ignored = run(tmp_path, str(tmp_path / "train.csv"), mapped=MAP.replace('"gender"', f'"{name}"'))
    assert ignored.exit_code == 0, ignored.output


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([], "has a header, but no rows"),
        ([["1", "yes", "f", "van", *"123456"]], "in every row"),
        ([["1", "no", "f", "van", *"123456"]] * 9, "sold is never 'yes'"),
        ([["1", "", "f", "van", *"123456"]], "line 2: sold is ''"),
        ([["1", "no", "f", "van", *"12345", "many"]], "line 2: c5 is 'many'"),
        ([["1", "yes", "f", "van", *"123456"], ["2", "no", "f", "van", *"123456"]], "same outcome"),
    ],
)
def test_a_file_that_says_nothing_is_a_clear_error(tmp_path: Path, rows: list[list[str]], what: str) -> None:
    write(tmp_path / "train.csv", rows)
    result = run(tmp_path, str(tmp_path / "train.csv"))
    assert result.exit_code == 1
    assert what in result.output


def test_a_test_file_with_other_columns_is_an_error_that_names_them(folder: Path, tmp_path: Path) -> None:
    rows = rows_of(outcome_table(500, 6, "strong"))
    write(tmp_path / "more.csv", [[*row, "1"] for row in rows], [*HEADER, "more"])
    write(tmp_path / "less.csv", [row[:-1] for row in rows], HEADER[:-1])
    for name, what in (("more", "the map says nothing of more"), ("less", "no column 'c5'")):
        result = run(folder, str(folder / "train.csv"), str(tmp_path / f"{name}.csv"))
        assert result.exit_code == 1
        assert what in result.output


def test_copies_are_told_and_neither_spoil_the_probabilities_nor_stand_on_both_sides_of_a_split(
    tmp_path: Path,
) -> None:
    table = outcome_table(6_000, 9, "weak")
    rows = [[each[0], *each[1:3], "van", *each[4:]] for each in rows_of(table)]
    write(tmp_path / "train.csv", rows[:3_000] * 3)
    write(tmp_path / "test.csv", [*rows[3_000:], *rows[:10]])
    arguments = (str(tmp_path / "train.csv"), str(tmp_path / "test.csv"), "--out", str(tmp_path / "out"))
    mapped = MAP.replace("ignore = [", 'ignore = ["model", ').replace(
        '[columns.model]\nkind = "category"\n', ""
    )
    result = run(tmp_path, *arguments, mapped=mapped)
    assert result.exit_code == 0, result.output
    assert "Note: 6,000 training rows are copies of others" in result.output
    assert "Note: 10 test rows are among the training rows" in result.output
    figures = json.loads((tmp_path / "out" / "outcomes.json").read_text())["figures"]
    assert figures["slope"] == pytest.approx(1, abs=0.2)
    again = run(tmp_path, str(tmp_path / "train.csv"), mapped=mapped)
    assert "test rows are among" not in again.output


def test_a_split_keeps_the_share_of_events(folder: Path) -> None:
    mapped = OutcomeMap.model_validate(
        {
            "label": {"column": "sold", "positive": "yes"},
            "ignore": ["id", "gender", "model", *(f"c{place}" for place in range(1, USED))],
            "missing": ["NULL"],
            "columns": {"c0": {"bins": 4, "words": "age of the car"}},
        }
    )
    rows = read_rows(folder / "train.csv", mapped)
    train, test = split(rows, 0.25, 9)
    assert len(train) + len(test) == len(rows)
    assert test.event.mean() == pytest.approx(rows.event.mean(), abs=0.5 / len(test))
    (column,), silent = columns_of(train, mapped)
    assert (column.words, column.known_bins, silent) == ("age of the car", 4, [])
    assert column.bin_words[0].startswith("1 to ")


def test_a_rare_high_value_of_an_amount_counts(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    rows = []
    for amount in np.exp(rng.normal(9, 0.7, 12_000)):
        chance = 0.4 if amount > np.exp(9 + 0.7 * 2.2) else 0.03  # the highest 1.4 %
        rows.append(["yes" if rng.random() < chance else "no", f"{amount:.2f}"])
    write(tmp_path / "train.csv", rows, ["sold", "km"])
    mapped = '[label]\ncolumn = "sold"\npositive = "yes"\n[columns.km]\n'
    result = run(tmp_path, str(tmp_path / "train.csv"), "--out", str(tmp_path / "out"), mapped=mapped)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "outcomes.json").read_text())["figures"]["lift05"] > 3.2


def test_the_map_in_the_documentation_is_a_map(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "evaluate.md").read_text(encoding="utf-8")
    (tmp_path / "map.toml").write_text(page.partition("```toml\n")[2].partition("```")[0], encoding="utf-8")
    mapped = load_map(tmp_path / "map.toml")
    assert set(mapped.columns) == {"age_of_vehicle_years", "total_services", "annual_km", "car_segment"}
    assert mapped.label.column == "repurchased"
