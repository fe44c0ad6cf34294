"""Whom to call: rankings of owned vehicles at equal capacity, against who truly replaced theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.table import Table
from milepost_server.evaluation.truth.tenures import ended_after
from milepost_server.signals import bootstrap
from milepost_server.signals.flat import Bools, Floats, Ints
from milepost_server.signals.readiness import baselines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_server.evaluation.truth.asked import Asked
    from milepost_server.evaluation.truth.files import Part
    from milepost_server.signals.bootstrap import Interval

WITHIN_D = (90.0, 180.0)
CAPACITY = 0.05
"""Of the owned vehicles, the share that a dealer has the time to call about."""
CAPACITIES = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2)
PER_CALLS = 1_000.0
DRAWS = 1_000


@dataclass(frozen=True, slots=True)
class Candidates:
    """N owned vehicles, each on a day, with what may be asked of it and what came of it."""

    owner: Ints  # (N)
    as_of: Ints  # (N) which as-of day, counted from 0
    columns: Mapping[str, Floats]  # (N) each
    ended_d: Floats  # (N) days until it was replaced; inf where it was not
    odds: Mapping[float, Floats]  # (N) the true probability of that

    def __len__(self) -> int:
        return len(self.owner)

    def happened(self, days: float) -> Bools:
        """Whether each (N) was replaced within ``days``."""
        within: Bools = self.ended_d < days
        return within

    def where(self, which: Bools) -> Candidates:
        """Some of them."""
        return Candidates(
            self.owner[which],
            self.as_of[which],
            {name: column[which] for name, column in self.columns.items()},
            self.ended_d[which],
            {days: odds[which] for days, odds in self.odds.items()},
        )


def candidates(part: Part, asked: Asked, day: float, as_of: int) -> Candidates:
    """The owned vehicles of a part on the day ``day``, which is number ``as_of``."""
    owned = asked.owned
    return Candidates(
        owner=owned.owner,
        as_of=np.full(len(owned.owner), as_of),
        columns=asked.columns,
        ended_d=ended_after(part, owned, day),
        odds={days: _odds(part, owned.tenure, day, days) for days in WITHIN_D},
    )


def _odds(part: Part, tenure: Ints, day: float, days: float) -> Floats:
    """What the truth says of replacing within ``days``: by whole months from the one that begins next."""
    grid = part.facts.grid_days
    month = int(np.searchsorted(grid, day))
    months = int(np.searchsorted(grid, day + days)) - month
    stays = np.prod(1 - part.truth["tenures"]["hazard"][tenure, month : month + months], axis=1)
    odds: Floats = 1 - stays
    return odds


def joined(parts: Sequence[Candidates]) -> Candidates:
    """The candidates of several parts and days."""
    first = parts[0]
    return Candidates(
        np.concatenate([part.owner for part in parts]),
        np.concatenate([part.as_of for part in parts]),
        {name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns},
        np.concatenate([part.ended_d for part in parts]),
        {days: np.concatenate([part.odds[days] for part in parts]) for days in first.odds},
    )


BASELINES = {
    "lease end": baselines.BASELINES["lease_end"],
    "oldest first": baselines.BASELINES["oldest_first"],
    "youngest first": baselines.BASELINES["youngest_first"],
    "longest since service": baselines.BASELINES["months_since_service"],
    "random": baselines.BASELINES["random"],
}
"""What dealers go by today, as the report says it."""
LEASE_END = "lease end"
AGE_RULES = ("oldest first", "youngest first")


def in_top(score: Floats, capacity: float, seed: int) -> Bools:
    """Whether each (N) is among the share ``capacity`` with the largest ``score`` (N); ties by chance."""
    room = round(capacity * len(score))
    order = np.lexsort((np.random.default_rng(seed).random(len(score)), -score))
    top: Bools = np.zeros(len(score), dtype=np.bool_)
    top[order[:room]] = True
    return top


@dataclass(frozen=True, slots=True)
class Judged:
    """Candidates and how each method ranks them: its score (N), the larger the sooner called."""

    rows: Candidates
    scores: Mapping[str, Floats]
    seed: int

    def found(self, method: str, days: float, capacity: float = CAPACITY) -> Interval:
        """Replacements within ``days`` per thousand calls."""
        top = in_top(self.scores[method], capacity, self.seed)
        return self._per_calls(top & self.rows.happened(days), top)

    def gain(self, method: str, over: str, days: float, capacity: float = CAPACITY) -> Interval:
        """How many more replacements per thousand calls than by the ranking ``over``, at equal capacity."""
        ours, theirs = (in_top(self.scores[each], capacity, self.seed) for each in (method, over))
        more = (ours.astype(np.float64) - theirs) * self.rows.happened(days)
        return self._per_calls(more, ours)

    def _per_calls(self, events: Bools | Floats, calls: Bools) -> Interval:
        return bootstrap.ratio_of_sums(
            PER_CALLS * events.astype(np.float64),
            calls.astype(np.float64),
            self.rows.owner,
            seed=self.seed,
            draws=DRAWS,
        )

    def table(self, days: float) -> Table:
        """All methods at the capacity, with the share of all replacements that they find."""
        happened = self.rows.happened(days)
        rows = []
        for method, score in self.scores.items():
            top = in_top(score, CAPACITY, self.seed)
            share = float((top & happened).sum() / max(happened.sum(), 1))
            rows.append((method, self.found(method, days), share))
        return Table(
            f"Replacements within {days:.0f} days among the {100 * CAPACITY:.0f} % called",
            ("ranking", "per 1,000 calls", "share of all"),
            rows,
            digits=2,
        )

    def curve(self, method: str, days: float) -> Floats:
        """Replacements per thousand calls at each of `CAPACITIES`."""
        return np.array([self._found_share(method, days, capacity) for capacity in CAPACITIES])

    def _found_share(self, method: str, days: float, capacity: float) -> float:
        top = in_top(self.scores[method], capacity, self.seed)
        return PER_CALLS * float(self.rows.happened(days)[top].mean()) if top.any() else float("nan")
