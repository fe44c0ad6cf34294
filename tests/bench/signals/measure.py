"""Joins what each part of the signals measures of itself: ``make bench-signals``."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from bench.signals import cleaning, derive, items, odometer, outcomes, truth, value

PARTS: tuple[ModuleType, ...] = (odometer, cleaning, items, value, outcomes, truth, derive)
WHAT = (
    "How well due dates are foretold, odometers cleaned and owners scored, and how fast a fleet is derived. "
    "A figure with an interval was measured on vehicles or owners that the model had not seen; seconds are "
    "those of one core."
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
