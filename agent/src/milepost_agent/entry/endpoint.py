"""The entry socket: one line of JSON in, one line of JSON out, as often as the peer likes."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import pwd
import socket
import struct
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from milepost_agent.entry.request import LINE_BYTES_MAX
from milepost_agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Take = Callable[[bytes], Awaitable[dict[str, Any]]]

CLIENTS_MAX: Final = 4
IDLE_S_MAX: Final = 60.0
ENTRIES_MAX: Final = 60
"""Entries of one connection: a program that enters more is at fault, and wears out the flash."""
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
    """Serves ``take`` on a Unix socket at ``path``, to ``admitted`` peers."""

    def __init__(self, path: Path, admitted: Peers, take: Take) -> None:
        self._path = path
        self._admitted = admitted
        self._take = take
        self._places = asyncio.Semaphore(CLIENTS_MAX)
        self.refused_peers: Counter[int] = Counter()

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            OSError: the socket cannot be made.
        """
        self._clear_place()
        server = await asyncio.start_unix_server(self._answer, sock=self._bound(), limit=LINE_BYTES_MAX)
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
        try:
            async with self._places:
                is_admitted = self._is_admitted(writer)
                take, entries_max = (self._take, ENTRIES_MAX) if is_admitted else (_turn_away, 1)
                await _converse(reader, writer, take, entries_max)
        except (OSError, TimeoutError):
            # The peer has gone, or says nothing; what it entered before is stored.
            return
        finally:
            writer.close()

    def _is_admitted(self, writer: asyncio.StreamWriter) -> bool:
        channel: socket.socket = writer.get_extra_info("socket")
        raw = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        _, uid, gid = CREDENTIALS.unpack(raw)
        if self._admitted.admit(uid, gid):
            return True
        self.refused_peers[uid] += 1
        return False


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, take: Take, entries_max: int
) -> None:
    for _ in range(entries_max):
        try:
            async with asyncio.timeout(IDLE_S_MAX):
                line = await reader.readline()
        except ValueError:
            await _say(writer, _error("syntax", f"an entry has at most {LINE_BYTES_MAX} bytes"))
            return
        if not line:
            return
        await _say(writer, await take(line))


async def _turn_away(_line: bytes) -> dict[str, Any]:
    return _error("peer", "you may not enter; see [entry] users and groups")


async def _say(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    async with asyncio.timeout(IDLE_S_MAX):
        await writer.drain()


def _error(reason: str, message: str) -> dict[str, Any]:
    return {"error": {"reason": reason, "message": message}}
