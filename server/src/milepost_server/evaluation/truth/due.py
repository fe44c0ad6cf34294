"""Due dates against the truth: errors and coverage by item and horizon, states, wear."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.table import Table
from milepost_server.evaluation.truth.tenures import owned_on, true_items, true_odometer_m
from milepost_server.signals import bootstrap
from milepost_server.signals.flat import Bools, Floats, Ints
from milepost_server.signals.items.due import FirstLimit
from milepost_server.signals.items.limits import add_months, intervals_of
from milepost_server.signals.items.states import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milepost_server.evaluation.truth.derive import DerivedPart
    from milepost_server.evaluation.truth.files import Part
    from milepost_server.signals.bootstrap import Interval
    from milepost_server.signals.fleet.results import ItemResult
    from milepost_server.signals.items.due import Due

HORIZON_D_MAX = 365.0
"""Dates further ahead are not judged: the truth of a fleet ends a year after its as-of day."""
HORIZONS_D = ((0.0, 30.0), (30.0, 90.0), (90.0, 180.0), (180.0, HORIZON_D_MAX))
SOON_D = 30.0
ITEMS_MIN = 100
"""Fewer items make no row of a table by limit and item."""
DRAWS = 500
"""Of each bootstrap: rows are many, and intervals narrow."""
LIMITS = {"front-pads": 0.9, "rear-pads": 0.9}
"""The used share at which a part is due, where that is not 1: what a fleet's truth counts as used up."""


@dataclass(frozen=True, slots=True)
class DueRows:
    """What was said and what is true of items of owned vehicles: N rows. Days count from the as-of day."""

    item: Ints  # (N) place in the fleet's list of items
    vehicle: Ints  # (N) number of the vehicle in the fleet
    owner: Ints  # (N)
    as_of: Ints  # (N) which as-of day, counted from 0
    p10_d: Floats  # (N) NaN where nothing is known
    p50_d: Floats
    p90_d: Floats
    p_soon: Floats  # (N) said probability to be due within ``SOON_D``
    state: Ints  # (N)
    true_d: Floats  # (N) inf where it lies beyond the truth's days
    recorded: Bools  # (N) whether the dealer knows the last renewal
    since_d: Floats  # (N) days since the last renewal that the dealer knows, or first registration; or NaN
    calendar_d: Floats  # (N) days until the schedule's months since then are over; inf where it has none
    first_limit: Ints  # (N) of `FirstLimit`: what the median comes from
    capped: Bools  # (N) whether P90 is a day that is written down, so that it cannot be too early
    wear_left_m: Floats  # (N) said distance to the wear limit; NaN where not measured
    true_left_m: Floats  # (N)

    def __len__(self) -> int:
        return len(self.item)

    def where(self, which: Bools) -> DueRows:
        """Some of the rows."""
        return DueRows(*(getattr(self, field.name)[which] for field in fields(self)))


def joined(parts: Sequence[DueRows]) -> DueRows:
    """All rows of several parts or days."""
    names = [field.name for field in fields(DueRows)]
    return DueRows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def compare(part: Part, derived: DerivedPart, as_of: int) -> DueRows:
    """What was derived of a part beside what is true; ``as_of`` numbers the day."""
    return joined([_compare_item(part, derived, item, as_of) for item in derived.results.items])


def _compare_item(part: Part, derived: DerivedPart, item: ItemResult, as_of: int) -> DueRows:
    day, vehicle = derived.as_of_d, item.starts.vehicle
    owned = owned_on(part, day)
    truth = true_items(part, owned, day, item.key, vehicle, limit=LIMITS.get(item.key, 1.0))
    row = np.flatnonzero(truth.known)
    of = vehicle[row]
    anchor_m = derived.results.driven.anchor_m[of]
    measured = np.zeros(len(vehicle), dtype=np.bool_) if item.wear is None else item.wear.limit.measured
    at_m = np.full(len(vehicle), np.nan) if item.wear is None else item.wear.limit.at_m
    tenure = owned.tenure[owned.of_vehicle[of]]
    true_now_m = true_odometer_m(part, tenure, derived.results.driven.anchor_d[of])
    p10, p50, p90 = item.due.time_d[:, row] - day
    return DueRows(
        item=np.full(len(row), part.facts.place("items", item.key)),
        vehicle=part.observed["vehicles"]["number"][of],
        owner=owned.owner[owned.of_vehicle[of]],
        as_of=np.full(len(row), as_of),
        p10_d=p10,
        p50_d=p50,
        p90_d=p90,
        p_soon=np.nan_to_num(item.due.p_30d[row]),
        state=item.due.state[row],
        true_d=truth.due_d[row] - day,
        recorded=item.starts.time_d[row] == truth.start_d[row],
        since_d=day - item.starts.time_d[row],
        calendar_d=_calendar_d(item, day)[row],
        first_limit=item.due.first_limit[row],
        capped=_is_capped(item.due)[row],
        wear_left_m=np.where(measured[row], at_m[row] - anchor_m, np.nan),
        true_left_m=truth.at_m[row] - true_now_m,
    )


def _calendar_d(item: ItemResult, day: float) -> Floats:
    """The days (Q) until the months of the schedule are over, whatever else is known."""
    starts = item.starts
    months = intervals_of(item.items, item.which, starts.age_months).months
    over_d = add_months(starts.time_d, months) - day
    return np.where(np.isnan(over_d), np.inf, over_d)


def _is_capped(due: Due) -> Bools:
    """Whether (Q) the latest day of each item is one that is written down, and not foretold."""
    days = [np.where(each.time_d[0] == each.time_d[2], each.time_d[2], np.inf) for each in due.reached]
    capped: Bools = np.min(days, axis=0) <= due.time_d[2]
    return capped


def _judged(rows: DueRows) -> DueRows:
    """Those with a date within the next year: chosen by what was said, so that coverage means something."""
    return rows.where((rows.p50_d >= 0) & (rows.p50_d < HORIZON_D_MAX))


def _error_d(rows: DueRows) -> Floats:
    """Days (N) between what was said and the truth; truths beyond the year count as its end."""
    return np.abs(rows.p50_d - np.minimum(rows.true_d, HORIZON_D_MAX))


def _covered(rows: DueRows) -> Floats:
    """Whether (N) the truth lies within P10 and P90, to the day that both are rounded to."""
    end = np.where(np.isfinite(rows.true_d), rows.true_d, HORIZON_D_MAX)
    return ((rows.p10_d - 1 <= end) & (end <= rows.p90_d + 1)).astype(np.float64)


def _figures(rows: DueRows, seed: int) -> tuple[int, Interval, Interval, float]:
    """How many, the mean error, the coverage, the mean width in days."""
    error = bootstrap.mean(_error_d(rows), rows.owner, seed=seed, draws=DRAWS)
    coverage = bootstrap.mean(_covered(rows), rows.owner, seed=seed, draws=DRAWS)
    width = float(np.mean(rows.p90_d - rows.p10_d)) if len(rows) else float("nan")
    return len(rows), error, coverage, width


_HEADER = ("items", "mean error, d", "80 % interval covers", "width, d")


def by_item(rows: DueRows, names: Sequence[str], seed: int) -> Table:
    """Error and coverage of each item."""
    judged = _judged(rows)
    found = [(name, *_figures(judged.where(judged.item == place), seed)) for place, name in enumerate(names)]
    total = ("all", *_figures(judged, seed))
    return Table("Due dates within a year, by item", ("item", *_HEADER), [*found, total])


def by_horizon(rows: DueRows, seed: int) -> tuple[Table, list[Interval]]:
    """Error and coverage by how far ahead the date was said to be; and the coverages alone."""
    found = [(words, *_figures(within, seed)) for words, within in _split_by_horizon(_judged(rows))]
    table = Table("Due dates within a year, by how far ahead", ("ahead", *_HEADER), found)
    return table, [row[3] for row in found]


def known_by_horizon(rows: DueRows, seed: int, *, capped: bool) -> tuple[Table, list[Interval]]:
    """The same of dates that are an interval, all of it within the truth's days, from a known renewal on.

    So nothing is covered because it is written down (a time limit is a day) or because the truth ends before
    it could be late, and nothing is missed because the item was renewed elsewhere. Those that are ``capped``
    are told apart from those that are not.
    """
    judged = _intervals(rows)
    judged = judged.where(judged.capped == capped)
    found = [(words, *_sides(of, seed)) for words, of in _split_by_horizon(judged)]
    how = "end with a day that is written down" if capped else "driving alone limits"
    title = f"Due dates that {how}, counted from a known renewal, by how far ahead"
    return Table(title, ("ahead", *_HEADER_SIDES), found), [row[3] for row in found]


def driven_by_limit(rows: DueRows, names: Sequence[str], seed: int) -> Table:
    """The same of those that driving alone limits, by what comes first, by item and by how far ahead."""
    judged = _intervals(rows)
    judged = judged.where(~judged.capped)
    found = []
    for limit in np.unique(judged.first_limit):
        first = judged.where(judged.first_limit == limit)
        name = FirstLimit(limit).name.lower().replace("_", " ")
        for item in np.unique(first.item):
            found += [
                (name, names[item], words, *_sides(of, seed))
                for words, of in _split_by_horizon(first.where(first.item == item))
                if len(of) >= ITEMS_MIN
            ]
    title = f"Due dates that driving alone limits, by limit and item ({ITEMS_MIN} items and more)"
    return Table(title, ("limit", "item", "ahead", *_HEADER_SIDES), found)


_HEADER_SIDES = (*_HEADER, "before P10", "after P90")


def _intervals(rows: DueRows) -> DueRows:
    real = (rows.p90_d - rows.p10_d >= 1) & (rows.p90_d < HORIZON_D_MAX)
    return _judged(rows.where(rows.recorded & real))


def _split_by_horizon(rows: DueRows) -> Iterator[tuple[str, DueRows]]:
    for low, high in HORIZONS_D:
        yield f"{low:.0f} to {high:.0f} d", rows.where((rows.p50_d >= low) & (rows.p50_d < high))


def _sides(rows: DueRows, seed: int) -> tuple[int, Interval, Interval, float, float, float]:
    """The figures, and the shares that came before P10 and after P90."""
    beside = [(rows.true_d < rows.p10_d - 1), (rows.true_d > rows.p90_d + 1)]
    early, late = (float(each.mean()) if len(rows) else float("nan") for each in beside)
    return (*_figures(rows, seed), early, late)


def by_record(rows: DueRows, seed: int) -> Table:
    """Apart: items whose last renewal the dealer knows, and those renewed elsewhere or not on record."""
    judged = _judged(rows)
    found = [
        (words, *_figures(judged.where(judged.recorded == known), seed))
        for words, known in (("known", True), ("not known", False))
    ]
    return Table("Due dates by whether the dealer knows the last renewal", ("renewal", *_HEADER), found)


def states(rows: DueRows) -> Table:
    """What is said of an item against when it is truly due."""
    edges = (-np.inf, 0.0, SOON_D, 90.0, np.inf)
    words = ("due already", "within 30 d", "30 to 90 d", "later")
    found: list[tuple[str | int, ...]] = []
    for state in State:
        said = rows.where(rows.state == state)
        counts = [
            int(
                ((said.true_d >= low) & (said.true_d <= high if high == np.inf else said.true_d < high)).sum()
            )
            for low, high in pairwise(edges)
        ]
        found.append((state.name.lower(), *counts))
    return Table("States against the truth, items", ("said", *words), found)


def wear(rows: DueRows, names: Sequence[str], seed: int) -> Table:
    """Distance that is left until measured parts reach their limit: said against true."""
    found = []
    judged = rows.where(np.isfinite(rows.wear_left_m) & np.isfinite(rows.true_left_m))
    for place in np.unique(judged.item):
        of = judged.where(judged.item == place)
        error_km = np.abs(of.wear_left_m - of.true_left_m) / 1000
        share = bootstrap.ratio_of_sums(
            error_km, np.abs(of.true_left_m) / 1000, of.owner, seed=seed, draws=DRAWS
        )
        mean = bootstrap.mean(error_km, of.owner, seed=seed, draws=DRAWS)
        found.append((names[place], len(of), mean, share))
    header = ("item", "items", "mean error, km", "over what is left")
    return Table("Distance left until measured wear reaches its limit", header, found, digits=2)
