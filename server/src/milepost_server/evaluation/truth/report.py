"""What was found of a fleet as tables, figures, pictures, and what has to be said beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.plots import Chart, Series, draw
from milepost_server.evaluation.report import Report
from milepost_server.evaluation.table import Table
from milepost_server.evaluation.truth import cleaning, due, lists, pace, readiness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.evaluation.truth.files import Facts
    from milepost_server.evaluation.truth.found import Found
    from milepost_server.signals.bootstrap import Interval


def make_report(found: Found, facts: Facts, seed: int) -> Report:
    """The whole report; all that is drawn follows from ``seed``."""
    report = Report("truth", "Signals against the truth of a simulated fleet", seed)
    report.facts = {"owners": facts.owners, "fleet's seed": facts.seed}
    _add_due(report, found.items, facts)
    _add_pace(report, found)
    _add_cleaning(report, found.readings, facts)
    _add_readiness(report, found)
    return report


def _add_due(report: Report, rows: due.DueRows, facts: Facts) -> None:
    names, seed = facts.words["items"], report.seed
    by_horizon, coverages = due.by_horizon(rows, seed)
    driven_by_horizon, driven_coverages = due.known_by_horizon(rows, seed, capped=False)
    capped_by_horizon, capped_coverages = due.known_by_horizon(rows, seed, capped=True)
    report.tables += [
        due.by_item(rows, names, seed),
        by_horizon,
        driven_by_horizon,
        due.driven_by_limit(rows, names, seed),
        capped_by_horizon,
        due.by_record(rows, seed),
        due.states(rows),
        due.wear(rows, names, seed),
    ]
    for table, figures in (lists.listed(rows, seed), lists.best_vehicles(rows, seed)):
        report.tables.append(table)
        _add_figures(report, figures)
    for name, each in (
        ("due_coverage80", coverages),
        ("due_driven_coverage80", driven_coverages),
        ("due_capped_coverage90", capped_coverages),
    ):
        horizons = zip(due.HORIZONS_D, each, strict=True)
        _add_figures(report, {f"{name}_{low:.0f}_{high:.0f}d": found for (low, high), found in horizons})
    report.pictures["coverage"] = _coverage_picture(driven_coverages)


def _coverage_picture(coverages: Sequence[Interval]) -> str:
    middles = np.array([(low + high) / 2 for low, high in due.HORIZONS_D])
    values, lows, highs = (
        100 * np.array([getattr(each, name) for each in coverages]) for name in ("value", "low", "high")
    )
    off = np.nan_to_num(np.abs(values - 80), nan=-1.0)
    return draw(
        Chart(
            title=f"80 % intervals cover {values[int(np.argmax(off))]:.0f} % where they are furthest off",
            subtitle="Simulated fleet, dates that driving alone limits, bars: 95 % interval over owners",
            x_label="days ahead that the date was said to be",
            y_label="share of true dates within P10 and P90, %",
            series=[Series("measured", middles, values, lows, highs)],
            reference=((0.0, 80.0), (due.HORIZON_D_MAX, 80.0)),
        )
    )


def _add_pace(report: Report, found: Found) -> None:
    table, figures = pace.ahead_table(found.ahead, report.seed)
    report.tables += [table, pace.change_table(found.changes)]
    _add_figures(report, figures)


def _add_cleaning(report: Report, rows: cleaning.ReadingRows, facts: Facts) -> None:
    scores = cleaning.scores(rows, report.seed)
    report.tables += [
        cleaning.by_flaw(rows, facts.words["flaws"]),
        _intervals(f"Cleaning; large: off by {cleaning.LARGE_M / 1_000:,.0f} km or more", scores),
    ]
    _add_figures(report, scores)


def _add_readiness(report: Report, found: Found) -> None:
    for trial in readiness.trials(found.owned, [float(day) for day in found.days], report.seed):
        gains = readiness.gains(trial)
        report.tables += [trial.judged.table(trial.days), readiness.all_gains(trial)]
        report.notes += readiness.verdicts(trial, gains)
        report.figures[f"readiness_learned_from_{trial.days:.0f}d"] = trial.learned_from
        report.pictures[f"gain-{trial.days:.0f}d"] = readiness.gain_picture(trial)
        _add_figures(report, gains)


def _intervals(title: str, figures: dict[str, Interval]) -> Table:
    return Table(title, ("figure", "value (95 %)"), list(figures.items()))


def _add_figures(report: Report, figures: dict[str, Interval]) -> None:
    for name, found in figures.items():
        report.figures |= found.as_figures(name)
