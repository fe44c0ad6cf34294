"""What a fleet's past teaches about the pace to come: a correction of the median, and true widths.

Fitted on examples (see ``past``). How much the correction is worth, and how wide the interval must be,
are measured on examples that were held out, which for a dealer are those of later times. A fleet that is too
small, or whose correction helps nobody, gets none: then the shrunk rate stands as it is.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from milepost_server.signals.flat import Bools, Floats, Ints
from milepost_server.signals.usage import calibration
from milepost_server.signals.usage.calibration import Coverage
from milepost_server.signals.usage.features import FEATURES
from milepost_server.signals.usage.pace import KNOTS_MONTHS, Learned, curves
from milepost_server.signals.usage.past import Examples, Known
from milepost_server.signals.usage.rate import Usage, UsageRules
from milepost_server.signals.usage.trees import SMOOTH, TreeRules, Trees, grow

VERSION = 1
"""Of the document; counts up when an older one can no longer be read."""
FOLDS = 4
VEHICLES_MIN = 15
"""Fewer vehicles teach nothing that would hold for another one."""
EXAMPLES_MAX = 40_000
"""More examples than this are thinned out: vehicles at random, all examples of each."""
TRUSTS = (0.0, 0.25, 0.5, 0.75, 1.0)
GAIN_MIN = 0.01
"""A correction that lowers the errors by less than this share is no correction."""
LONGER_MAX = 1.0
"""The median moves by at most this, in the logarithm: 2.7 times as long, or as short."""


@dataclass(frozen=True, slots=True)
class PaceModel:
    """What was learned, as a thing that can be kept and run on any vehicle of the fleet."""

    trees: Trees | None  # None: nothing is corrected
    trust: float  # 0 .. 1, the share of the correction that is taken
    early: Floats  # (K) factors of the interval's sides
    late: Floats  # (K)
    coverage: Coverage  # measured across folds
    gain: float  # the share by which the correction lowered errors across folds; 0 without one
    vehicles: int
    examples: int
    seed: int

    def learned(self, known: Known, silent_months: Floats | float = 0.0, decay: float = 0.8) -> Learned:
        """What the model says of V vehicles; it fades as ``silent_months`` (V) pass without a reading."""
        longer = np.zeros((len(known.features), len(KNOTS_MONTHS)))
        if self.trees is not None:
            fresh = np.broadcast_to(decay ** np.asarray(silent_months), len(longer))
            longer = self.trust * fresh[:, None] * self.trees.run(known.features)
            longer[~np.isfinite(known.features[:, 0])] = 0.0
        return Learned(np.clip(longer, -LONGER_MAX, LONGER_MAX), self.early, self.late)

    def to_document(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {
            "version": VERSION,
            "features": [feature.name for feature in FEATURES],
            "knots_months": list(KNOTS_MONTHS),
            "trees": None if self.trees is None else self.trees.to_document(),
            "trust": self.trust,
            "early": self.early.tolist(),
            "late": self.late.tolist(),
            "coverage": self.coverage.to_document(),
            "gain": self.gain,
            "vehicles": self.vehicles,
            "examples": self.examples,
            "seed": self.seed,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PaceModel:
        """The model of ``to_document``.

        Raises:
            ValueError: it was made by another version, with other features or knots.
        """
        mine = {
            "version": VERSION,
            "features": [feature.name for feature in FEATURES],
            "knots_months": list(KNOTS_MONTHS),
        }
        for key, value in mine.items():
            if document.get(key) != value:
                raise ValueError(f"a pace model with {key} {document.get(key)!r}; this version has {value!r}")
        trees = document["trees"]
        return cls(
            None if trees is None else Trees.from_document(trees),
            float(document["trust"]),
            np.array(document["early"], dtype=np.float64),
            np.array(document["late"], dtype=np.float64),
            Coverage.from_document(document["coverage"]),
            *(document[key] for key in ("gain", "vehicles", "examples", "seed")),
        )


def untaught(seed: int = 0) -> PaceModel:
    """The model of a fleet without a past: the shrunk rate as it is."""
    ones, none = np.ones(len(KNOTS_MONTHS)), np.zeros(len(KNOTS_MONTHS), dtype=np.int64)
    return PaceModel(None, 0.0, ones, ones, Coverage(none, none, none), 0.0, 0, 0, seed)


class Held(enum.Enum):
    """Which examples are held out when it is measured what a correction is worth, and how wide is true."""

    LATER = "later"
    """Those of later times, from what was known before: how it will be for a dealer."""
    VEHICLES = "vehicles"
    """Those of other vehicles, at any time: how it is for a vehicle that joins a fleet of known years."""


def fit(
    past: Examples, rules: UsageRules, trees: TreeRules = SMOOTH, seed: int = 0, held: Held = Held.LATER
) -> PaceModel:
    """Learn from ``past``; the same examples and seed give the same model."""
    rng = np.random.default_rng(seed)
    past = _thinned(past, rng)
    vehicles = len(np.unique(past.vehicle))
    plain = replace(untaught(seed), vehicles=vehicles, examples=len(past.vehicle))
    if vehicles < VEHICLES_MIN:
        return plain
    median = curves(past.known.usage, rules).median
    weight = _weights(past.known.usage)
    folds = _later_folds(past) if held is Held.LATER else _vehicle_folds(past, rng)
    across = np.full_like(past.longer, np.nan)
    for number, fold in enumerate(folds):
        wanted = fold.told - median[fold.rest]
        grown = grow(past.known.features[fold.rest], wanted, weight[fold.rest], trees, seed + number)
        across[fold.held] = grown.run(past.known.features[fold.held])
    target = past.longer - median
    trust, gain = _trust(across, target, weight)
    if trust:
        whole = grow(past.known.features, target, weight, trees, seed)
        plain = replace(plain, trees=whole, trust=trust, gain=gain)
    return _calibrated(plain, _Foretold(past, trust * across, held, rules), folds)


@dataclass(frozen=True, slots=True)
class _Fold:
    """What is fitted on, and what is foretold with it."""

    rest: Ints  # (R) examples to fit on
    told: Floats  # (R, K) what is known to have come of them
    held: Ints  # (H) examples to foretell


def _vehicle_folds(past: Examples, rng: np.random.Generator) -> list[_Fold]:
    names, place = np.unique(past.vehicle, return_inverse=True)
    fold = (rng.permutation(len(names)) % FOLDS)[place]
    parts = [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(FOLDS)]
    return [_Fold(rest, past.longer[rest], held) for rest, held in parts]


def _later_folds(past: Examples) -> list[_Fold]:
    """Stretches of time with as many examples each; the first half of them all is only ever fitted on.

    What could be learned from the first months of a fleet says nothing of what can be learned from all.
    """
    ends = np.quantile(past.as_of_d, np.linspace(0.5, 1, FOLDS + 1))
    folds = []
    for begin_d, end_d in pairwise(ends):
        rest = np.flatnonzero(past.as_of_d <= begin_d)
        held = np.flatnonzero((past.as_of_d > begin_d) & (past.as_of_d <= end_d))
        if len(held):
            folds.append(_Fold(rest, past.of(rest).longer_by(float(begin_d)), held))
    return folds


def _thinned(past: Examples, rng: np.random.Generator) -> Examples:
    if len(past.vehicle) <= EXAMPLES_MAX:
        return past
    names, counts = np.unique(past.vehicle, return_counts=True)
    order = rng.permutation(len(names))
    kept = names[order[np.cumsum(counts[order]) <= EXAMPLES_MAX]]
    return past.of(np.flatnonzero(np.isin(past.vehicle, kept)))


def _weights(usage: Usage) -> Floats:
    """Errors count in days of a given distance, so those of slow vehicles count more; within limits."""
    slowness = float(np.median(usage.rate_m_per_d)) / usage.rate_m_per_d
    weights: Floats = np.clip(slowness, 0.2, 5.0)
    return weights


def _trust(across: Floats, target: Floats, weight: Floats) -> tuple[float, float]:
    """The share of the correction that lowers errors most, and by how much; (0, 0) if by too little."""
    errors = [np.nansum(weight[:, None] * np.abs(target - trust * across)) for trust in TRUSTS]
    best = int(np.argmin(errors))
    gain = 1 - errors[best] / errors[0] if errors[0] > 0 else 0.0
    return (TRUSTS[best], float(gain)) if gain >= GAIN_MIN else (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Foretold:
    """What was said of examples that were held out."""

    past: Examples
    longer: Floats  # (O, K) the correction across folds; NaN for examples that were never held out
    held: Held
    rules: UsageRules

    def sides(self, rows: Ints, told: Floats) -> tuple[Floats, Floats]:
        """The true widths (K, K) by what came (R, K) of some examples (R) that were held out."""
        examples, ones = self.past.of(rows), np.ones(told.shape[1])
        usage = _of_newest_levels(examples) if self.held is Held.LATER else examples.known.usage
        bent = curves(usage, self.rules, Learned(self.longer[rows], ones, ones))
        return calibration.factors(bent, told, examples.vehicle)

    def coverage(self, rows: Ints, sides: tuple[Floats, Floats]) -> Coverage:
        """What intervals of these widths cover of other examples (H)."""
        widened = curves(self.past.known.usage.of(rows), self.rules, Learned(self.longer[rows], *sides))
        return calibration.coverage(widened, self.past.longer[rows])


def _calibrated(model: PaceModel, foretold: _Foretold, folds: list[_Fold]) -> PaceModel:
    """``model`` with true widths; its coverage is that of widths that were made on other examples."""
    past = foretold.past
    usable: Bools = np.isfinite(foretold.longer[:, 0])
    counted = np.zeros((3, past.longer.shape[1]), dtype=np.int64)
    for fold in folds:
        rest = usable[fold.rest]
        if not rest.any():
            continue  # nothing was held out before this stretch: its widths would be untaught ones
        sides = foretold.sides(fold.rest[rest], fold.told[rest])
        found = foretold.coverage(fold.held, sides)
        counted += np.stack([found.told, found.early, found.late])
    rows = np.flatnonzero(usable)
    early, late = foretold.sides(rows, past.longer[rows])
    return replace(model, early=early, late=late, coverage=Coverage(*counted))


def _of_newest_levels(past: Examples) -> Usage:
    """The usage of examples, had vehicles been held to differ as much as at the newest of them.

    Widths are for what will be said next, and that is said with the newest prior: where levels have come to
    differ more since, factors that were made with older ones would widen intervals a second time.
    """
    usage, between = past.known.usage, past.known.prior.between_cv
    newest = between[np.argsort(past.as_of_d)[-1:]]  # (1), or (0) of no examples
    return replace(usage, level_variance=usage.level_variance * (newest / between) ** 2)
