"""Factors between units, by the names that VSS has for them. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

KELVIN_C: Final = -273.15

DIMENSIONS: Final[tuple[Mapping[str, float], ...]] = tuple(
    MappingProxyType(one)
    for one in (
        {"m": 1.0, "km": 1000.0, "cm": 0.01, "mm": 0.001, "mile": 1609.344, "miles": 1609.344},
        {"km/h": 1.0, "m/s": 3.6, "cm/s": 0.036, "mph": 1.609344},
        {"pa": 0.001, "mbar": 0.1, "hpa": 0.1, "kpa": 1.0, "bar": 100.0, "psi": 6.894757},
        {"v": 1.0, "mv": 0.001},
        {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "days": 86_400.0},
        {"percent": 1.0, "ratio": 100.0},
        {"wh": 0.001, "kwh": 1.0},
        {"rpm": 1.0},
        {"celsius": 1.0},
        {"": 1.0},
    )
)
"""Units of one kind, each with its size in one of them. Names in lower case: spelling differs in that."""


class Conversion(NamedTuple):
    """``value * factor + offset`` is in the other unit."""

    factor: float
    offset: float = 0.0

    def __call__(self, value: float) -> float:
        return value * self.factor + self.offset


def conversion(unit: str, to: str) -> Conversion | None:
    """How a value in ``unit`` becomes one in ``to``; ``None`` where they measure different things."""
    unit, to = unit.lower(), to.lower()
    if (unit, to) == ("kelvin", "celsius"):
        return Conversion(1.0, KELVIN_C)
    sizes = next((sizes for sizes in DIMENSIONS if to in sizes), {})
    return Conversion(sizes[unit] / sizes[to]) if unit in sizes else None
