"""The status socket: whoever connects gets one JSON document. Health commands never open the buffer file."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from milepost_agent.errors import SocketError, StatusError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Status = Callable[[], Awaitable[dict[str, Any]]]

CLIENTS_MAX: Final = 8
WAITING_MAX: Final = 16
"""Connections that wait for a place; more would take the file descriptors that sources and uplink need."""
WRITE_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 10.0
DOCUMENT_BYTES_MAX: Final = 1024 * 1024


class StatusServer:
    """Serves ``status`` on a Unix socket at ``path``."""

    def __init__(self, path: Path, status: Status) -> None:
        self._path = path
        self._status = status
        self._places = asyncio.Semaphore(CLIENTS_MAX)
        self._connections = 0

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            SocketError: the socket cannot be made.
        """
        try:
            self._clear_place()
            server = await asyncio.start_unix_server(self._answer, self._path)
            self._open_to_group()
        except OSError as error:
            raise SocketError("[health] socket", str(self._path), error.strerror or str(error)) from error
        try:
            async with server:
                await server.serve_forever()
        finally:
            self._clear_place()

    def _open_to_group(self) -> None:
        self._path.chmod(0o660)

    def _clear_place(self) -> None:
        # The buffer's lock tells that no other agent runs here: a socket that is there is a leftover.
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.is_socket():
            self._path.unlink()

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections > CLIENTS_MAX + WAITING_MAX:
                return
            async with self._places, asyncio.timeout(WRITE_TIMEOUT_S):
                writer.write(json.dumps(await self._status()).encode() + b"\n")
                await writer.drain()
        except (OSError, TimeoutError):
            # The asker has gone, or does not read; it can ask again.
            return
        finally:
            self._connections -= 1
            writer.close()


def ask(path: Path) -> dict[str, Any]:
    """The status of the agent that serves ``path``.

    Raises:
        StatusError: none does, or it does not answer in time.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(READ_TIMEOUT_S)
        try:
            channel.connect(os.fspath(path))
            with channel.makefile("rb") as stream:
                answer = json.loads(stream.read(DOCUMENT_BYTES_MAX))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise StatusError(str(path), str(error.strerror), is_absent=True) from error
        except OSError as error:
            raise StatusError(str(path), error.strerror or str(error)) from error
        except ValueError as error:
            raise StatusError(str(path), "its answer is cut off") from error
    if not isinstance(answer, dict):
        raise StatusError(str(path), "its answer is no status")
    return answer
