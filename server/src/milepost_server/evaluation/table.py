"""Tables as aligned text: words to the left, numbers to the right, every number with a fixed precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from milepost_server.signals.bootstrap import Interval

Cell = str | int | float | Interval
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a title; floats and intervals are shown with ``digits`` places."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    digits: int = 3

    def text(self) -> str:
        """The table as lines of text."""
        body = [[shown(cell, self.digits) for cell in row] for row in self.rows]
        widths = [max(len(row[place]) for row in [self.header, *body]) for place in range(len(self.header))]
        numeric = [
            all(not isinstance(row[place], str) for row in self.rows) for place in range(len(self.header))
        ]
        lines = [
            "  ".join(
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(row, widths, numeric, strict=True)
            ).rstrip()
            for row in [self.header, ["-" * width for width in widths], *body]
        ]
        return "\n".join([self.title, *lines])


def shown(cell: Cell, digits: int) -> str:
    """One cell; what is not a number is a dash."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Interval):
        bounds = f"({_number(cell.low, digits)} to {_number(cell.high, digits)})"
        return f"{_number(cell.value, digits)} {bounds}"
    return f"{cell:,}" if isinstance(cell, int) else _number(cell, digits)


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}" if math.isfinite(value) else NOTHING
