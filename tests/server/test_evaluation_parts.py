"""The shared parts of evaluations: files as columns, tables, reports, bootstrap intervals, pictures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from milepost_server.evaluation.columns import groups_of, read_columns
from milepost_server.evaluation.errors import ColumnError, EvaluationError, ValueInRowError
from milepost_server.evaluation.plots import Chart, Comparison, Series, draw, draw_comparison
from milepost_server.evaluation.report import Report
from milepost_server.evaluation.table import Table
from milepost_server.signals import bootstrap
from milepost_server.signals.bootstrap import Interval

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.csv"
    path.write_text('car,on,km\nA, 2024-02-29 ,10.5\n"B, old",2024-03-01T10:00,\n', encoding="utf-8")
    return path


def test_columns_come_as_words_numbers_and_days(file: Path) -> None:
    columns = read_columns(file, ["car", "on", "km"])
    assert columns.words("car") == ["A", "B, old"]
    assert columns.days("on").tolist() == pytest.approx([19_782.0, 19_783 + 10 / 24])
    np.testing.assert_array_equal(columns.floats("km", missing=True), [10.5, np.nan])
    assert columns.line == [2, 3]


def test_times_with_a_zone_are_told_in_utc(tmp_path: Path) -> None:
    path = tmp_path / "zones.csv"
    path.write_text("on\n2024-03-01T23:00-05:00\n2024-03-02T04:00Z\n2024-03-02 04:00\n")
    assert read_columns(path).days("on").tolist() == pytest.approx([19_784 + 4 / 24] * 3)


def test_a_mark_in_a_quoted_name_does_not_part_columns(tmp_path: Path) -> None:
    path = tmp_path / "quoted.csv"
    path.write_text('"price, net, all";"km, all"\n"1,5";2\n')
    assert read_columns(path).cells == {"price, net, all": ["1,5"], "km, all": ["2"]}


def test_what_cannot_be_read_is_named_by_line_and_column(file: Path) -> None:
    with pytest.raises(ValueInRowError, match=r"some.csv, line 3: km is '', which is not a number"):
        read_columns(file).floats("km")
    with pytest.raises(ColumnError, match="no column 'miles'; it has: car, on, km"):
        read_columns(file, ["miles"])
    with pytest.raises(ValueInRowError, match=r"line 2: km is '10.5', which is not a year"):
        read_columns(file).month_days("km", "km")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no header line"),
        (b"a,b\n1\n", "line 2: 1 cells where the header has 2"),
        (b"a,b\n\xff\xfe,1\n", "not a CSV file in UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=why):
        read_columns(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_byte_order_marks_do_not_matter(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "semi.csv"
    path.write_text("\ufeffcar;year;month\nA;1984;3\n".replace(";", delimiter), encoding="utf-8")
    assert read_columns(path, ["car"]).cells == {"car": ["A"]}
    assert read_columns(path).month_days("year", "month").tolist() == [5_173.0]


def test_infinity_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "inf.csv"
    path.write_text("km\ninf\n")
    with pytest.raises(ValueInRowError, match="'inf'"):
        read_columns(path).floats("km")


def test_groups_are_in_order() -> None:
    names, place = groups_of(["b", "a", "b"])
    assert (names, place.tolist()) == (["a", "b"], [1, 0, 1])


def test_single_rows_give_the_interval_of_scipy() -> None:
    values = np.random.default_rng(3).gamma(2.0, size=200)
    ours = bootstrap.mean(values, np.arange(200), seed=1, draws=4_000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=4_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.1 * width)


def test_clusters_that_resemble_themselves_widen_the_interval() -> None:
    level = np.random.default_rng(5).normal(size=30)
    values, cluster = np.repeat(level, 20), np.repeat(np.arange(30), 20)
    clustered = bootstrap.mean(values, cluster, seed=1)
    alone = bootstrap.mean(values, np.arange(600), seed=1)
    assert clustered.high - clustered.low > 3 * (alone.high - alone.low)
    assert clustered.high - clustered.low == pytest.approx(2 * 1.96 * level.std() / np.sqrt(30), rel=0.15)


@given(seed=st.integers(0, 2**32 - 1))
def test_the_same_seed_gives_the_same_interval(seed: int) -> None:
    rows = np.arange(20.0)
    first, again = (
        bootstrap.ratio_of_sums(rows, rows + 1, np.arange(20), seed=seed, draws=50) for _ in range(2)
    )
    assert first == again
    assert first.low <= first.high <= 1


def test_nothing_to_draw_from_is_said_and_no_error() -> None:
    none = bootstrap.mean(np.zeros(0), np.zeros(0, dtype=np.int64), seed=1)
    assert np.isnan([none.value, none.low, none.high]).all()
    zero = bootstrap.ratio_of_sums(np.ones(3), np.zeros(3), np.arange(3), seed=1)
    assert np.isnan(zero.value)


def test_tables_are_aligned_and_say_nothing_where_there_is_nothing() -> None:
    table = Table(
        "Errors", ["method", "n", "days"], [["ours", 1_200, Interval(1.5, 1.25, np.nan)], ["x", 7, 20.0]], 2
    )
    assert table.text().splitlines() == [
        "Errors",
        "method      n              days",
        "------  -----  ----------------",
        "ours    1,200  1.50 (1.25 to -)",
        "x           7             20.00",
    ]


def test_a_report_is_written_as_json_without_nan_text_and_pictures(tmp_path: Path) -> None:
    report = Report("odometer", "How well", seed=7, facts={"rows": 3}, notes=["little data"])
    report.figures = {"mae_d": np.float64(1.5), "by_horizon": np.array([1.0, np.nan]), "n": np.int64(3)}
    report.pictures["coverage"] = "<svg/>"
    paths = report.write(tmp_path / "out")
    assert [path.name for path in paths] == ["odometer.json", "odometer.txt", "odometer-coverage.svg"]
    written = json.loads(paths[0].read_text())
    assert written["figures"] == {"mae_d": 1.5, "by_horizon": [1.0, None], "n": 3}
    assert "seed: 7" in paths[1].read_text()
    assert "Note: little data" in paths[1].read_text()


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter() if element.text]


def test_a_chart_has_its_title_its_axes_and_leaves_out_what_is_not_finite() -> None:
    y = np.array([0.8, np.nan, 0.9])
    series = Series("measured <80 %>", np.array([1.0, 2, 3]), y, y - 0.1, y + 0.1)
    picture = draw(
        Chart(
            "Coverage holds", "89 buses", "horizon, days", "share", [series], reference=((1, 0.8), (3, 0.8))
        )
    )
    for words in ("Coverage holds", "89 buses", "horizon, days", "share", "measured <80 %>"):
        assert words in texts(picture)
    assert "nan" not in picture
    assert picture.count("<circle") == 2


def test_an_empty_chart_and_an_empty_comparison_can_be_drawn() -> None:
    for picture in (
        draw(Chart("Nothing", "no rows", "x", "y", [])),
        draw_comparison(Comparison("Nothing", "no rows", "x", [])),
    ):
        assert "Nothing" in texts(picture)


def test_a_comparison_has_a_row_for_each_method() -> None:
    rows = [("ours", 0.9, 0.85, 0.95), ("none", np.nan, np.nan, np.nan)]
    picture = draw_comparison(
        Comparison("Ours is better", "89 buses", "over the baseline", rows, reference=1)
    )
    assert {"ours", "none"} <= set(texts(picture))
    assert picture.count("<circle") == 1
    assert "nan" not in picture


def test_too_many_series_are_refused() -> None:
    one = Series("one", np.zeros(1), np.zeros(1))
    with pytest.raises(ValueError, match="7 series"):
        draw(Chart("Many", "", "x", "y", [one] * 7))
