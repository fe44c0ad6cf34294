"""A job that runs only while it is wanted, such as the connection to the broker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from milepost_agent.tasks import end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Gate:
    """Open at first. ``is_idle`` says whether the job has ended since it was last told to."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._shut = asyncio.Event()
        self._open.set()
        self.is_idle = False

    @property
    def is_open(self) -> bool:
        """Whether the job is wanted."""
        return self._open.is_set()

    def set(self, *, is_open: bool) -> None:
        """Want the job, or want it no more."""
        if is_open:
            self._shut.clear()
            self._open.set()
        else:
            self._open.clear()
            self._shut.set()

    async def run(self, job: Callable[[], Awaitable[None]]) -> None:
        """Run ``job`` whenever it is wanted, until it ends by itself or this is cancelled.

        Raises:
            Exception: what ``job`` raises.
        """
        while True:
            self.is_idle = True
            await self._open.wait()
            self.is_idle = False
            running = asyncio.ensure_future(job())
            shut = asyncio.ensure_future(self._shut.wait())
            try:
                await asyncio.wait((running, shut), return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    return await running
            finally:
                shut.cancel()
                await end(running)
            if not running.cancelled():
                await running
