"""Small boosted trees for several outputs at once, in NumPy: fitted on thousands of rows, run on millions.

Every tree asks the same few questions of all rows (an oblivious tree), so a row's leaf is a number of a few
bits, and running a tree is a look-up. A leaf holds one value for each output. Errors count as absolute errors
do (soft near zero), so outputs aim at medians. Leaves lean on zero until much data stands against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from milepost_server.signals.flat import Floats, Ints

ROWS_AT_ONCE = 16_384
"""Rows that are run together: their codes and outputs stay in the processor's cache."""
DIGITS = 6  # of outputs in a document; borders are kept exactly, as rows may stand on them


@dataclass(frozen=True, slots=True)
class TreeRules:
    """How trees are grown; part of the configuration version."""

    trees: int = 200
    step: float = 0.1  # the share of a leaf's value that is taken
    depth: int = 4
    bins: int = 32
    leaf_rows: float = 10.0  # as if that many rows of error zero were in each leaf
    soft_error: float = 0.2  # errors below it count as squares
    rows_share: float = 0.7  # each tree sees this share of the rows,
    columns_share: float = 0.6  # and this share of the columns at each question


SMOOTH = TreeRules(trees=60, depth=2, leaf_rows=60.0)
"""Few questions and heavy leaves: what holds of one year is to hold of the next."""


@dataclass(frozen=True, slots=True)
class Trees:
    """T trees of depth D over F columns, for K outputs."""

    edges: tuple[Floats, ...]  # (F) borders of each column's bins, rising; at most 255
    base: Floats  # (K)
    column: Ints  # (T, D) which column is asked,
    border: Ints  # (T, D) and whether it lies beyond this border
    leaves: Floats  # (T, 2 ** D, K)

    def run(self, rows: Floats) -> Floats:
        """The outputs (N, K) of ``rows`` (N, F)."""
        result = np.empty((len(rows), len(self.base)))
        leaves = self.leaves.astype(np.float32)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            codes = _codes(rows[start : start + ROWS_AT_ONCE], self.edges)
            total = np.zeros((codes.shape[1], len(self.base)), dtype=np.float32)
            for columns, borders, values in zip(self.column, self.border, leaves, strict=True):
                leaf = np.zeros(codes.shape[1], dtype=np.uint8)
                for column, border in zip(columns, borders, strict=True):
                    leaf = leaf * np.uint8(2) + (codes[column] > border)
                total += values[leaf]
            result[start : start + ROWS_AT_ONCE] = total + self.base
        return result

    def to_document(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {
            "edges": [edges.tolist() for edges in self.edges],
            "base": np.round(self.base, DIGITS).tolist(),
            "column": self.column.tolist(),
            "border": self.border.tolist(),
            "leaves": np.round(self.leaves, DIGITS).tolist(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Trees:
        """The trees of ``to_document``."""
        base = np.array(document["base"], dtype=np.float64)
        leaves = np.array(document["leaves"], dtype=np.float64)
        shape = np.shape(document["column"]) or (0,)
        return cls(
            tuple(np.array(edges, dtype=np.float64) for edges in document["edges"]),
            base,
            np.array(document["column"], dtype=np.int64).reshape(len(leaves), -1 if len(leaves) else 0),
            np.array(document["border"], dtype=np.int64).reshape(shape if len(leaves) else (0, 0)),
            leaves.reshape(len(leaves), -1, len(base)) if len(leaves) else np.zeros((0, 1, len(base))),
        )


def _codes(rows: Floats, edges: tuple[Floats, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """The bin of each cell, one line for each column; what is not a number is in the last one."""
    codes = np.empty((len(edges), len(rows)), dtype=np.uint8)
    for place, borders in enumerate(edges):
        codes[place] = np.searchsorted(borders, rows[:, place], side="right")
    return codes


def grow(rows: Floats, wanted: Floats, weight: Floats, rules: TreeRules, seed: int) -> Trees:
    """Trees whose outputs are near the medians of ``wanted`` (N, K), given ``rows`` (N, F).

    ``weight`` (N) says how much each row's errors count. What is not known is NaN; a column of ``wanted`` in
    which nothing is known gets 0.
    """
    edges = tuple(_borders(column, rules.bins) for column in rows.T)
    grower = _Grower(_codes(rows, edges), wanted, weight, rules, np.random.default_rng(seed))
    questions, leaves = [], []
    for _ in range(rules.trees):
        asked, values = grower.tree()
        questions.append(asked)
        leaves.append(values)
    asked_all = np.array(questions, dtype=np.int64).reshape(len(leaves), rules.depth, 2)
    return Trees(edges, grower.base, asked_all[:, :, 0], asked_all[:, :, 1], np.array(leaves))


def _borders(column: Floats, bins: int) -> Floats:
    known = column[np.isfinite(column)]
    if not len(known):
        return np.zeros(0)
    borders: Floats = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
    return borders


class _Grower:
    """Grows one tree after the other on what the trees before have left over."""

    def __init__(
        self,
        codes: np.ndarray[tuple[int, int], np.dtype[np.uint8]],  # (F, N)
        wanted: Floats,  # (N, K)
        weight: Floats,  # (N)
        rules: TreeRules,
        rng: np.random.Generator,
    ) -> None:
        self._codes = codes.astype(np.int64)
        self._rules = rules
        self._rng = rng
        self._bins = int(self._codes.max(initial=0)) + 1
        known = np.isfinite(wanted.T)
        weights = np.where(known, weight, 0.0)
        mean = weights.sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
        self._weight = weights / np.where(mean > 0, mean, 1.0)  # (K, N)
        self.base = np.array([weighted_median(w[k], weight[k]) for w, k in zip(wanted.T, known, strict=True)])
        base = self.base[:, None]
        self._left = np.where(known, wanted.T, base) - base  # (K, N)

    def tree(self) -> tuple[list[tuple[int, int]], Floats]:
        """The questions (column, border) of the next tree, and its leaves (2 ** depth, K)."""
        soft = self._rules.soft_error
        seen = np.flatnonzero(self._rng.random(self._left.shape[1]) < self._rules.rows_share)
        codes, left = self._codes[:, seen], self._left[:, seen]
        pull = self._weight[:, seen] * soft / np.maximum(np.abs(left), soft)
        force = pull * left
        leaf = np.zeros(len(seen), dtype=np.int64)
        asked = []
        for level in range(self._rules.depth):
            column, border = self._question(codes, leaf, 2**level, force, pull)
            asked.append((column, border))
            leaf = leaf * 2 + (codes[column] > border)
        size = 2**self._rules.depth
        sums = [_sums(leaf, values, size) for values in (force, pull)]
        values = self._rules.step * sums[0] / (sums[1] + self._rules.leaf_rows)
        self._left -= np.where(self._weight > 0, values[:, self._leaf(asked)], 0.0)
        return asked, values.T

    def _leaf(self, asked: list[tuple[int, int]]) -> Ints:
        """The leaf (N) of every row, seen or not."""
        leaf = np.zeros(self._left.shape[1], dtype=np.int64)
        for column, border in asked:
            leaf = leaf * 2 + (self._codes[column] > border)
        return leaf

    def _question(self, codes: Ints, leaf: Ints, leaves: int, force: Floats, pull: Floats) -> tuple[int, int]:
        """What to ask of the rows with these ``codes`` (F, N), now in ``leaf`` (N)."""
        columns = len(codes)
        tried = self._rng.permutation(columns)[: max(1, int(columns * self._rules.columns_share))]
        best, found = -1.0, (int(tried[0]), self._bins)
        for column in tried:
            gain = self._gain(leaf * self._bins + codes[column], leaves, force, pull)
            border = int(np.argmax(gain))
            if gain[border] > best:
                best, found = float(gain[border]), (int(column), border)
        return found

    def _gain(self, cell: Ints, leaves: int, force: Floats, pull: Floats) -> Floats:
        """How much (bins) the errors would fall by a question at each border, over all leaves and outputs."""
        shape = (len(force), leaves, self._bins)
        low_force, low_pull = (
            _sums(cell, values, leaves * self._bins).reshape(shape).cumsum(axis=2) for values in (force, pull)
        )
        high_force, high_pull = low_force[:, :, -1:] - low_force, low_pull[:, :, -1:] - low_pull
        lean = self._rules.leaf_rows
        gain = low_force**2 / (low_pull + lean) + high_force**2 / (high_pull + lean)
        total: Floats = gain.sum(axis=(0, 1))
        return total


def _sums(cell: Ints, values: Floats, cells: int) -> Floats:
    """The sums (K, ``cells``) of ``values`` (K, N) by ``cell`` (N)."""
    return np.stack([np.bincount(cell, weights=each, minlength=cells) for each in values])


def weighted_median(values: Floats, weight: Floats) -> float:
    """The value (of N) with half of the weight on either side; 0 of none."""
    if not len(values):
        return 0.0
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
