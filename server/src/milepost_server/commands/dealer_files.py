"""``schedule`` and ``plan``: what a dealer gives as files. One group of commands for each kind of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from milepost_server.commands.common import command, data_dir_option, now, opened, the_dealer
from milepost_server.derivation import dealer_files
from milepost_server.derivation.dealer_files import NAME_CHARS_MAX, NAME_PATTERN, PLANS, SCHEDULES
from milepost_server.errors import NotFoundError

if TYPE_CHECKING:
    from milepost_server.derivation.dealer_files import FileKind
    from milepost_server.store.dealers import DealerRow

dealer_option = click.option(
    "--dealer", "dealer_id", type=int, help="The dealer's id, where there are several."
)


def checked_name(name: str) -> str:
    """A name that the API can have in an address."""
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > NAME_CHARS_MAX:
        raise click.BadParameter(
            f"{name!r}: take small letters, digits and hyphens, at most {NAME_CHARS_MAX}", param_hint="--name"
        )
    return name


def read(file: TextIO) -> str:
    """The text of a file."""
    try:
        return file.read()
    except UnicodeDecodeError as error:
        raise click.FileError(file.name, f"is no text in UTF-8: {error}") from error


def group_of(
    files: FileKind, command_name: str, help_text: str, *, example: str, reset_means: str
) -> click.Group:
    """``set``, ``reset`` and ``show`` for one kind of files; ``example`` is what one may be called."""
    begin = f"Example: milepost-server {command_name}"
    group = click.Group(command_name, help=help_text)

    @group.command(
        "set",
        help=f"Set a {files.noun} from a TOML file; a running server derives the dealer's vehicles anew.",
        epilog=f"{begin} set {example}.toml",
    )
    @data_dir_option
    @dealer_option
    @click.option("--name", default=None, help="What to call it; by default the name of the file.")
    @click.argument("file", type=click.File(encoding="utf-8"))
    @command
    async def set_file(data_dir: Path, dealer_id: int | None, name: str | None, file: TextIO) -> None:
        called = checked_name(name or Path(file.name).stem)
        of = await _put(data_dir, dealer_id, files, called, read(file))
        click.echo(f"{files.noun} {called} of dealer {of.id} ({of.name}) is set")

    @group.command(
        "reset",
        help=f"Take a {files.noun} back: {reset_means}.",
        epilog=f"{begin} reset {example}",
    )
    @data_dir_option
    @dealer_option
    @click.argument("name")
    @command
    async def reset_file(data_dir: Path, dealer_id: int | None, name: str) -> None:
        of = await _put(data_dir, dealer_id, files, name, None)
        click.echo(f"{files.noun} {name} of dealer {of.id} ({of.name}) is taken back")

    @group.command(
        "show",
        help=f"List what a dealer has set, or print the {files.noun} of that NAME as it was set.",
        epilog=f"{begin} show {example}",
    )
    @data_dir_option
    @dealer_option
    @click.argument("name", required=False)
    @command
    async def show_files(data_dir: Path, dealer_id: int | None, name: str | None) -> None:
        async with opened(data_dir) as (_, store), store.read() as connection:
            of = await the_dealer(connection, dealer_id)
            found = await dealer_files.current(connection, of.id, files)
        if name is None:
            for row, problem in found:
                by = row.staff_name or "command line"
                click.echo("\t".join([row.name, f"{row.at:%Y-%m-%d}", by, *([problem] if problem else [])]))
            if not found:
                click.echo(f"dealer {of.id} ({of.name}) has set no {files.noun}", err=True)
            return
        text = next((row.text for row, _ in found if row.name == name), None)
        if text is None:
            raise NotFoundError(files.noun, name)
        click.echo(text, nl=False)

    return group


async def _put(
    data_dir: Path, dealer_id: int | None, files: FileKind, name: str, text: str | None
) -> DealerRow:
    async with opened(data_dir) as (_, store), store.write() as connection:
        of = await the_dealer(connection, dealer_id)
        await dealer_files.put(connection, of.id, files, name=name, text=text, staff_id=None, now=now())
    return of


schedule = group_of(
    SCHEDULES,
    "schedule",
    "A dealer's own service schedules, which go before those that come with the product.",
    example="own",
    reset_means="the ones that come with the product hold again",
)
plan = group_of(
    PLANS,
    "plan",
    "A dealer's subscription plans: each owner's page says which of them would fit.",
    example="plans",
    reset_means="its plans are offered to nobody any more",
)
