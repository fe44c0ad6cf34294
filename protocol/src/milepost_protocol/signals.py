"""The signal catalogue: path, datatype, unit, class and bounds of everything that is sent and stored.

Source: ``catalogue.toml`` beside this file; names, types and units of COVESA VSS 6 where it has them.
"""

from __future__ import annotations

import enum
import math
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from milepost_protocol.errors import UnknownSignalError, ValueRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = float | int | bool | str

OVERLAY_PREFIX = "Vehicle.Milepost."

TEXT_BYTES_MAX = 256
INTEGER_BOUNDS = MappingProxyType(
    {
        "uint8": (0, 2**8 - 1),
        "uint16": (0, 2**16 - 1),
        "uint32": (0, 2**32 - 1),
        "int32": (-(2**31), 2**31 - 1),
    }
)


class SignalClass(enum.StrEnum):
    """What a sample is worth when there is no room: members stand in the order in which they are dropped."""

    SERIES = "series"
    EVENT = "event"
    COUNTER = "counter"
    WEAR = "wear"
    ODOMETER = "odometer"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Signal:
    """One entry of the catalogue.

    ``minimum`` and ``maximum`` are in ``unit`` and inclusive; on the wire a value is a whole number of steps,
    of which ``per_unit`` make one unit.
    """

    path: str
    datatype: str
    unit: str
    signal_class: SignalClass
    decimals: int
    per_unit: int
    minimum: float
    maximum: float
    description: str

    @property
    def is_text(self) -> bool:
        return self.datatype == "string"

    @property
    def may_be_profiled(self) -> bool:
        """Whether a collection profile may ask for more of it than all agents send.

        Texts name things: a car, a fault. A stream of them is a trace and not a measurement.
        """
        return not self.is_text

    @property
    def is_overlay(self) -> bool:
        return self.path.startswith(OVERLAY_PREFIX)

    def check(self, value: Value) -> Value:
        """Return ``value`` as this signal's own type.

        Raises:
            ValueRefusedError: not of the datatype, not finite, or outside the bounds of physics.
        """
        if self.is_text:
            return self._check_text(value)
        if isinstance(value, str) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueRefusedError(self.path, value, f"is not a {self.datatype}")
        if not self.minimum <= value <= self.maximum:
            raise ValueRefusedError(
                self.path, value, f"is outside {self.minimum:g} to {self.maximum:g} {self.unit}".rstrip()
            )
        if self.datatype == "boolean":
            return bool(value)
        if self.datatype == "float":
            return float(value)
        if value != int(value):
            raise ValueRefusedError(self.path, value, f"is not a whole number, as {self.datatype} is")
        return int(value)

    def _check_text(self, value: Value) -> str:
        if not isinstance(value, str):
            raise ValueRefusedError(self.path, value, "is not a string")
        if len(value.encode()) > TEXT_BYTES_MAX:
            raise ValueRefusedError(self.path, value, f"is longer than {TEXT_BYTES_MAX} bytes")
        return value


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All signals by path, the VSS version that their names are taken from, and what names both together.

    ``digest``: 16 hexadecimal digits that change whenever a signal, its unit, type, class or bounds do.
    """

    vss: str
    signals: Mapping[str, Signal]
    digest: str = ""

    def __getitem__(self, path: str) -> Signal:
        """The signal at ``path``.

        Raises:
            UnknownSignalError: the catalogue has no such path.
        """
        try:
            return self.signals[path]
        except KeyError:
            raise UnknownSignalError(path) from None

    def __contains__(self, path: object) -> bool:
        return path in self.signals


@cache
def catalogue() -> Catalogue:
    """The catalogue that this version of the protocol ships."""
    text = Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    signals = {row["path"]: _signal(row) for row in document["signal"]}
    return Catalogue(document["vss"], MappingProxyType(signals), document["digest"])


def _signal(row: dict[str, object]) -> Signal:
    datatype = str(row["datatype"])
    decimals = int(str(row.get("decimals", 0)))
    low, high = INTEGER_BOUNDS.get(datatype, (0, 1) if datatype == "boolean" else (-math.inf, math.inf))
    return Signal(
        path=str(row["path"]),
        datatype=datatype,
        unit=str(row["unit"]),
        signal_class=SignalClass(str(row["class"])),
        decimals=decimals,
        per_unit=int(str(row.get("per_unit", 10**decimals))),
        minimum=max(low, float(str(row.get("min", low)))),
        maximum=min(high, float(str(row.get("max", high)))),
        description=str(row["description"]),
    )
