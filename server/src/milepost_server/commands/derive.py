"""``derive``: today's list anew, or the list of a past day again."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milepost_server.commands.common import CommandError, command, data_dir_option, now, opened, the_dealer
from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.derive import Derivation
from milepost_server.derivation.fault_texts import texts_of
from milepost_server.derivation.replay import Basis, Replay
from milepost_server.derivation.times import AsOf
from milepost_server.web.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_server.derivation.derive import Report
    from milepost_server.derivation.replay import Replayed

TAKEN_AS_NOW = (
    "Contracts, cars and outcomes that were corrected or deleted since are taken as they are now, and "
    "trouble codes have today's texts."
)
"""What no replay can know."""


@click.command(epilog="Example: milepost-server derive --as-of 2026-03-03")
@data_dir_option
@click.option("--dealer", "dealer_id", type=int, help="The dealer's id, where there are several.")
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    default=None,
    help="The day to derive, where the dealer is; by default today. Not one to come.",
)
@command
async def derive(data_dir: Path, dealer_id: int | None, as_of: dt.datetime | None) -> None:
    """Derive all vehicles of a dealer anew; of a past day, make the list again as it was then.

    For a past day, the days since the last list that is kept are played again, from what was stored by then,
    which may take minutes. It says whether the list is that of the day; the pages show it under that date.
    """
    async with opened(data_dir) as (settings, store):
        async with store.read() as connection:
            of = await the_dealer(connection, dealer_id)
        texts, config = texts_of(settings.dtc_file), Configuration()
        today = AsOf.at(now(), of.timezone).date
        date = as_of.date() if as_of else today
        if date > today:
            raise CommandError(f"{date} is still to come: where {of.name} is, it is {today}")
        if date == today:
            derivation = Derivation(store, config, now=now(), texts=texts, tell=_tell)
            click.echo(_derived(await derivation.dealer(of, date), date))
            return
        replay = Replay(store, config, now=now(), texts=texts, tell=_tell)
        for line in said(await replay.day(of, date)):
            click.echo(line)


def said(found: Replayed) -> Iterator[str]:
    """What a replay came to, a sentence a line."""
    if found.is_kept:
        yield f"the list of {found.date} is kept as it was made on that day"
        return
    yield _derived(found.report, found.date)
    yield {
        Basis.AS_IT_WAS: "the list as it was made on that day",
        Basis.NONE_THAT_DAY: "no list was made on that day; this one is of what had come in by its end",
        Basis.NONE_BY_THEN: (
            "no list had been made by then; this one is of all that has come in since about the time up to it"
        ),
    }[found.basis]
    days = count(found.days, "day", "days")
    yield f"played from {found.played_from} on, day by day: {days}"
    if found.days_by_other_rules:
        yield (
            f"another version of the rules derived {found.days_by_other_rules} of {days} then; by this one, "
            "they may come out otherwise"
        )
    yield TAKEN_AS_NOW


def _derived(report: Report, date: dt.date) -> str:
    vehicles, items = count(report.vehicles, "vehicle", "vehicles"), count(report.items, "item", "items")
    return f"{vehicles}, {items} as of {date}"


def _tell(done: int, total: int) -> None:
    """How far it has come, on a line that is written over where somebody looks, else every tenth of it."""
    line = f"{done} of {count(total, 'step', 'steps')}"
    if sys.stderr.isatty():
        click.echo(f"\r{line}", err=True, nl=done == total)
    elif done * 10 // total != (done - 1) * 10 // total:
        click.echo(line, err=True)
