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
"""What n vehicles say is believed as n / (n + this); the rest says that the interval is right, or, of a knot
beside others, that it is as right as at the nearer one."""
SHARE_OF_DOUBT = 0.1
"""At a knot where far fewer than this share of the others have a say, it is the few that were there first, in
the same few weeks: they doubt as if so many more were needed."""
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
    vehicles have a say. A knot that few or none can tell of, since a long time has to be waited for, leans on
    the nearer one: what makes intervals too wide at three months does so at twelve. 1 where nothing is known.
    """
    found = np.ones((2, longer.shape[1]))
    most = 0
    for knot, came in enumerate(longer.T):
        told = np.isfinite(came)
        vehicles = len(np.unique(vehicle[told]))
        if not vehicles:
            continue
        share = _belief(vehicles, SHARE_OF_DOUBT * most) if most else 1.0
        over = came[told] - curves.median[told, knot]
        steps = _steps(-over / curves.early[told, knot]), _steps(over / curves.late[told, knot])
        found[:, knot:] += share * (np.array(steps)[:, None] - found[:, knot:])
        most = max(most, vehicles)
    early, late = 1 + _belief(most) * (found - 1)
    return early, late


def _belief(vehicles: int, doubt: float = 0.0) -> float:
    return vehicles / (vehicles + max(VEHICLES_OF_DOUBT, doubt))


def _steps(over: Floats) -> float:
    """Beyond how many of its standard steps one in ten lies, over those of the normal distribution."""
    steps = np.quantile(over, (1 + WANTED) / 2) / gamma.Z90
    return float(np.clip(steps, FACTOR_MIN, FACTOR_MAX))


def coverage(curves: Curves, longer: Floats) -> Coverage:
    """What came (``longer``: O, K) against the 80 % interval of ``curves`` (O, K)."""
    told = np.isfinite(longer)
    early = told & (longer < curves.median - gamma.Z90 * curves.early)
    late = told & (longer > curves.median + gamma.Z90 * curves.late)
    return Coverage(*(np.count_nonzero(which, axis=0).astype(np.int64) for which in (told, early, late)))
