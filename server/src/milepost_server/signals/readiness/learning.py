"""Learns readiness models from outcomes: the priors are the prior, of all dealers together and of each.

Few outcomes leave the prior nearly as it is; many leave it behind. All dealers together have the published
priors as their prior, and each dealer has what all together have learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.readiness import drift, tuning
from milepost_server.signals.readiness.calibration import Reliability, reliability
from milepost_server.signals.readiness.card import Card, Table, centred
from milepost_server.signals.readiness.columns import Column, bins_of
from milepost_server.signals.readiness.errors import FitError
from milepost_server.signals.readiness.fit import Outcomes, Tables, fit, outcomes
from milepost_server.signals.readiness.hazard import (
    LATER_MONTHS,
    NEAR_MONTHS,
    AtRisk,
    at_risk,
    chance_within,
)
from milepost_server.signals.readiness.model import Reference, Scorecard, score_shares
from milepost_server.signals.readiness.penalty import Penalties
from milepost_server.signals.readiness.tuning import TuningRules

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS_TO_TUNE = 100
"""With fewer events nothing is held out: the prior's own firmness is used, and no pairs are looked for."""


def is_tuned(events: int, rows: int) -> bool:
    """Whether a model of so many ``events`` among so many ``rows`` is tuned on rows that are held out.

    If not, its calibration is of the very rows that it learned from, and looks better than it is.
    """
    return min(events, rows - events) >= EVENTS_TO_TUNE


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of N owners after they were scored."""

    values: Mapping[str, Floats]  # the columns (N each) as they were known then
    months_to_event: Floats  # (N) whole months until the car was replaced; NaN where it was not seen
    months_followed: Floats  # (N) for how many months one has looked
    weight: Floats | None = None  # (N) how often a row counts
    owner: Ints | None = None  # (N) whose row it is, of one who was looked at on several days

    def of(self, rows: Ints) -> Seen:
        """Those of ``rows``."""
        return Seen(
            {name: values[rows] for name, values in self.values.items()},
            self.months_to_event[rows],
            self.months_followed[rows],
            None if self.weight is None else self.weight[rows],
            None if self.owner is None else self.owner[rows],
        )


def learn_model(
    seen: Seen, *, prior: Scorecard, firmness: Penalties, rules: TuningRules, fitted_on: str
) -> Scorecard:
    """A model on the bins and the scale of ``prior``, learned from what was seen up to ``fitted_on``.

    Raises:
        FitError: nothing was seen, or no event, or nothing but events.
        FeatureError: a column of the prior is missing.
    """
    columns = prior.card.columns
    bins = bins_of(columns, seen.values)
    weight = np.ones(len(bins)) if seen.weight is None else seen.weight
    near = at_risk(seen.months_to_event, seen.months_followed, 0, NEAR_MONTHS)
    rows = np.flatnonzero((near.months > 0) & (weight > 0))
    owner = None if seen.owner is None else seen.owner[rows]
    data = outcomes(
        columns, bins[rows], (near.events * weight)[rows], (near.months * weight)[rows], owner=owner
    )
    tables, foretold = _near(data, prior.card, firmness, rules)
    card = centred(_card(columns, tables, prior.card), data.bins, data.trials)
    later = at_risk(seen.months_to_event, seen.months_followed, NEAR_MONTHS, LATER_MONTHS)
    points = card.reason_points(data.bins).sum(axis=1)
    return Scorecard(
        card,
        _later(bins, later, weight, card=card, prior=prior.later, firmness=firmness),
        fitted="learned",
        fitted_on=fitted_on,
        rows=len(rows),
        events=int(near.events[rows].sum()),
        calibration=_calibration(near, seen.months_followed, rows, foretold),
        reference=Reference(
            {
                column.name: drift.shares(data.bins[:, place], column.size)
                for place, column in enumerate(columns)
            },
            score_shares(points),
        ),
        sources=prior.sources,
    )


def learn_dealers(
    seen: Seen, dealer: Ints, *, prior: Scorecard, firmness: Penalties, rules: TuningRules, fitted_on: str
) -> tuple[Scorecard, dict[int, Scorecard]]:
    """The model of all dealers together, and one for each dealer that has any event and any other outcome.

    A dealer's model keeps the pairs of the pooled one, which is its prior.

    Raises:
        FitError: all dealers together have seen nothing to learn from.
    """
    pooled = learn_model(seen, prior=prior, firmness=firmness, rules=rules, fitted_on=fitted_on)
    alone = {}
    own = TuningRules(folds=rules.folds, pairs=0, worth=rules.worth, seed=rules.seed)
    for number in np.unique(dealer).tolist():
        rows = np.flatnonzero(dealer == number)
        try:
            alone[number] = learn_model(
                seen.of(rows), prior=pooled, firmness=firmness, rules=own, fitted_on=fitted_on
            )
        except FitError:
            continue  # no outcome of one kind yet: this dealer has the pooled model
    return pooled, alone


def _near(data: Outcomes, prior: Card, firmness: Penalties, rules: TuningRules) -> tuple[Tables, Floats]:
    """The tables of the first months, and log-odds (N); of rows that were not seen, where it is tuned."""
    believed = _tables(prior)
    is_tunable = is_tuned(int(np.sum(data.events > 0)), len(data))
    if not is_tunable or tuning.owners_with_event(data) < rules.folds:
        found = fit(data, believed.terms, firmness, believed)
        return found, found.log_odds(data.bins)
    pairs = tuple(term for term in believed.terms if len(term) > 1)
    tuned = TuningRules(rules.folds, rules.pairs, rules.worth, firmness, rules.seed)
    learned = tuning.learn(data, tuned, believed, pairs)
    return learned.tables, learned.foretold


def _later(bins: Ints, seen: AtRisk, weight: Floats, *, card: Card, prior: Card, firmness: Penalties) -> Card:
    """What later months add to ``card``; as the prior has it where nothing was seen of them."""
    rows = np.flatnonzero((seen.months > 0) & (weight > 0))
    offset = card.log_odds(bins[rows])
    believed = _tables(prior)
    try:
        data = outcomes(
            _undirected(card.columns),
            bins[rows],
            (seen.events * weight)[rows],
            (seen.months * weight)[rows],
            offset,
        )
    except FitError:
        return prior
    return _card(card.columns, fit(data, believed.terms, firmness, believed), prior)


def _undirected(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """What nears in the first months is past in the later ones: directions say nothing of the difference."""
    return tuple(Column(each.name, each.words, each.edges, each.levels) for each in columns)


def _calibration(near: AtRisk, followed: Floats, rows: Ints, foretold: Floats) -> Reliability | None:
    """Within 90 days, of owners who were followed for so long; None where there are none."""
    whole = followed[rows] >= NEAR_MONTHS
    if not whole.any():
        return None
    return reliability(chance_within(foretold[whole], NEAR_MONTHS), near.events[rows][whole])


def _tables(card: Card) -> Tables:
    return Tables(
        tuple(table.columns for table in card.tables),
        card.base_log_odds,
        tuple(table.log_odds for table in card.tables),
    )


def _card(columns: tuple[Column, ...], tables: Tables, prior: Card) -> Card:
    found = tuple(Table(*each) for each in zip(tables.terms, tables.tables, strict=True))
    return Card(columns, tables.base, found, prior.scale)
