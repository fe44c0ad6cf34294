"""``evaluate truth``: a simulated fleet, derived as of several days, against its hidden truth."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from milepost_server.derivation.configuration import Configuration
from milepost_server.evaluation.errors import EvaluationError
from milepost_server.evaluation.fleet import cleaning, due, readiness
from milepost_server.evaluation.fleet.asked import asked
from milepost_server.evaluation.fleet.derive import Deriver
from milepost_server.evaluation.fleet.files import Facts, read_facts, read_parts
from milepost_server.evaluation.fleet.ranking import Candidates, candidates, joined
from milepost_server.evaluation.options import evaluation, say
from milepost_server.evaluation.plots import Chart, Series, draw
from milepost_server.evaluation.report import Report
from milepost_server.evaluation.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.evaluation.bootstrap import Interval
    from milepost_server.signals.flat import Ints

DAYS_MAX = 12
AS_OF_EVERY_D, AS_OFS = 182, 4
HISTORY_D_MIN = 182
"""An as-of day needs at least so much history before it."""
_EPOCH = dt.date(1970, 1, 1).toordinal()

EPILOG = """
Example: milepost-server evaluate truth build/columns --out build/truth

\b
A fleet to evaluate is made by the simulator:
  milepost-sim fleet --columns --owners 8000 --months 36 --seed 7 --as-of 2026-03-03 --out build/columns
"""


@click.command("truth", epilog=EPILOG)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--as-of",
    "days",
    type=click.DateTime(["%Y-%m-%d"]),
    multiple=True,
    help="A day to derive as of, again for more (default: the fleet's own, and three at half-years before).",
)
@evaluation
def command(folder: Path, days: Sequence[dt.datetime], seed: int) -> Report:
    """Hold the signals against the truth of FOLDER, a fleet that `milepost-sim fleet --columns` has made."""
    facts = read_facts(folder)
    return evaluate_fleet(folder, facts, as_of_days(facts, days), seed)


def as_of_days(facts: Facts, wanted: Sequence[dt.datetime]) -> Ints:
    """The days to derive as of, rising.

    Raises:
        EvaluationError: a day lies outside of what the fleet has, or there are too many.
    """
    first, last = facts.first_day + HISTORY_D_MIN, facts.as_of_day
    if last < first:
        raise EvaluationError(
            f"the fleet's history has {last - facts.first_day} days; {HISTORY_D_MIN} are needed"
        )
    if not wanted:
        days = last - AS_OF_EVERY_D * np.arange(AS_OFS)
        return np.sort(days[days >= first])
    days = np.unique([day.toordinal() - _EPOCH for day in wanted]).astype(np.int64)
    if len(days) > DAYS_MAX:
        raise EvaluationError(f"{len(days)} as-of days are wanted; at most {DAYS_MAX}")
    for day in days:
        if not first <= day <= last:
            raise EvaluationError(
                f"{_date(day)} is no day of this fleet: it has {_date(first)} to {_date(last)}"
            )
    return days


def evaluate_fleet(folder: Path, facts: Facts, days: Ints, seed: int) -> Report:
    """Derive all parts as of all days, and report."""
    derivers = [Deriver(float(day), Configuration()) for day in days]
    items, readings, owned = [], [], []
    for number, part in enumerate(read_parts(folder, facts)):
        for place, day in enumerate(days):
            derived = derivers[place].derive(part)
            items.append(due.compare(part, derived, place))
            owned.append(candidates(part, asked(part, derived), float(day), place))
            if day == days[-1]:
                readings.append(cleaning.compare(part, derived))
        say(f"{number + 1} of {facts.parts} parts")
    report = Report("truth", "Signals against the truth of a simulated fleet", seed)
    report.facts = {
        "fleet": str(folder),
        "owners": facts.owners,
        "fleet's seed": facts.seed,
        "as of": ", ".join(_date(day) for day in days),
    }
    _report_due(report, due.joined(items), facts)
    _report_cleaning(report, cleaning.joined(readings), facts)
    _report_readiness(report, joined(owned), days)
    return report


def _report_due(report: Report, rows: due.DueRows, facts: Facts) -> None:
    names, seed = facts.words["items"], report.seed
    by_horizon, coverages = due.by_horizon(rows, seed)
    report.tables += [
        due.by_item(rows, names, seed),
        by_horizon,
        due.by_record(rows, seed),
        due.states(rows),
        due.wear(rows, names, seed),
    ]
    lists = due.listed(rows, seed)
    report.tables.append(_intervals("What is called due within 30 days", lists))
    _add_figures(report, lists)
    for (low, high), coverage in zip(due.HORIZONS_D, coverages, strict=True):
        report.figures |= coverage.as_figures(f"due_coverage80_{low:.0f}_{high:.0f}d")
    report.pictures["coverage"] = _coverage_picture(coverages, len(rows))


def _coverage_picture(coverages: Sequence[Interval], items: int) -> str:
    middles = np.array([(low + high) / 2 for low, high in due.HORIZONS_D])
    values, lows, highs = (
        100 * np.array([getattr(each, name) for each in coverages]) for name in ("value", "low", "high")
    )
    worst = coverages[int(np.argmax(np.abs(values - 80)))]
    return draw(
        Chart(
            title=f"80 % intervals cover {100 * worst.value:.0f} % where they are furthest off",
            subtitle=f"Simulated fleet, {items:,} items, bars: 95 % interval over owners",
            x_label="days ahead that the date was said to be",
            y_label="share of true dates within P10 and P90, %",
            series=[Series("measured", middles, values, lows, highs)],
            reference=((0.0, 80.0), (due.HORIZON_D_MAX, 80.0)),
        )
    )


def _report_cleaning(report: Report, rows: cleaning.ReadingRows, facts: Facts) -> None:
    scores = cleaning.scores(rows, report.seed)
    report.tables += [
        cleaning.by_flaw(rows, facts.words["flaws"]),
        _intervals(f"Cleaning; large: off by {cleaning.SMALL_M / 1e6:,.0f},000 km or more", scores),
    ]
    _add_figures(report, scores)


def _report_readiness(report: Report, rows: Candidates, days: Ints) -> None:
    for trial in readiness.trials(rows, [float(day) for day in days], report.seed):
        found = readiness.gains(trial)
        report.tables += [trial.judged.table(trial.days), readiness.all_gains(trial)]
        report.notes += readiness.verdicts(trial, found)
        report.figures[f"readiness_learned_from_{trial.days:.0f}d"] = trial.learned_from
        report.pictures[f"gain-{trial.days:.0f}d"] = readiness.gain_picture(trial)
        _add_figures(report, found)


def _intervals(title: str, figures: dict[str, Interval]) -> Table:
    return Table(title, ("figure", "value (95 %)"), list(figures.items()))


def _add_figures(report: Report, figures: dict[str, Interval]) -> None:
    for name, found in figures.items():
        report.figures |= found.as_figures(name)


def _date(day: float | np.integer) -> str:
    return dt.date.fromordinal(int(day) + _EPOCH).isoformat()
