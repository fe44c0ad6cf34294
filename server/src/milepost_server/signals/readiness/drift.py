"""Whether a model meets those whom it was made for: columns and scores that are spread otherwise by now.

The population stability index compares shares of bins: below 0.1 little has moved, above 0.25 much (Siddiqi
2006, "Credit risk scorecards"). Of few rows it is large by chance alone: of samples of n and m rows of one
distribution it is 1/n + 1/m times a chi squared (Yurdakul 2018, "Statistical properties of population
stability index"), and nothing is said to have moved that chance could have done.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from milepost_server.signals.flat import Floats, Ints

LITTLE, MUCH = 0.1, 0.25
_ROWS_ADDED = 0.5  # to each bin, so that an empty one does not make the index infinite
_Z_CHANCE = 3.09  # once in a thousand: a dealer sees a dozen columns every day


class Move(StrEnum):
    """How far a distribution has moved."""

    STABLE = "stable"
    SHIFTING = "shifting"
    SHIFTED = "shifted"
    TOO_FEW = "too-few"  # rows: by chance alone the index may be as large as that of much


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the distribution over B bins has moved since a model was learned."""

    index: float
    chance: float  # what chance alone does not exceed
    bin: int  # the bin that says the most of the difference
    then: float  # its share where the model was learned
    now: float

    @property
    def move(self) -> Move:
        """In a word."""
        if self.chance >= MUCH:
            return Move.TOO_FEW
        if self.index < max(LITTLE, self.chance):
            return Move.STABLE
        return Move.SHIFTING if self.index < MUCH else Move.SHIFTED


def counts(bins: Ints, size: int) -> Ints:
    """How many of rows (N) are in each bin (size); those of parts add up."""
    return np.bincount(bins, minlength=size).astype(np.int64)


def smoothed(counted: Ints) -> Floats:
    """The share (B) of each bin, slightly smoothed: none is 0."""
    added = counted + _ROWS_ADDED
    share: Floats = added / added.sum()
    return share


def shares(bins: Ints, size: int) -> Floats:
    """The share (size) of rows (N) in each bin, slightly smoothed: none is 0."""
    return smoothed(counts(bins, size))


def stability(reference: Floats, now: Floats) -> float:
    """The population stability index of two distributions over the same bins, as ``shares`` makes them."""
    return float(_parts(reference, now).sum())


def drift(reference: Floats, reference_rows: int, counted: Ints) -> Drift:
    """How far what was ``counted`` (B) is from the ``reference`` (B shares of so many rows)."""
    now = smoothed(counted)
    parts = _parts(reference, now)
    most = int(np.argmax(parts))
    chance = by_chance(len(reference), reference_rows, int(counted.sum()))
    return Drift(float(parts.sum()), chance, most, float(reference[most]), float(now[most]))


def by_chance(size: int, rows: int, others: int) -> float:
    """The index over ``size`` bins that two samples of one distribution exceed once in a thousand times.

    By the approximation of chi squared in Wilson and Hilferty 1931, "The distribution of chi-square".
    """
    free = max(size - 1, 1)
    cube = 1 - 2 / (9 * free) + _Z_CHANCE * np.sqrt(2 / (9 * free))
    return float(free * cube**3 * (1 / max(rows, 1) + 1 / max(others, 1)))


def _parts(reference: Floats, now: Floats) -> Floats:
    parts: Floats = (now - reference) * np.log(now / reference)
    return parts
