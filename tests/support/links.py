"""A link between a client and a port of this machine that a test can cut, slow down, or let swallow bytes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHUNK_BYTES = 512


class Link:
    """Carries bytes both ways. ``swallows``: they vanish, and neither side is told. ``connects`` counts."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._writers: list[asyncio.StreamWriter] = []
        self.swallows = False
        self.pause_s = 0.0
        self.connects = 0
        self.port = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Link]:
        """Serve on a free port until left."""
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            try:
                yield self
            finally:
                self.reset()

    def reset(self) -> None:
        """End all connections with a TCP reset."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._writers += [writer, far_writer]
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What was swallowed once stays so: bytes after a hole would be another protocol's.
        is_dead = False
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                await asyncio.sleep(self.pause_s)
                is_dead = is_dead or self.swallows
                if not is_dead:
                    writer.write(data)
                    await writer.drain()
        if not is_dead:
            writer.close()
