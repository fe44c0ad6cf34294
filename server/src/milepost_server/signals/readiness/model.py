"""A readiness model: scores owners, and is a document that scores the same bit for bit in ten years.

The score tells of the hazard in each of the next three months; the chance within 90 days follows from the
same log-odds. Months four to six have tables of their own on top, for what time changes by itself: a contract
that ends in five months says little of the next 90 days and much of the 90 after them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.readiness import document, drift
from milepost_server.signals.readiness.calibration import Reliability
from milepost_server.signals.readiness.card import POINTS_MAX, Card
from milepost_server.signals.readiness.columns import bins_of
from milepost_server.signals.readiness.drift import Drift
from milepost_server.signals.readiness.errors import ModelError
from milepost_server.signals.readiness.features import check
from milepost_server.signals.readiness.hazard import LATER_MONTHS, NEAR_MONTHS, chance_within, either
from milepost_server.signals.readiness.wording import PRIOR

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE, ENDS = "base", "scale"
POINTS = "points"
"""Of the score itself, beside the names of columns."""
SCORE_BINS = 20
"""Of the distribution of scores that is kept for comparison."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a score."""

    key: str  # ``base``, a feature, two features joined by ``+``, or ``scale`` for the ends of the scale
    features: tuple[str, ...]
    words: str
    evidence: tuple[str, ...]  # the kinds of records that it rests on


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of N owners."""

    points: Ints  # (N) 0 to 100, exactly the sum of ``reason_points``
    reason_points: Ints  # (N, R)
    reasons: tuple[Reason, ...]  # (R)
    p_90d: Floats  # (N)
    p_180d: Floats  # (N) at least ``p_90d``
    log_odds: Floats  # (N) of the monthly hazard; orders owners of equal points

    def order(self) -> Ints:
        """The owners (N), most ready first: by points, then by what is finer than points."""
        order: Ints = np.lexsort((-self.log_odds, -self.points)).astype(np.int64)
        return order


@dataclass(frozen=True, slots=True)
class Reference:
    """How columns and scores were distributed where the model was learned."""

    columns: dict[str, Floats]  # shares of bins, as ``drift.shares`` makes them
    points: Floats  # (SCORE_BINS)


@dataclass(frozen=True)
class Scorecard:
    """A model. Its version is the hash of its content."""

    card: Card
    later: Card  # added to the log-odds of ``card`` for months four to six; its scale is of no use
    fitted: Literal["prior", "learned"] = "prior"
    fitted_on: str | None = None  # ISO date of the newest outcome
    rows: int = 0
    events: int = 0
    calibration: Reliability | None = None  # within 90 days, of rows that the model had not seen
    reference: Reference | None = None
    sources: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        check(column.name for column in self.card.columns)

    @cached_property
    def version(self) -> str:
        """For example ``prior-3f9a0c12b7de``."""
        text = json.dumps(self.to_document(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return f"{self.fitted}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def mark(self) -> str:
        """What has to stand beside its points: that they are a prior, or nothing."""
        return PRIOR if self.fitted == "prior" else ""

    @cached_property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons (R) of every score, in the order of ``Scores.reason_points``."""
        found = [Reason(BASE, (), "what every owner starts with", ())]
        for table in self.card.tables:
            its = check(self.card.columns[place].name for place in table.columns)
            evidence = dict.fromkeys(kind for feature in its for kind in feature.evidence)
            found.append(
                Reason(
                    "+".join(feature.name for feature in its),
                    tuple(feature.name for feature in its),
                    " together with ".join(feature.words for feature in its),
                    tuple(evidence),
                )
            )
        return (*found, Reason(ENDS, (), f"scores end at 0 and {POINTS_MAX}", ()))

    def score(self, values: Mapping[str, Floats]) -> Scores:
        """Score N owners by their columns (N each); NaN is what is not known.

        Raises:
            FeatureError: a column of the model is missing, or of another length.
        """
        bins = bins_of(self.card.columns, values)
        reason_points = self.card.reason_points(bins)
        log_odds = self.card.log_odds(bins)
        near = chance_within(log_odds, NEAR_MONTHS)
        after = chance_within(log_odds + self.later.log_odds(bins), LATER_MONTHS)
        return Scores(
            reason_points.sum(axis=1), reason_points, self.reasons, near, either(near, after), log_odds
        )

    def counts(self, values: Mapping[str, Floats]) -> dict[str, Ints]:
        """How many of N owners are in each bin, by column and of ``POINTS``; those of parts add up."""
        bins = bins_of(self.card.columns, values)
        points = self.card.reason_points(bins).sum(axis=1)
        return {
            **{
                column.name: drift.counts(bins[:, place], column.size)
                for place, column in enumerate(self.card.columns)
            },
            POINTS: drift.counts(_score_bins(points), SCORE_BINS),
        }

    def drifted(self, counted: Mapping[str, Ints]) -> dict[str, Drift]:
        """How far each column, and ``POINTS``, of what was ``counted`` is from where the model was learned.

        Empty for a model that was not learned, or where nobody was counted.
        """
        if self.reference is None or not counted or not counted[POINTS].sum():
            return {}
        whole = {**self.reference.columns, POINTS: self.reference.points}
        return {name: drift.drift(whole[name], self.rows, counted[name]) for name in counted}

    def to_document(self) -> dict[str, Any]:
        """The model as JSON knows it."""
        return {
            "format": document.FORMAT,
            "fitted": self.fitted,
            "fitted_on": self.fitted_on,
            "rows": self.rows,
            "events": self.events,
            **document.card_part(self.card),
            "later": {
                "base_log_odds": self.later.base_log_odds,
                "tables": document.tables_part(self.later),
            },
            "calibration": self.calibration
            and {
                name: getattr(self.calibration, name).tolist() for name in document.Calibration.model_fields
            },
            "reference": self.reference
            and {
                "columns": {name: shares.tolist() for name, shares in self.reference.columns.items()},
                "points": self.reference.points.tolist(),
            },
            "sources": list(self.sources),
        }

    @classmethod
    def from_document(cls, content: Mapping[str, Any]) -> Scorecard:
        """The model of a document.

        Raises:
            ModelError: it is no such document, or its points do not follow from its log-odds.
            FeatureError: it uses a column that no model may use.
        """
        found = document.checked(content)
        card, later = document.cards(found)
        calibration, reference = None, None
        if its := found.calibration:
            floats = (its.expected, its.observed, its.low, its.high)
            calibration = Reliability(
                np.array(its.rows, dtype=np.int64), *(np.array(each, dtype=np.float64) for each in floats)
            )
        if found.reference:
            reference = _reference(found.reference, card)
        return cls(
            card,
            later,
            found.fitted,
            found.fitted_on,
            found.rows,
            found.events,
            calibration,
            reference,
            tuple(found.sources),
        )


def _reference(found: document.Reference, card: Card) -> Reference:
    """The reference of a document, if it has a share of each bin of each column."""
    sizes = {column.name: column.size for column in card.columns}
    if {name: len(each) for name, each in found.columns.items()} != sizes or len(found.points) != SCORE_BINS:
        raise ModelError("reference", "does not have a share of each bin of each column")
    columns = {name: np.array(each, dtype=np.float64) for name, each in found.columns.items()}
    return Reference(columns, np.array(found.points, dtype=np.float64))


def score_shares(points: Ints) -> Floats:
    """Shares (``SCORE_BINS``) of scores (N)."""
    return drift.shares(_score_bins(points), SCORE_BINS)


def _score_bins(points: Ints) -> Ints:
    """The bin (N) of each score."""
    found: Ints = points * SCORE_BINS // (POINTS_MAX + 1)
    return found
