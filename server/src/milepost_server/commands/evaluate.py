"""``evaluate``: holds the signals against what came to pass, on files of one's own."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "odometer": "odometer.command",
    "outcomes": "outcomes.command",
    "outcomes-map": "outcomes.draft_command",
    "truth": "truth.command",
}
"""Each is a module of ``milepost_server.evaluation`` with a ``command``; loaded when it is asked for."""


class _OnDemand(click.Group):
    """Loads an evaluation when it is called: none of them slows the other commands down."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The evaluations, by name."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The evaluation of this name, None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"milepost_server.evaluation.{COMMANDS[cmd_name]}").command
        return command


@click.group(cls=_OnDemand)
def evaluate() -> None:
    """Hold the signals against what came to pass: any CSV file with a column map, baselines, intervals."""
