"""``evaluate``: holds the signals against what came to pass, on files of one's own."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import click

EVALUATIONS = ("odometer", "outcomes", "truth")
"""Each is a module of ``milepost_server.evaluation`` with a ``command``; loaded when it is asked for."""


class _OnDemand(click.Group):
    """Loads an evaluation when it is called: none of them slows the other commands down."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The evaluations that this installation has."""
        return [name for name in EVALUATIONS if find_spec(_module(name)) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The evaluation of this name, None where there is none."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(_module(cmd_name)).command
        return command


def _module(name: str) -> str:
    return f"milepost_server.evaluation.{name}"


@click.group(cls=_OnDemand)
def evaluate() -> None:
    """Hold the signals against what came to pass: any CSV file with a column map, baselines, intervals."""
