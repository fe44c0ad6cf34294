"""Bootstrap intervals (percentiles) that draw whole clusters, such as vehicles, again: reproducible by seed.

Rows of one vehicle resemble each other, so drawing single rows would make intervals too narrow. Two methods
on the same rows are compared within each draw (paired).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Callable

DRAWS = 2_000
LEVEL = 0.95
_DRAWS_AT_ONCE = 64  # bounds the memory: draws by clusters


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its interval. NaN where there is nothing to say; never an error."""

    value: float
    low: float
    high: float

    def as_figures(self, key: str) -> dict[str, float]:
        """As entries of a figures file: ``key``, ``key_low``, ``key_high``."""
        return {key: self.value, f"{key}_low": self.low, f"{key}_high": self.high}


def ratio_of_sums(
    numerator: Floats,
    denominator: Floats,
    cluster: Ints,
    *,
    seed: int,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Interval:
    """The interval of the sum of ``numerator`` (N) over that of ``denominator`` (N), by ``cluster`` (N).

    A paired ratio of two methods' errors; with ones below, a mean or the mean of a difference.
    """
    _, place = np.unique(cluster, return_inverse=True)
    clusters = int(place.max(initial=-1)) + 1
    sums = np.stack([np.bincount(place, each, minlength=clusters) for each in (numerator, denominator)])
    rng = np.random.default_rng(seed)
    drawn = []
    for start in range(0, draws if clusters else 0, _DRAWS_AT_ONCE):
        size = min(_DRAWS_AT_ONCE, draws - start)
        times = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=size)
        drawn.append(times @ sums.T)
    totals = np.concatenate(drawn) if drawn else np.zeros((0, 2))
    return _interval(_over(sums.sum(axis=1)[None])[0], _over(totals), level)


def mean(values: Floats, cluster: Ints, *, seed: int, draws: int = DRAWS, level: float = LEVEL) -> Interval:
    """The interval of the mean of ``values`` (N), drawing ``cluster`` (N) again."""
    return ratio_of_sums(values, np.ones(len(values)), cluster, seed=seed, draws=draws, level=level)


def of_weights(
    statistics: Callable[[Floats], Floats],
    cluster: Ints,
    *,
    seed: int,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> list[Interval]:
    """The intervals of several ``statistics`` (S) of weighted rows, all from the same draws (paired).

    They are given how often each row (N) was drawn, which is the same for all rows of a ``cluster`` (N).
    """
    _, place = np.unique(cluster, return_inverse=True)
    clusters = int(place.max(initial=-1)) + 1
    value = statistics(np.ones(len(cluster)))
    rng = np.random.default_rng(seed)
    found = np.full((draws if clusters else 0, len(value)), np.nan)
    for draw in range(len(found)):
        times = np.bincount(rng.integers(0, clusters, clusters), minlength=clusters)
        found[draw] = statistics(times[place].astype(np.float64))
    return [_interval(float(one), found[:, number], level) for number, one in enumerate(value)]


def _over(sums: Floats) -> Floats:
    """First over second column (D); NaN where the second is 0."""
    ratio = np.full(len(sums), np.nan)
    np.divide(sums[:, 0], sums[:, 1], out=ratio, where=sums[:, 1] != 0)
    return ratio


def _interval(value: float, drawn: Floats, level: float) -> Interval:
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Interval(float(value), np.nan, np.nan)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high))
