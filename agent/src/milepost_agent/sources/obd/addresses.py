"""Identifiers of diagnostics on CAN (ISO 15765-4): who is asked on which, who answers on which. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

STANDARD_MAX: Final = 0x7FF
EXTENDED_MAX: Final = 0x1FFF_FFFF
OBD_UNITS: Final = 8
TESTER: Final = 0xF1


class CanId(NamedTuple):
    """An identifier on the bus, of 11 or 29 bits; the same number may be both, and means two things then."""

    number: int
    is_extended: bool = False

    def __str__(self) -> str:
        return f"{self.number:08X}" if self.is_extended else f"{self.number:03X}"


FUNCTIONAL: Final = CanId(0x7DF)
FUNCTIONAL_EXTENDED: Final = CanId(0x18DB_33F1, is_extended=True)


def physical_extended(unit: int) -> CanId:
    """What asks the unit at address ``unit`` (0 to 255) on a 29-bit bus."""
    return CanId(0x18DA_0000 | unit << 8 | TESTER, is_extended=True)


def answer_extended(unit: int) -> CanId:
    """What the unit at address ``unit`` answers on."""
    return CanId(0x18DA_0000 | TESTER << 8 | unit, is_extended=True)


OBD_STANDARD: Final = {CanId(0x7E8 + n): CanId(0x7E0 + n) for n in range(OBD_UNITS)}
"""Where the units of an 11-bit bus answer, and where each is asked."""
OBD_EXTENDED: Final = {answer_extended(n): physical_extended(n) for n in range(256)}
"""The same on a 29-bit bus."""


def can_id(number: int) -> CanId:
    """The identifier that a profile or a setting means: above 7FF it has 29 bits."""
    return CanId(number, is_extended=number > STANDARD_MAX)
