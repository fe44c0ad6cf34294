"""Which errors of the database pass by themselves, and how a long-running task outlives them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import DBAPIError, OperationalError

from milepost_server.errors import StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PAUSE_FIRST_S = 0.5
PAUSE_S_MAX = 30.0

log = structlog.get_logger(__name__)


def is_passing(error: BaseException) -> bool:
    """Whether the database is away, locked, full, or broke a deadlock: then the same transaction may do."""
    if isinstance(error, (OperationalError, StoreBusyError)):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def said(error: BaseException) -> str:
    """The first line that the database itself said: SQL and its parameters may hold people's data."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return f"{type(cause).__name__}: {(str(cause).splitlines() or [''])[0]}"


async def through_outages(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a loop, and run it again, with growing pauses, while what ends it is an outage of the database."""
    clock = asyncio.get_running_loop().time
    pause_s = PAUSE_FIRST_S
    while True:
        start_s = clock()
        try:
            await run()
        except (DBAPIError, StoreBusyError) as error:
            if not is_passing(error):
                raise
            if clock() - start_s > PAUSE_S_MAX:
                pause_s = PAUSE_FIRST_S
            log.warning("database_outage", task=name, error=said(error), again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)
        else:
            return
