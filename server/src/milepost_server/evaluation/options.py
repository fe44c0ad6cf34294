"""The options that every evaluation has, and how it ends: text on the screen, files where wanted."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from milepost_server.commands.common import CommandError
from milepost_server.errors import ServerError

if TYPE_CHECKING:
    from milepost_server.evaluation.report import Report

P = ParamSpec("P")

DEFAULT_SEED = 1

csv_file = click.Path(path_type=Path, exists=True, dir_okay=False)
"""The type of an argument or option that names a CSV file."""


def say(words: str) -> None:
    """Progress, on standard error: what is printed stays a report."""
    click.echo(words, err=True)


def evaluation(function: Callable[P, Report]) -> Callable[P, None]:
    """A command's body that returns a report: adds ``--seed`` and ``--out``, prints and writes the report.

    The body takes ``seed``. Errors of ours become one line and exit code 1.
    """

    @click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        default=None,
        help="Directory for the JSON file, the text and the pictures (SVG).",
    )
    @click.option(
        "--seed",
        type=int,
        default=DEFAULT_SEED,
        show_default=True,
        help="Where drawing begins: folds, parts held back, the draws behind intervals. "
        "The same files and seed give the same report.",
    )
    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        out = kwargs.pop("out")
        try:
            report = function(*args, **kwargs)
            click.echo(report.text(), nl=False)
            if isinstance(out, Path):
                for path in report.write(out):
                    say(f"wrote {path}")
        except ServerError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"cannot read or write: {error}") from error

    return run
