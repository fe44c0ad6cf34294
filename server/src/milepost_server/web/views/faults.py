"""Trouble codes in words: what stands now, since when, and in which part of the car."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from milepost_server.signals.faults import FaultStatus
from milepost_server.web import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.signals.faults import Fault

STATUS_WORDS = MappingProxyType(
    {
        FaultStatus.CONFIRMED: "confirmed",
        FaultStatus.PERMANENT: "confirmed, and stays until the car itself has seen it mended",
        FaultStatus.PENDING: "seen in one drive, not yet confirmed",
        FaultStatus.CLEARED: "cleared",
    }
)
# SAE J2012: the letter names the system, the third character of P codes the part of it.
SYSTEMS = MappingProxyType(
    {"P": "Engine and gearbox", "C": "Chassis", "B": "Body", "U": "Network between control units"}
)
POWERTRAIN_PARTS = MappingProxyType(
    {
        "0": "Fuel and air",
        "1": "Fuel and air",
        "2": "Fuel injection",
        "3": "Ignition and misfire",
        "4": "Exhaust and emissions",
        "5": "Speed and idle control",
        "6": "Engine computer",
        "7": "Gearbox",
        "8": "Gearbox",
        "9": "Gearbox",
        "A": "Hybrid drive",
    }
)


@dataclass(frozen=True, slots=True)
class FaultView:
    """One trouble code as it stands."""

    code: str
    part: str
    status: str
    says: str
    is_active: bool


def fault_views(faults: Sequence[Fault], timezone: str, as_of: dt.date) -> list[FaultView]:
    """Each fault with its sentence, in the order given."""
    return [
        FaultView(
            fault.code,
            part_of(fault.code),
            fault.status.value,
            _says(fault, timezone, as_of),
            fault.is_active,
        )
        for fault in faults
    ]


def part_of(code: str) -> str:
    """In which part of the car a code belongs, in words."""
    if code.startswith("P") and len(code) == 5 and code[2] in POWERTRAIN_PARTS:
        return POWERTRAIN_PARTS[code[2]]
    return SYSTEMS.get(code[:1], "Unknown system")


def _says(fault: Fault, timezone: str, as_of: dt.date) -> str:
    status = STATUS_WORDS[fault.status]
    first, last = (
        None if time_ms is None else words.day_near(words.day_of_ms(time_ms, timezone), as_of)
        for time_ms in (fault.first_seen_ms, fault.last_seen_ms)
    )
    if not fault.is_active:
        return words.sentence(status if last is None else f"{status} on {last}")
    if first is None:
        return words.sentence(f"{status}; the car's clock was not to be trusted, so the day is not known")
    if last is None or last == first:
        return words.sentence(f"{status}; seen on {first}")
    return words.sentence(f"{status}; first seen on {first}, last on {last}")
