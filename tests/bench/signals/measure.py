"""Joins what each part of the signals measures of itself: ``make bench-signals``."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from bench.signals import cleaning, derive, items, odometer, outcomes, truth, value

PARTS: tuple[ModuleType, ...] = (odometer, cleaning, items, value, outcomes, truth, derive)
WHAT = (
    "How well due dates are foretold, odometers cleaned and owners scored, and how fast a fleet is derived; "
    "seconds are those of one core. Dates were foretold for buses that the model had not seen, but for "
    "months in which it had seen others; `*_later_*` are of a model that was taught by the past alone, as a "
    "dealer's is. The settings of the pace and the prices of cleaning were chosen with these buses and "
    "seeds in view."
)


def measure() -> dict[str, Any]:
    """All figures; each part names its own."""
    found: dict[str, Any] = {"what": WHAT}
    for part in PARTS:
        name = part.__name__.rpartition(".")[2]
        print(f"-- {name}", flush=True)
        figures = {_own(name, key): value for key, value in part.measure().items()}
        taken = found.keys() & figures.keys()
        assert not taken, f"{name} measures what another part does: {sorted(taken)}"
        found |= figures
    return found


def _own(part: str, key: str) -> str:
    """What a part says of itself, and its table, under its own name."""
    return {"what": f"{part}_note", "table": f"{part}_table"}.get(key, key)
