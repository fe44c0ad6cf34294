"""Events that come with distance, such as the renewal of a part that nobody measures, as times to come.

The hazard is a Weibull one over the distance since the part was new, so that it may grow with wear, times a
factor for each group that leans on 1. It is fitted on spells that may begin late (the vehicle had gone some
way when it was first seen) and end without an event. What lies ahead of a vehicle turns distance into time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_server.signals.flat import Floats, Ints

if TYPE_CHECKING:
    from milepost_server.signals.usage.ahead import Ahead

SHAPES = np.linspace(0.5, 8.0, 151)
"""Shapes that are tried: 1 is an event that knows no wear, 8 one that comes at nearly the same distance."""
GROUP_EVENTS = 3.0
"""A group's factor leans on 1 as if that many events had come where as many were expected."""
SHAPE_EVENTS_MIN = 5
"""With fewer events than this the hazard is level: wear cannot be told from chance."""
PACES = (-1.645, -1.036, -0.674, -0.385, -0.126, 0.126, 0.385, 0.674, 1.036, 1.645)
"""Standard normal quantiles of 5, 15, ... 95 %: futures of equal weight."""


@dataclass(frozen=True, slots=True)
class Spells:
    """S spells of one part: from when it was first watched until its event, or until watching ended."""

    group: Ints  # (S)
    entry_m: Floats  # (S) distance on the part when watching began, at least 0
    exit_m: Floats  # (S) distance on it in the end, at least ``entry_m``
    happened: Floats  # (S) 1 if the spell ended with the event, 0 if not


@dataclass(frozen=True, slots=True)
class EventHazard:
    """The expected number of events up to a distance x is ``factor * (x / scale_m) ** shape``."""

    shape: float
    scale_m: float  # infinite where no event was ever seen
    factor: Floats  # (G)

    def expected(self, group: Ints, metres: Floats) -> Floats:
        """The cumulative hazard (...) of parts of ``group`` (...) from new to ``metres`` (...)."""
        total: Floats = self.factor[group] * (metres / self.scale_m) ** self.shape
        return total

    def to_document(self) -> dict[str, Any]:
        """As JSON knows it."""
        scale_m = self.scale_m if np.isfinite(self.scale_m) else None
        return {"shape": self.shape, "scale_m": scale_m, "factor": self.factor.tolist()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> EventHazard:
        """The hazard of ``to_document``."""
        scale_m = np.inf if document["scale_m"] is None else float(document["scale_m"])
        return cls(float(document["shape"]), scale_m, np.array(document["factor"], dtype=np.float64))


def fit_hazard(spells: Spells, groups: int) -> EventHazard:
    """The likeliest hazard of ``spells``, and the factors of G groups.

    Without any event nothing is ever expected; groups without spells have the factor 1.
    """
    events = float(spells.happened.sum())
    longest_m = float(np.max(spells.exit_m, initial=0.0))
    if not events or not longest_m:
        return EventHazard(1.0, np.inf, np.ones(groups))
    entry, end = spells.entry_m / longest_m, spells.exit_m / longest_m
    shapes = SHAPES if events >= SHAPE_EVENTS_MIN else np.ones(1)
    # For each shape the likeliest scale is known; what is left is one number to try.
    exposure = np.array([(end**shape - entry**shape).sum() for shape in shapes])
    logs = (spells.happened * np.log(np.maximum(end, 1e-9))).sum()
    likelihood = events * np.log(events * shapes / exposure) + (shapes - 1) * logs
    best = int(np.argmax(likelihood))
    shape = float(shapes[best])
    scale_m = longest_m * float(exposure[best] / events) ** (1 / shape)
    expected = (spells.exit_m / scale_m) ** shape - (spells.entry_m / scale_m) ** shape
    came, due = (
        np.bincount(spells.group, weights=values, minlength=groups) for values in (spells.happened, expected)
    )
    return EventHazard(shape, scale_m, (came + GROUP_EVENTS) / (due + GROUP_EVENTS))


@dataclass(frozen=True, slots=True)
class Parts:
    """The part on Q vehicles."""

    vehicle: Ints  # (Q) that of an `Ahead`
    group: Ints  # (Q) that of an `EventHazard`
    gone_m: Floats  # (Q) distance on the part so far


def survival(hazard: EventHazard, ahead: Ahead, parts: Parts, after_d: Floats) -> Floats:
    """The probability (Q, E) that no event comes within ``after_d`` (E, days) of each vehicle's last reading.

    Falls from 1; averaged over the paces that the vehicle may go at.
    """
    queries, times = len(parts.vehicle), len(after_d)
    who, days = np.repeat(parts.vehicle, times), np.tile(after_d, queries)
    group, gone_m = parts.group[:, None], parts.gone_m[:, None]
    before = hazard.expected(group, gone_m)
    total = np.zeros((queries, times))
    for pace in PACES:
        metres = ahead.metres_in(who, days, pace).reshape(queries, times)
        total += np.exp(before - hazard.expected(group, gone_m + metres))
    survived: Floats = total / len(PACES)
    return survived
