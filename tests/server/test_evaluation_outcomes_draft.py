"""``evaluate outcomes-map``: what it takes each column for, and that its map works as it is."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from milepost_server.cli import main
from milepost_server.evaluation.outcomes.map import OutcomeMap, load_map
from milepost_server.evaluation.outcomes.rows import read_rows

ROWS = 400


def table() -> dict[str, list[str]]:
    rng = np.random.default_rng(5)
    place = np.arange(ROWS)
    return {
        "": [str(number) for number in place],
        "Kunde": [f"K-{number}" for number in rng.permutation(ROWS)],
        "gender": ["f", "m"] * (ROWS // 2),
        "same": ["7"] * ROWS,
        "nothing": [""] * ROWS,
        "first seen": [f"2024-01-{1 + number % 28:02}" for number in place],
        'of "age", car': [f"{number % 12}" for number in place],
        "Preis, netto": [f"{9000 + 13 * number / 2:.2f}" for number in place],
        "decile": ["" if number % 10 == 0 else str(number % 10) for number in place],
        "fuel_type": [str(number % 4) for number in place],
        "many": [f"D{number % 90}" for number in place],
        "Leasing": ["Y" if number % 3 else "N" for number in place],
        "few": ["?" if number % 7 == 0 else str(number / 4) for number in place],
        "Target": ["Yes" if number % 40 == 0 else "No" for number in place],
    }


def write(path: Path, columns: dict[str, list[str]], **options: Any) -> Path:
    with path.open("w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        writer = csv.writer(file, **options)
        writer.writerows([list(columns), *zip(*columns.values(), strict=True)])
    return path


def draft(*arguments: str | Path) -> Any:
    return CliRunner().invoke(main, ["evaluate", "outcomes-map", *map(str, arguments)])


def drafted(path: Path) -> OutcomeMap:
    result = draft(path)
    assert result.exit_code == 0, result.output
    return OutcomeMap.model_validate(tomllib.loads(result.output))


def test_each_column_is_taken_for_what_it_is(tmp_path: Path) -> None:
    found = drafted(write(tmp_path / "train.csv", table()))
    assert found.ignore == ["", "Kunde", "gender", "same", "nothing", "first seen"]
    assert (found.label.column, found.label.positive) == ("Target", "Yes")
    assert found.missing == ["?"]
    assert found.age == 'of "age", car'
    kinds = {name: (column.kind, column.bins) for name, column in found.columns.items()}
    assert kinds == {
        'of "age", car': ("amount", "as given"),
        "Preis, netto": ("amount", 20),
        "decile": ("amount", "as given"),
        "fuel_type": ("category", 20),
        "many": ("category", 20),
        "Leasing": ("flag", 20),
        "few": ("amount", 20),
    }


def test_every_guess_says_why(tmp_path: Path) -> None:
    said = draft(write(tmp_path / "train.csv", table())).output
    for words in (
        '"Kunde",  # another value in nearly every row',
        "\"gender\",  # 'gender' speaks of a person",
        '"same",  # one value only',
        '"nothing",  # it is empty',
        '"first seen",  # dates',
        "[columns.decile]  # 9 values from 1 to 9; 10.0% missing",
        "[columns.many]  # 90 different words or codes; the 32 most frequent are told apart",
        'positive = "Yes"  # 2.50% of the rows; the values are No, Yes',
    ):
        assert words in said


def test_the_draft_works_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "train.csv", table())
    out = tmp_path / "map.toml"
    assert draft(path, "--out", out).exit_code == 0
    result = CliRunner().invoke(
        main, ["evaluate", "outcomes", str(path), "--map", str(out), "--draws", "10", "--pairs", "0"]
    )
    assert result.exit_code == 0, result.output
    assert "difference between a score and the sum of its reasons: 0" in result.output


@pytest.mark.parametrize(
    ("cells", "written", "values"),
    [
        (["0,500", "1.234,25", "12"], "1.234,5", [0.5, 1234.25, 12.0]),
        (["1.5", "1,234.25", "1'234"], "1,234.5", [1.5, 1234.25, 1234.0]),
        (["1.5", "1234.25", "12"], "1234.5", [1.5, 1234.25, 12.0]),
    ],
)
def test_numbers_are_read_as_the_file_writes_them(
    tmp_path: Path, cells: list[str], written: str, values: list[float]
) -> None:
    columns = {"amount": cells * 20, "sold": ["1", "0", "0"] * 20}
    path = write(tmp_path / "train.csv", columns, delimiter=";", quoting=csv.QUOTE_ALL, encoding="utf-8-sig")
    out = tmp_path / "map.toml"
    assert draft(path, "--out", out).exit_code == 0
    mapped = load_map(out)
    assert mapped.numbers == written
    assert read_rows(path, mapped).amounts["amount"][:3].tolist() == values


def test_a_decimal_comma_is_never_taken_for_thousands(tmp_path: Path) -> None:
    columns = {"amount": ["1,234", "12,5", "2"] * 20, "sold": ["1", "0", "0"] * 20}
    path = write(tmp_path / "train.csv", columns)
    mapped = drafted(path)
    assert mapped.numbers == "1.234,5"
    assert read_rows(path, mapped).amounts["amount"][:2].tolist() == [1.234, 12.5]


def test_the_outcome_can_be_named_and_has_to_be_where_it_could_be_any(tmp_path: Path) -> None:
    columns = table()
    columns["Gekauft"] = columns.pop("Target")
    path = write(tmp_path / "train.csv", columns)
    result = draft(path)
    assert result.exit_code == 1
    assert "Name it with --label; columns with two values: gender, Leasing, Gekauft" in result.output
    assert 'column = "Gekauft"\npositive = "Yes"' in draft(path, "--label", "Gekauft").output
    assert "has no column 'Sold'" in draft(path, "--label", "Sold").output


def test_a_column_that_is_called_an_outcome_but_is_none_is_told(tmp_path: Path) -> None:
    columns = table()
    columns["gender"], columns["Leasing"] = columns["same"], columns["same"]
    columns["Target"] = ["", *["0"] * (ROWS - 1)]
    result = draft(write(tmp_path / "train.csv", columns))
    assert result.exit_code == 1
    assert "; Target has the values 0; cells that are empty: 1" in result.output


def test_a_map_that_is_there_already_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "train.csv", table())
    out = tmp_path / "map.toml"
    out.write_text("mine")
    result = draft(path, "--out", out)
    assert result.exit_code == 1
    assert "is there already" in result.output
    assert out.read_text() == "mine"


def test_a_header_alone_and_two_columns_of_one_name_are_clear_errors(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("a,b\n")
    assert "has a header, but no rows" in draft(empty).output
    twice = tmp_path / "twice.csv"
    twice.write_text("a,b,a\n1,2,3\n")
    assert "has more than one column 'a'" in draft(twice).output


def test_codes_are_the_same_where_missing_ones_made_them_decimal(tmp_path: Path) -> None:
    columns = {"fuel_type": ["1", "2", "3"] * 20, "sold": ["1", "0", "0"] * 20}
    train = write(tmp_path / "train.csv", columns)
    test = write(tmp_path / "test.csv", {**columns, "fuel_type": ["1.0", "2.0", ""] * 20})
    mapped = drafted(train)
    assert read_rows(test, mapped).cells["fuel_type"][:3] == ["1", "2", ""]
    assert read_rows(train, mapped).cells["fuel_type"][:3] == ["1", "2", "3"]
