"""The service: one process, from its configuration file to its last commit.

``milepost-agent run`` is this; ``python -m milepost_agent.service FILE`` is this without the command line's
parser, for which a gateway would pay memory as long as the process lives.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milepost_agent.config import load
from milepost_agent.errors import AgentError
from milepost_agent.exits import explain
from milepost_agent.health import logs
from milepost_agent.life import live
from milepost_agent.platform import this_machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_agent.platform import Platform
    from milepost_agent.settings import Config

LOG_LOOK_S: Final = 60.0
START_S: Final = 3.0


def serve(config_file: Path) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        ConfigError, SourceConfigError: the configuration cannot be used.
        StoreLockedError, StoreDeviceError, ExceptionGroup: see ``Agent.run``.
    """
    # What the watchdog ends with SIGABRT says where it hangs.
    faulthandler.enable()
    config = load(config_file)
    platform = this_machine()
    log = logs.setup(config.log.level, config.log.repeat_pause_s, lambda: platform.clock().mono_s)
    try:
        asyncio.run(_serve(config, platform, log))
    finally:
        log.finish()


async def _serve(config: Config, platform: Platform, log: logs.LineHandler) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    beside = [asyncio.create_task(_look(log)), asyncio.create_task(_settle())]
    try:
        await live(config, platform, stop, lambda now: log.configure(now.log.level, now.log.repeat_pause_s))
    finally:
        for task in beside:
            task.cancel()


async def _look(log: logs.LineHandler) -> None:
    while True:
        await asyncio.sleep(LOG_LOOK_S)
        log.look()


async def _settle() -> None:
    """Once the start is over, use again what it has left over, and look no more at what stays."""
    await asyncio.sleep(START_S)
    gc.collect()
    gc.freeze()


def main(arguments: Sequence[str]) -> int:
    """Serve the one configuration file that is named; returns the exit status."""
    if len(arguments) != 1:
        print("usage: python -m milepost_agent.service FILE", file=sys.stderr)
        return os.EX_USAGE
    try:
        serve(Path(arguments[0]))
    except AgentError as error:
        return explain(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
