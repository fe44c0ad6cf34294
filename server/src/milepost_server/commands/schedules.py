"""``schedule``: a dealer's own service schedules, from files."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import click

from milepost_server.commands.common import command, data_dir_option, now, opened, the_dealer
from milepost_server.derivation.schedules import book_with, usable_with
from milepost_server.errors import NotFoundError
from milepost_server.store import dealer_schedules

dealer_option = click.option(
    "--dealer", "dealer_id", type=int, help="The dealer's id, where there are several."
)


@click.group()
def schedule() -> None:
    """A dealer's own service schedules, which go before those that come with the product."""


@schedule.command("set", epilog="Example: milepost-server schedule set own.toml")
@data_dir_option
@dealer_option
@click.option("--name", default=None, help="What to call it; by default the name of the file.")
@click.argument("file", type=click.File(encoding="utf-8"))
@command
async def schedule_set(data_dir: Path, dealer_id: int | None, name: str | None, file: TextIO) -> None:
    """Set a schedule from a TOML file; a running server derives the dealer's vehicles anew."""
    text, called = file.read(), name or Path(file.name).stem
    async with opened(data_dir) as (_, store), store.write() as connection:
        of = await the_dealer(connection, dealer_id)
        own = {row.name: row.text for row in await dealer_schedules.current(connection, of.id)}
        book_with(tuple({**own, called: text}.items()))
        await dealer_schedules.put(connection, of.id, name=called, text=text, staff_id=None, now=now())
    click.echo(f"schedule {called} of dealer {of.id} ({of.name}) is set")


@schedule.command("reset", epilog="Example: milepost-server schedule reset own")
@data_dir_option
@dealer_option
@click.argument("name")
@command
async def schedule_reset(data_dir: Path, dealer_id: int | None, name: str) -> None:
    """Take a schedule back: the ones that come with the product hold again."""
    async with opened(data_dir) as (_, store), store.write() as connection:
        of = await the_dealer(connection, dealer_id)
        if name not in {row.name for row in await dealer_schedules.current(connection, of.id)}:
            raise NotFoundError("schedule", name)
        await dealer_schedules.put(connection, of.id, name=name, text=None, staff_id=None, now=now())
    click.echo(f"schedule {name} of dealer {of.id} ({of.name}) is taken back")


@schedule.command("show", epilog="Example: milepost-server schedule show own")
@data_dir_option
@dealer_option
@click.argument("name", required=False)
@command
async def schedule_show(data_dir: Path, dealer_id: int | None, name: str | None) -> None:
    """List a dealer's own schedules, or print the one of that NAME as it was set."""
    async with opened(data_dir) as (_, store), store.read() as connection:
        of = await the_dealer(connection, dealer_id)
        rows = await dealer_schedules.current(connection, of.id)
    _, problems = usable_with(tuple((row.name, row.text) for row in rows))
    if name is None:
        for row in rows:
            problem = f"\t{problems[row.name]}" if row.name in problems else ""
            click.echo(f"{row.name}\t{row.at:%Y-%m-%d}\t{row.staff_name or 'command line'}{problem}")
        return
    found = next((row for row in rows if row.name == name), None)
    if found is None:
        raise NotFoundError("schedule", name)
    click.echo(found.text, nl=False)
