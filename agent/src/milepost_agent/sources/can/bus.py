"""One open CAN bus, through python-can: a thread reads, another one writes, the event loop is never held up.

This is the one module that loads python-can, and ``CanBus.send`` the one place that sends a frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from milepost_agent.errors import PortError
from milepost_agent.sources.can.gate import Frame
from milepost_agent.sources.obd.addresses import EXTENDED_MAX, STANDARD_MAX, CanId, answer_extended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import can
    from can.typechecking import CanFilter

    from milepost_agent.sources.can.gate import Gate

FRAMES_MAX: Final = 4_096
"""Frames that wait for the event loop; a full bus brings about 4,000 a second. Beyond, the oldest go."""
RECEIVE_S: Final = 0.2
"""How long the reading thread waits at most before it looks whether it is to end."""
SEND_S_MAX: Final = 1.0
SERIAL_READ_S: Final = 0.05
"""Wait of a serial adapter's driver for a byte; its own default polls a thousand times a second."""
BUS_OFF: Final = 0x40
"""Class of an error frame (linux/can/error.h): the controller has left the bus."""


def _filter(one: CanId, mask: int | None = None) -> CanFilter:
    width = EXTENDED_MAX if one.is_extended else STANDARD_MAX
    return {"can_id": one.number, "can_mask": mask or width, "extended": one.is_extended}


ANSWERS: Final = [_filter(CanId(0x7E8), 0x7F8), _filter(answer_extended(0), 0x1FFF_FF00)]
"""What all units of OBD answer on."""


class Heard(NamedTuple):
    """A frame, and when it was heard by the monotonic clock, in seconds."""

    frame: Frame
    mono_s: float


class Bus(Protocol):
    """An open bus, as the rest of this room sees it."""

    gate: Gate
    is_passive: bool
    """Whether the hardware itself was told not to send."""

    async def frames(self, wait_s: float) -> list[Heard]:
        """All frames that were heard since, waiting at most ``wait_s`` for the first; none where none came.

        Raises:
            PortError: the bus is gone, or off.
        """
        ...

    async def send(self, frame: Frame) -> None:
        """Send one frame, if the gate lets it through.

        Raises:
            ReadOnlyError: the gate does not; nothing was sent.
            PortError: the bus is gone, or off, or does not take the frame in time.
        """
        ...

    def hear_only(self, ids: Iterable[CanId] | None) -> None:
        """Hear these frames and answers of OBD only, so that a busy bus costs little; ``None``: all."""
        ...

    def counts(self) -> Mapping[str, int]:
        """What went over the bus and what did not: for the status."""
        ...

    async def close(self) -> None:
        """Let go of the bus; returns when its threads have ended."""
        ...


@dataclass(frozen=True, slots=True)
class BusChoice:
    """Which bus: interface and channel as python-can names them. ``options`` are its driver's own."""

    interface: str
    channel: str
    bitrate: int = 500_000
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.interface} {self.channel}"


@dataclass(slots=True)
class _Counts:
    heard: int = 0
    sent: int = 0
    dropped: int = 0
    error_frames: int = 0
    garbled_lines: int = 0


class CanBus:
    """A bus of python-can."""

    def __init__(self, choice: BusChoice, gate: Gate, clock: Callable[[], float]) -> None:
        self.gate = gate
        self.is_passive = False
        self._choice = choice
        self._clock = clock
        self._counts = _Counts()
        self._waiting: deque[Heard] = deque(maxlen=FRAMES_MAX)
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._is_told = False
        self._error: str | None = None
        self._stop = threading.Event()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended = asyncio.Event()
        self._bus: can.BusABC | None = None
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="can-send")

    @classmethod
    async def open(cls, choice: BusChoice, gate: Gate, clock: Callable[[], float]) -> CanBus:
        """Open the bus; what it does before (a serial adapter's start) does not hold up the event loop.

        Raises:
            PortError: it does not open.
        """
        bus = cls(choice, gate, clock)
        threading.Thread(target=bus._run, name="can-read", daemon=True).start()
        try:
            await bus._opened
        except BaseException:
            await bus.close()
            raise
        return bus

    async def frames(self, wait_s: float) -> list[Heard]:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                # The news may be of frames that were taken already.
                while not self._waiting and self._error is None:
                    await self._news.wait()
                    self._news.clear()
                    self._is_told = False
        # A bus that never pauses must not keep the loop from everything else.
        await asyncio.sleep(0)
        self._is_told = False
        heard = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not heard and self._error is not None:
            raise PortError(self._choice.name, self._error)
        return heard

    async def send(self, frame: Frame) -> None:
        import can  # noqa: PLC0415

        self.gate.check(frame)
        if self._bus is None or self._error is not None:
            raise PortError(self._choice.name, self._error or "is closed")
        message = can.Message(
            arbitration_id=frame.id.number, is_extended_id=frame.id.is_extended, data=frame.data
        )
        try:
            await self._loop.run_in_executor(self._sender, self._bus.send, message, SEND_S_MAX)
        except (can.CanError, OSError, ValueError) as error:
            raise PortError(self._choice.name, f"does not take a frame: {error}") from error
        self._counts.sent += 1

    def hear_only(self, ids: Iterable[CanId] | None) -> None:
        if self._bus is None:
            return
        wanted = None if ids is None else [_filter(one) for one in ids]
        if wanted is not None and not self.gate.is_shut:
            wanted += ANSWERS
        self._bus.set_filters(wanted)

    def counts(self) -> Mapping[str, int]:
        counts = self._counts
        return {
            "heard": counts.heard,
            "sent": counts.sent,
            "dropped": counts.dropped,
            "error_frames": counts.error_frames,
            "garbled_lines": counts.garbled_lines,
        }

    async def close(self) -> None:
        self._stop.set()
        await self._ended.wait()
        self._sender.shutdown(wait=False, cancel_futures=True)

    # What follows runs in the reading thread.

    def _run(self) -> None:
        try:
            self._bus = self._open()
        except PortError as error:
            self._tell(self._refuse, error)
        else:
            self._tell(self._accept)
            try:
                self._read(self._bus)
            finally:
                self._shut(self._bus)
        finally:
            self._tell(self._ended.set)

    def _open(self) -> can.BusABC:
        import can  # noqa: PLC0415

        choice, listens_only = self._choice, self.gate.is_shut
        options: dict[str, Any] = {"bitrate": choice.bitrate}
        if choice.interface == "slcan":
            options |= {"listen_only": listens_only, "timeout": SERIAL_READ_S}
        options |= choice.options
        try:
            bus = can.Bus(
                interface=choice.interface,
                channel=choice.channel,
                ignore_config=True,
                receive_own_messages=False,
                **options,
            )
        except (can.CanError, OSError, ValueError, TypeError) as error:
            raise PortError(choice.name, f"does not open: {error}") from error
        self.is_passive = listens_only and (choice.interface == "slcan" or _made_passive(bus))
        return bus

    def _read(self, bus: can.BusABC) -> None:
        import can  # noqa: PLC0415

        while not self._stop.is_set():
            try:
                message = bus.recv(RECEIVE_S)
            except (can.CanError, OSError) as error:
                self._lose(f"was lost: {error}")
                return
            except (ValueError, IndexError):
                # A serial adapter's line that is no frame: its driver has thrown it away.
                self._counts.garbled_lines += 1
                continue
            if message is None or message.is_remote_frame:
                continue
            if not message.is_error_frame:
                self._put(message)
                continue
            self._counts.error_frames += 1
            if message.arbitration_id & BUS_OFF:
                self._lose("is off: the controller left the bus after too many errors; check its bit rate")
                return

    def _put(self, message: can.Message) -> None:
        self._counts.heard += 1
        self._counts.dropped += len(self._waiting) == FRAMES_MAX
        frame = Frame(CanId(message.arbitration_id, message.is_extended_id), bytes(message.data))
        self._waiting.append(Heard(frame, self._clock()))
        self._wake()

    def _lose(self, why: str) -> None:
        self._error = why
        self._wake()

    def _wake(self) -> None:
        if not self._is_told:
            self._is_told = True
            self._tell(self._news.set)

    def _tell(self, call: Callable[..., object], *arguments: object) -> None:
        # The loop may be closed: then nobody is there to be told.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    def _accept(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)

    def _refuse(self, error: PortError) -> None:
        if not self._opened.done():
            self._opened.set_exception(error)

    def _shut(self, bus: can.BusABC) -> None:
        import can  # noqa: PLC0415

        # A bus that is gone cannot be told goodbye; whoever read it knows already.
        with contextlib.suppress(can.CanError, OSError):
            bus.shutdown()
        # The driver of serial adapters leaves its port open where the goodbye fails.
        port = getattr(bus, "serialPortOrig", None)
        if port is not None:
            with contextlib.suppress(OSError):
                port.close()


def _made_passive(bus: can.BusABC) -> bool:
    import can  # noqa: PLC0415

    try:
        bus.state = can.BusState.PASSIVE
    except (NotImplementedError, can.CanError):
        return False
    return True


def interfaces() -> list[str]:
    """The interfaces that python-can knows."""
    import can.interfaces  # noqa: PLC0415

    return sorted(can.interfaces.BACKENDS)
