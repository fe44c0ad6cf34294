"""The scorecard against boosted oracles on tables of outcomes with pairs, triples, gaps and noise."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_score

from milepost_server.evaluation.outcomes.logistic import plain_logistic
from milepost_server.evaluation.outcomes.methods import card_of
from milepost_server.evaluation.outcomes.report import card_document
from milepost_server.evaluation.report import plain
from milepost_server.signals.ranking import Ranking, brier, calibration_line
from milepost_server.signals.readiness.card import Card
from milepost_server.signals.readiness.columns import Column, bins_of, quantile_edges
from milepost_server.signals.readiness.fit import outcomes
from milepost_server.signals.readiness.tuning import TuningRules, learn
from support.outcome_tables import COLUMNS, outcome_table

ROWS = 50_000
TRAIN = 35_000
TABLES = (("strong", 31), ("strong", 32), ("medium", 33), ("weak", 34))
"""Variants and seeds, chosen after the scorecard was settled. Figures are means over them."""
DRAWS = 400
SEED = 5
ORACLES = (
    {"max_leaf_nodes": 8, "min_samples_leaf": 20},
    {"max_leaf_nodes": 15, "min_samples_leaf": 20},
    {"max_leaf_nodes": 31, "min_samples_leaf": 50},
)
OURS, POINTS, FREE, TRUTH = "scorecard", "its whole points", "boosted, free (oracle)", "the truth"
SUMMED = 5_000
"""Rows of each table whose points are added up by hand."""


def measure() -> dict[str, Any]:
    """AUC of the free oracle minus the scorecard's, its calibration slope, and the error of its sums."""
    rows: list[dict[str, Any]] = []
    gaps, slopes, errors = [], [], []
    for number, (variant, seed) in enumerate(TABLES):
        event, chances, error = _methods(variant, seed)
        gap, slope = _drawn(event, chances, np.random.default_rng([SEED, number]))
        gaps.append(gap)
        slopes.append(slope)
        errors.append(error)
        for name, chance in chances.items():
            rows.append({"table": f"{variant} {seed}", "method": name, **_figures(name, event, chance)})
        print(f"{variant} {seed}: gap {gap[0]:.4f}, slope {slope[0]:.3f}", file=sys.stderr, flush=True)
    gap, slope = np.mean(gaps, axis=0), np.mean(slopes, axis=0)
    return {
        "scorecard_auc_gap": float(gap[0]),
        "scorecard_auc_gap_interval": _interval(gap[1:]),
        "scorecard_auc_gap_worst": float(np.max([each[0] for each in gaps])),
        "scorecard_slope": float(slope[0]),
        "scorecard_slope_interval": _interval(slope[1:]),
        # What the very same test rows make of the true probabilities: chance, not the scorecard.
        "scorecard_slope_of_truth": float(np.mean([row["slope"] for row in rows if row["method"] == TRUTH])),
        "score_sum_error": max(errors),
        "outcomes": rows,
    }


def _methods(variant: str, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray], int]:
    """The events of the test rows, the chances that each method gives them, and the error of the sums."""
    table = outcome_table(ROWS, seed, variant)
    values, test = table.values[:TRAIN], table.values[TRAIN:]
    event = table.event[:TRAIN]
    columns = tuple(
        Column(f"c{place}", f"column {place}", quantile_edges(values[:, place], 10))
        for place in range(COLUMNS)
    )
    bins, test_bins = (bins_of(columns, _named(part)) for part in (values, test))
    data = outcomes(columns, bins, event)
    learned = learn(data, TuningRules())
    card = card_of(learned, data)
    reasons = card.reason_points(test_bins)
    points = reasons.sum(axis=1)
    alone = learn(data, TuningRules(pairs=0))
    chances = {
        OURS: _chance(card.log_odds(test_bins)),
        POINTS: points.astype(np.float64),
        "scorecard without pairs": _chance(alone.tables.log_odds(test_bins)),
        "plain logistic": plain_logistic(values, event, test),
        "boosted, additive (oracle)": _boosted(values, event, test, "no_interactions"),
        "boosted, pairs (oracle)": _boosted(values, event, test, "pairwise"),
        FREE: _boosted(values, event, test, None),
        TRUTH: table.truth[TRAIN:],
    }
    return table.event[TRAIN:], chances, _sum_error(card, test_bins, points)


def _sum_error(card: Card, bins: np.ndarray, points: np.ndarray) -> int:
    """The largest difference between a score and the sum that a person gets from the printed card."""
    printed = json.loads(json.dumps(plain(card_document(card))))
    place = {name: number for number, name in enumerate(printed["columns"])}
    worst = 0
    for row, score in zip(bins[:SUMMED], points[:SUMMED], strict=True):
        total = printed["base_points"]
        for each in printed["tables"]:
            cell = each["points"]
            for name in each["columns"]:
                cell = cell[row[place[name]]]
            total += cell
        worst = max(worst, abs(min(max(total, 0), 100) - int(score)))
    return worst


def _boosted(values: np.ndarray, event: np.ndarray, test: np.ndarray, pairs: str | None) -> np.ndarray:
    """The best of ``ORACLES`` by cross-validation on the training rows, fitted on all of them."""
    models = [
        HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=600,
            l2_regularization=1.0,
            early_stopping=True,
            n_iter_no_change=30,
            validation_fraction=0.15,
            interaction_cst=pairs,
            random_state=SEED,
            **settings,
        )
        for settings in (ORACLES if pairs is None else ORACLES[:1])
    ]
    if len(models) > 1:
        losses = [
            cross_val_score(model, values, event, scoring="neg_log_loss", cv=3).mean() for model in models
        ]
        models = [models[int(np.argmax(losses))]]
    return models[0].fit(values, event).predict_proba(test)[:, 1]


def _drawn(
    event: np.ndarray, chances: dict[str, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The gap and the slope (1 + ``DRAWS``): of all rows first, then of rows drawn again, paired."""
    ours, free = (Ranking.of(chances[name], event) for name in (OURS, FREE))
    gap, slope = [], []
    for weight in _weights(len(event), rng):
        gap.append(free.auc(weight) - ours.auc(weight))
        slope.append(calibration_line(chances[OURS], event, weight)[1])
    return np.array(gap), np.array(slope)


def _weights(rows: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    yield np.ones(rows)
    for _ in range(DRAWS):
        yield np.bincount(rng.integers(0, rows, rows), minlength=rows).astype(np.float64)


def _figures(name: str, event: np.ndarray, chance: np.ndarray) -> dict[str, float | str]:
    ranking, weight = Ranking.of(chance, event), np.ones(len(event))
    sure = name != POINTS  # points are no probabilities
    return {
        "auc": ranking.auc(weight),
        "lift_5": ranking.lift(0.05, weight),
        "lift_10": ranking.lift(0.1, weight),
        "brier": brier(chance, event, weight) if sure else "-",
        "slope": calibration_line(chance, event, weight)[1] if sure else "-",
    }


def _interval(drawn: np.ndarray) -> list[float]:
    return [float(end) for end in np.quantile(drawn, [0.025, 0.975])]


def _named(values: np.ndarray) -> dict[str, np.ndarray]:
    return {f"c{place}": values[:, place] for place in range(COLUMNS)}


def _chance(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_odds))
