"""``milepost-sim demo``: the whole road on this machine."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import click

from milepost_agent.errors import AgentError
from milepost_simulator.demo.narration import Narrator
from milepost_simulator.demo.plan import LIVE_ONCE_S, MONTHS, OWNERS, SEED, DemoPlan
from milepost_simulator.demo.run import Demo
from milepost_simulator.errors import SimulatorError

EXAMPLE = """
\b
Example: a bounded run that checks itself, and one that goes on until Ctrl-C:
  milepost-sim demo --once
  milepost-sim demo --port 8080
"""


@click.command("demo", epilog=EXAMPLE)
@click.option("--once", is_flag=True, help="Run a bounded scenario, check that nothing is missing, and end.")
@click.option(
    "--port",
    "http_port",
    type=click.IntRange(1, 65535),
    help="Port of the pages (default: 8000 or a free one).",
)
@click.option("--keep", is_flag=True, help="Go on with what an earlier run has left.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/demo"),
    show_default=True,
    help="Where everything is kept.",
)
@click.option(
    "--drives",
    type=click.Path(path_type=Path),
    default=Path("../shared/data/drives"),
    show_default=True,
    envvar="MILEPOST_DRIVES",
    show_envvar=True,
    help="Folder of recorded drives; without it the simulator makes one.",
)
@click.option("--owners", type=click.IntRange(1, 500), default=OWNERS, show_default=True, help="Owners.")
@click.option("--months", type=click.IntRange(1, 60), default=MONTHS, show_default=True, help="History.")
@click.option("--seed", type=click.IntRange(0), default=SEED, show_default=True, help="Which fleet it is.")
@click.option(
    "--seconds",
    "live_once_s",
    type=click.FloatRange(1, 3600),
    default=LIVE_ONCE_S,
    show_default=True,
    help="With --once: how long the cars are driven.",
)
def demo(folder: Path, drives: Path, **choices: Any) -> None:
    """Run cars, agents, broker and server on this machine, and say what goes on."""
    plan = DemoPlan(folder.absolute(), drives, **choices)
    narrator = Narrator()
    try:
        stopped = asyncio.run(_run(plan, narrator))
    except (SimulatorError, AgentError, ExceptionGroup) as error:
        first = _first(error)
        if not isinstance(first, SimulatorError | AgentError):
            raise
        raise click.ClickException(str(first)) from error
    if stopped:
        narrator.say("Stopped; nothing is left running.")


async def _run(plan: DemoPlan, narrator: Narrator) -> bool:
    """Whether the demo was stopped by a signal, which is how an unbounded one ends."""
    task = asyncio.create_task(Demo(plan, narrator).run(), name="demo")
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            narrator.say("Stopping the agents, then the server.")
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopped:
            raise
    return stopped


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
