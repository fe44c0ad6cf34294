"""What a day leaves to the next one: the state of each item, and since when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_server.derivation.fleet import Before
from milepost_server.signals.fleet.inputs import Previous
from milepost_server.signals.items.life_cycle import Listing
from milepost_server.signals.items.states import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_server.derivation.fleet import Chunk
    from milepost_server.derivation.steps.whole import Derived


class Left(NamedTuple):
    """What is left of one item; days since 1970, NaN where there is none."""

    state: int  # of `State`
    start_d: float  # where it began
    since_d: float  # since when it needs attention
    due_since_d: float
    cleared_d: float  # when it last cleared by itself


@dataclass(frozen=True, slots=True)
class Carried:
    """What a day left, by vehicle's id and item; an item that is not in it is new."""

    left: Mapping[tuple[int, str], Left]

    @classmethod
    def of(cls, chunk: Chunk, derived: Derived) -> Carried:
        """What the results of a chunk leave."""
        listed = derived.standing.listing
        found = {}
        for result, begin in zip(derived.items, derived.standing.begin[:-1].tolist(), strict=True):
            rows = slice(begin, begin + len(result.which))
            columns = (
                result.starts.vehicle,
                result.due.state,
                np.floor(result.starts.time_d),  # days, as the store keeps them
                listed.since_d[rows],
                listed.due_since_d[rows],
                listed.cleared_d[rows],
            )
            for place, *left in zip(*(column.tolist() for column in columns), strict=True):
                found[chunk.vehicles[place].id, result.key] = Left(*left)
        return cls(found)

    def before(self, vehicle_ids: Sequence[int], keys: tuple[str, ...]) -> Before:
        """The same for these vehicles (V) and items (I)."""
        shape = (len(vehicle_ids), len(keys))
        state = np.full(shape, int(State.UNKNOWN), dtype=np.int64)
        start_d, since_d, due_since_d, cleared_d = (np.full(shape, np.nan) for _ in range(4))
        place = {vehicle_id: index for index, vehicle_id in enumerate(vehicle_ids)}
        code = {key: index for index, key in enumerate(keys)}
        for (vehicle_id, item), left in self.left.items():
            if vehicle_id in place and item in code:
                cell = place[vehicle_id], code[item]
                state[cell], start_d[cell], since_d[cell], due_since_d[cell], cleared_d[cell] = left
        listing = Listing(since_d.ravel(), due_since_d.ravel(), cleared_d.ravel())
        return Before(Previous(state, start_d), listing)
