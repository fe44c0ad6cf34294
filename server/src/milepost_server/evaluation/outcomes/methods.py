"""The scorecard and what it is held against, each as scores and probabilities of the test rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.outcomes.logistic import plain_logistic
from milepost_server.evaluation.outcomes.rows import Rows, values_of
from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.ranking import Ranking
from milepost_server.signals.readiness.card import Card, Table, centred, fitting_scale
from milepost_server.signals.readiness.columns import Column, bins_of
from milepost_server.signals.readiness.fit import Outcomes, Terms, outcomes
from milepost_server.signals.readiness.tuning import Learned, TuningRules, learn

if TYPE_CHECKING:
    from collections.abc import Callable

LEAK_AUC = 0.97
"""A column that ranks the test rows this well by itself probably knows the outcome."""
CERTAIN_RATE, CERTAIN_EVENTS = 0.9, 0.2
"""So high a rate in bins with so large a share of the events is hardly ever foretold by anything."""
_ROWS_ADDED = 20.0  # at the base rate, to each bin of a single column


@dataclass(frozen=True, slots=True)
class Method:
    """One way to rank the test rows."""

    name: str
    score: Floats  # (N)
    probability: Floats | None  # (N) where it claims to know any


@dataclass(frozen=True, slots=True)
class Judged:
    """Everything that was learned from the training rows, and the methods on the test rows."""

    card: Card
    learned: Learned
    bins: Ints  # (N, C) of the test rows
    points: Ints  # (N)
    methods: list[Method]  # the scorecard first
    single_auc: dict[str, float]  # of each column alone
    leaks: list[str]
    certain: dict[str, float]  # columns with values that are all but certain, and their share of the events


def judge(
    train: Rows,
    test: Rows,
    columns: tuple[Column, ...],
    *,
    rules: TuningRules,
    declared: Terms,
    age: str | None,
    say: Callable[[str], None],
) -> Judged:
    """Learn the card and its rivals.

    Raises:
        FitError: the training rows hold too few events.
    """
    train_values, test_values = values_of(train, columns), values_of(test, columns)
    train_bins, test_bins = bins_of(columns, train_values), bins_of(columns, test_values)
    data = outcomes(columns, train_bins, train.event, owner=train.first)
    say(f"learning from {len(train):,} rows, {int(train.event.sum()):,} of them with the event")
    learned = learn(data, rules, declared=declared, say=say)
    card = card_of(learned, data)
    log_odds = card.log_odds(test_bins)
    points = card.reason_points(test_bins).sum(axis=1)
    say("learning the same without pairs, and the other rivals")
    alone = learn(data, TuningRules(folds=rules.folds, pairs=0, seed=rules.seed), say=say)
    single = single_columns(data, test_bins)
    single_auc = {
        column.name: Ranking.of(chance, test.event).auc(np.ones(len(test)))
        for column, chance in zip(columns, single, strict=True)
    }
    best = max(single_auc, key=lambda name: single_auc[name])
    methods = [
        Method("scorecard", log_odds, _chance(log_odds)),
        # Owners of equal points are ranked by nothing: this is what rounding costs.
        Method("its whole points", points.astype(np.float64), None),
        Method("scorecard without pairs", *_both(alone.tables.log_odds(test_bins))),
        Method("plain logistic", *_twice(_logistic(columns, train, train_values, test_values))),
        Method(f"best column ({best})", *_twice(single[[c.name for c in columns].index(best)])),
        *([] if age is None else _by_age(test_values[age])),
        Method("base rate", *_twice(np.full(len(test), train.event.mean()))),
    ]
    return Judged(
        card,
        learned,
        test_bins,
        points,
        methods,
        single_auc,
        [name for name, auc in single_auc.items() if auc >= LEAK_AUC],
        _certain(data),
    )


def _certain(data: Outcomes) -> dict[str, float]:
    """The columns whose bins of ``CERTAIN_RATE`` or more hold ``CERTAIN_EVENTS`` of the events; and how many.

    Nothing is said where events are no rarity: there many are certain for good reasons.
    """
    if data.events.mean() > CERTAIN_RATE / 4:
        return {}
    found = {}
    for place, column in enumerate(data.columns):
        rows = np.bincount(data.bins[:, place], minlength=column.size)
        events = np.bincount(data.bins[:, place], data.events, column.size)
        share = float(events[events >= CERTAIN_RATE * np.maximum(rows, 1)].sum() / data.events.sum())
        if share >= CERTAIN_EVENTS:
            found[column.name] = share
    return found


def card_of(learned: Learned, data: Outcomes) -> Card:
    """The card of what was learned, told as differences from the average training row, on a fitting scale."""
    tables = tuple(
        Table(term, table) for term, table in zip(learned.tables.terms, learned.tables.tables, strict=True)
    )
    scale = fitting_scale(learned.tables.log_odds(data.bins))
    return centred(Card(data.columns, learned.tables.base, tables, scale), data.bins, data.trials)


def single_columns(data: Outcomes, bins: Ints) -> list[Floats]:
    """The probability (N) of rows with ``bins`` (N, C) by each column alone: its bins' smoothed rates."""
    base = float(data.events.sum() / data.trials.sum())
    found = []
    for place, column in enumerate(data.columns):
        events = np.bincount(data.bins[:, place], data.events, column.size)
        trials = np.bincount(data.bins[:, place], data.trials, column.size)
        found.append(((events + base * _ROWS_ADDED) / (trials + _ROWS_ADDED))[bins[:, place]])
    return found


def _logistic(
    columns: tuple[Column, ...], train: Rows, train_values: dict[str, Floats], test_values: dict[str, Floats]
) -> Floats:
    def matrix(values: dict[str, Floats]) -> Floats:
        parts = []
        for column in columns:
            if len(column.levels) > 2:
                parts += [
                    np.where(values[column.name] == level, 1.0, 0.0) for level in range(len(column.levels))
                ]
            else:
                parts.append(values[column.name])
        return np.stack(parts, axis=1)

    return plain_logistic(matrix(train_values), train.event, matrix(test_values))


def _by_age(age: Floats) -> list[Method]:
    middle = np.nan_to_num(age, nan=float(np.nanmedian(age)) if np.isfinite(age).any() else 0.0)
    return [Method("youngest first", -middle, None), Method("oldest first", middle, None)]


def _chance(log_odds: Floats) -> Floats:
    chance: Floats = 1 / (1 + np.exp(-log_odds))
    return chance


def _both(log_odds: Floats) -> tuple[Floats, Floats]:
    return log_odds, _chance(log_odds)


def _twice(chance: Floats) -> tuple[Floats, Floats]:
    return chance, chance
