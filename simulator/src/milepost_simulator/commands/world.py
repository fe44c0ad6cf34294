"""``milepost-sim world``: histories of agent, broker and server in virtual time."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milepost_simulator.errors import SimulatorError
from milepost_simulator.world.draw import draw
from milepost_simulator.world.history import play
from milepost_simulator.world.scenario import from_document, to_document
from milepost_simulator.world.soak import Failure, Tally, soak

if TYPE_CHECKING:
    from milepost_simulator.world.scenario import Scenario

TRACE_LINES = 60
FAILURES_SHOWN_MAX = 10
EXAMPLE = """
\b
Example: a thousand histories, then the one that failed once more with all that happened in it:
  milepost-sim world --runs 1000
  milepost-sim world --seed 243 --trace
"""


@click.command("world", epilog=EXAMPLE)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The first seed.")
@click.option("--runs", type=click.IntRange(1), default=1, show_default=True, help="Seeds from there on.")
@click.option(
    "--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="all cores", help="Processes."
)
@click.option("--trace", is_flag=True, help="Tell all that happens, of a single history.")
@click.option(
    "--scenario",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Play this scenario (JSON) instead of the one of a seed.",
)
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the scenario of the seed here."
)
@click.option(
    "--json", "figures", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here."
)
def world(
    *,
    seed: int,
    runs: int,
    jobs: int,
    trace: bool,
    scenario: Path | None,
    save: Path | None,
    figures: Path | None,
) -> None:
    """Play histories of an agent, its broker and its server, and check every promise in each.

    The agent is the real one; disk, network, clocks, broker and server are simulated, and everything that
    happens follows from the seed. Ends with 1 if a promise was broken.
    """
    try:
        if runs == 1:
            one = from_document(json.loads(scenario.read_text()), str(scenario)) if scenario else draw(seed)
            if save:
                save.write_text(json.dumps(to_document(one), indent=1) + "\n")
            tally = _play_one(one, seed, is_traced=trace)
        else:
            tally = _play_many(seed, runs, min(jobs, runs))
    except SimulatorError as error:
        raise click.ClickException(str(error)) from error
    if figures:
        figures.parent.mkdir(parents=True, exist_ok=True)
        figures.write_text(json.dumps(tally.figures(), indent=1) + "\n")
    sys.exit(1 if tally.failures else 0)


def _play_one(scenario: Scenario, seed: int, *, is_traced: bool) -> Tally:
    verdict = play(scenario, logging.DEBUG if is_traced else logging.WARNING)
    lines = verdict.trace if is_traced or verdict.violations else ()
    for line in lines if is_traced else list(lines)[-TRACE_LINES:]:
        click.echo(line)
    for violation in verdict.violations:
        click.secho(f"broken promise {violation}", fg="red")
    click.echo(f"digest {verdict.digest}, {verdict.virtual_s:.0f} virtual seconds")
    for name, count in sorted(verdict.counts.items()):
        click.echo(f"  {name:20} {count}")
    tally = Tally(1, verdict.virtual_s, counts=verdict.counts)
    if verdict.violations:
        tally.failures.append(Failure(seed, verdict.violations))
    return tally


def _play_many(seed: int, runs: int, jobs: int) -> Tally:
    tally = Tally()
    is_seen = sys.stderr.isatty()
    for tally in soak(seed, runs, jobs):
        if is_seen:
            click.echo(
                f"\r{tally.runs} of {runs} histories, {tally.runs_a_minute:.0f} a minute, "
                f"{len(tally.failures)} with a broken promise",
                nl=False,
                err=True,
            )
    if is_seen:
        click.echo(err=True)
    _summarise(tally)
    return tally


def _summarise(tally: Tally) -> None:
    counts = tally.counts
    click.echo(
        f"{tally.runs} histories, {tally.virtual_s / 3600:.1f} virtual hours in {tally.wall_s:.0f} s "
        f"({tally.runs_a_minute:.0f} a minute): {counts['power_cut']} power cuts, {counts['kill']} kills"
    )
    click.echo(
        f"samples: {counts['stored']} stored, {counts['arrived']} arrived, {counts['in_gaps']} in gaps, "
        f"{counts['lost']} lost, {counts['doubled']} doubled; "
        f"{counts['lost_to_damage']} gone with files that were damaged or replaced from outside, "
        f"{counts['lost_to_copies']} stored under seqs that an older copy gave out again"
    )
    gaps = {name: count for name, count in sorted(counts.items()) if name.startswith("gap_")}
    faults = {name: count for name, count in sorted(counts.items()) if name.startswith("fault_")}
    for title, table in (("gaps", gaps), ("faults", faults)):
        text = ", ".join(f"{name.partition('_')[2]} {count}" for name, count in table.items())
        click.echo(f"{title}: {text or 'none'}")
    for failure in sorted(tally.failures)[:FAILURES_SHOWN_MAX]:
        click.secho(f"seed {failure.seed}: {failure.violations[0]}", fg="red")
        click.echo(f"  milepost-sim world --seed {failure.seed} --trace")
    if tally.failures:
        click.secho(f"{len(tally.failures)} of {tally.runs} histories broke a promise", fg="red")
    else:
        click.echo("every promise was kept")
