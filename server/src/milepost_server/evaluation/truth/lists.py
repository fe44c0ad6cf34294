"""What is called due against what truly is, beside the lists that need no model.

An item counts as truly due if the fleet's truth has it due within ``SOON_D`` days, or in the past and not yet
renewed by anybody. What was renewed elsewhere, without the dealer's knowing, is not due; by the dealer's
records nobody can tell, so precision is told apart for items whose last renewal is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.table import Table
from milepost_server.evaluation.truth.due import DRAWS, SOON_D, DueRows
from milepost_server.signals import bootstrap
from milepost_server.signals.flat import Bools, Floats, Ints
from milepost_server.signals.items.states import State

if TYPE_CHECKING:
    from milepost_server.signals.bootstrap import Interval

CAPACITY = 0.02
"""Of the vehicles, the share that a list has room for."""


def listed(rows: DueRows, seed: int) -> tuple[Table, dict[str, Interval]]:
    """Precision and recall of the items called due, beside the calendar, the longest wait and chance."""
    soon, said = _soon(rows), rows.state >= State.DUE
    everything = np.ones(len(rows), dtype=np.bool_)
    lists = {
        "due": ("called due or overdue", said),
        "due_known": ("of these: last renewal known", said & rows.recorded),
        "due_elsewhere": ("of these: last renewal not known", said & ~rows.recorded),
        "due_calendar": ("due by the months of the schedule alone", rows.calendar_d < SOON_D),
        "due_longest": (
            "as many, the longest without a record",
            _first(np.nan_to_num(rows.since_d), said.sum(), seed),
        ),
        "due_random": ("at random", everything),
    }
    found, figures = [], {}
    for key, (words, chosen) in lists.items():
        precision = _ratio(rows, soon & chosen, chosen, seed)
        recall = _ratio(rows, soon & chosen, soon, seed)
        figures[key.replace("due", "due_precision", 1)] = precision
        # By chance a list finds the share of what is due that it is of all.
        share = recall if key != "due_random" else _ratio(rows, said, everything, seed)
        found.append((words, int((said if key == "due_random" else chosen).sum()), precision, share))
    figures |= {"due_recall": found[0][3], "due_recall_calendar": found[3][3]}
    title = f"Items called due, and how many of them truly are within {SOON_D:.0f} days"
    return Table(title, ("list", "items", "truly due", "of all that are due"), found), figures


def best_vehicles(rows: DueRows, seed: int) -> tuple[Table, dict[str, Interval]]:
    """Of the vehicles with the likeliest items, as many as a list has room for: how many have one due."""
    key = rows.vehicle * (int(rows.as_of.max(initial=0)) + 1) + rows.as_of
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    truly = _most(_soon(rows).astype(np.float64), place, len(first), 0.0)
    room = max(1, round(CAPACITY * len(first)))
    ranks = {
        "list": ("the likeliest item", _most(rows.p_soon, place, len(first), 0.0)),
        "list_calendar": (
            "longest over the months of the schedule",
            _most(-rows.calendar_d, place, len(first), -np.inf),
        ),
        "list_random": ("at random", np.zeros(len(first))),
    }
    found, figures = [], {}
    for name, (words, rank) in ranks.items():
        top = np.flatnonzero(_first(rank, room, seed) | (name == "list_random"))
        share = bootstrap.mean(truly[top], rows.owner[first][top], seed=seed, draws=DRAWS)
        figures[name.replace("list", "list_precision", 1)] = share
        found.append((words, min(room, len(first)), share))
    title = f"A list with room for {CAPACITY:.0%} of the vehicles: how many have something due"
    return Table(title, ("by", "vehicles", "truly due"), found), figures


def _soon(rows: DueRows) -> Bools:
    soon: Bools = rows.true_d < SOON_D
    return soon


def _first(rank: Floats, room: int, seed: int) -> Bools:
    """Which (N) are the ``room`` with the highest ``rank`` (N); ties are broken at random, by seed."""
    order = np.lexsort((np.random.default_rng(seed).random(len(rank)), -rank))
    chosen = np.zeros(len(rank), dtype=np.bool_)
    chosen[order[:room]] = True
    return chosen


def _most(values: Floats, place: Ints, size: int, least: float) -> Floats:
    best = np.full(size, least)
    np.maximum.at(best, place, values)
    return best


def _ratio(rows: DueRows, above: Bools, below: Bools, seed: int) -> Interval:
    counted, among = above.astype(np.float64), below.astype(np.float64)
    return bootstrap.ratio_of_sums(counted, among, rows.owner, seed=seed, draws=DRAWS)
