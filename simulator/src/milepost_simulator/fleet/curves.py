"""Sums that rise day by day, many rows at once, and the day on which each reaches a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

APART = 1.0e7
"""Between the rows on the one line on which all are searched; nothing rises this far."""


@dataclass(frozen=True, slots=True)
class Curves:
    """What has come together by the end of each day, of shape (rows, days); never falls along a row."""

    value: NDArray[np.float64]
    _line: NDArray[np.float64]

    @classmethod
    def of(cls, value: NDArray[np.float64]) -> Curves:
        """Curves of ``value`` (rows, days), all of it within 0 and `APART`."""
        return cls(value, (value + APART * np.arange(len(value))[:, None]).ravel())

    @property
    def days(self) -> int:
        """How many days there are."""
        return int(self.value.shape[1])

    def first_at(self, row: NDArray[np.int64], target: NDArray[np.float64]) -> NDArray[np.int64]:
        """The first day (Q) by whose end ``row`` (Q) has reached ``target`` (Q); `days` where none has."""
        within = np.clip(target, 0.0, APART / 2)
        found = np.searchsorted(self._line, within + APART * row, side="left") - row * self.days
        first: NDArray[np.int64] = np.clip(found, 0, self.days)
        return first

    def at(self, row: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.float64]:
        """The value (Q) of ``row`` (Q) by the end of ``day`` (Q); 0 before the first day."""
        value: NDArray[np.float64] = np.where(day < 0, 0.0, self.value[row, np.maximum(day, 0)])
        return value
