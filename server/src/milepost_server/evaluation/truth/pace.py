"""How far vehicles go against the truth: distances ahead, and how soon a change of life is followed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.table import Table
from milepost_server.evaluation.truth.tenures import Owned, owned_on, true_odometer_m
from milepost_server.signals import bootstrap, gamma
from milepost_server.signals.flat import DAYS_PER_MONTH, METRES_PER_KM, Bools, Floats, Ints
from milepost_server.signals.usage.ahead import Ahead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.evaluation.truth.derive import DerivedPart
    from milepost_server.evaluation.truth.files import Part
    from milepost_server.signals.bootstrap import Interval

AHEAD_D = (91.0, 182.0, 364.0)
OLD_D = 182.0
"""A change is judged against the pace of so many days before it."""
CLEAR = 0.4
"""Of the logarithm of a change: smaller ones drown in the months."""
SINCE_MONTHS = ((0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 6.0), (6.0, 12.0))
DRAWS = 500


@dataclass(frozen=True, slots=True)
class AheadRows:
    """Distances ahead of owned vehicles with a reading: N rows, metres by each of `AHEAD_D`."""

    owner: Ints  # (N)
    p10_m: Floats  # (N, horizons)
    p50_m: Floats
    p90_m: Floats
    true_m: Floats


@dataclass(frozen=True, slots=True)
class ChangeRows:
    """Clear changes of life in the year before the as-of day: N rows."""

    owner: Ints  # (N)
    since_months: Floats  # (N)
    followed: Floats  # (N) 0: the pace foretold is the old one; 1: it is the new one


def joined(parts: Sequence[AheadRows]) -> AheadRows:
    """The rows of several parts and days."""
    names = [field.name for field in fields(AheadRows)]
    return AheadRows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def joined_changes(parts: Sequence[ChangeRows]) -> ChangeRows:
    """The rows of several parts and days."""
    names = [field.name for field in fields(ChangeRows)]
    return ChangeRows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def ahead_of(derived: DerivedPart, config: Configuration) -> Ahead:
    """What the derivation foretells of distances."""
    return Ahead(derived.results.usage, config.usage, derived.results.pace)


def compare(part: Part, derived: DerivedPart, ahead: Ahead) -> AheadRows:
    """Distances from the last reading on, said and true, where the truth reaches so far."""
    owned, anchor_d = owned_on(part, derived.as_of_d), derived.results.driven.anchor_d
    seen = np.isfinite(anchor_d[owned.vehicle])
    vehicle, tenure = owned.vehicle[seen], owned.tenure[seen]
    begin = anchor_d[vehicle]
    here_m = true_odometer_m(part, tenure, begin)
    said = [
        [ahead.metres_in(vehicle, np.full(len(vehicle), days), pace) for days in AHEAD_D]
        for pace in (gamma.Z10, gamma.Z50, gamma.Z90)
    ]
    true = [true_odometer_m(part, tenure, begin + days) - here_m for days in AHEAD_D]
    columns = (np.stack(each, axis=1) for each in (*said, true))
    return AheadRows(owned.owner[seen], *columns)


def changes(part: Part, derived: DerivedPart, ahead: Ahead) -> ChangeRows:
    """How much of each change the foretold pace has followed by the as-of day."""
    regimes, owned, as_of_d = part.truth["regimes"], owned_on(part, derived.as_of_d), derived.as_of_d
    row = _clear(part, owned, as_of_d)
    vehicle, day = regimes["vehicle"][row], regimes["day"][row].astype(np.float64)
    place = owned.of_vehicle[vehicle]
    tenure = owned.tenure[place]
    old = true_odometer_m(part, tenure, day) - true_odometer_m(part, tenure, day - OLD_D)
    foretold = ahead.metres_in(vehicle, np.full(len(vehicle), AHEAD_D[0]), gamma.Z50) / AHEAD_D[0]
    moves = old > 0
    ratio = foretold[moves] / (old[moves] / OLD_D)
    followed = np.log(ratio) / np.log(regimes["factor"][row][moves])
    since = (as_of_d - day[moves]) / DAYS_PER_MONTH
    return ChangeRows(owned.owner[place[moves]], since, followed)


def _clear(part: Part, owned: Owned, as_of_d: float) -> Ints:
    """Rows of regimes: clear changes of the year before, the only one of their vehicle in it."""
    regimes, tenures = part.truth["regimes"], part.observed["tenures"]
    is_life = regimes["cause"] == part.facts.place("causes", "life")
    recent = (regimes["day"] < as_of_d) & (regimes["day"] >= as_of_d - 12 * DAYS_PER_MONTH)
    alone = np.bincount(regimes["vehicle"][recent], minlength=part.vehicles)[regimes["vehicle"]] == 1
    place = owned.of_vehicle[regimes["vehicle"]]
    since = np.where(place >= 0, tenures["owned_since_day"][owned.tenure[place]], np.inf)
    since = np.maximum(since, part.facts.first_day)
    size = np.abs(np.log(np.where(is_life, regimes["factor"], 1.0)))
    clear: Bools = is_life & recent & alone & (size >= CLEAR) & (regimes["day"] - OLD_D > since)
    return np.flatnonzero(clear).astype(np.int64)


def ahead_table(rows: AheadRows, seed: int) -> tuple[Table, dict[str, Interval]]:
    """Error and coverage of distances by horizon; and the coverages as figures."""
    found, figures = [], {}
    for place, days in enumerate(AHEAD_D):
        low, middle, high, true = (
            column[:, place] for column in (rows.p10_m, rows.p50_m, rows.p90_m, rows.true_m)
        )
        error = bootstrap.mean(np.abs(middle - true) / METRES_PER_KM, rows.owner, seed=seed, draws=DRAWS)
        inside = ((low <= true) & (true <= high)).astype(np.float64)
        coverage = bootstrap.mean(inside, rows.owner, seed=seed, draws=DRAWS)
        width = float(np.mean(high - low)) / METRES_PER_KM if len(true) else float("nan")
        found.append((f"{days:.0f} d", len(true), error, coverage, width))
        figures[f"distance_coverage80_{days:.0f}d"] = coverage
    header = ("ahead", "vehicles", "mean error, km", "80 % interval covers", "width, km")
    return Table("Distance ahead of the last reading", header, found), figures


def change_table(rows: ChangeRows) -> Table:
    """How much of a change of life the foretold pace has followed, by months since."""
    found: list[tuple[str | int | float, ...]] = []
    for low, high in SINCE_MONTHS:
        of = rows.followed[(rows.since_months >= low) & (rows.since_months < high)]
        quartiles = np.quantile(of, (0.25, 0.5, 0.75)) if len(of) else np.full(3, np.nan)
        found.append((f"{low:.0f} to {high:.0f} months", len(of), *(float(each) for each in quartiles)))
    header = ("since", "changes", "P25", "median", "P75")
    return Table("Share of a change of life that the foretold pace has followed", header, found, digits=2)
