"""Figures of methods on the same test rows, with intervals from the same bootstrap draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.bootstrap import LEVEL, Interval
from milepost_server.signals.flat import Floats
from milepost_server.signals.ranking import Ranking, brier, calibration_line, log_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.evaluation.outcomes.methods import Method

RANKED = ("auc", "lift05", "lift10")
FORETOLD = ("brier", "log_loss", "slope", "intercept")
DRAWS_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Figures:
    """Intervals by method and figure, and of the first method's lead in AUC over each other one."""

    by_method: dict[str, dict[str, Interval]]
    auc_lead: dict[str, Interval]


def measure(methods: Sequence[Method], event: Floats, *, seed: int, draws: int) -> Figures:
    """All figures; rows (N) are drawn again ``draws`` times, for all methods at once, so leads are paired."""
    rankings = [Ranking.of(method.score, event) for method in methods]
    rng = np.random.default_rng(seed)
    rows = len(event)
    whole = [_all(*pair, event, np.ones(rows)) for pair in zip(methods, rankings, strict=True)]
    drawn = np.full((draws, len(methods), len(RANKED) + len(FORETOLD)), np.nan)
    for draw in range(draws):
        weight = np.bincount(rng.integers(0, rows, rows), minlength=rows).astype(np.float64)
        for place, pair in enumerate(zip(methods, rankings, strict=True)):
            drawn[draw, place] = _all(*pair, event, weight)
    names = (*RANKED, *FORETOLD)
    by_method = {
        method.name: {
            name: _interval(whole[place][number], drawn[:, place, number])
            for number, name in enumerate(names)
            if name in RANKED or method.probability is not None
        }
        for place, method in enumerate(methods)
    }
    leads = {
        method.name: _interval(whole[0][0] - whole[place][0], drawn[:, 0, 0] - drawn[:, place, 0])
        for place, method in enumerate(methods)
        if place
    }
    return Figures(by_method, leads)


def _all(method: Method, ranking: Ranking, event: Floats, weight: Floats) -> list[float]:
    figures = [ranking.auc(weight), ranking.lift(0.05, weight), ranking.lift(0.1, weight)]
    if method.probability is None:
        return figures + [np.nan] * len(FORETOLD)
    intercept, slope = calibration_line(method.probability, event, weight)
    return [
        *figures,
        brier(method.probability, event, weight),
        log_loss(method.probability, event, weight),
        slope,
        intercept,
    ]


def _interval(value: float, drawn: Floats) -> Interval:
    known = drawn[np.isfinite(drawn)]
    if not len(known) or not np.isfinite(value):
        return Interval(value, np.nan, np.nan)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))
