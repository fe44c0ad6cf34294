"""The entry socket: one line of JSON in, one line of JSON out, as often as the peer likes."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import pwd
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from milepost_agent.entry.request import LINE_BYTES_MAX
from milepost_agent.errors import ConfigError, SocketError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from milepost_agent.entry.desk import EntryDesk

    Take = Callable[[bytes], Awaitable[dict[str, Any]]]

CLIENTS_MAX: Final = 4
WAITING_MAX: Final = 16
"""Connections that wait for a place; more would take the file descriptors that sources and uplink need."""
IDLE_S_MAX: Final = 10.0
"""Who says nothing for so long loses the place."""
LINES_MAX: Final = 60
"""Of one connection."""
MODE: Final = 0o660
CREDENTIALS: Final = struct.Struct("3i")


class Peers(NamedTuple):
    """Who may enter, by number; with both empty, whoever may open the socket."""

    uids: frozenset[int]
    gids: frozenset[int]

    def admit(self, uid: int, gid: int) -> bool:
        """Whether the process of that user and that main group may."""
        return not (self.uids or self.gids) or uid in self.uids or gid in self.gids


def peers(users: Iterable[str], groups: Iterable[str]) -> Peers:
    """The configured peers; names are looked up once.

    Raises:
        ConfigError: this machine has no such user or group.
    """
    try:
        uids = frozenset(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid for name in users)
    except KeyError as error:
        raise ConfigError("entry.users", str(error).strip("\"'")) from error
    try:
        gids = frozenset(int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid for name in groups)
    except KeyError as error:
        raise ConfigError("entry.groups", str(error).strip("\"'")) from error
    return Peers(uids, gids)


class EntryServer:
    """Serves ``desk`` on a Unix socket at ``path``, to ``admitted`` peers."""

    def __init__(self, path: Path, admitted: Peers, desk: EntryDesk) -> None:
        self._path = path
        self._admitted = admitted
        self._desk = desk
        self._places = asyncio.Semaphore(CLIENTS_MAX)
        self.connections = 0
        """Now, with those that wait."""

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            SocketError: the socket cannot be made.
        """
        try:
            self._clear_place()
            server = await asyncio.start_unix_server(
                self._answer, sock=self._bound(), limit=LINE_BYTES_MAX, backlog=WAITING_MAX
            )
        except OSError as error:
            raise SocketError("[entry] socket", str(self._path), error.strerror or str(error)) from error
        try:
            async with server:
                await server.serve_forever()
        finally:
            self._clear_place()

    def _bound(self) -> socket.socket:
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # From its first moment, nobody else may open it.
            os.fchmod(channel.fileno(), MODE)
            channel.bind(os.fspath(self._path))
            self._path.chmod(MODE)
        except OSError:
            channel.close()
            raise
        return channel

    def _clear_place(self) -> None:
        # The buffer's lock tells that no other agent runs here: a socket that is there is a leftover.
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.is_socket():
            self._path.unlink()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.connections > CLIENTS_MAX + WAITING_MAX:
                words = f"{CLIENTS_MAX + WAITING_MAX} others enter or wait; try again"
                await _say(writer, self._desk.refuse("busy", words))
                return
            is_admitted = self._admitted.admit(*_user_and_group(writer))
            async with self._places:
                take, lines_max = (self._desk.take, LINES_MAX) if is_admitted else (self._turn_away, 1)
                await self._converse(reader, writer, take, lines_max)
        except (OSError, TimeoutError):
            # The peer has gone, or says nothing; what it entered before is stored.
            return
        finally:
            self.connections -= 1
            writer.close()

    async def _turn_away(self, _line: bytes) -> dict[str, Any]:
        return self._desk.refuse("peer", "you may not enter; see [entry] users and groups")

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, take: Take, lines_max: int
    ) -> None:
        for _ in range(lines_max):
            try:
                async with asyncio.timeout(IDLE_S_MAX):
                    line = await reader.readline()
            except ValueError:
                words = f"an entry has at most {LINE_BYTES_MAX} bytes"
                await _say(writer, self._desk.refuse("syntax", words))
                return
            if not line:
                return
            await _say(writer, await take(line))


def _user_and_group(writer: asyncio.StreamWriter) -> tuple[int, int]:
    channel: socket.socket = writer.get_extra_info("socket")
    raw = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    _, uid, gid = CREDENTIALS.unpack(raw)
    return uid, gid


async def _say(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    async with asyncio.timeout(IDLE_S_MAX):
        await writer.drain()
