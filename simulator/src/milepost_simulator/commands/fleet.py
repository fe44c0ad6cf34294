"""``milepost-sim fleet``: a fleet of owners with their truth, as files."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import click

from milepost_simulator.fleet.column_files import write_columns
from milepost_simulator.fleet.files import FleetWriter, Written, write_fleet
from milepost_simulator.fleet.lot import FleetPlan
from milepost_simulator.fleet.records import day_of

EXAMPLE = """
\b
Examples. 500 owners with two years of history, the same each time:
  milepost-sim fleet --owners 500 --months 24 --seed 7 --as-of 2026-03-03 --out build/fleet
20,000 owners who buy and sell cars, for `milepost-server evaluate truth`:
  milepost-sim fleet --columns --owners 20000 --months 36 --seed 7 --as-of 2026-03-03 --out build/columns
"""
OWNERS_MAX = 1_000_000
MONTHS_MAX = 120


@click.command("fleet", epilog=EXAMPLE)
@click.option(
    "--owners", type=click.IntRange(1, OWNERS_MAX), default=24, show_default=True, help="Owners to make."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="All follows from it.")
@click.option(
    "--months", type=click.IntRange(1, MONTHS_MAX), default=18, show_default=True, help="Months of history."
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day that the history ends before (default: today).",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
@click.option(
    "--columns",
    is_flag=True,
    help="Write columns for evaluations, not books and samples: dirty readings, cars that change hands.",
)
@click.option("--truth/--no-truth", default=True, show_default=True, help="Whether to write the truth too.")
@click.option("--samples/--no-samples", default=True, show_default=True, help="Whether to write the samples.")
@click.option(
    "--wear/--no-wear", default=True, show_default=True, help="Whether columns hold wear readings too."
)
def fleet(
    as_of: dt.datetime | None,
    out: Path,
    *,
    columns: bool,
    wear: bool,
    truth: bool,
    samples: bool,
    **size: int,
) -> None:
    """Write a fleet: owners, vehicles, services, samples, and the truth behind them."""
    as_of_day = day_of(as_of.date() if as_of else dt.datetime.now(dt.UTC).date())
    plan = FleetPlan(size["owners"], size["seed"], size["months"], as_of_day, settled=not columns)
    began_s = time.monotonic()

    def show(so_far: Written) -> None:
        per_s = so_far.owners / max(time.monotonic() - began_s, 1e-3)
        done = f"{so_far.owners:,} of {plan.owners:,} owners, {so_far.vehicles:,} vehicles"
        click.echo(f"{done}, {so_far.samples:,} samples; {per_s:,.0f} owners a second", err=True)

    if columns and not truth:
        raise click.UsageError("columns are for evaluations, which need the truth: leave --no-truth out")
    if columns:
        total = write_columns(plan, out, show, with_wear=wear)
    else:
        total = write_fleet(plan, FleetWriter(out, with_truth=truth, with_samples=samples), show)
    click.echo(f"{total.owners:,} owners with {total.vehicles:,} vehicles are in {out}; see {out}/README.txt")
