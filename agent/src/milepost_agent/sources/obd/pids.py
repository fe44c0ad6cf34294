"""The requests of ``pids.toml``, and their answers as values. Pure."""

from __future__ import annotations

import enum
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import ReplyError
from milepost_agent.sources.obd.dtc import decode_dtcs
from milepost_agent.sources.obd.messages import Framing
from milepost_agent.sources.obd.vin import decode_vin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from milepost_agent.sources.obd.messages import Message
    from milepost_protocol.signals import Value

CURRENT_DATA: Final = "01"
PIDS_PER_MASK: Final = 32
LAST_MASK: Final = 0xC0
MASK_BYTES: Final = 4


class Combine(enum.StrEnum):
    """What becomes of the answers of several ECUs."""

    FIRST = "first"
    ANY = "any"
    SUM = "sum"


class Decoder(enum.StrEnum):
    """How an answer reads."""

    FIELDS = "fields"
    DTC = "dtc"
    VIN = "vin"


@dataclass(frozen=True, slots=True)
class Field:
    """One signal in the data bytes of an answer; the members are those of ``pids.toml``."""

    signal: str
    mask: int = 0xFFFFFFFF
    shift: int = 0
    multiply: float = 1
    divide: float = 1
    offset: float = 0
    combine: Combine = Combine.FIRST

    def value(self, raws: Sequence[int]) -> Value:
        """The value in the ``raws`` of one or more ECUs, lowest address first, in the signal's unit."""
        values = [
            ((raw & self.mask) >> self.shift) * self.multiply / self.divide + self.offset for raw in raws
        ]
        if self.combine is Combine.ANY:
            return any(values)
        return sum(values) if self.combine is Combine.SUM else values[0]


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask, no more often than every ``interval_s`` seconds."""

    command: str
    interval_s: float
    interval_s_standing: float
    fields: tuple[Field, ...]
    decoder: Decoder
    bytes: int

    @property
    def key(self) -> str:
        """Its name in a plan."""
        return self.command

    @property
    def needs_all(self) -> bool:
        """Half a list of codes would pass for one whose other codes are gone."""
        return self.decoder is Decoder.DTC

    @property
    def pid(self) -> int | None:
        """The PID of service 01, whose support the car tells; ``None`` for the other services."""
        return int(self.command[2:4], 16) if self.command.startswith(CURRENT_DATA) else None

    def every(self, interval_s: float) -> Request:
        """This request, at another interval."""
        return replace(self, interval_s=interval_s, interval_s_standing=interval_s)

    def decode(self, messages: Sequence[Message]) -> list[tuple[str, Value]]:
        """Signals and values in the answers, of which there is at least one.

        Raises:
            ReplyError: an answer is too short or too long, or does not hold what it should.
        """
        if self.decoder is Decoder.DTC:
            codes = frozenset().union(*(decode_dtcs(m) for m in messages))
            return [(self.fields[0].signal, " ".join(sorted(codes)))]
        if self.decoder is Decoder.VIN:
            return [(self.fields[0].signal, decode_vin(messages))]
        ordered = sorted(messages, key=lambda m: m.ecu)
        raws = [int.from_bytes(pid_data(self.command, m, self.bytes), "big") for m in ordered]
        return [(field.signal, field.value(raws)) for field in self.fields]


def pid_data(command: str, message: Message, length: int) -> bytes:
    """The ``length`` data bytes of an answer to service 01. CAN tells its lengths, so there more may follow.

    Raises:
        ReplyError: not that many.
    """
    data = message.payload[2:]
    if len(data) < length or (len(data) > length and message.framing is not Framing.CAN):
        raise ReplyError(command, f"holds {len(data)} data bytes, not {length}: {message.payload.hex()}")
    return data[:length]


def supported_pids(base: int, messages: Iterable[Message]) -> frozenset[int]:
    """The PIDs ``base + 1`` to ``base + 32`` that any ECU supports, by its answer to 01 ``base``.

    Raises:
        ReplyError: an answer that is not four bytes long.
    """
    mask = 0
    for message in messages:
        mask |= int.from_bytes(pid_data(f"01{base:02X}", message, MASK_BYTES), "big")
    return frozenset(base + n for n in range(1, PIDS_PER_MASK + 1) if mask >> (PIDS_PER_MASK - n) & 1)


@cache
def requests() -> tuple[Request, ...]:
    """All requests, most urgent first."""
    text = Path(__file__).with_name("pids.toml").read_text(encoding="utf-8")
    return tuple(_request(row) for row in tomllib.loads(text)["request"])


def _request(row: Mapping[str, object]) -> Request:
    fields = row["field"]
    assert isinstance(fields, list), row
    interval_s = float(str(row["interval_s"]))
    return Request(
        command=str(row["command"]),
        interval_s=interval_s,
        interval_s_standing=float(str(row.get("interval_s_standing", interval_s))),
        fields=tuple(_field(field) for field in fields),
        decoder=Decoder(str(row.get("decoder", Decoder.FIELDS))),
        bytes=int(str(row.get("bytes", 0))),
    )


def _field(row: Mapping[str, object]) -> Field:
    numbers = {key: float(str(row[key])) for key in ("multiply", "divide", "offset") if key in row}
    return Field(
        signal=str(row["signal"]),
        mask=int(str(row.get("mask", 0xFFFFFFFF))),
        shift=int(str(row.get("shift", 0))),
        combine=Combine(str(row.get("combine", Combine.FIRST))),
        **numbers,
    )
