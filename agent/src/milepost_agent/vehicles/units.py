"""Units that profiles may speak, and how they become those of the catalogue. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple


class Scale(NamedTuple):
    """``value * factor + offset`` in the other unit."""

    factor: float
    offset: float = 0.0


MILE_M: Final = 1_609.344
PSI_KPA: Final = 6.894_757_293
DAY_S: Final = 86_400.0

CONVERSIONS: Final = {
    ("km", "m"): Scale(1_000.0),
    ("mile", "m"): Scale(MILE_M),
    ("m", "km"): Scale(1e-3),
    ("mile", "km"): Scale(MILE_M / 1_000.0),
    ("m/s", "km/h"): Scale(3.6),
    ("mile/h", "km/h"): Scale(MILE_M / 1_000.0),
    ("Fahrenheit", "Celsius"): Scale(5.0 / 9.0, -160.0 / 9.0),
    ("Kelvin", "Celsius"): Scale(1.0, -273.15),
    ("bar", "kPa"): Scale(100.0),
    ("psi", "kPa"): Scale(PSI_KPA),
    ("mV", "V"): Scale(1e-3),
    ("ratio", "percent"): Scale(100.0),
    ("day", "s"): Scale(DAY_S),
    ("h", "s"): Scale(3_600.0),
    ("min", "s"): Scale(60.0),
    ("s", "h"): Scale(1.0 / 3_600.0),
    ("min", "h"): Scale(1.0 / 60.0),
    ("cm", "mm"): Scale(10.0),
}
SAME: Final = Scale(1.0)


def scale(unit: str, wanted: str) -> Scale | None:
    """From ``unit`` to ``wanted``; ``None`` where no way leads there."""
    return SAME if unit == wanted else CONVERSIONS.get((unit, wanted))


def units_of(wanted: str) -> list[str]:
    """All units from which a way leads to ``wanted``."""
    return sorted([wanted, *(unit for unit, to in CONVERSIONS if to == wanted)])
