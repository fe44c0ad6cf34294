"""How one setting is declared: as a field with its help, unit and bounds."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import field
from typing import Any


def setting(
    help_text: str,
    default: Any = dataclasses.MISSING,
    unit: str = "",
    low: float = -math.inf,
    high: float = math.inf,
    *,
    remote: bool = False,
) -> Any:
    """A field of a section; without a default it must be given.

    Bounds are inclusive; those of a text are on its number of characters, those of a list on its texts.
    ``remote``: the server may set it. Nothing may that says where the broker is, what the secret is, or where
    files lie: a wrong value there could not be taken back over the link. Nor may a program to run.
    """
    meta = {"help": help_text, "unit": unit, "low": low, "high": high, "remote": remote}
    return field(default=default, metadata=meta)
