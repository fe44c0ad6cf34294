"""Serves an adapter on a pseudo-terminal or a TCP port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from milepost_simulator.errors import PortInUseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from milepost_simulator.car.chaos import Chaos
    from milepost_simulator.car.elm327 import Elm327, Output

READ_BYTES_MAX = 4096


class Served(Protocol):
    """What is served at one end of a line."""

    def receive(self, data: bytes) -> None:
        """Characters came from the other end."""
        ...

    def close(self) -> None:
        """Say nothing more."""
        ...


class Line:
    """Carries characters between an adapter and whoever is on the other end, in the adapter's own time.

    A character that arrives while an answer is still under way interrupts the adapter, as on a real one.
    """

    def __init__(self, adapter: Elm327, chaos: Chaos, write: Callable[[bytes], None]) -> None:
        self._adapter = adapter
        self._chaos = chaos
        self._write = write
        self._sending: asyncio.Task[None] | None = None

    def receive(self, data: bytes) -> None:
        """Characters came from the other end."""
        if self._sending is not None and not self._sending.done():
            self._sending.cancel()
            self._start(self._adapter.interrupt())
            return
        self._start(self._chaos.spoil(self._adapter.feed(data)))

    def close(self) -> None:
        """Stop whatever is being sent."""
        if self._sending is not None:
            self._sending.cancel()

    def _start(self, outputs: list[Output]) -> None:
        at_once = 0
        while at_once < len(outputs) and outputs[at_once].delay_s == 0:
            self._write(outputs[at_once].data)
            at_once += 1
        if at_once < len(outputs):
            self._sending = asyncio.ensure_future(self._send(outputs[at_once:]))

    async def _send(self, outputs: list[Output]) -> None:
        for delay_s, data in outputs:
            if delay_s:
                await asyncio.sleep(delay_s)
            self._write(data)


class PseudoTerminal:
    """A pseudo-terminal whose other end looks like a serial adapter.

    ``lost_bytes`` counts what the kernel would not take because nobody read it.
    """

    def __init__(self, make_line: Callable[[Callable[[bytes], None]], Served]) -> None:
        self._master, self._slave = os.openpty()
        # The far end stays open here too: else a reader that closes it would end the terminal for good.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = Path(os.ttyname(self._slave))
        self.lost_bytes = 0
        self._line = make_line(self._write)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._line.receive(os.read(self._master, READ_BYTES_MAX))

    def _write(self, data: bytes) -> None:
        try:
            written = os.write(self._master, data)
        except BlockingIOError:
            written = 0
        self.lost_bytes += len(data) - written

    def close(self) -> None:
        """Give both ends back."""
        asyncio.get_running_loop().remove_reader(self._master)
        self._line.close()
        os.close(self._master)
        os.close(self._slave)


@contextlib.asynccontextmanager
async def serve_pty(adapter: Elm327, chaos: Chaos, link: Path | None = None) -> AsyncIterator[Path]:
    """Serve on a pseudo-terminal; yields the path to open, which is ``link`` where one is given.

    Raises:
        PortInUseError: ``link`` is there already and is no symbolic link, or cannot be made.
    """
    async with serve_line(lambda write: Line(adapter, chaos, write), link) as path:
        yield path


@contextlib.asynccontextmanager
async def serve_line(
    make_line: Callable[[Callable[[bytes], None]], Served], link: Path | None = None
) -> AsyncIterator[Path]:
    """Serve whatever ``make_line`` makes, given what writes to the line, on a pseudo-terminal.

    Raises:
        PortInUseError: as ``serve_pty``.
    """
    terminal = PseudoTerminal(make_line)
    try:
        if link is not None:
            with _named(str(link)):
                _point(link, terminal.path)
        yield link or terminal.path
    finally:
        if link is not None:
            _unpoint(link, terminal.path)
        terminal.close()


@contextlib.contextmanager
def _named(place: str) -> Iterator[None]:
    """What the system refuses at ``place``, as an error that says where."""
    try:
        yield
    except OSError as error:
        raise PortInUseError(place, error.strerror or str(error)) from error


def _point(link: Path, target: Path) -> None:
    """Make ``link`` lead to ``target`` in one step, so that a reader never finds it missing."""
    if link.exists() and not link.is_symlink():
        raise PortInUseError(str(link), "a file is there")
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)


def _unpoint(link: Path, target: Path) -> None:
    """Take ``link`` away, unless somebody has let it lead elsewhere since."""
    if link.is_symlink() and link.readlink() == target:
        link.unlink()


@contextlib.asynccontextmanager
async def serve_tcp(adapter: Elm327, chaos: Chaos, host: str, port: int) -> AsyncIterator[int]:
    """Serve on TCP, one reader at a time as a wireless adapter does; yields the port's number.

    Raises:
        PortInUseError: the port is taken, or ``host`` is no address of this machine.
    """
    busy = asyncio.Lock()
    open_writers: set[asyncio.StreamWriter] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if busy.locked():
            writer.close()
            return
        async with busy:
            open_writers.add(writer)
            line = Line(adapter, chaos, writer.write)
            try:
                while data := await reader.read(READ_BYTES_MAX):
                    line.receive(data)
            except ConnectionError:
                pass  # the reader went away without a word, which ends the dialogue as well as a goodbye
            finally:
                line.close()
                open_writers.discard(writer)
                writer.close()

    with _named(f"{host}:{port}"):
        server = await asyncio.start_server(talk, host, port)
    async with server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for writer in list(open_writers):
                writer.close()
            async with busy:
                pass  # the dialogue has ended; a task cut off in it would leave a traceback
