"""The reasons of scores in sentences: what counts, how much, what it rests on, what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.readiness.features import FEATURES, Feature
from milepost_server.signals.readiness.model import Reason, Scorecard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_server.signals.flat import Floats, Ints
    from milepost_server.signals.readiness.model import Scores

MONTHS_AHEAD_MAX = 12
"""How far ahead a change that time brings by itself is told."""


@dataclass(frozen=True, slots=True)
class Told:
    """One reason of one owner's score."""

    reason: Reason
    points: int
    words: str
    value: float | None  # of the only feature; None for a pair, or where it is not known
    unit: str
    would_change: str  # empty for the base and the ends of the scale


def told(model: Scorecard, values: Mapping[str, Floats], scores: Scores) -> list[list[Told]]:
    """The reasons of N owners that are worth any points, the largest first; their points sum to the score.

    Sentences are made one by one, so this is for the owners that somebody looks at or that are written down.

    Args:
        model: the model.
        values: the columns (N each) that were scored.
        scores: what ``model.score`` said of them.
    """
    rows: list[list[Told]] = [[] for _ in range(len(scores.points))]
    for place, reason in enumerate(scores.reasons):
        points = scores.reason_points[:, place]
        features = [FEATURES[name] for name in reason.features]
        counting = np.flatnonzero(points)
        changes = _changes(model, place - 1, values, features, counting) if features else [""] * len(counting)
        for row, change in zip(counting.tolist(), changes, strict=True):
            its = [float(values[feature.name][row]) for feature in features]
            words = ", and ".join(map(said, features, its)) if features else reason.words
            alone = its[0] if len(its) == 1 and np.isfinite(its[0]) else None
            unit = features[0].unit if len(features) == 1 else ""
            rows[row].append(Told(reason, int(points[row]), words, alone, unit, change))
    return [sorted(each, key=lambda one: -abs(one.points)) for each in rows]


def said(feature: Feature, value: float) -> str:
    """A value as people say it: ``the contract ends in 3 months``."""
    return feature.unknown if np.isnan(value) else feature.said(value)


def _changes(
    model: Scorecard, number: int, values: Mapping[str, Floats], features: list[Feature], rows: Ints
) -> list[str]:
    """What would change the points of a table for ``rows``: time by itself, if soon, and what people do."""
    table, whole = model.card.tables[number], model.card.points[number]
    others = "; or ".join(dict.fromkeys(each.would_change for each in features if each.would_change))
    by_people = f"would change with {others}" if others else "nothing that anybody does changes it"
    months = np.arange(MONTHS_AHEAD_MAX + 1, dtype=np.float64)
    ahead = whole[
        tuple(
            model.card.columns[place].bin_of(values[feature.name][rows, None] + feature.per_month * months)
            for place, feature in zip(table.columns, features, strict=True)
        )
    ]
    when = (ahead != ahead[:, :1]).argmax(axis=1)
    step = ahead[np.arange(len(rows)), when] - ahead[:, 0]
    return [
        by_people if month == 0 else f"{_more(more)} in {_months(month)} as time passes; {by_people}"
        for month, more in zip(when.tolist(), step.tolist(), strict=True)
    ]


def _more(points: int) -> str:
    return f"{points} more" if points > 0 else f"{-points} fewer"


def _months(count: int) -> str:
    return "1 month" if count == 1 else f"{count} months"
