"""Ports to an adapter: a serial device or pseudo-terminal, and TCP. They carry bytes, and no meaning."""

from __future__ import annotations

import asyncio
import os
import termios
from typing import TYPE_CHECKING, Final, Protocol

from milepost_agent.errors import PortError, SourceConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import serial

READ_BYTES_MAX: Final = 4_096
CONNECT_S_MAX: Final = 10.0
TCP_SCHEME: Final = "tcp://"


class Port(Protocol):
    """An open port."""

    async def read(self) -> bytes:
        """The next bytes, at least one.

        Raises:
            PortError: the port is gone.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Send all of ``data``.

        Raises:
            PortError: the port is gone.
        """
        ...

    async def close(self) -> None:
        """Let go of the port; it does not matter if it is gone."""
        ...


class TcpPort:
    """An adapter that listens on TCP, as Wi-Fi adapters and emulators do."""

    def __init__(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._name = name
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, name: str, host: str, port: int) -> TcpPort:
        """Connect.

        Raises:
            PortError: nobody listens there, or not within ``CONNECT_S_MAX``.
        """
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                reader, writer = await asyncio.open_connection(host, port)
        except TimeoutError as error:
            raise PortError(name, "does not open: no answer in time") from error
        except OSError as error:
            # asyncio's own words name the address once more; a name that leads nowhere has no number above 0.
            number = error.errno or 0
            why = os.strerror(number) if number > 0 else error.strerror or str(error)
            raise PortError(name, f"does not open: {why}") from error
        return cls(name, reader, writer)

    async def read(self) -> bytes:
        try:
            data = await self._reader.read(READ_BYTES_MAX)
        except OSError as error:
            raise PortError(self._name, f"was lost: {error}") from error
        if not data:
            raise PortError(self._name, "was closed by the other side")
        return data

    async def write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise PortError(self._name, f"was lost: {error}") from error

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # it was gone already


class SerialPort:
    """A serial device or pseudo-terminal, held alone: a second reader would steal half of the answers."""

    def __init__(self, device: serial.Serial) -> None:
        self._device = device
        self._name = str(device.name)
        self._fd: int = device.fileno()

    @classmethod
    async def open(cls, path: str, baud: int) -> SerialPort:
        """Open ``path`` raw, at ``baud`` bits a second.

        Raises:
            PortError: it is not there, not a terminal, held by another process, or cannot do this baud rate.
        """
        import serial  # noqa: PLC0415 - an agent on TCP has no use for it

        try:
            device = serial.Serial(path, baud, timeout=0, write_timeout=0, exclusive=True)
        except (OSError, ValueError) as error:
            raise PortError(path, f"does not open: {error}") from error
        try:
            _block_on_nothing(device.fileno())
        except (OSError, termios.error) as error:
            device.close()
            raise PortError(path, f"is not a terminal: {error}") from error
        return cls(device)

    async def read(self) -> bytes:
        loop = asyncio.get_running_loop()
        while True:
            await self._ready(loop.add_reader, loop.remove_reader)
            try:
                data = os.read(self._fd, READ_BYTES_MAX)
            except BlockingIOError:
                continue
            except OSError as error:
                raise PortError(self._name, f"was lost: {error}") from error
            if not data:
                raise PortError(self._name, "was hung up")
            return data

    async def write(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        while data:
            await self._ready(loop.add_writer, loop.remove_writer)
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise PortError(self._name, f"was lost: {error}") from error

    async def close(self) -> None:
        self._device.close()

    async def _ready(
        self, add: Callable[[int, Callable[[], object]], None], remove: Callable[[int], bool]
    ) -> None:
        ready = asyncio.Event()
        add(self._fd, ready.set)
        try:
            await ready.wait()
        finally:
            remove(self._fd)


def _block_on_nothing(fd: int) -> None:
    """Let reads say "nothing yet" and "gone" by different answers; with VMIN 0 both are an empty read."""
    os.set_blocking(fd, False)
    attributes = termios.tcgetattr(fd)
    attributes[6][termios.VMIN] = 1
    termios.tcsetattr(fd, termios.TCSANOW, attributes)


def port_opener(port: str, baud: int) -> Callable[[], Awaitable[Port]]:
    """What opens the port that a configuration names.

    Raises:
        SourceConfigError: neither a device path nor ``tcp://host:port``.
    """
    if port and "://" not in port:
        return lambda: SerialPort.open(port, baud)
    host, _, number = port.removeprefix(TCP_SCHEME).rpartition(":")
    if not port.startswith(TCP_SCHEME) or not host or not number.isdecimal() or not 0 < int(number) < 65536:
        raise SourceConfigError(
            "port", f'{port!r} should be a path such as "/dev/ttyUSB0", or "tcp://host:port"'
        )
    return lambda: TcpPort.open(port, host.strip("[]"), int(number))
