"""``evaluate outcomes``: learns a scorecard from a table of outcomes and judges it on rows not seen before.

Any CSV file with a column map. The rows need no dates: then the result is about ranking and about
probabilities of such a table, not about so many days ahead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import numpy as np

from milepost_server.evaluation.errors import EvaluationError
from milepost_server.evaluation.options import csv_file, evaluation, say
from milepost_server.evaluation.outcomes.figures import DRAWS_MAX, measure
from milepost_server.evaluation.outcomes.map import OutcomeMap, load_map
from milepost_server.evaluation.outcomes.methods import Judged, judge
from milepost_server.evaluation.outcomes.report import (
    figures_document,
    group_table,
    method_tables,
    pictures,
    reason_table,
    reliability_of,
    reliability_table,
    sum_error,
)
from milepost_server.evaluation.outcomes.rows import Rows, columns_of, group_of, read_rows, split
from milepost_server.evaluation.report import Report
from milepost_server.signals.readiness.pairs import PAIRS_MAX
from milepost_server.signals.readiness.tuning import TuningRules

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_server.signals.readiness.card import Card
    from milepost_server.signals.readiness.columns import Column
    from milepost_server.signals.readiness.fit import Terms

DEFAULT_DRAWS = 300
DEFAULT_PAIRS = PAIRS_MAX

_MAP_HELP = "Column map (TOML); evaluate outcomes-map drafts one."


@click.command(
    epilog="Example: milepost-server evaluate outcomes-map train.csv --out map.toml; then milepost-server"
    " evaluate outcomes train.csv test.csv --map map.toml --out report. docs/evaluate.md describes the map."
)
@click.argument("train", type=csv_file)
@click.argument("test", type=csv_file, required=False)
@click.option("--map", "map_file", type=csv_file, required=True, help=_MAP_HELP)
@click.option(
    "--split",
    "test_share",
    type=click.FloatRange(0.05, 0.95),
    default=0.3,
    show_default=True,
    help="Share of TRAIN to test on, where there is no TEST.",
)
@click.option(
    "--pairs",
    type=click.IntRange(0, PAIRS_MAX),
    default=DEFAULT_PAIRS,
    show_default=True,
    help="Pairs of columns that may be found, at most.",
)
@click.option(
    "--draws",
    type=click.IntRange(10, DRAWS_MAX),
    default=DEFAULT_DRAWS,
    show_default=True,
    help="Bootstrap draws behind the intervals.",
)
@evaluation
def command(
    *, train: Path, test: Path | None, map_file: Path, test_share: float, pairs: int, draws: int, seed: int
) -> Report:
    """Learn a scorecard from the outcomes in TRAIN and judge it on TEST, or on a part of TRAIN held back."""
    mapped = load_map(map_file)
    rows = read_rows(train, mapped)
    seen, unseen = (rows, read_rows(test, mapped)) if test else split(rows, test_share, seed)
    if not 0 < unseen.event.sum() < len(unseen):
        raise EvaluationError(
            "the test rows all have the same outcome, so nothing can be judged: test on more"
        )
    facts: dict[str, str | int] = {
        "training rows": f"{len(seen):,} of {train.name}, {int(seen.event.sum()):,} with the event",
        "test rows": f"{len(unseen):,} of {(test or train).name}, {int(unseen.event.sum()):,} with the event",
        "bootstrap draws": draws,
    }
    return evaluate(seen, unseen, mapped, pairs=pairs, draws=draws, seed=seed, facts=facts)


def evaluate(
    train: Rows,
    test: Rows,
    mapped: OutcomeMap,
    *,
    pairs: int,
    draws: int,
    seed: int,
    facts: dict[str, str | int],
) -> Report:
    """Learn on ``train``, judge on ``test``, and put everything into a report.

    Raises:
        EvaluationError: no column says anything.
        FitError: too few events to learn from.
    """
    columns, silent = columns_of(train, mapped)
    declared = _declared(mapped, columns)
    age = mapped.age if mapped.age in {column.name for column in columns} else None
    judged = judge(
        train,
        test,
        columns,
        rules=TuningRules(pairs=pairs, seed=seed),
        declared=declared,
        age=age,
        say=say,
    )
    say(f"drawing the test rows {draws:,} times for the intervals")
    figures = measure(judged.methods, test.event, seed=seed, draws=draws)
    table = reliability_of(judged.methods[0], test.event)
    report = Report("outcomes", "Scorecard against outcomes", seed, facts=dict(facts))
    report.facts["largest difference between a score and the sum of its reasons"] = sum_error(
        judged.card, judged.bins, judged.points
    )
    report.tables += [*method_tables(figures), reliability_table(table), reason_table(judged.card)]
    if mapped.group:
        report.tables.append(group_table(*group_of(test, mapped), judged.methods[0], test.event))
    report.figures |= figures_document(judged, figures, test.event)
    report.pictures |= pictures(judged, figures, test.event, table)
    report.notes += [
        *_about_leaks(judged),
        *(f"{name} has one value only and is left out" for name in silent),
        *_about_levels(train, columns),
        *_about_columns(judged.card),
        *_about_copies(train, test),
        *_about_pairs(judged.card, declared, pairs),
        "the rows carry no dates, so this says how well they are told apart, not how many days ahead",
    ]
    return report


def _about_leaks(judged: Judged) -> list[str]:
    """Which columns probably know the outcome."""
    so = (
        "it probably knows the outcome (a leak); a value that is only known afterwards has to go under ignore"
    )
    return [
        *(
            f"{name} alone ranks the test rows with an AUC of {judged.single_auc[name]:.3f}: {so}"
            for name in judged.leaks
        ),
        *(
            f"{name} has values where nearly every row has the event, {share:.0%} of all events: {so}"
            for name, share in judged.certain.items()
            if name not in judged.leaks
        ),
    ]


def _about_levels(train: Rows, columns: tuple[Column, ...]) -> list[str]:
    """Which categories have more values than can be told apart."""
    notes = []
    for column in columns:
        if not column.levels:
            continue
        cells = [cell for cell in train.cells[column.name] if cell]
        if (values := len(set(cells))) > len(column.levels):
            others = 1 - sum(cell in column.levels for cell in cells) / len(cells)
            notes.append(
                f"{column.name} has {values:,} values; the {len(column.levels)} most frequent are told apart,"
                f" the others, {others:.0%} of its rows, count as not known"
            )
    return notes


def _about_copies(train: Rows, test: Rows) -> list[str]:
    """What has to be said of rows that are the same in every column but the label."""
    same = "the same in every column but the label"
    notes = []
    if copies := len(train) - len(np.unique(train.key)):
        notes.append(f"{copies:,} training rows are copies of others, {same}: copies are held out together")
    if shared := int(np.isin(test.key, train.key).sum()):
        notes.append(
            f"{shared:,} test rows are among the training rows, {same}: if they are the same owners, all"
            " figures are too good"
        )
    return notes


def _about_columns(card: Card) -> list[str]:
    """Which columns stand in no table."""
    used = {place for table in card.tables for place in table.columns}
    unused = [column.name for place, column in enumerate(card.columns) if place not in used]
    if not unused:
        return []
    return [f"no points for {', '.join(unused)}: rows held out are foretold better without"]


def _about_pairs(card: Card, declared: Terms, most: int) -> list[str]:
    """That there may be more pairs to find than were allowed."""
    found = sum(len(table.columns) == 2 for table in card.tables) - len(declared)
    if found < most or most in (0, PAIRS_MAX):
        return []
    return [f"all {most} pairs that --pairs allows were worth a table; up to {PAIRS_MAX} may tell more apart"]


def _declared(mapped: OutcomeMap, columns: tuple[Column, ...]) -> Terms:
    """The declared pairs as places of columns; a pair with a column that says nothing is dropped."""
    place = {column.name: number for number, column in enumerate(columns)}
    found = {
        (min(place[a], place[b]), max(place[a], place[b]))
        for a, b in mapped.pairs
        if a in place and b in place
    }
    return tuple(sorted(found))
