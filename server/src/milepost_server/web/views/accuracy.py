"""How well dates and scores have held, in words: what was promised beside what came."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_server.signals.readiness.calibration import wilson
from milepost_server.store.schema import Fitted
from milepost_server.web import words
from milepost_server.web.charts.coverage import CoverageChart, Share

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from milepost_server.store.calibrations import CalibrationRow
    from milepost_server.store.readiness_models import ModelRow

PROMISED = 0.8
NEAR = 0.02
"""A share this close to what was promised is as promised."""
FITTED_WORDS = MappingProxyType(
    {Fitted.PRIOR: "published figures, not learned", Fitted.LEARNED: "learned from outcomes"}
)
BASELINE_WORDS = MappingProxyType(
    {
        "lease_end": "The lease-end list",
        "oldest_first": "Oldest car first",
        "youngest_first": "Youngest car first",
        "months_since_service": "Longest without a service first",
        "random": "At random",
    }
)


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """How intervals told so far ahead have held."""

    ahead: str
    held: str
    between: str
    n: int
    early: str
    late: str


@dataclass(frozen=True, slots=True)
class DatesView:
    """What became of due dates."""

    finding: str
    rows: Sequence[CoverageRow]
    chart: CoverageChart | None


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One group of owners by their probability."""

    said: str
    came: str
    n: int


@dataclass(frozen=True, slots=True)
class ModelView:
    """One readiness model."""

    version: str
    in_force_on: dt.date
    fitted: str
    whose: str
    is_current: bool
    learned_of: str
    lift: str
    baselines: Sequence[tuple[str, str]]
    rows: Sequence[ScoreRow]
    is_held_out: bool  # whether ``rows`` are owners that the model had not learned from
    came: str  # of what it foretold since it is in force; empty as long as that cannot be told


def dates_view(row: CalibrationRow | None) -> DatesView:
    """How the intervals of due dates have held, by how far ahead they were told."""
    coverage = [] if row is None else sorted(row.coverage, key=lambda one: one["horizon_d"])
    if not coverage:
        return DatesView("Too few of the dates that were told have come to say how well they hold.", [], None)
    total = sum(one["n"] for one in coverage)
    held = sum(one["n"] * one["covered"] for one in coverage) / total
    finding = (
        f"Of {words.count(total, 'date', 'dates')} that could be checked, {_percent(held)} of 100 fell inside"
        f" their interval; {_percent(PROMISED)} were promised{_judged(held, total)}."
    )
    return DatesView(finding, [_coverage(one) for one in coverage], _chart(coverage, finding))


def _judged(held: float, total: int) -> str:
    """What is wrong with the intervals; nothing that so few dates could show by chance."""
    low, high = wilson(np.array([held * total]), np.array([float(total)]))
    if abs(held - PROMISED) <= NEAR or low[0] <= PROMISED <= high[0]:
        return ""
    return ": intervals are wider than they need be" if held > PROMISED else ": intervals are too narrow"


def _coverage(one: Mapping[str, Any]) -> CoverageRow:
    return CoverageRow(
        ahead=f"about {words.count(round(one['horizon_d']), 'day', 'days')}",
        held=f"{_percent(one['covered'])} of 100",
        between=f"{_percent(one['low'])} to {_percent(one['high'])}",
        n=one["n"],
        early=_percent(one["early"]),
        late=_percent(one["late"]),
    )


def _chart(coverage: Sequence[Mapping[str, Any]], finding: str) -> CoverageChart:
    shares = [
        Share(f"{one['horizon_d']:.0f}", one["covered"], one["low"], one["high"], one["n"])
        for one in coverage
    ]
    return CoverageChart(finding, "Told so many days ahead", shares, PROMISED)


def model_views(
    rows: Sequence[ModelRow], current: ModelRow | None, came: Mapping[str, str]
) -> list[ModelView]:
    """The models in the order given; ``current`` is the one that scores, ``came`` what is said by version."""
    return [
        ModelView(
            version=row.version,
            in_force_on=row.in_force_on,
            fitted=FITTED_WORDS[row.fitted],
            whose="all dealers together" if row.dealer_id is None else "your own customers",
            is_current=current is not None and row.id == current.id,
            learned_of=_learned(row.metrics),
            lift=_lift(row.metrics.get("lift_10")),
            baselines=_baselines(row.metrics.get("baselines", {})),
            rows=[
                ScoreRow(f"{_percent(one['p'])} of 100", f"{_percent(one['observed'])} of 100", one["n"])
                for one in row.metrics.get("calibration", ())
            ],
            is_held_out=row.metrics.get("calibration_held_out", True),
            came=came.get(row.version, ""),
        )
        for row in rows
    ]


def _baselines(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each with its lift, in the order of `BASELINE_WORDS`: a database may keep keys in another one."""
    known = [key for key in BASELINE_WORDS if key in figures]
    others = sorted(figures.keys() - BASELINE_WORDS.keys())
    return [
        (BASELINE_WORDS.get(key, key.replace("_", " ")), _lift(figures[key].get("lift_10")))
        for key in (*known, *others)
    ]


def _learned(metrics: Mapping[str, Any]) -> str:
    if "n" not in metrics:
        return ""
    people = words.count(metrics["n"], "owner and month", "owners and months")
    return f"{people}, {words.count(metrics.get('events', 0), 'replacement', 'replacements')}"


def _lift(figure: Sequence[float] | None) -> str:
    """``4.2 times (3.1 to 5.4)``: how many more replacements its best tenth has than a tenth at random."""
    if not figure:
        return ""
    value, low, high = figure
    return f"{value:.1f} times ({low:.1f} to {high:.1f})"


def _percent(share: float) -> str:
    return f"{share * 100:.0f}"
