"""The queue between the broker and the database: bounded by count and by bytes; it counts what it drops."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milepost_server.ingest.arrivals import Arrival


class ArrivalQueue:
    """Arrivals that wait for a commit.

    What does not fit is dropped and counted: without a receipt, its device keeps it and sends it again.
    """

    def __init__(self, payloads_max: int, bytes_max: int) -> None:
        self._payloads_max = payloads_max
        self._bytes_max = bytes_max
        self._waiting: deque[Arrival] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._closed = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of all payloads that wait."""
        return self._bytes

    def put(self, arrival: Arrival) -> bool:
        """Add an arrival; False where it was dropped."""
        size = len(arrival.payload)
        if self._closed or len(self) >= self._payloads_max or self._bytes + size > self._bytes_max:
            self.dropped += 1
            return False
        self._waiting.append(arrival)
        self._bytes += size
        self._changed.set()
        return True

    def close(self) -> None:
        """Take nothing more; ``group`` gives what is left, then empty groups."""
        self._closed = True
        self._changed.set()

    async def group(self, payloads_max: int, wait_s: float) -> list[Arrival]:
        """At most ``payloads_max`` arrivals: waits for the first, then ``wait_s`` more; none once closed."""
        while not self._waiting and not self._closed:
            await self._change()
            if self._waiting and len(self) < payloads_max and not self._closed:
                await self._fill(payloads_max, wait_s)  # another worker may take it all meanwhile
        group = [self._waiting.popleft() for _ in range(min(payloads_max, len(self)))]
        self._bytes -= sum(len(arrival.payload) for arrival in group)
        return group

    async def _fill(self, payloads_max: int, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                while len(self) < payloads_max and not self._closed:
                    await self._change()
        except TimeoutError:
            return

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
