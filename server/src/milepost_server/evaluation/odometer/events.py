"""Time to an event of wear, such as a new engine: by distance and usage, against the fleet's own curve.

Each vehicle's readings are cut into spells: from new, or from the last event, to the next event or to the end
of the file. At rolling origins within a spell both methods say how likely the event is in each coming period;
both know how long the spell has lasted, both are made from vehicles of other folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.columns import read_columns
from milepost_server.evaluation.errors import EvaluationError
from milepost_server.evaluation.odometer.survival import best_lean, given_until_now, life_table, log_score
from milepost_server.signals.flat import Floats, Ints, interpolate, last_rows
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.usage.events import Parts, Spells, fit_hazard, survival
from milepost_server.signals.usage.past import Origins, known_at, rolling_origins
from milepost_server.signals.usage.rate import UsageRules

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_server.evaluation.odometer.file import ColumnMap, Fleet
    from milepost_server.signals.usage.model import PaceModel

PERIOD_D = 365.2425 / 4
PERIODS = 60
"""Fifteen years of quarters; what comes later counts as the last one."""
ORIGIN_MONTHS = 12.0
HISTORY_MONTHS_MIN = 3.0


@dataclass(frozen=True, slots=True)
class Lives:
    """S spells on the axis of time and of distance."""

    vehicle: Ints  # (S)
    begin_d: Floats  # (S) first reading, or the event before
    end_d: Floats  # (S) the event, or the last reading
    new_m: Floats  # (S) the odometer when the part was new: 0, or that of the event before
    entry_m: Floats  # (S) distance on the part at ``begin_d``,
    exit_m: Floats  # (S) and at ``end_d``
    happened: Floats  # (S)


@dataclass(frozen=True, slots=True)
class Scores:
    """O origins in spells, and the log score of either method there."""

    vehicle: Ints  # (O)
    product: Floats  # (O)
    fleet_curve: Floats  # (O)
    events: int  # in the file, within the readings of their vehicle


def read_lives(path: Path, columns: ColumnMap, fleet: Fleet) -> Lives:
    """The spells of a fleet, cut at the events of a file with the same columns (an odometer is not needed).

    Raises:
        EvaluationError: an event of a vehicle that is not in the fleet, or nothing happened at all.
    """
    table = read_columns(path, [name for name in columns.names() if name != columns.odometer])
    event_d = columns.days_of(table)
    groups = table.words(columns.group) if columns.group else [""] * len(table)
    places = {key: place for place, key in enumerate(fleet.keys)}
    events: dict[int, set[float]] = {}
    keys = zip(groups, table.words(columns.vehicle), strict=True)
    for line, key, day in zip(table.line, keys, event_d, strict=True):
        if key not in places:
            raise EvaluationError(f"{path}, line {line}: vehicle {key[1]!r} has no readings")
        events.setdefault(places[key], set()).add(float(day))
    if not events:
        raise EvaluationError(f"{path} has no event")
    return _lives(fleet, events)


def _lives(fleet: Fleet, events: dict[int, set[float]]) -> Lives:
    history = fleet.history
    rows: list[tuple[int, float, float, bool, bool]] = []  # vehicle, begin, end, happened, after an event
    for vehicle, last in enumerate(last_rows(history.offsets)):
        if last < 0:
            continue
        begin_d, end_d = float(history.time_d[history.offsets[vehicle]]), float(history.time_d[last])
        renewed = False
        for day in sorted(events.get(vehicle, ())):
            if begin_d < day <= end_d:
                rows.append((vehicle, begin_d, day, True, renewed))
                begin_d, renewed = day, True
        if begin_d < end_d:
            rows.append((vehicle, begin_d, end_d, False, renewed))
    vehicle_of = np.array([row[0] for row in rows], dtype=np.int64)
    begin, end, happened, after = (np.array([row[n] for row in rows], dtype=np.float64) for n in range(1, 5))
    begin_m, end_m = (
        interpolate(history.offsets, history.time_d, history.odometer_m, vehicle_of, at)
        for at in (begin, end)
    )
    new_m = np.where(after > 0, begin_m, 0.0)
    return Lives(vehicle_of, begin, end, new_m, begin_m - new_m, end_m - new_m, happened)


@dataclass(frozen=True, slots=True)
class _Questions:
    """O origins, each within a spell."""

    origins: Origins
    group: Ints  # (O)
    gone_m: Floats  # (O) distance on the part
    age: Floats  # (O) periods since the spell began
    left: Floats  # (O) periods until it ended
    happened: Floats  # (O) whether it ended with the event

    def of(self, rows: Ints) -> _Questions:
        return _Questions(
            Origins(self.origins.vehicle[rows], self.origins.row[rows]),
            self.group[rows],
            self.gone_m[rows],
            self.age[rows],
            self.left[rows],
            self.happened[rows],
        )


def score(fleet: Fleet, lives: Lives, fold: Ints, models: list[PaceModel]) -> Scores:
    """The log scores at rolling origins; ``fold`` (V) says which of the ``models`` has not seen a vehicle."""
    asked = _questions(fleet, lives)
    product, curve = np.empty(len(asked.left)), np.empty(len(asked.left))
    for one, model in enumerate(models):
        held = np.flatnonzero(fold[asked.origins.vehicle] == one)
        rest = np.flatnonzero(fold[lives.vehicle] != one)
        if len(held):
            mine = asked.of(held)
            ours = _foretold(fleet, lives, rest, mine, model)
            theirs = _fleet_curve(lives, rest, mine, fold)
            product[held] = log_score(ours, mine.left, mine.happened)
            curve[held] = log_score(theirs, mine.left, mine.happened)
    return Scores(asked.origins.vehicle, product, curve, int(lives.happened.sum()))


def _questions(fleet: Fleet, lives: Lives) -> _Questions:
    """Readings with three months of history, a year apart, that lie within a spell."""
    all_ = rolling_origins(fleet.history, ORIGIN_MONTHS, HISTORY_MONTHS_MIN)
    at_d = fleet.history.time_d[all_.row]
    order = np.lexsort((lives.begin_d, lives.vehicle))
    span = float(np.max(lives.end_d) - np.min(lives.begin_d)) + 1.0
    begin = lives.vehicle[order] * span + (lives.begin_d[order] - np.min(lives.begin_d))
    at = all_.vehicle * span + (at_d - np.min(lives.begin_d))
    spell = order[np.maximum(np.searchsorted(begin, at, side="right") - 1, 0)]
    kept = np.flatnonzero((lives.vehicle[spell] == all_.vehicle) & (at_d < lives.end_d[spell]))
    origins, spell, at_d = Origins(all_.vehicle[kept], all_.row[kept]), spell[kept], at_d[kept]
    return _Questions(
        origins=origins,
        group=fleet.group[origins.vehicle],
        gone_m=fleet.history.odometer_m[origins.row] - lives.new_m[spell],
        age=(at_d - lives.begin_d[spell]) / PERIOD_D,
        left=(lives.end_d[spell] - at_d) / PERIOD_D,
        happened=lives.happened[spell],
    )


def _foretold(fleet: Fleet, lives: Lives, rest: Ints, asked: _Questions, model: PaceModel) -> Floats:
    """The survival (O, periods + 1) by the other folds' hazard over distance, and by the vehicle's usage."""
    rules, groups = UsageRules(), len(fleet.group_names)
    spells = Spells(
        fleet.group[lives.vehicle[rest]], lives.entry_m[rest], lives.exit_m[rest], lives.happened[rest]
    )
    known = known_at(fleet.history, fleet.group, groups, asked.origins, rules)
    ahead = Ahead(known.usage, rules, model.learned(known))
    parts = Parts(np.arange(len(asked.left), dtype=np.int64), asked.group, asked.gone_m)
    after_d: Floats = np.linspace(0.0, PERIODS * PERIOD_D, PERIODS + 1)
    return survival(fit_hazard(spells, groups), ahead, parts, after_d)


def _fleet_curve(lives: Lives, rest: Ints, asked: _Questions, fold: Ints) -> Floats:
    """The survival (O, periods + 1) of spells of the other folds that had lasted as long."""
    lasted = (lives.end_d[rest] - lives.begin_d[rest]) / PERIOD_D
    happened = lives.happened[rest]
    lean = best_lean(lasted, happened, fold[lives.vehicle[rest]], PERIODS)
    return given_until_now(life_table(lasted, happened, PERIODS, lean), asked.age)
