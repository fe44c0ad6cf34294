"""What keeps tables calm where there is little data: shrinkage to a prior, and to neighbouring bins.

Both act on the difference from the prior's tables, so that a prior with a shape of its own keeps it. Where a
column has a direction, steps against it cost so much that hardly any is left; ``straightened`` takes away the
rest (asymmetric penalties: Bollaerts, Eilers and van Mechelen 2006, "Simple and multiple P-splines regression
with shape constraints").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from milepost_server.signals.flat import Floats
from milepost_server.signals.readiness.columns import Column

AGAINST_DIRECTION = 1e5
"""The precision of a step against a column's direction being none."""
TABLES_CACHED_MAX = 256
"""Tables whose matrices are kept: a search for pairs fits the same ones again and again."""


@dataclass(frozen=True, slots=True)
class Penalties:
    """Precisions (1 / variance of log-odds): about how many events a belief counts like."""

    base: float = 1e-6  # of the base around the prior's
    ridge: float = 0.05  # of a bin of one column around the prior's
    fused: float = 1.0  # of the difference between neighbouring bins
    pair_ridge: float = 0.3
    pair_fused: float = 5.0

    def times(self, single: float, pair: float) -> Penalties:
        """The same with those of single columns and of pairs multiplied; ridge moves by the square root."""
        return Penalties(
            self.base,
            self.ridge * single**0.5,
            self.fused * single,
            self.pair_ridge * pair**0.5,
            self.pair_fused * pair,
        )


def precision(columns: tuple[Column, ...], penalties: Penalties) -> Floats:
    """The precision matrix (K, K) of a table over ``columns``, flattened to K cells."""
    pair = len(columns) == 2
    ridge, fused = (
        (penalties.pair_ridge, penalties.pair_fused) if pair else (penalties.ridge, penalties.fused)
    )
    differences = _differences(columns)
    matrix: Floats = fused * differences + ridge * np.eye(len(differences))
    return matrix


@lru_cache(maxsize=TABLES_CACHED_MAX)
def _differences(columns: tuple[Column, ...]) -> Floats:
    """The matrix (K, K) whose form sums the squares of all differences between neighbouring cells."""
    size = int(np.prod([column.size for column in columns]))
    matrix = np.zeros((size, size))
    for axis, column in enumerate(columns):
        steps = _steps(column)
        matrix += _along(columns, axis, steps.T @ steps)
    matrix.setflags(write=False)
    return matrix


def _steps(column: Column) -> Floats:
    """Rows that take the differences between neighbouring bins of one column; none of a category.

    The bin of what is not known has no neighbours.
    """
    count = 0 if len(column.levels) > 2 else column.known_bins - 1
    steps = np.zeros((count, column.size))
    place = np.arange(count)
    steps[place, place], steps[place, place + 1] = -1.0, 1.0
    return steps


def _along(columns: tuple[Column, ...], axis: int, matrix: Floats) -> Floats:
    """``matrix``, of one column's bins, for all cells of a table over ``columns``."""
    before = int(np.prod([column.size for column in columns[:axis]]))
    after = int(np.prod([column.size for column in columns[axis + 1 :]]))
    spread: Floats = np.kron(np.kron(np.eye(before), matrix), np.eye(after))
    return spread


@lru_cache(maxsize=TABLES_CACHED_MAX)
def directed_steps(columns: tuple[Column, ...]) -> Floats:
    """Rows whose product with a flattened table must not be negative, by the columns' directions.

    Read only: a fit asks for the same ones hundreds of times, and all get one array.
    """
    rows = [
        _along(columns, axis, column.direction * _steps(column))
        for axis, column in enumerate(columns)
        if column.direction
    ]
    none = np.zeros((0, int(np.prod([column.size for column in columns]))))
    steps = np.concatenate([none, *rows])
    steps.setflags(write=False)
    return steps


def straightened(columns: tuple[Column, ...], table: Floats) -> Floats:
    """``table`` with the last traces of steps against the directions taken away, exactly.

    A running maximum along one axis keeps the order along the other.
    """
    straight = table.copy()
    for axis, column in enumerate(columns):
        if column.direction:
            known = [slice(None)] * len(columns)
            known[axis] = slice(0, column.known_bins)
            part = column.direction * straight[tuple(known)]
            straight[tuple(known)] = column.direction * np.maximum.accumulate(part, axis=axis)
    return straight
