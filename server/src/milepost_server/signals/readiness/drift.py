"""Whether a model meets the world it was made for: shifted columns and scores, and rates that no longer fit.

The population stability index compares shares of bins: below 0.1 little has moved, above 0.25 much (Siddiqi
2006, "Credit risk scorecards").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.readiness.calibration import wilson

LITTLE, MUCH = 0.1, 0.25
_ROWS_ADDED = 0.5  # to each bin, so that an empty one does not make the index infinite


def shares(bins: Ints, size: int) -> Floats:
    """The share (size) of rows in each bin, slightly smoothed: none is 0."""
    counts = np.bincount(bins, minlength=size).astype(np.float64) + _ROWS_ADDED
    smoothed: Floats = counts / counts.sum()
    return smoothed


def stability(reference: Floats, now: Floats) -> float:
    """The population stability index of two distributions over the same bins, as ``shares`` makes them."""
    return float(np.sum((now - reference) * np.log(now / reference)))


def word(index: float) -> str:
    """``stable``, ``shifting`` or ``shifted``."""
    return "stable" if index < LITTLE else "shifting" if index < MUCH else "shifted"


@dataclass(frozen=True, slots=True)
class InTheLarge:
    """Expected against observed shares of events over T periods, each with its 95 % interval."""

    period: Ints  # (T)
    rows: Ints  # (T)
    expected: Floats  # (T)
    observed: Floats  # (T)
    low: Floats  # (T)
    high: Floats  # (T)

    @property
    def off(self) -> Ints:
        """The periods whose expected share lies outside of the interval of the observed one."""
        return self.period[(self.expected < self.low) | (self.expected > self.high)]


def in_the_large(probability: Floats, event: Floats, period: Ints) -> InTheLarge:
    """Compare ``probability`` (N) with what happened (N) by ``period`` (N), a month's number for example."""
    periods, place = np.unique(period, return_inverse=True)
    rows = np.bincount(place, minlength=len(periods)).astype(np.int64)
    expected = np.bincount(place, probability, len(periods)) / rows
    events = np.bincount(place, event, len(periods))
    low, high = wilson(events.astype(np.float64), rows.astype(np.float64))
    return InTheLarge(periods, rows, expected, events / rows, low, high)
