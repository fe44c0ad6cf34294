"""An adapter without a line between: what is written reaches it at once, unless a test loses some of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milepost_simulator.car.elm327 import Elm327


def whole(data: bytes) -> bytes:
    """A line that loses nothing."""
    return data


class DirectPort:
    """A port to a simulated adapter; ``line`` says what arrives of each write, ``written`` is what was."""

    def __init__(self, adapter: Elm327, line: Callable[[bytes], bytes] = whole) -> None:
        self.written: list[bytes] = []
        self.line = line
        self._adapter = adapter
        self._said: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self) -> bytes:
        """What was answered, as soon as there is something."""
        return await self._said.get()

    async def write(self, data: bytes) -> None:
        """Type."""
        self.written.append(data)
        for output in self._adapter.feed(self.line(data)):
            self._said.put_nowait(output.data)

    async def close(self) -> None:
        """Nothing to close."""
