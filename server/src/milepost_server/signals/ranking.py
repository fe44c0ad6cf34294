"""How good probabilities and rankings are: AUC, lift, Brier score, log loss, calibration; with weights.

A weight says how often a row counts: the bootstrap draws rows by counting them 0, 1, 2, ... times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.bootstrap import Interval
from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.readiness.calibration import Z95

_PROBABILITY_MIN = 1e-12
_STEPS = 50
_CONDITION_MAX = 1e12


@dataclass(frozen=True, slots=True)
class Ranking:
    """N rows in falling order of a score, prepared so that many weightings of them are quick."""

    order: Ints  # (N) rows by falling score
    group: Ints  # (N) of each place in the order: which run of equal scores it is in
    event: Floats  # (N) in the order

    @classmethod
    def of(cls, score: Floats, event: Floats) -> Ranking:
        """Rank rows by ``score`` (N)."""
        order = np.argsort(-score, kind="stable")
        falling = score[order]
        group = np.concatenate([[0], np.cumsum(falling[1:] != falling[:-1])]).astype(np.int64)[: len(order)]
        return cls(order, group, event[order])

    def auc(self, weight: Floats) -> float:
        """The probability that an event ranks above a row without one; ties count half. NaN if one lacks."""
        its = weight[self.order]
        good, bad = (np.bincount(self.group, its * part) for part in (self.event, 1 - self.event))
        total = good.sum() * bad.sum()
        above = np.cumsum(good) - good / 2
        return float(above @ bad / total) if total > 0 else float("nan")

    def lift(self, share: float, weight: Floats) -> float:
        """The rate of events in the best ``share`` over that of all. A run of equal scores counts evenly."""
        its = weight[self.order]
        rows, good = np.bincount(self.group, its), np.bincount(self.group, its * self.event)
        capacity = share * rows.sum()
        if good.sum() <= 0 or capacity <= 0:
            return float("nan")
        before = np.cumsum(rows) - rows
        part = np.divide(np.clip(capacity - before, 0, rows), rows, out=np.zeros_like(rows), where=rows > 0)
        return float((part @ good) / capacity / (good.sum() / rows.sum()))


def brier(probability: Floats, event: Floats, weight: Floats) -> float:
    """The mean squared difference."""
    return float(weight @ (probability - event) ** 2 / weight.sum())


def log_loss(probability: Floats, event: Floats, weight: Floats) -> float:
    """The mean negative log-likelihood, in nats."""
    inside = np.clip(probability, _PROBABILITY_MIN, 1 - _PROBABILITY_MIN)
    each = event * np.log(inside) + (1 - event) * np.log1p(-inside)
    return float(-(weight @ each) / weight.sum())


def calibration_line(probability: Floats, event: Floats, weight: Floats) -> tuple[float, float]:
    """Intercept and slope of the logistic regression of the events on the log-odds; 0 and 1 are perfect.

    NaN where the events do not tell: there are none, or nothing but them, or one probability for all.
    """
    at, _ = _regression(probability, event, weight)
    return float(at[0]), float(at[1])


def calibration_intervals(probability: Floats, event: Floats) -> tuple[Interval, Interval]:
    """Intercept and slope as `calibration_line` has them, with 95 % intervals of Wald; NaN as there."""
    at, covariance = _regression(probability, event, np.ones(len(event)))
    half = Z95 * np.sqrt(np.diag(covariance))
    low, high = at - half, at + half
    intercept, slope = (Interval(float(at[n]), float(low[n]), float(high[n])) for n in range(2))
    return intercept, slope


def _regression(probability: Floats, event: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Intercept and slope (2), and their covariance (2, 2), by Newton's method."""
    inside = np.clip(probability, _PROBABILITY_MIN, 1 - _PROBABILITY_MIN)
    log_odds = np.log(inside) - np.log1p(-inside)
    design = np.stack([np.ones_like(log_odds), log_odds], axis=1)
    at = np.array([0.0, 1.0])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-(design @ at)))
        hessian = design.T @ (design * (weight * chance * (1 - chance))[:, None])
        if np.linalg.cond(hessian) > _CONDITION_MAX:
            break
        step = np.linalg.solve(hessian, design.T @ (weight * (event - chance)))
        at += np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-8:
            return at, np.linalg.inv(hessian)
    return np.full(2, np.nan), np.full((2, 2), np.nan)


def lift_curve(score: Floats, event: Floats, shares: Floats) -> Floats:
    """The share of all events (Q) among the best ``shares`` (Q) of rows."""
    ranking, weight = Ranking.of(score, event), np.ones(len(score))
    return np.array([ranking.lift(float(share), weight) * float(share) if share else 0.0 for share in shares])
