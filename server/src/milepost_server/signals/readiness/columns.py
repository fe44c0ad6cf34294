"""A column and its bins: where they begin, what they are called, which of them are neighbours.

What is not known is a bin of its own, always the last one: not knowing says something too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.readiness.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BINS_MAX = 32
"""Of one column, without the one for what is not known: more could be neither read nor learned."""
ENDS = (0.01, 0.025)
"""Shares of the values up to the additional cuts at either end."""
ENDS_FROM = 16
UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a scorecard: an amount cut at ``edges``, or a category with ``levels``; never both.

    Values of a category are places among its levels: 0, 1, 2, ... A flag is a category of two levels.
    """

    name: str
    words: str
    edges: tuple[float, ...] = ()  # rising; bin i holds edges[i - 1] <= value < edges[i]
    levels: tuple[str, ...] = ()
    bin_words: tuple[str, ...] = ()  # of each bin but the last; where empty, made from edges or levels
    direction: int = 0  # +1: the score never falls as the value rises; -1: it never rises; 0: as it comes

    def __post_init__(self) -> None:
        if bool(self.edges) == bool(self.levels):
            raise FeatureError(self.name, "needs edges (an amount) or levels (a category), and not both")
        if not all(np.isfinite(self.edges)) or not all(np.diff(self.edges) > 0):
            raise FeatureError(self.name, "the edges of its bins must be finite and rise")
        if self.known_bins > BINS_MAX:
            raise FeatureError(self.name, f"has {self.known_bins} bins; at most {BINS_MAX} can be told apart")
        if self.bin_words and len(self.bin_words) != self.known_bins:
            raise FeatureError(self.name, f"has words for {len(self.bin_words)} of {self.known_bins} bins")
        if self.direction not in (-1, 0, 1):
            raise FeatureError(self.name, f"direction is {self.direction}; it is +1, -1 or 0")

    @property
    def known_bins(self) -> int:
        """How many bins hold values that are known."""
        return len(self.levels) or len(self.edges) + 1

    @property
    def size(self) -> int:
        """How many bins there are, with the last one for what is not known."""
        return self.known_bins + 1

    def bin_of(self, values: Floats) -> Ints:
        """The bin (N) of each of ``values`` (N); NaN, and levels that nobody has seen, go to the last."""
        if self.levels:
            known = (values >= 0) & (values < len(self.levels))
            return np.where(known, values, self.known_bins).astype(np.int64)
        placed = np.searchsorted(np.array(self.edges), values, side="right")
        return np.where(np.isnan(values), self.known_bins, placed).astype(np.int64)

    def said(self, place: int) -> str:
        """A bin in words: ``under 3``, ``3 to under 6``, ``6 or more``, ``not known``, or a level."""
        if place == self.known_bins:
            return UNKNOWN
        if self.bin_words:
            return self.bin_words[place]
        if self.levels:
            return self.levels[place]
        if place == 0:
            return f"under {self.edges[0]:,g}"
        if place == len(self.edges):
            return f"{self.edges[-1]:,g} or more"
        return f"{self.edges[place - 1]:,g} to under {self.edges[place]:,g}"


def bins_of(columns: Sequence[Column], values: Mapping[str, Floats]) -> Ints:
    """The bins (N, C) of N rows.

    Raises:
        FeatureError: a column is missing from ``values``, or has another length than the first.
    """
    found = []
    for column in columns:
        if column.name not in values:
            raise FeatureError(column.name, "the model needs it; give NaN for what is not known")
        found.append(column.bin_of(np.asarray(values[column.name], dtype=np.float64)))
        if len(found[-1]) != len(found[0]):
            raise FeatureError(column.name, f"has {len(found[-1])} rows, the columns before {len(found[0])}")
    return np.stack(found, axis=1) if found else np.zeros((0, 0), dtype=np.int64)


def quantile_edges(values: Floats, bins: int) -> tuple[float, ...]:
    """Edges that cut ``values`` (N, NaN left out) into at most ``bins`` bins of about equal size.

    With ``ENDS_FROM`` bins or more, both ends are cut finer (``ENDS``): what is rare is often what matters.
    An edge stands half way between two values that occur, so that none of them lies on it. Values that make
    up more than a bin have one of their own.
    """
    known = np.sort(values[np.isfinite(values)])
    distinct, counts = np.unique(known, return_counts=True)
    if len(distinct) <= bins:
        return midpoints(distinct)
    below = np.cumsum(counts)[:-1]
    ends = np.array(ENDS) if bins >= ENDS_FROM else np.zeros(0)
    equal = bins - 2 * len(ends)
    shares = np.concatenate([ends, np.arange(1, equal) / equal, 1 - ends[::-1]])
    places = np.unique(np.clip(np.searchsorted(below, shares * len(known)), 0, len(below) - 1))
    return tuple(float(edge) for edge in ((distinct[:-1] + distinct[1:]) / 2)[places])


def midpoints(distinct: Floats) -> tuple[float, ...]:
    """Edges between neighbours of rising ``distinct`` values, each of which then has its own bin."""
    return tuple(float(edge) for edge in (distinct[:-1] + distinct[1:]) / 2)
