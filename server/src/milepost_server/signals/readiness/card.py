"""A card of points: tables over the bins of single columns and of pairs of columns, and their exact sum.

Each table holds log-odds, and whole points that are those log-odds on the card's scale, rounded once and
for all. A score is the sum of whole points: base, one reason per table, and what the ends of the scale take
away or give. It is exact because nothing is rounded after adding up. Probabilities rest on the log-odds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.readiness.columns import Column
from milepost_server.signals.readiness.errors import ModelError

POINTS_MAX = 100
COLUMNS_PER_TABLE_MAX = 2


@dataclass(frozen=True, slots=True)
class Scale:
    """How log-odds become points: none at ``zero_log_odds``, then ``points_per_log_odds`` more for each."""

    zero_log_odds: float
    points_per_log_odds: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.zero_log_odds) and 0 < self.points_per_log_odds < np.inf):
            raise ModelError("scale", "needs a finite zero and more than 0 points per log-odds")


@dataclass(frozen=True, slots=True)
class Table:
    """One term: log-odds over the bins of one or two columns (places among the card's columns)."""

    columns: tuple[int, ...]
    log_odds: Floats  # (size of the first column) or (size of the first, size of the second)


@dataclass(frozen=True)
class Card:
    """The whole card. Reasons: the base, each table in order, the ends of the scale."""

    columns: tuple[Column, ...]
    base_log_odds: float
    tables: tuple[Table, ...]
    scale: Scale

    def __post_init__(self) -> None:
        if not np.isfinite(self.base_log_odds):
            raise ModelError("base", "is not a finite number")
        for number, table in enumerate(self.tables):
            shape = tuple(self.columns[place].size for place in table.columns)
            if not 1 <= len(set(table.columns)) == len(table.columns) <= COLUMNS_PER_TABLE_MAX:
                raise ModelError(f"table {number}", "is over one column, or over two different ones")
            if table.log_odds.shape != shape or not np.isfinite(table.log_odds).all():
                raise ModelError(f"table {number}", f"needs finite log-odds of shape {shape}")

    @property
    def reasons(self) -> int:
        """R: how many reasons a score has."""
        return len(self.tables) + 2

    @cached_property
    def base_points(self) -> int:
        """What everybody starts with, as points."""
        return round((self.base_log_odds - self.scale.zero_log_odds) * self.scale.points_per_log_odds)

    @cached_property
    def points(self) -> tuple[Ints, ...]:
        """The whole points of each table, in its shape."""
        return tuple(
            np.rint(table.log_odds * self.scale.points_per_log_odds).astype(np.int64) for table in self.tables
        )

    def log_odds(self, bins: Ints) -> Floats:
        """The log-odds (N) of rows with these bins (N, C)."""
        total = np.full(len(bins), self.base_log_odds)
        for table in self.tables:
            total += table.log_odds[tuple(bins[:, place] for place in table.columns)]
        return total

    def reason_points(self, bins: Ints) -> Ints:
        """The points (N, R) of each reason; a row's sum is its score, from 0 to ``POINTS_MAX``."""
        points = np.empty((len(bins), self.reasons), dtype=np.int64)
        points[:, 0] = self.base_points
        for reason, (table, whole) in enumerate(zip(self.tables, self.points, strict=True), start=1):
            points[:, reason] = whole[tuple(bins[:, place] for place in table.columns)]
        total = points[:, :-1].sum(axis=1)
        points[:, -1] = np.clip(total, 0, POINTS_MAX) - total
        return points


def centred(card: Card, bins: Ints, weight: Floats) -> Card:
    """The same log-odds, told so that each table is 0 for the mean of rows with ``bins`` (N, C).

    Reasons then speak of the difference from the average row, and the base of the average row itself.
    """
    base, tables = card.base_log_odds, []
    for table in card.tables:
        each = table.log_odds[tuple(bins[:, place] for place in table.columns)]
        mean = float(each @ weight / weight.sum())
        base += mean
        tables.append(Table(table.columns, table.log_odds - mean))
    return Card(card.columns, base, tuple(tables), card.scale)


def fitting_scale(log_odds: Floats) -> Scale:
    """A scale on which nearly all of ``log_odds`` (N) lie between 0 and ``POINTS_MAX``.

    Its lower end is the fifth percentile: far below, nobody needs to be told apart.
    """
    low, high = np.quantile(log_odds, [0.05, 0.9995])
    return Scale(float(low), POINTS_MAX / max(float(high - low), 1.0))
