"""Which pairs of columns are worth a table: greedy, by what each would take away from the deviance.

A candidate is judged by one penalised Newton step of its whole table on the residuals of the card so far;
this is the idea of FAST (Lou, Caruana, Gehrke and Hooker 2013, "Accurate intelligible models with pairwise
interactions") with tables where they have four quadrants. The best one joins, its table is fitted on what the
others leave, now and then all tables are fitted together, and the next is looked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from math import comb, prod
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.readiness.fit import CELLS_MAX, ROUGH, Tables, Terms, deviance, fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_server.signals.flat import Floats
    from milepost_server.signals.readiness.columns import Column
    from milepost_server.signals.readiness.fit import Outcomes
    from milepost_server.signals.readiness.penalty import Penalties

PAIRS_MAX = 20
"""More reasons than this nobody reads."""
PAIR_CELLS_MAX = 700
FREE_MAX = 500
"""Of no more pairs of columns each is weighed; of more, those with a column that matters by itself."""
SCREENED = 300
"""Of more candidates only the best at the outset are judged again after each pair that joins."""
TOGETHER_EVERY = 4
"""After so many new pairs, and at the end, all tables are fitted together."""
_RIDGE_OF_CANDIDATES = 2.0  # keeps cells of a few rows from promising much


@dataclass(frozen=True, slots=True)
class Path:
    """Cards with 0, 1, 2, ... pairs: the pairs in their order, and the deviance of held-out rows."""

    pairs: Terms
    held_out: tuple[float, ...]  # one more than pairs; per trial


def candidates(columns: tuple[Column, ...], terms: Terms) -> list[tuple[int, int]]:
    """Pairs that are not among ``terms`` yet and not too large for a table, nor for all tables together.

    Where there are more than ``FREE_MAX``, one of their columns has a table of its own: among thousands of
    pairs of columns that say nothing some seem to matter.
    """
    room = CELLS_MAX - 1 - sum(cells_of(columns, term) for term in terms)
    is_free = comb(len(columns), 2) <= FREE_MAX
    return [
        pair
        for pair in combinations(range(len(columns)), 2)
        if pair not in terms
        and (is_free or (pair[0],) in terms or (pair[1],) in terms)
        and cells_of(columns, pair) <= min(PAIR_CELLS_MAX, room)
    ]


def cells_of(columns: tuple[Column, ...], term: tuple[int, ...]) -> int:
    """How many cells the table of a term has."""
    return prod(columns[place].size for place in term)


def gain(data: Outcomes, pair: tuple[int, int], residual: Floats, weight: Floats, ridge: float) -> float:
    """How far one Newton step of the pair's cells lowers half the deviance."""
    shape = tuple(data.columns[place].size for place in pair)
    cells = data.bins[:, pair[0]] * shape[1] + data.bins[:, pair[1]]
    force = np.bincount(cells, residual, shape[0] * shape[1])
    mass = np.bincount(cells, weight, shape[0] * shape[1])
    return float(np.sum(force**2 / (mass + ridge)) / 2)


def search(
    data: Outcomes,
    held_out: Outcomes | None,
    start: Tables,
    *,
    penalties: Penalties,
    prior: Tables,
    most: int,
) -> Path:
    """Add up to ``most`` pairs to ``start``, and watch the deviance of ``held_out``."""
    pairs: list[tuple[int, int]] = []
    losses = [_loss(held_out, start)]
    for card in _growing(data, start, penalties, prior, most):
        pairs.append((card.terms[-1][0], card.terms[-1][1]))
        losses.append(_loss(held_out, card))
    return Path(tuple(pairs), tuple(losses))


def _growing(
    data: Outcomes, card: Tables, penalties: Penalties, prior: Tables, most: int
) -> Iterator[Tables]:
    """The card with one pair more at a time."""
    ridge = penalties.pair_ridge + _RIDGE_OF_CANDIDATES
    wanted, number = candidates(data.columns, card.terms), 0
    last = min(most, PAIRS_MAX)
    while wanted and number < last:
        number += 1
        log_odds = data.offset + card.log_odds(data.bins)
        chance = 1 / (1 + np.exp(-log_odds))
        residual, weight = data.events - data.trials * chance, data.trials * chance * (1 - chance)
        gains = {pair: gain(data, pair, residual, weight, ridge) for pair in wanted}
        best, *rest = sorted(gains, key=lambda pair: (gains[pair], pair), reverse=True)
        fitting = set(candidates(data.columns, (*card.terms, best)))
        wanted = [pair for pair in rest[:SCREENED] if pair in fitting]
        left = replace(data, offset=log_odds)
        alone = fit(left, (best,), penalties, Tables((), 0.0, ()), tolerance=ROUGH)
        card = Tables((*card.terms, best), card.base + alone.base, (*card.tables, *alone.tables))
        if number % TOGETHER_EVERY == 0 or number == last or not wanted:
            card = fit(data, card.terms, penalties, prior, start=card, tolerance=ROUGH)
        yield card


def _loss(held_out: Outcomes | None, card: Tables) -> float:
    if held_out is None:
        return float("nan")
    log_odds = held_out.offset + card.log_odds(held_out.bins)
    return deviance(held_out.events, held_out.trials, log_odds) / float(held_out.trials.sum())
