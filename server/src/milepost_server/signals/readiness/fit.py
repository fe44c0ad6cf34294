"""Fits the tables of a card to outcomes: penalised logistic regression by Newton's method, all at once.

An outcome is a count of events among trials: 0 or 1 of 1 for a label, and for a hazard by month the months
that were seen, with the event in the last of them or not at all. The columns are bins, so the Hessian is made
of joint histograms; the problem is convex and its solution the same whatever the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.readiness.columns import Column
from milepost_server.signals.readiness.errors import FitError
from milepost_server.signals.readiness.penalty import (
    AGAINST_DIRECTION,
    Penalties,
    directed_steps,
    precision,
    straightened,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

CELLS_MAX = 4_500
"""Of all tables together: the Hessian is dense, and takes its square in memory."""
STEPS_MAX = 60
HALVINGS_MAX = 30
PRECISE = 1e-8
"""How much the penalised deviance may still fall, over 2, when a fit is done."""
ROUGH = 1e-2
"""The same while fits are only compared."""
_LEFT_OUT = 1e-3  # of the information may be left out of the Hessian: rows whose outcome is all but certain

Terms = tuple[tuple[int, ...], ...]
"""The columns, as places among all, of each table."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """N rows of bins and what came of them. Weights are multiplied into both counts."""

    columns: tuple[Column, ...]  # (C)
    bins: Ints  # (N, C)
    events: Floats  # (N)
    trials: Floats  # (N) at least ``events``
    offset: Floats  # (N) log-odds that are given
    owner: Ints  # (N) whose rows they are: those of one owner are held out together

    def __len__(self) -> int:
        return len(self.events)

    def of(self, rows: Ints) -> Outcomes:
        """Those of ``rows``."""
        return Outcomes(
            self.columns,
            self.bins[rows],
            self.events[rows],
            self.trials[rows],
            self.offset[rows],
            self.owner[rows],
        )


def outcomes(
    columns: Sequence[Column],
    bins: Ints,
    events: Floats,
    trials: Floats | None = None,
    offset: Floats | None = None,
    *,
    owner: Ints | None = None,
) -> Outcomes:
    """``Outcomes``, checked; without ``owner`` (N) each row is somebody else's.

    Raises:
        FitError: no rows; no event, or nothing but events; counts that are not counts.
    """
    rows = len(events)
    trials = np.ones(rows) if trials is None else trials
    offset = np.zeros(rows) if offset is None else offset
    if not rows:
        raise FitError("there are no rows to learn from")
    counts = np.isfinite(events) & np.isfinite(trials) & (events >= 0) & (events <= trials)
    if not (counts.all() and np.isfinite(offset).all()):
        raise FitError("events and trials must be finite, and 0 <= events <= trials")
    if not 0 < events.sum() < trials.sum():
        raise FitError(
            f"all {rows:,} outcomes are the same, {'no' if events.sum() == 0 else 'every'} row has the event:"
            " there is nothing to tell apart"
        )
    owner = np.arange(rows) if owner is None else owner
    return Outcomes(tuple(columns), bins, events, trials, offset, owner)


@dataclass(frozen=True, slots=True)
class Tables:
    """A base and tables, by their terms; a solution, a start, or a prior."""

    terms: Terms
    base: float
    tables: tuple[Floats, ...]

    def log_odds(self, bins: Ints) -> Floats:
        """The log-odds (N) of rows with these bins (N, C)."""
        total = np.full(len(bins), self.base)
        for term, table in zip(self.terms, self.tables, strict=True):
            total += table[tuple(bins[:, place] for place in term)]
        return total

    def of(self, terms: Terms, columns: tuple[Column, ...]) -> Tables:
        """These tables in the order of ``terms``; zeros for those that are not among them."""
        known = dict(zip(self.terms, self.tables, strict=True))
        return Tables(
            terms,
            self.base,
            tuple(known.get(term, np.zeros(tuple(columns[place].size for place in term))) for term in terms),
        )


def singles(columns: Sequence[Column]) -> Terms:
    """A term for each column."""
    return tuple((place,) for place in range(len(columns)))


def nothing_known(data: Outcomes) -> Tables:
    """The prior of one who knows nothing but how often the event is."""
    rate = float(data.events.sum() / data.trials.sum())
    return Tables((), float(np.log(rate / (1 - rate))), ())


def fit(
    data: Outcomes,
    terms: Terms,
    penalties: Penalties,
    prior: Tables,
    *,
    start: Tables | None = None,
    tolerance: float = PRECISE,
) -> Tables:
    """The tables with the greatest penalised likelihood.

    Raises:
        FitError: too many cells, or no solution within ``STEPS_MAX``.
    """
    return _Newton(data, terms, penalties, prior).solve(start or prior, tolerance)


def deviance(events: Floats, trials: Floats, log_odds: Floats) -> float:
    """Twice the negative log-likelihood, in total."""
    return float(2 * np.sum(trials * np.logaddexp(0.0, log_odds) - events * log_odds))


class _Newton:
    """The problem in the form that Newton's method wants: one vector (1 + K) of base and all cells."""

    def __init__(self, data: Outcomes, terms: Terms, penalties: Penalties, prior: Tables) -> None:
        self.data, self.terms = data, terms
        self.shapes = [tuple(data.columns[place].size for place in term) for term in terms]
        self.sizes = [int(np.prod(shape)) for shape in self.shapes]
        self.starts = (1 + np.concatenate([[0], np.cumsum(self.sizes)])).astype(np.int64)
        if self.starts[-1] > CELLS_MAX:
            raise FitError(
                f"{self.starts[-1]:,} cells in all tables; at most {CELLS_MAX:,}: fewer bins or pairs"
            )
        self.cells = [
            np.ravel_multi_index(tuple(data.bins[:, place] for place in term), shape)
            for term, shape in zip(terms, self.shapes, strict=True)
        ]
        self.prior = self._vector(prior)
        self.precision = np.zeros((self.starts[-1], self.starts[-1]))
        self.precision[0, 0] = penalties.base
        self.directed: list[tuple[slice, Floats]] = []
        for term, first, end in zip(terms, self.starts, self.starts[1:], strict=False):
            over = tuple(data.columns[place] for place in term)
            self.precision[first:end, first:end] = precision(over, penalties)
            steps = directed_steps(over)
            if len(steps):
                self.directed.append((slice(first, end), steps))

    def solve(self, start: Tables, tolerance: float) -> Tables:
        """Newton steps, each halved until the objective falls, until it falls no more."""
        at = self._vector(start)
        log_odds = self._log_odds(at)
        value = self._objective(at, log_odds)
        for _ in range(STEPS_MAX):
            gradient, hessian = self._slope(at, log_odds)
            step = np.linalg.solve(hessian, gradient).astype(np.float64)
            if gradient @ step / 2 < tolerance:
                return self._tables(at)
            at, log_odds, value, fell = self._along(at, step, log_odds, value)
            if not fell:
                return self._tables(at)  # as far as the precision of floats goes
        raise FitError(f"no solution within {STEPS_MAX} steps; a stronger penalty makes the problem easier")

    def _along(
        self, at: Floats, step: Floats, log_odds: Floats, value: float
    ) -> tuple[Floats, Floats, float, bool]:
        change = self._log_odds(step) - self.data.offset
        for halving in range(HALVINGS_MAX):
            size = 0.5**halving
            there, its_log_odds = at + size * step, log_odds + size * change
            its_value = self._objective(there, its_log_odds)
            if its_value < value:
                return there, its_log_odds, its_value, True
        return at, log_odds, value, False

    def _objective(self, at: Floats, log_odds: Floats) -> float:
        away = at - self.prior
        value = deviance(self.data.events, self.data.trials, log_odds) / 2 + away @ self.precision @ away / 2
        for part, steps in self.directed:
            against = np.minimum(steps @ at[part], 0.0)
            value += AGAINST_DIRECTION * (against @ against) / 2
        return float(value)

    def _slope(self, at: Floats, log_odds: Floats) -> tuple[Floats, Floats]:
        """The downward gradient (1 + K) and the Hessian (1 + K, 1 + K) of the objective."""
        chance = 1 / (1 + np.exp(-log_odds))
        residual = self.data.events - self.data.trials * chance
        gradient = -self.precision @ (at - self.prior)
        gradient[0] += residual.sum()
        for cells, first, size in zip(self.cells, self.starts, self.sizes, strict=False):
            gradient[first : first + size] += np.bincount(cells, residual, size)
        hessian = self._information(self.data.trials * chance * (1 - chance)) + self.precision
        for part, steps in self.directed:
            against = steps[steps @ at[part] < 0]
            hessian[part, part] += AGAINST_DIRECTION * against.T @ against
            gradient[part] -= AGAINST_DIRECTION * against.T @ (against @ at[part])
        return gradient, hessian

    def _information(self, weight: Floats) -> Floats:
        """Joint histograms of all tables' cells, weighted: the Hessian of the likelihood.

        Rows that hold next to nothing of the weight are left out: the gradient, which has them all, decides
        where the steps end.
        """
        rows = _heaviest(weight)
        weight = weight[rows]
        cells = [each[rows] for each in self.cells]
        hessian = np.zeros_like(self.precision)
        hessian[0, 0] = weight.sum()
        for this, (first, size) in enumerate(zip(self.starts, self.sizes, strict=False)):
            part = slice(first, first + size)
            own = np.bincount(cells[this], weight, size)
            hessian[part, part][np.diag_indices(size)] = own
            hessian[0, part] = hessian[part, 0] = own
            for other in range(this):
                shape = (size, self.sizes[other])
                joint = np.bincount(cells[this] * shape[1] + cells[other], weight, shape[0] * shape[1])
                across = slice(self.starts[other], self.starts[other] + shape[1])
                hessian[part, across] = joint.reshape(shape)
                hessian[across, part] = hessian[part, across].T
        return hessian

    def _log_odds(self, at: Floats) -> Floats:
        log_odds: Floats = self.data.offset + at[0]
        for cells, first, size in zip(self.cells, self.starts, self.sizes, strict=False):
            log_odds += at[first : first + size][cells]
        return log_odds

    def _vector(self, tables: Tables) -> Floats:
        ordered = tables.of(self.terms, self.data.columns)
        return np.concatenate([[ordered.base], *(table.ravel() for table in ordered.tables)])

    def _tables(self, at: Floats) -> Tables:
        tables = [
            straightened(
                tuple(self.data.columns[place] for place in term), at[first : first + size].reshape(shape)
            )
            for term, first, size, shape in zip(
                self.terms, self.starts, self.sizes, self.shapes, strict=False
            )
        ]
        return Tables(self.terms, float(at[0]), tuple(tables))


def _heaviest(weight: Floats) -> Ints:
    """The rows that hold all of ``weight`` but ``_LEFT_OUT`` or a little less, in their order."""
    rising = np.sort(weight)
    light = np.cumsum(rising) <= _LEFT_OUT * weight.sum()
    least = rising[min(int(np.count_nonzero(light)), len(rising) - 1)]
    return np.flatnonzero(weight >= least).astype(np.int64)
