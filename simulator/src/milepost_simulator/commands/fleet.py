"""``milepost-sim fleet``: a fleet of owners with their truth, as files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from milepost_simulator.fleet.files import FleetWriter, Written, write_fleet
from milepost_simulator.fleet.lot import FleetPlan
from milepost_simulator.fleet.records import day_of

EXAMPLE = """
\b
Example: 500 owners with two years of history, the same each time:
  milepost-sim fleet --owners 500 --months 24 --seed 7 --as-of 2026-03-03 --out build/fleet
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
@click.option("--truth/--no-truth", default=True, show_default=True, help="Whether to write the truth too.")
@click.option("--samples/--no-samples", default=True, show_default=True, help="Whether to write the samples.")
def fleet(as_of: dt.datetime | None, out: Path, *, truth: bool, samples: bool, **size: int) -> None:
    """Write a fleet: owners, vehicles, services, samples, and the truth behind them."""
    as_of_date = as_of.date() if as_of else dt.datetime.now(dt.UTC).date()
    plan = FleetPlan(size["owners"], size["seed"], size["months"], day_of(as_of_date))

    def show(so_far: Written) -> None:
        done = f"{so_far.owners:,} of {plan.owners:,} owners, {so_far.vehicles:,} vehicles"
        click.echo(f"{done}, {so_far.samples:,} samples", err=True)

    total = write_fleet(plan, FleetWriter(out, with_truth=truth, with_samples=samples), show)
    click.echo(f"{total.owners:,} owners with {total.vehicles:,} vehicles are in {out}; see {out}/README.txt")
