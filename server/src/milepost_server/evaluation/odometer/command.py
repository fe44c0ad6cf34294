"""``milepost-server evaluate odometer``: days to the next so many miles, on any file of odometer readings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from milepost_server.evaluation.columns import PLAIN, NumberFormat
from milepost_server.evaluation.odometer import report as odometer_report
from milepost_server.evaluation.odometer.events import read_lives, score
from milepost_server.evaluation.odometer.file import METRES, ColumnMap, read_fleet
from milepost_server.evaluation.odometer.folds import Protocol, Run
from milepost_server.evaluation.options import csv_file, evaluation, say

if TYPE_CHECKING:
    from milepost_server.evaluation.report import Report

DEFAULT_DISTANCES = (3_000.0, 6_000.0)
FOLDS_MAX = 50
_EXAMPLE = (
    "Example: milepost-server evaluate odometer odometers.csv --vehicle bus --year year --month month "
    "--odometer odometer_mi --group group --unit mi --distance 3000 --out build/evaluation"
)


@click.command("odometer", epilog=_EXAMPLE)
@click.argument("file", type=csv_file)
@click.option("--vehicle", default="vehicle", show_default=True, help="Column that names the vehicle.")
@click.option("--odometer", default="odometer", show_default=True, help="Column of the reading.")
@click.option("--date", default=None, help="Column of the date; by default 'date', without --year.")
@click.option(
    "--date-format",
    default=None,
    help="Where dates are not YYYY-MM-DD, such as %d.%m.%Y or %m/%d/%y (as in strptime).",
)
@click.option("--year", default=None, help="Column of the year, with --month instead of a date.")
@click.option("--month", default=None, help="Column of the month, 1 to 12.")
@click.option(
    "--numbers",
    type=click.Choice(get_args(NumberFormat)),
    default=PLAIN,
    show_default=True,
    help="How FILE writes numbers, by an example.",
)
@click.option("--group", default=None, help="Column of the group, such as the model.")
@click.option(
    "--unit", type=click.Choice(sorted(METRES)), default="km", show_default=True, help="That of the readings."
)
@click.option(
    "--distance",
    "distances",
    type=float,
    multiple=True,
    help="A distance to foretell the days to, again for more; by default 3000 and 6000.",
)
@click.option(
    "--distance-unit",
    type=click.Choice(sorted(METRES)),
    default=None,
    help="That of --distance; by default that of the readings.",
)
@click.option("--events", type=csv_file, default=None, help="CSV file of events, such as replacements.")
@click.option(
    "--folds",
    type=click.IntRange(2, FOLDS_MAX),
    default=5,
    show_default=True,
    help="Parts of the vehicles, each foretold by a model that the others taught.",
)
@click.option(
    "--horizon-days",
    type=float,
    default=730.0,
    show_default=True,
    help="Distances that take longer are left out.",
)
@evaluation
def command(
    *,
    file: Path,
    vehicle: str,
    odometer: str,
    date: str | None,
    date_format: str | None,
    year: str | None,
    month: str | None,
    numbers: NumberFormat,
    group: str | None,
    unit: str,
    distances: tuple[float, ...],
    distance_unit: str | None,
    events: Path | None,
    folds: int,
    horizon_days: float,
    seed: int,
) -> Report:
    """Foretell the days to the next miles of vehicles that the model has not seen, beside baselines.

    FILE is a CSV file with a header line: a row for each odometer reading. Readings are cleaned as the server
    does; origins are rolling, every four months from three months of history on; folds are by vehicle.

    With --events, a file with the same columns for vehicle, group and date: how well the time to such an
    event is foretold, against the fleet's Kaplan-Meier curve. The part is taken to be as old as the vehicle.
    """
    if any(distance <= 0 for distance in distances):
        raise click.BadParameter("a distance is more than 0", param_hint="--distance")
    date = date or (None if year or month else "date")
    columns = ColumnMap(vehicle, odometer, date, year, month, group, date_format, numbers)
    fleet = read_fleet(file, columns, unit)
    asked = distances or DEFAULT_DISTANCES
    asked_unit = distance_unit or unit
    protocol = Protocol(folds=folds, horizon_d=horizon_days, seed=seed)
    lives = None if events is None else read_lives(events, columns, fleet)
    run = Run.of(fleet, protocol, say)
    foretold = run.foretell([distance * METRES[asked_unit] for distance in asked], say)
    named = {f"{distance:g} {asked_unit}": one for distance, one in zip(asked, foretold, strict=True)}
    result = odometer_report.report(file.name, fleet, named, protocol)
    if lives is not None and events is not None:
        odometer_report.add_events(result, events.name, score(fleet, lives, run.fold, run.models))
    return result
