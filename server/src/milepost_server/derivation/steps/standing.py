"""Where every item stands in its life cycle: all items of all vehicles in one go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.items.life_cycle import Actions, LifeCycle, Listing, life_cycle, listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.derivation.fleet import Inputs
    from milepost_server.signals.flat import Floats, Ints
    from milepost_server.signals.fleet.results import ItemResult
    from milepost_server.signals.items.life_cycle import LifeCycleRules


@dataclass(frozen=True, slots=True)
class Standing:
    """The life cycle of K items: those of all results, one after the other."""

    begin: Ints  # (R + 1) where the items of each result begin
    listing: Listing  # (K)
    cycle: LifeCycle  # (K)


def standing(
    inputs: Inputs, results: Sequence[ItemResult], as_of_d: float, rules: LifeCycleRules
) -> Standing:
    """Where the items of ``results`` stand at ``as_of_d``, the end of the as-of day."""
    begin = np.zeros(len(results) + 1, dtype=np.int64)
    if not results:
        nothing = Listing.none(0)
        return Standing(begin, nothing, life_cycle(_actions(), nothing, np.zeros(0), as_of_d, rules))
    np.cumsum([len(result.which) for result in results], out=begin[1:])
    code, size = {key: place for place, key in enumerate(inputs.keys)}, len(inputs.keys)
    cell = np.concatenate([result.starts.vehicle * size + code[result.key] for result in results])
    state = np.concatenate([result.due.state for result in results])
    start_d: Floats = np.concatenate([result.starts.time_d for result in results])
    began_anew = np.concatenate([result.began_anew for result in results])
    before = Listing.none(len(cell))
    if inputs.before is not None:
        told = inputs.before.listing
        before = Listing(told.since_d[cell], told.due_since_d[cell], told.cleared_d[cell])
        before = before.of_owner(inputs.money.since_d[cell // size])
    listed = listing(before, state, began_anew, as_of_d)
    actions = _placed(inputs.actions, cell, inputs.vehicles * size)
    return Standing(begin, listed, life_cycle(actions, listed, start_d, as_of_d, rules))


def _actions() -> Actions:
    none = np.zeros(0, dtype=np.int64)
    return Actions(none, none, np.zeros(0), np.zeros(0))


def _placed(actions: Actions | None, cell: Ints, cells: int) -> Actions:
    """The actions on items that there are, by their place among them."""
    if actions is None:
        return _actions()
    place = np.full(cells, -1, dtype=np.int64)
    place[cell] = np.arange(len(cell))
    rows = np.flatnonzero(place[actions.item] >= 0)
    return Actions(place[actions.item[rows]], actions.action[rows], actions.time_d[rows], actions.for_d[rows])
