"""An ELM327 adapter in the car's diagnostic port: characters in, characters out, without any I/O.

The dialogue follows the adapter's data sheet: echo, line ends, spaces, headers, SEARCHING..., NO DATA,
BUS INIT: ERROR, CAN ERROR, UNABLE TO CONNECT, STOPPED, and ISO-TP answers in lines.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from milepost_simulator.car.at_commands import UNKNOWN, AtCommands
from milepost_simulator.car.ecu import ENGINE_UNIT, Ecu, EcuModel
from milepost_simulator.car.framing import (
    PROTOCOLS,
    Frame,
    Protocol,
    can_frames,
    k_line_frames,
    obd_identifier,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_simulator.car.snapshot import Snapshot, Vehicle
    from milepost_simulator.car.uds import UdsUnit
    from milepost_simulator.clock import Clock

COMMAND_CHARACTERS_MAX = 256
REQUEST_BYTES_MAX = 7
UNANSWERED_BEFORE_SEARCH = 3
ASKED_MAX = 1_000
FUNCTIONAL_HEADERS = ("7DF", "DB33F1", "18DB33F1", "686AF1", "C133F1")
PROMPT = b">"


class Output(NamedTuple):
    """Bytes that the adapter sends ``delay_s`` after what it sent before."""

    delay_s: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a real adapter takes, in seconds of the machine's clock."""

    command_s: float = 0.002
    reset_s: float = 0.3
    answer_s: float = 0.02
    frame_s: float = 0.002
    search_s: float = 0.6


USUAL_TIMING = Timing()
PROMPTLY = Timing(command_s=0.0, reset_s=0.0, answer_s=0.0, frame_s=0.0, search_s=0.0)


class Addressed(NamedTuple):
    """A control unit with identifiers of its own, which only who knows them can ask."""

    request: int
    response: int
    unit: UdsUnit


class Elm327:
    """One adapter on one car. ``asked`` are the requests that it put on the bus, with the header of each.

    Args:
        vehicle: what the control units look at.
        clock: the time in the car's world.
        models: the control units on the bus, the engine's first.
        others: units that speak UDS, on a CAN bus.
        protocol: the number of the bus's protocol (6: CAN, 11 bit, 500 kbit/s).
        version: what ATI says.
        padding: the byte that fills CAN frames, None for short frames.
        timing: how long things take.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        clock: Clock,
        *,
        models: Sequence[EcuModel] = (ENGINE_UNIT,),
        others: Sequence[Addressed] = (),
        protocol: int = 6,
        version: str = "ELM327 v1.5",
        padding: int | None = 0xAA,
        timing: Timing = USUAL_TIMING,
    ) -> None:
        self._vehicle = vehicle
        self._clock = clock
        self._ecus = [Ecu(vehicle, model) for model in models]
        self._others = tuple(others)
        self._bus = PROTOCOLS[protocol]
        self._padding = padding
        self._timing = timing
        self._at = AtCommands(
            version,
            voltage_v=lambda: self._look().voltage_v,
            is_ignition_on=lambda: self._look().is_ignition_on,
        )
        self._is_connected = False
        self._unanswered = 0
        self._typed = bytearray()
        self._last_command = ""
        self.refused_commands = 0
        self.bus_requests = 0
        """Requests that were put on the bus, or on a bus that is asleep."""
        self.asked: deque[tuple[str, bytes]] = deque(maxlen=ASKED_MAX)
        self.is_low_power = False

    @property
    def keeps_alive(self) -> bool:
        """Whether it sends something by itself now, so that a bus before CAN does not fall asleep."""
        return self._is_connected and not self._bus.is_can and self._at.settings.keeps_alive

    def feed(self, data: bytes) -> list[Output]:
        """Take characters from the line; gives what the adapter sends because of them."""
        outputs: list[Output] = []
        if self.is_low_power and data:
            # The first character only wakes it.
            self.is_low_power = False
            outputs.append(Output(self._timing.command_s, PROMPT))
            data = data[1:]
        for byte in data:
            if byte in (0x00, 0x0A):
                continue
            if self._at.settings.echo:
                outputs.append(Output(0.0, bytes((byte,))))
            if byte != 0x0D:
                if len(self._typed) < COMMAND_CHARACTERS_MAX:
                    self._typed.append(byte)
                continue
            if self._at.settings.echo and self._at.settings.linefeeds:
                outputs.append(Output(0.0, b"\n"))
            line = self._typed.decode("ascii", "replace")
            self._typed.clear()
            outputs += self.execute(line)
        return outputs

    def interrupt(self) -> list[Output]:
        """A character came while the adapter was busy: it gives up what it was doing."""
        return [Output(0.0, self._text("STOPPED"))]

    def execute(self, line: str) -> list[Output]:
        """Run one command; an empty one repeats the last."""
        command = re.sub(r"\s", "", line).upper() or self._last_command
        self._last_command = command
        if command.startswith("AT"):
            return self._adapter_command(command[2:])
        if not re.fullmatch(r"[0-9A-F]{2,15}", command):
            return self._say(UNKNOWN)
        return self._request(command)

    def _adapter_command(self, command: str) -> list[Output]:
        if command in ("Z", "WS"):
            self._is_connected = False
            version = self._at.reset()
            delay_s = self._timing.reset_s if command == "Z" else self._timing.command_s
            return [Output(delay_s, b"\r\r" + self._text(version))]
        if command == "MA":
            return [Output(self._at.settings.timeout_s, self._text("NO DATA"))]
        if command[:2] in ("SP", "TP", "PC", "LP") or command == "D":
            self._is_connected = False
        self.is_low_power = command == "LP"
        return self._say(self._at.run(command))

    def _request(self, digits: str) -> list[Output]:
        # An odd last digit says how many answers to wait for, so that the adapter need not time out.
        answers_max = int(digits[-1], 16) if len(digits) % 2 else None
        request = bytes.fromhex(digits[:-1] if len(digits) % 2 else digits)
        if len(request) > REQUEST_BYTES_MAX:
            return self._say(UNKNOWN)
        self.bus_requests += 1
        self.asked.append((self._at.settings.request_header or "", request))
        now = self._look()
        if not self._is_connected:
            return self._connect_and_ask(request, answers_max, now)
        return self._ask(request, answers_max, now)

    def _connect_and_ask(self, request: bytes, answers_max: int | None, now: Snapshot) -> list[Output]:
        settings = self._at.settings
        wanted = settings.protocol
        is_there = now.is_ignition_on and (settings.searches or wanted == self._bus)
        if settings.searches:
            preamble, failure = "SEARCHING...", "UNABLE TO CONNECT"
        elif wanted is not None and not wanted.is_can:
            preamble, failure = "BUS INIT: ", "ERROR"
        else:
            preamble, failure = "", "CAN ERROR"
        opening = preamble + ("OK" if is_there and preamble.startswith("BUS") else "")
        end = "" if preamble.startswith("BUS") and not is_there else settings.end_of_line
        outputs = [Output(self._timing.command_s, (opening + end).encode())] if opening else []
        if not is_there:
            return [*outputs, Output(self._timing.search_s, self._text(failure))]
        settings.protocol = self._bus
        self._is_connected = True
        self._unanswered = 0
        answer = self._ask(request, answers_max, now)
        return [*outputs, answer[0]._replace(delay_s=self._timing.search_s), *answer[1:]]

    def _ask(self, request: bytes, answers_max: int | None, now: Snapshot) -> list[Output]:
        settings = self._at.settings
        lines: list[str] = []
        answered = 0
        for ecu in self._addressed():
            payload = ecu.respond(request, now, is_functional=not self._is_physical())
            if payload is None or (answers_max is not None and answered >= answers_max):
                continue
            address = ecu.model.address
            lines += self._lines(obd_identifier(address, is_extended=self._bus.is_extended), payload)
            answered += 1
        for other in self._others if now.is_ignition_on and self._bus.is_can else ():
            if other.request == self._target():
                lines += self._lines(other.response, other.unit.respond(request, now))
        if not lines:
            return self._no_data(now)
        self._unanswered = 0
        waits = settings.adaptive_timing == 0 and answers_max is None
        delay_s = self._timing.answer_s + (settings.timeout_s if waits else 0.0)
        outputs = [
            Output(delay_s if index == 0 else self._timing.frame_s, (line + settings.end_of_line).encode())
            for index, line in enumerate(lines)
        ]
        return [*outputs, Output(self._timing.command_s, settings.end_of_line.encode() + PROMPT)]

    def _no_data(self, now: Snapshot) -> list[Output]:
        self._unanswered += 1
        if self._unanswered >= UNANSWERED_BEFORE_SEARCH and not now.is_ignition_on:
            self._is_connected = False
        wait_s = self._at.settings.timeout_s if self._timing.answer_s else 0.0
        return [Output(wait_s, self._text("NO DATA"))]

    def _is_physical(self) -> bool:
        header = self._at.settings.request_header
        return header is not None and header not in FUNCTIONAL_HEADERS

    def _addressed(self) -> list[Ecu]:
        if not self._is_physical():
            return self._ecus
        return [ecu for ecu in self._ecus if self._request_identifier(ecu.model.address) == self._target()]

    def _request_identifier(self, address: int) -> int:
        """What a unit of OBD is asked on alone."""
        if self._bus.is_extended:
            return 0x18DA10F1 + ((address & 0x07) << 8)
        return address - 8

    def _target(self) -> int:
        """The identifier that a request goes to: of 29 bits, ATCP has the first five."""
        settings = self._at.settings
        header = settings.request_header or "0"
        return int(settings.priority + header if self._bus.is_extended else header, 16)

    def _lines(self, identifier: int, payload: bytes) -> list[str]:
        if self._bus.is_can:
            extended = self._bus.is_extended
            frames = can_frames(identifier, payload, is_extended=extended, padding=self._padding)
            frames = frames if self._lets_come(identifier) else frames[:1]
        else:
            frames = k_line_frames(identifier, payload)
        wanted = self._at.settings.receive_filter
        if wanted is not None:
            frames = [f for f in frames if f.header.hex().upper().lstrip("0") == wanted.lstrip("0")]
        if not frames:
            return []
        if self._bus.is_can and not self._at.settings.headers and self._at.settings.auto_format:
            return self._formatted(frames, len(payload))
        return [self._raw(frame, self._bus) for frame in frames]

    def _lets_come(self, identifier: int) -> bool:
        """Whether the flow control reaches who sends: by itself the adapter knows identifiers of OBD only."""
        settings = self._at.settings
        if not settings.own_flow:
            return self._bus.is_extended or not self._is_physical() or self._target() == identifier - 8
        return int(settings.flow_header, 16) == self._target() and settings.flow_data.startswith("30")

    def _formatted(self, frames: list[Frame], length: int) -> list[str]:
        if len(frames) == 1:
            return [self._hex(frames[0].data[1 : frames[0].used])]
        separator = ": " if self._at.settings.spaces else ":"
        lines = [f"{length:03X}"]
        for index, frame in enumerate(frames):
            skipped = 2 if index == 0 else 1
            lines.append(f"{index & 0x0F:X}{separator}{self._hex(frame.data[skipped:])}")
        return lines

    def _raw(self, frame: Frame, bus: Protocol) -> str:
        if not self._at.settings.headers:
            return self._hex(frame.data if bus.is_can else frame.data[: frame.used])
        if bus.is_can and not bus.is_extended:
            header = frame.header.hex().upper()[-3:] + (" " if self._at.settings.spaces else "")
            return header + self._hex(frame.data)
        return self._hex(frame.header + frame.data)

    def _hex(self, data: bytes) -> str:
        # A real adapter leaves a space after the last byte too.
        return "".join(f"{byte:02X} " for byte in data) if self._at.settings.spaces else data.hex().upper()

    def _look(self) -> Snapshot:
        return self._vehicle.snapshot(self._clock.now_s())

    def _say(self, text: str) -> list[Output]:
        self.refused_commands += text == UNKNOWN
        return [Output(self._timing.command_s, self._text(text))]

    def _text(self, text: str) -> bytes:
        end = self._at.settings.end_of_line
        return f"{text}{end}{end}".encode() + PROMPT
