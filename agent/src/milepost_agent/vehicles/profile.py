"""A vehicle profile: what one kind of car says beyond the standard, on which unit, and how it reads. Pure."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.errors import ReplyError
from milepost_agent.vehicles.units import SAME
from milepost_protocol.signals import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_agent.sources.obd.addresses import CanId
    from milepost_agent.sources.obd.messages import Message
    from milepost_agent.vehicles.units import Scale
    from milepost_protocol.signals import Value

DID_HEADER_BYTES: Final = 3
"""Service and identifier, before the data of an answer to 22."""


class Standing(enum.StrEnum):
    """How far the facts of a profile may be trusted."""

    EXAMPLE = "example"
    """Made up, to show how it is done: no car is like this."""
    UNVERIFIED = "unverified"
    """From a source that is named, not yet seen on a car."""
    VERIFIED = "verified"
    """Recorded on a car; the examples are these records."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """From a number on the bus to a value of a catalogue signal; members are those of the profile's page.

    ``(number * multiply / divide + offset)`` is in the profile's unit, ``scale`` takes it to the catalogue's.
    """

    signal: str
    multiply: float = 1.0
    divide: float = 1.0
    offset: float = 0.0
    scale: Scale = SAME
    invalid: frozenset[float] = frozenset()
    minimum: float = -math.inf
    maximum: float = math.inf
    values: Mapping[int, Value] = field(default_factory=lambda: MappingProxyType({}))

    def value(self, number: float) -> Value | None:
        """The value in the signal's own unit; ``None`` where the number stands for none, or cannot be."""
        if number in self.invalid:
            return None
        if self.values:
            return self.values.get(round(number))
        converted = (
            number * self.multiply / self.divide + self.offset
        ) * self.scale.factor + self.scale.offset
        if not self.minimum <= converted <= self.maximum:
            return None
        signal = catalogue()[self.signal]
        if signal.datatype == "boolean":
            return bool(converted)
        return converted if signal.datatype == "float" else round(converted)


@dataclass(frozen=True, slots=True)
class Slice:
    """Where a number stands in the data bytes of an answer (the first is 0), or a text."""

    start: int
    length: int
    little_endian: bool = False
    signed: bool = False
    mask: int | None = None
    shift: int = 0
    text: bool = False

    def number(self, data: bytes) -> int:
        """The number in ``data``, which is long enough."""
        part = data[self.start : self.start + self.length]
        is_signed = self.signed and self.mask is None
        raw = int.from_bytes(part, "little" if self.little_endian else "big", signed=is_signed)
        return raw if self.mask is None else (raw & self.mask) >> self.shift

    def characters(self, data: bytes) -> str | None:
        """The text in ``data``; ``None`` where it holds none."""
        raw = data[self.start : self.start + self.length].strip(b"\0 \xff")
        return raw.decode("ascii") if raw and all(0x20 <= byte < 0x7F for byte in raw) else None


@dataclass(frozen=True, slots=True)
class Field:
    """One signal in an answer."""

    slice: Slice
    conversion: Conversion

    def value(self, data: bytes) -> Value | None:
        """The value in the data bytes; ``None`` where they hold none."""
        if self.slice.text:
            return self.slice.characters(data)
        return self.conversion.value(self.slice.number(data))


@dataclass(frozen=True, slots=True)
class ExtendedRecord:
    """Where extended data of a trouble code (19 06) holds a counter: record number and byte in it."""

    record: int
    byte: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A control unit: where it is asked and where it answers, and whether it tells trouble codes by 19 02."""

    name: str
    request: CanId
    response: CanId
    trouble_codes: bool = False
    occurrences: ExtendedRecord | None = None
    ageing: ExtendedRecord | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A recorded exchange, and the values that it must give; ``request`` is "" for a frame that was heard."""

    request: str
    response: bytes
    values: Mapping[str, Value | None]


@dataclass(frozen=True, slots=True)
class Read:
    """One data identifier of one unit (service 22), and the signals in its answer. A question of the plan."""

    unit: Unit
    did: int
    interval_s: float
    bytes: int
    fields: tuple[Field, ...]
    examples: tuple[Example, ...]

    @property
    def command(self) -> str:
        """The request, as hex digits."""
        return f"22{self.did:04X}"

    @property
    def key(self) -> str:
        """Its name in a plan."""
        return f"{self.unit.name}:{self.command}"

    @property
    def interval_s_standing(self) -> float:
        """The same: what this service reads does not change with the engine."""
        return self.interval_s

    @property
    def needs_all(self) -> bool:
        """One unit answers, whole or not at all."""
        return False

    def decode(self, messages: Sequence[Message]) -> list[tuple[str, Value]]:
        """Signals and values in the answer; a number that stands for no value is left out.

        Raises:
            ReplyError: fewer bytes than the profile says.
        """
        data = messages[0].payload[DID_HEADER_BYTES:]
        if len(data) < self.bytes:
            raise ReplyError(self.command, f"holds {len(data)} data bytes, not {self.bytes}")
        pairs = ((field.conversion.signal, field.value(data)) for field in self.fields)
        return [(signal, value) for signal, value in pairs if value is not None]


@dataclass(frozen=True, slots=True)
class Listen:
    """One signal of one frame that the car sends by itself, by its names in a DBC file."""

    frame: str
    signal: str
    conversion: Conversion
    interval_s: float
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class VehicleProfile:
    """What is known of one kind of car; ``dbc`` is the text of a file that it brings, "" for none."""

    name: str
    title: str
    standing: Standing
    source: str
    vins: tuple[str, ...] = ()
    units: tuple[Unit, ...] = ()
    reads: tuple[Read, ...] = ()
    listens: tuple[Listen, ...] = ()
    dbc: str = ""

    def is_of(self, vin: str) -> bool:
        """Whether a car with this VIN is of this kind: ``?`` stands for any character, ``*`` for any rest."""
        return any(fnmatchcase(vin, pattern) for pattern in self.vins)

    @property
    def signals(self) -> frozenset[str]:
        """All signals that it can give."""
        read = (field.conversion.signal for one in self.reads for field in one.fields)
        return frozenset({*read, *(one.conversion.signal for one in self.listens)})

    @property
    def tells_system_state(self) -> bool:
        """Whether the car itself says when it is on, so that it need not be guessed from what is heard."""
        return any(one.conversion.signal == paths.SYSTEM_STATE for one in self.listens)
