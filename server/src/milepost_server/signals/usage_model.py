"""What a fleet's past teaches about the pace to come: a correction of the median, and true widths.

Fitted on examples (see ``usage_past``) and cross-fitted by vehicle: how much the correction is worth and how
wide the interval must be are measured on vehicles that were not fitted on. A fleet that is too small, or
whose correction helps nobody, gets none: then the shrunk rate stands as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from milepost_server.signals import calibration
from milepost_server.signals.calibration import Coverage
from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.pace import KNOTS_MONTHS, Learned, curves
from milepost_server.signals.usage import Usage, UsageRules
from milepost_server.signals.usage_features import FEATURES
from milepost_server.signals.usage_past import Examples, Known
from milepost_server.signals.usage_trees import TreeRules, Trees, grow

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


def fit(past: Examples, rules: UsageRules, trees: TreeRules, seed: int) -> PaceModel:
    """Learn from ``past``; the same examples and seed give the same model."""
    rng = np.random.default_rng(seed)
    past = _thinned(past, rng)
    vehicles = np.unique(past.vehicle)
    plain = replace(untaught(seed), vehicles=len(vehicles), examples=len(past.vehicle))
    if len(vehicles) < VEHICLES_MIN:
        return plain
    fold_of = np.zeros(int(vehicles.max()) + 1, dtype=np.int64)
    fold_of[vehicles] = rng.permutation(len(vehicles)) % FOLDS
    fold = fold_of[past.vehicle]

    target = past.longer - curves(past.known.usage, rules).median
    weight = _weights(past.known.usage)
    across = np.zeros_like(target)
    for one in range(FOLDS):
        rest, held = fold != one, fold == one
        grown = grow(past.known.features[rest], target[rest], weight[rest], trees, seed + one)
        across[held] = grown.run(past.known.features[held])
    trust, gain = _trust(across, target, weight)
    if trust:
        whole = grow(past.known.features, target, weight, trees, seed)
        plain = replace(plain, trees=whole, trust=trust, gain=gain)
    return _calibrated(plain, past, trust * across, fold, rules)


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


def _calibrated(model: PaceModel, past: Examples, longer: Floats, fold: Ints, rules: UsageRules) -> PaceModel:
    """``model`` with true widths; its coverage is that of widths from the other folds."""
    ones = np.ones(longer.shape[1])
    usage = past.known.usage
    bent = curves(usage, rules, Learned(longer, ones, ones))
    counted = np.zeros((3, longer.shape[1]), dtype=np.int64)
    for one in range(FOLDS):
        rest, held = np.flatnonzero(fold != one), np.flatnonzero(fold == one)
        sides = calibration.factors(bent.of(rest), past.longer[rest], past.vehicle[rest])
        widened = curves(usage.of(held), rules, Learned(longer[held], *sides))
        found = calibration.coverage(widened, past.longer[held])
        counted += np.stack([found.told, found.early, found.late])
    early, late = calibration.factors(bent, past.longer, past.vehicle)
    return replace(model, early=early, late=late, coverage=Coverage(*counted))
