"""Serves a car on CAN: as a serial adapter on a pseudo-terminal, or on a bus of python-can."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

from milepost_simulator.car.can_unit import CanFrame
from milepost_simulator.car.port import serve_line
from milepost_simulator.car.slcan import Slcan
from milepost_simulator.errors import PortInUseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    import can

    from milepost_simulator.car.can_car import CanCar

RECEIVE_S = 0.1


class CarOnBus:
    """Moves a car in the machine's time: what it hears goes in, what it says goes out."""

    def __init__(self, car: CanCar, send: Callable[[CanFrame], None]) -> None:
        self._car = car
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._move()

    def hear(self, frame: CanFrame) -> None:
        """A frame came from outside."""
        self._car.hear(frame, self._loop.time())
        self._move()

    def close(self) -> None:
        """Say nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _move(self) -> None:
        self.close()
        for frame in self._car.due(self._loop.time()):
            self._send(frame)
        next_s = self._car.next_s()
        if next_s < float("inf"):
            self._timer = self._loop.call_at(next_s, self._move)


class SlcanLine:
    """A car behind a serial adapter: a line that ``port`` serves."""

    def __init__(self, car: CanCar, adapter: Slcan, write: Callable[[bytes], None]) -> None:
        self._adapter = adapter
        self._write = write
        self._bus = CarOnBus(car, lambda frame: write(adapter.line(frame)))

    def receive(self, data: bytes) -> None:
        """Characters came from the other end."""
        answer, frames = self._adapter.feed(data)
        self._write(answer)
        for frame in frames:
            self._bus.hear(frame)

    def close(self) -> None:
        """Say nothing more."""
        self._bus.close()


@contextlib.asynccontextmanager
async def serve_slcan(car: CanCar, link: Path | None = None) -> AsyncIterator[Path]:
    """Serve ``car`` as an SLCAN adapter on a pseudo-terminal; yields the path to open.

    Raises:
        PortInUseError: ``link`` is there already and is no symbolic link, or cannot be made.
    """
    async with serve_line(lambda write: SlcanLine(car, Slcan(), write), link) as path:
        yield path


@contextlib.asynccontextmanager
async def serve_interface(car: CanCar, interface: str) -> AsyncIterator[str]:
    """Serve ``car`` on an interface of SocketCAN, such as vcan0; yields its name.

    Raises:
        PortInUseError: there is no such interface, or this system has no SocketCAN.
    """
    import can  # noqa: PLC0415 - python-can is an extra

    try:
        bus = can.Bus(interface="socketcan", channel=interface)
    except (OSError, can.CanError) as error:
        raise PortInUseError(interface, str(error)) from error
    async with serve_bus(car, bus):
        yield interface


@contextlib.asynccontextmanager
async def serve_bus(car: CanCar, bus: can.BusABC) -> AsyncIterator[None]:
    """Let ``car`` live on a bus of python-can, which is shut at the end."""
    import can  # noqa: PLC0415 - python-can is an extra

    def send(frame: CanFrame) -> None:
        message = can.Message(arbitration_id=frame.number, is_extended_id=frame.is_extended, data=frame.data)
        bus.send(message)

    on_bus = CarOnBus(car, send)
    loop, stop, ended = asyncio.get_running_loop(), threading.Event(), asyncio.Event()

    def read() -> None:
        while not stop.is_set():
            message = bus.recv(RECEIVE_S)
            if message is not None:
                frame = CanFrame(message.arbitration_id, message.is_extended_id, bytes(message.data))
                loop.call_soon_threadsafe(on_bus.hear, frame)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, name="simulated-bus", daemon=True).start()
    try:
        yield
    finally:
        stop.set()
        await ended.wait()
        on_bus.close()
        bus.shutdown()
