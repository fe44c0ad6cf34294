"""``evaluate outcomes-map``: drafts the column map that ``evaluate outcomes`` needs."""

from __future__ import annotations

from pathlib import Path

import click

from milepost_server.commands.common import CommandError
from milepost_server.errors import ServerError
from milepost_server.evaluation.columns import read_columns
from milepost_server.evaluation.options import csv_file, say
from milepost_server.evaluation.outcomes.draft import draft_map


@click.command(
    "outcomes-map",
    epilog="Example: milepost-server evaluate outcomes-map train.csv --out map.toml. Then read map.toml, put"
    " right what is guessed wrongly, and run: milepost-server evaluate outcomes train.csv --map map.toml",
)
@click.argument("file", type=csv_file)
@click.option("--label", default=None, help="Column of the outcome; by default the one that looks like it.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="File for the map; must not be there yet. By default the map is printed.",
)
def command(*, file: Path, label: str | None, out: Path | None) -> None:
    """Draft the column map of FILE, a CSV file of outcomes, for evaluate outcomes.

    Says for each column what it seems to be and why, so that a person can put it right.
    """
    try:
        text = draft_map(read_columns(file), label)
        if out is None:
            click.echo(text, nl=False)
            return
        with out.open("x", encoding="utf-8") as written:
            written.write(text)
        say(f"wrote {out}; read it and put right what is guessed wrongly")
    except ServerError as error:
        raise CommandError(str(error)) from error
    except FileExistsError as error:
        raise CommandError(f"{out} is there already: remove it or choose another name") from error
    except OSError as error:
        raise CommandError(f"cannot read or write: {error}") from error
