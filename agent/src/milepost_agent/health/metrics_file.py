"""The metrics as a file, for the textfile collector of Prometheus' node_exporter."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from milepost_agent.errors import MetricsError
from milepost_agent.health.metrics import as_prometheus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import Any


class MetricsFile:
    """Writes ``path`` every ``interval_s`` seconds, whole or not at all, for everybody to read."""

    def __init__(
        self, path: Path, interval_s: float, status: Callable[[], Awaitable[dict[str, Any]]]
    ) -> None:
        self._path = path
        self._interval_s = interval_s
        self._status = status

    async def run(self) -> None:
        """Write until cancelled.

        Raises:
            MetricsError: the file cannot be written.
        """
        while True:
            self._write(as_prometheus(await self._status()).encode())
            await asyncio.sleep(self._interval_s)

    def _write(self, content: bytes) -> None:
        # The collector reads *.prom only. No fsync, to spare flash: after a power cut the counts begin anew.
        unfinished = self._path.with_name(f".{self._path.name}.new")
        try:
            unfinished.write_bytes(content)
            unfinished.chmod(0o644)
            unfinished.replace(self._path)
        except OSError as error:
            raise MetricsError(str(self._path), error.strerror or str(error)) from error
