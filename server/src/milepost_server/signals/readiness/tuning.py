"""Learns a card from outcomes: how many pairs and how much penalty, decided on rows that were held out.

The rows are cut into folds, those of an owner all into one. Each fold's rows are foretold by cards that never
saw their owners, pairs and all, and what was foretold so decides on the penalties and corrects the slope of
the final card.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.readiness.errors import FitError
from milepost_server.signals.readiness.fit import (
    ROUGH,
    Outcomes,
    Tables,
    Terms,
    deviance,
    fit,
    nothing_known,
    singles,
)
from milepost_server.signals.readiness.pairs import PAIRS_MAX, Path, search
from milepost_server.signals.readiness.penalty import Penalties

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Set

PENALTY_STEPS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Multiples of the penalties that may be tried."""
GAIN_MIN = 2.0
"""By how much a column's own table has to lower the deviance of rows held out, in all, to be on the card."""
CLEAR = 0.05
"""Columns are left out if that lowers the deviance of rows held out by more than this share.

Less may be chance: which columns seem to say nothing is found on these very rows.
"""
_FIRM = 4.0


@dataclass(frozen=True, slots=True)
class TuningRules:
    """How a card is learned."""

    folds: int = 4
    pairs: int = 12  # at most, besides those that are declared
    worth: float = 0.0005  # of the deviance: a card that loses no more than this by fewer pairs is preferred
    penalties: Penalties = field(default_factory=Penalties)
    seed: int = 1

    def __post_init__(self) -> None:
        if not 2 <= self.folds <= 20:
            raise FitError(f"{self.folds} folds; 2 to 20 can be used")
        if not 0 <= self.pairs <= PAIRS_MAX:
            raise FitError(f"{self.pairs} pairs; at most {PAIRS_MAX} can still be read as reasons")


@dataclass(frozen=True, slots=True)
class Learned:
    """A card's tables, already recalibrated, and how they came about."""

    tables: Tables
    penalties: Penalties
    slope: float  # that the recalibration multiplied log-odds with
    foretold: Floats  # (N) recalibrated log-odds of each row by cards that had not seen it
    path: tuple[float, ...]  # deviance per trial of held-out rows with 0, 1, 2, ... found pairs


def folds_of(owner: Ints, events: Floats, folds: int, seed: int) -> Ints:
    """The fold (N) of each row, by chance: one for all rows of an owner; as many with an event in each."""
    rng = np.random.default_rng(seed)
    _, place = np.unique(owner, return_inverse=True)
    came = np.bincount(place, events) > 0
    fold = np.empty(len(came), dtype=np.int64)
    for owners in (np.flatnonzero(came), np.flatnonzero(~came)):
        fold[rng.permutation(owners)] = np.arange(len(owners)) % folds
    return fold[place]


def owners_with_event(data: Outcomes) -> int:
    """How many of them there are."""
    return len(np.unique(data.owner[data.events > 0]))


def _silent(_: str) -> None:
    """Tells nobody."""


def learn(
    data: Outcomes,
    rules: TuningRules,
    prior: Tables | None = None,
    declared: Terms = (),
    say: Callable[[str], None] = _silent,
) -> Learned:
    """Learn main effects, the ``declared`` pairs and found ones; ``say`` hears how far it is.

    Raises:
        FitError: too few events to hold some of them out.
    """
    if min(owners_with_event(data), int(np.sum(data.events < data.trials))) < rules.folds:
        raise FitError(
            f"too few of one kind of outcome: each of {rules.folds} folds needs one of either kind"
        )
    prior = nothing_known(data) if prior is None else prior
    folds = _Folds(data, rules, prior)
    terms = (*singles(data.columns), *declared)
    found: list[Terms] = [()] * rules.folds

    say(f"weighing penalties on {rules.folds} folds")
    penalties, cards = folds.best([terms] * rules.folds, lambda step: rules.penalties.times(step, 1.0), None)
    speaking = _speaking(terms, folds.gains(cards), {*declared, *prior.terms})
    if silent := len(terms) - len(speaking):
        say(f"weighing penalties without {silent} columns that seem to foretell nothing")
        its_penalties, its_cards = folds.best(
            [speaking] * rules.folds, lambda step: rules.penalties.times(step, 1.0), cards
        )
        if folds.loss(its_cards) < (1 - CLEAR) * folds.loss(cards):
            terms, penalties, cards = speaking, its_penalties, its_cards
    losses: tuple[float, ...] = (folds.loss(cards),)
    if rules.pairs:
        paths = []
        for number, ((seen, held), card) in enumerate(zip(folds.parts, cards, strict=True), start=1):
            say(f"looking for pairs of columns: fold {number} of {rules.folds}")
            paths.append(search(seen, held, card, penalties=penalties, prior=prior, most=rules.pairs))
        losses, count = _how_many(paths, rules.worth)
        found = [path.pairs[:count] for path in paths]
    if declared or found[0]:
        say("weighing penalties of pairs")
        single = penalties
        penalties, cards = folds.best(
            [(*terms, *pairs) for pairs in found], lambda step: single.times(1.0, step), cards
        )
    foretold = folds.foretold(cards)
    shift, slope = recalibration(data, foretold)

    say("fitting the card to all rows")
    first = fit(data, terms, penalties, prior, tolerance=ROUGH)
    pairs = search(data, None, first, penalties=penalties, prior=prior, most=len(found[0])).pairs
    tables = fit(data, (*terms, *pairs), penalties, prior, start=first)
    return Learned(
        Tables(tables.terms, shift + slope * tables.base, tuple(slope * table for table in tables.tables)),
        penalties,
        slope,
        shift + slope * foretold,
        losses,
    )


class _Folds:
    """Cards for all folds at once, each fitted without its fold's rows."""

    def __init__(self, data: Outcomes, rules: TuningRules, prior: Tables) -> None:
        self.prior, self.trials = prior, float(data.trials.sum())
        self.fold = folds_of(data.owner, data.events, rules.folds, rules.seed)
        self.parts = [
            (data.of(np.flatnonzero(self.fold != each)), data.of(np.flatnonzero(self.fold == each)))
            for each in range(rules.folds)
        ]

    def best(
        self, terms: Sequence[Terms], at: Callable[[float], Penalties], starts: Sequence[Tables] | None
    ) -> tuple[Penalties, list[Tables]]:
        """The penalties that foretell best, from the usual ones up or down, and the cards fitted so."""
        place = PENALTY_STEPS.index(1.0)
        best = self._tried(terms, at(PENALTY_STEPS[place]), starts)
        for way in (1, -1):
            there = place + way
            while 0 <= there < len(PENALTY_STEPS):
                loss, penalties, cards = self._tried(terms, at(PENALTY_STEPS[there]), best[2])
                if loss >= best[0]:
                    break
                best, place, there = (loss, penalties, cards), there, there + way
            if PENALTY_STEPS[place] != 1.0:
                break
        return best[1], best[2]

    def _tried(
        self, terms: Sequence[Terms], penalties: Penalties, starts: Sequence[Tables] | None
    ) -> tuple[float, Penalties, list[Tables]]:
        begin: Sequence[Tables | None] = starts or [None] * len(self.parts)
        cards = [
            fit(seen, its, penalties, self.prior, start=start, tolerance=ROUGH)
            for (seen, _), its, start in zip(self.parts, terms, begin, strict=True)
        ]
        return self.loss(cards), penalties, cards

    def loss(self, cards: Sequence[Tables]) -> float:
        """The deviance per trial of all rows, each by the card that has not seen it."""
        total = sum(
            deviance(held.events, held.trials, held.offset + card.log_odds(held.bins))
            for (_, held), card in zip(self.parts, cards, strict=True)
        )
        return total / self.trials

    def gains(self, cards: Sequence[Tables]) -> Floats:
        """By how much each term (K) lowers the deviance of the rows that are held out.

        A table is taken away from the card as it is, but for its mean: what it shares with other columns
        speaks for it, so that of two columns that say the same neither is lost.
        """
        found = np.zeros(len(cards[0].terms))
        for (_, held), card in zip(self.parts, cards, strict=True):
            log_odds = held.offset + card.log_odds(held.bins)
            whole = deviance(held.events, held.trials, log_odds)
            chance = 1 / (1 + np.exp(-log_odds))
            weight = held.trials * chance * (1 - chance)
            for place, (term, table) in enumerate(zip(card.terms, card.tables, strict=True)):
                each = table[tuple(held.bins[:, column] for column in term)]
                without = log_odds - each + each @ weight / weight.sum()
                found[place] += deviance(held.events, held.trials, without) - whole
        return found

    def foretold(self, cards: Sequence[Tables]) -> Floats:
        """The log-odds (N), without their offset, of each row by the card that has not seen it."""
        log_odds = np.empty(len(self.fold))
        for each, ((_, held), card) in enumerate(zip(self.parts, cards, strict=True)):
            log_odds[self.fold == each] = card.log_odds(held.bins)
        return log_odds


def _speaking(terms: Terms, gains: Floats, kept: Set[tuple[int, ...]]) -> Terms:
    """The terms that are ``kept`` in any case, those whose gain (K) is worth it, and the best one."""
    least = min(GAIN_MIN, float(gains.max()))
    return tuple(term for term, gain in zip(terms, gains, strict=True) if gain >= least or term in kept)


def _how_many(paths: Sequence[Path], worth: float) -> tuple[tuple[float, ...], int]:
    """The mean loss by the number of pairs, and the smallest number that is all but the best."""
    length = min(len(path.held_out) for path in paths)
    losses = np.mean([path.held_out[:length] for path in paths], axis=0)
    count = int(np.flatnonzero(losses <= losses.min() * (1 + worth))[0])
    return tuple(float(loss) for loss in losses), count


def recalibration(data: Outcomes, log_odds: Floats) -> tuple[float, float]:
    """Shift and slope of the logistic regression of the outcomes on ``log_odds`` (N).

    Both are held to 0 and 1 as if by ``_FIRM`` events: a handful of outcomes corrects nothing.
    """
    shift, slope = 0.0, 1.0
    for _ in range(50):
        at = data.offset + shift + slope * log_odds
        chance = 1 / (1 + np.exp(-at))
        residual, weight = data.events - data.trials * chance, data.trials * chance * (1 - chance)
        moments = [float(np.sum(weight * log_odds**power)) for power in range(3)]
        force = np.array([residual.sum() - _FIRM * shift, residual @ log_odds - _FIRM * (slope - 1)])
        step = np.linalg.solve(np.array([moments[:2], moments[1:]]) + _FIRM * np.eye(2), force)
        shift, slope = shift + float(step[0]), slope + float(step[1])
        if force @ step < 1e-10:
            break
    return shift, slope
