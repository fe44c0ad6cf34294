"""The reasons of one score in sentences: what counts, how much, what it rests on, what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.readiness.card import Table
from milepost_server.signals.readiness.features import FEATURES, Feature
from milepost_server.signals.readiness.model import BASE, ENDS, Reason, Scorecard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_server.signals.flat import Ints

MONTHS_AHEAD_MAX = 12
"""How far ahead a change that time brings by itself is told."""


@dataclass(frozen=True, slots=True)
class Told:
    """One reason of one owner's score."""

    reason: Reason
    points: int
    words: str
    would_change: str  # empty for the base and the ends of the scale


def told(model: Scorecard, values: Mapping[str, float]) -> list[Told]:
    """All reasons of one owner, those that move the score furthest first; their points sum to the score.

    Args:
        model: the model.
        values: the owner's columns; NaN is what is not known.

    Raises:
        FeatureError: a column of the model is missing.
    """
    row = {name: np.array([value]) for name, value in values.items()}
    scores = model.score(row)
    found = []
    for place, (reason, points) in enumerate(
        zip(scores.reasons, scores.reason_points[0].tolist(), strict=True)
    ):
        if reason.key in (BASE, ENDS):
            found.append(Told(reason, points, reason.words, ""))
            continue
        features = [FEATURES[name] for name in reason.features]
        words = ", and ".join(said(feature, values[feature.name]) for feature in features)
        whole = model.card.points[place - 1]
        change = _change(model, model.card.tables[place - 1], whole, values, features)
        found.append(Told(reason, points, words, change))
    return sorted(found, key=lambda each: -abs(each.points))


def said(feature: Feature, value: float) -> str:
    """A value as people say it: ``the lease ends in 3 months``."""
    return feature.unknown if np.isnan(value) else feature.said(value)


def _change(
    model: Scorecard, table: Table, whole: Ints, values: Mapping[str, float], features: list[Feature]
) -> str:
    """What time will change by itself, if anything soon; else what people can."""
    months = np.arange(MONTHS_AHEAD_MAX + 1, dtype=np.float64)
    bins = tuple(
        model.card.columns[place].bin_of(values[feature.name] + feature.per_month * months)
        for place, feature in zip(table.columns, features, strict=True)
    )
    ahead = whole[bins]
    moved = np.flatnonzero(ahead != ahead[0])
    others = "; or ".join(dict.fromkeys(each.would_change for each in features if each.would_change))
    by_people = f"would change with {others}" if others else "nothing that anybody does changes it"
    if not len(moved):
        return by_people
    step = int(ahead[moved[0]] - ahead[0])
    when = "1 month" if moved[0] == 1 else f"{moved[0]} months"
    return f"{abs(step)} {'more' if step > 0 else 'fewer'} in {when} as time passes; {by_people}"
