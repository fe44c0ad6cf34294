"""Makes intervals as wide as they have to be, measured on vehicles that the model has not seen.

Conformal, and normalised: how many of its own standard steps the truth lay from the median. The step at which
one in ten lies beyond becomes the new width, for each side and expected time. What the widened interval then
covers, again on other vehicles, is counted and kept: it is what a dealer is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.usage.pace import Curves

WANTED = 0.8
VEHICLES_OF_DOUBT = 10.0
"""A factor from n vehicles is believed as n / (n + this); the rest says that the interval is right."""
FACTOR_MIN, FACTOR_MAX = 0.4, 2.5


@dataclass(frozen=True, slots=True)
class Coverage:
    """What came of 80 % intervals, by expected time: K knots."""

    told: Ints  # (K) how often it was seen what came
    early: Ints  # (K) before P10
    late: Ints  # (K) after P90

    @property
    def share(self) -> Floats:
        """The share (K) that lay within; NaN where nothing was seen."""
        within = self.told - self.early - self.late
        share = np.full(len(within), np.nan)
        np.divide(within, self.told, out=share, where=self.told > 0)
        return share

    @property
    def overall(self) -> float:
        """The share of all; NaN where nothing was seen."""
        told = int(self.told.sum())
        return (told - int(self.early.sum()) - int(self.late.sum())) / told if told else float("nan")

    def to_document(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {name: getattr(self, name).tolist() for name in self.__slots__}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Coverage:
        """The counts of ``to_document``."""
        return cls(*(np.array(document[name], dtype=np.int64) for name in cls.__slots__))


def factors(curves: Curves, longer: Floats, vehicle: Ints) -> tuple[Floats, Floats]:
    """The factors (K, K) by which the early and the late side of ``curves`` (O, K) must be widened.

    ``longer`` (O, K) is what came, as in ``Curves``; NaN where it is not known. ``vehicle`` (O) says how many
    vehicles have a say. 1 where nothing is known.
    """
    tail = (1 - WANTED) / 2
    early, late = np.ones(longer.shape[1]), np.ones(longer.shape[1])
    for knot, came in enumerate(longer.T):
        told = np.isfinite(came)
        if not told.any():
            continue
        over = came[told] - curves.median[told, knot]
        vehicles = len(np.unique(vehicle[told]))
        trust = vehicles / (vehicles + VEHICLES_OF_DOUBT)
        early_steps = np.quantile(-over / curves.early[told, knot], 1 - tail) / gamma.Z90
        late_steps = np.quantile(over / curves.late[told, knot], 1 - tail) / gamma.Z90
        for result, steps in ((early, early_steps), (late, late_steps)):
            result[knot] = 1 + trust * (np.clip(steps, FACTOR_MIN, FACTOR_MAX) - 1)
    return early, late


def coverage(curves: Curves, longer: Floats) -> Coverage:
    """What came (``longer``: O, K) against the 80 % interval of ``curves`` (O, K)."""
    told = np.isfinite(longer)
    early = told & (longer < curves.median - gamma.Z90 * curves.early)
    late = told & (longer > curves.median + gamma.Z90 * curves.late)
    return Coverage(*(np.count_nonzero(which, axis=0).astype(np.int64) for which in (told, early, late)))
