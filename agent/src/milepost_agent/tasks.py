"""All that runs at the same time in an agent, as one table of named tasks, and what happens when one ends."""

from __future__ import annotations

import asyncio
import enum
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from milepost_agent.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from milepost_agent.pulse import Pulse

RESTART_S_MIN: Final = 1.0
RESTART_S_MAX: Final = 300.0
CANCEL_AGAIN_S: Final = 2.0

_LOG = logging.getLogger(__name__)


class OnFailure(enum.Enum):
    """What the failure of a task means for the rest."""

    STOP_AGENT = "stop"
    """Nothing is stored without it: better to let the service manager start the agent anew."""
    RESTART = "restart"
    """It starts again after a pause; the rest goes on, and status shows the error."""


@dataclass(slots=True)
class Task:
    """One row of the table; ``pulse`` is for the watchdog, the fields after it are what status shows."""

    name: str
    run: Callable[[], Awaitable[None]]
    on_failure: OnFailure
    pulse: Pulse | None = None
    state: str = "waiting"
    failures: int = 0
    last_error: str = ""

    def facts(self) -> dict[str, Any]:
        """This row for the status."""
        return {"state": self.state, "failures": self.failures, "last_error": self.last_error}


async def run_all(table: Sequence[Task], *stops: asyncio.Event) -> None:
    """Run the whole table until one of ``stops`` is set; then all tasks are cancelled.

    Raises:
        ExceptionGroup: of what a task raised without which the agent cannot go on.
    """
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(_keep(task), name=task.name) for task in table]
        stopped = [group.create_task(stop.wait()) for stop in stops]
        await asyncio.wait(stopped, return_when=asyncio.FIRST_COMPLETED)
        for one in (*running, *stopped):
            one.cancel()


async def _keep(task: Task) -> None:
    pause_s = RESTART_S_MIN
    while True:
        task.state = "running"
        attempt = asyncio.ensure_future(task.run())
        try:
            await asyncio.wait([attempt])
        finally:
            await end(attempt)
        error = attempt.exception()
        if error is None:
            task.state = "ended"
            return
        task.state, task.failures, task.last_error = "failed", task.failures + 1, _first(error)
        # An error of our own says what to do; any other is a fault in the code and needs its trace.
        _LOG.error(
            "task %s: %s",
            task.name,
            task.last_error,
            exc_info=None if isinstance(error, AgentError) else error,
        )
        if task.on_failure is OnFailure.STOP_AGENT:
            raise error
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, RESTART_S_MAX)


async def end(attempt: asyncio.Future[None]) -> None:
    """Cancel, and wait: it may have a connection to close.

    Python 3.11's ``wait_for`` loses a cancellation that comes together with what it waits for, so one may
    not be enough.
    """
    while not attempt.done():
        attempt.cancel()
        await asyncio.wait([attempt], timeout=CANCEL_AGAIN_S)


def _first(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
