"""Whether a model still fits: what it foretold beside what came of it, and whom it meets by now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_server.signals.bootstrap import Interval
from milepost_server.signals.flat import Floats
from milepost_server.signals.ranking import calibration_intervals
from milepost_server.signals.readiness.calibration import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTCOMES_MIN = 20
"""With fewer owners who replaced a car, or who kept it, nothing is said of how well a model holds."""


class Held(StrEnum):
    """How what was foretold has held."""

    TOO_FEW = "too-few"
    HOLDS = "holds"
    FEWER = "fewer"  # clearly fewer replaced their car than was foretold
    MORE = "more"
    BOLD = "bold"  # as many as foretold, but those called ready were less so, and others more
    TIMID = "timid"  # the other way round


@dataclass(frozen=True, slots=True)
class CameTrue:
    """What became of owners who were scored, and looked at for the 90 days after."""

    rows: int
    events: int  # who replaced their car within 90 days
    expected: float  # how many were foretold to
    low: float  # 95 % interval of how many may come by chance where these did
    high: float
    intercept: Interval | None  # of the events on the foretold log-odds; 0 is perfect, None too few to say
    slope: Interval | None  # 1 is perfect

    @property
    def outcomes(self) -> int:
        """How many outcomes of the rarer kind there are: `OUTCOMES_MIN` are enough."""
        return min(self.events, self.rows - self.events)

    @property
    def held(self) -> Held:
        """In a word."""
        if self.outcomes < OUTCOMES_MIN:
            return Held.TOO_FEW
        if not self.low <= self.expected <= self.high:
            return Held.FEWER if self.expected > self.high else Held.MORE
        if self.slope is None or self.slope.low <= 1 <= self.slope.high:
            return Held.HOLDS
        return Held.BOLD if self.slope.high < 1 else Held.TIMID

    def to_document(self) -> dict[str, Any]:
        """As JSON knows it."""
        plain = {name: getattr(self, name) for name in ("rows", "events", "expected", "low", "high")}
        return {**plain, "intercept": _figures(self.intercept), "slope": _figures(self.slope)}

    @classmethod
    def from_document(cls, content: Mapping[str, Any]) -> CameTrue:
        """What `to_document` made."""
        lines = {
            name: None if content[name] is None else Interval(*content[name])
            for name in ("intercept", "slope")
        }
        return cls(**{**content, **lines})


NOTHING_CAME = CameTrue(0, 0, 0.0, 0.0, 0.0, None, None)


def came_true(probability: Floats, event: Floats) -> CameTrue:
    """Hold what was foretold of N owners (a probability each) against what came (1 or 0 each)."""
    rows, events = len(event), float(np.sum(event))
    if not rows:
        return NOTHING_CAME
    low, high = wilson(np.array([events]), np.array([float(rows)]))
    intercept = slope = None
    if min(events, rows - events) >= OUTCOMES_MIN:
        intercept, slope = map(_known, calibration_intervals(probability, event))
    return CameTrue(
        rows,
        round(events),
        float(np.sum(probability)),
        float(low[0]) * rows,
        float(high[0]) * rows,
        intercept,
        slope,
    )


def _figures(found: Interval | None) -> list[float] | None:
    return None if found is None else [found.value, found.low, found.high]


def _known(figure: Interval) -> Interval | None:
    """None where all owners had the same odds, so that no line can be drawn."""
    is_known = np.isfinite([figure.value, figure.low, figure.high]).all()
    return figure if is_known else None
