"""``evaluate truth``: a simulated fleet, derived as of several days, against its hidden truth."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from milepost_server.evaluation.errors import EvaluationError
from milepost_server.evaluation.options import evaluation, say
from milepost_server.evaluation.truth.files import Facts, read_facts
from milepost_server.evaluation.truth.found import find
from milepost_server.evaluation.truth.report import make_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.evaluation.report import Report
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
    chosen = as_of_days(facts, days)
    report = make_report(find(folder, facts, chosen, say), facts, seed)
    report.facts = {"fleet": str(folder), **report.facts, "as of": ", ".join(_date(day) for day in chosen)}
    return report


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


def _date(day: int | np.integer) -> str:
    return dt.date.fromordinal(int(day) + _EPOCH).isoformat()
