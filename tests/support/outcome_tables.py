"""Tables of outcomes that nobody has seen: deciles of correlated columns, steps, pairs, triples, gaps, noise.

The truth is of no form that the product's model has: soft steps, products of three, a bend, columns that only
seem to matter because they move together. About 27 rows of 1,000 have the event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

COLUMNS = 14
USED = 9  # the others are noise, but correlated with those that are used
RATE = 0.027


@dataclass(frozen=True)
class Variant:
    """How hard a table is."""

    pairs: int
    triples: int
    sharpness: float  # log-odds are multiplied by it


VARIANTS = {"strong": Variant(8, 2, 2.2), "medium": Variant(6, 2, 1.4), "weak": Variant(4, 2, 0.8)}


class OutcomeTable(NamedTuple):
    """N rows: columns (N, ``COLUMNS``) with NaN for gaps, events (N), and the true probability (N)."""

    values: np.ndarray
    event: np.ndarray
    truth: np.ndarray


def outcome_table(rows: int, seed: int, variant: str) -> OutcomeTable:
    """A table; the same for the same arguments."""
    rng = np.random.default_rng([seed, rows])
    deciles = _deciles(rng, rows)
    level = (deciles - 1) / 9
    log_odds = _effects(np.random.default_rng([seed, 7]), level, VARIANTS[variant])
    truth = 1 / (1 + np.exp(-log_odds - _shift(log_odds)))
    event = (rng.random(rows) < truth).astype(np.float64)
    values = deciles.copy()
    for column in range(COLUMNS):
        values[rng.random(rows) < rng.choice([0.0, 0.0, 0.03, 0.08]), column] = np.nan
    return OutcomeTable(values, event, truth)


def _deciles(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Columns of 1 to 10 that move together; every third is a count with many equal values."""
    loads = rng.normal(size=(COLUMNS, 4)) * 0.6
    latent = rng.normal(size=(rows, 4)) @ loads.T + rng.normal(size=(rows, COLUMNS)) * 0.8
    rank = latent.argsort(axis=0).argsort(axis=0) / rows
    deciles = np.floor(rank * 10) + 1
    for column in range(1, COLUMNS, 3):
        cuts = np.linspace(rng.uniform(0.2, 0.5), 1, 9)[:-1]
        steps = np.array([1, 3, 4, 5, 6, 7, 8, 9, 10])
        deciles[:, column] = steps[np.searchsorted(cuts, rank[:, column], side="right")]
    return deciles


def _soft(x: np.ndarray, at: float, width: float) -> np.ndarray:
    return 1 / (1 + np.exp(-(x - at) / width))


def _effects(rng: np.random.Generator, level: np.ndarray, variant: Variant) -> np.ndarray:
    log_odds = -3 * level[:, 0] + 1.5 * _soft(level[:, 1], 0.5, 0.1) - 2 * _soft(level[:, 2], 0.6, 0.08)
    log_odds += level[:, 3] - 1.2 * np.abs(level[:, 4] - 0.4) + 0.8 * _soft(level[:, 5], 0.3, 0.1)
    for number in range(variant.pairs):
        a, b = (0, 1) if number == 0 else rng.choice(USED, 2, replace=False)
        height = rng.uniform(1.5, 4) * rng.choice([-1, 1, 1])
        log_odds += height * _side(rng, level[:, a]) * _side(rng, level[:, b])
    for _ in range(variant.triples):
        a, b, c = rng.choice(USED, 3, replace=False)
        log_odds += 2.5 * _side(rng, level[:, a]) * _side(rng, level[:, b]) * _side(rng, level[:, c])
    return log_odds * variant.sharpness


def _side(rng: np.random.Generator, level: np.ndarray) -> np.ndarray:
    sign = rng.choice([-1, 1])
    return _soft(sign * level, sign * rng.uniform(0.25, 0.75), 0.06)


def _shift(log_odds: np.ndarray) -> float:
    low, high = -60.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.mean(1 / (1 + np.exp(-log_odds - middle))) < RATE:
            low = middle
        else:
            high = middle
    return middle
