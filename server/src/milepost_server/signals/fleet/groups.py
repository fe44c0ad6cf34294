"""Items of one key whose limits are of the same shape, on all vehicles that have them, whatever their make.

Their numbers become columns, so that the work grows with the vehicles and not with the schedules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Ints
from milepost_server.signals.items.item import Item
from milepost_server.signals.schedules.book import Plans


@dataclass(frozen=True, slots=True)
class Group:
    """Items of one key and shape on Q vehicles."""

    items: tuple[Item, ...]
    which: Ints  # (Q) place in ``items``
    vehicle: Ints  # (Q) rising

    @property
    def key(self) -> str:
        """The key that they have in common."""
        return self.items[0].key


def groups(plans: Plans) -> Iterator[Group]:
    """The groups of all vehicles, in the order in which plans show their items."""
    members: dict[tuple[object, ...], list[tuple[int, Item]]] = {}
    for place, plan in enumerate(plans.plans):
        for item in plan.items:
            members.setdefault(_shape(item), []).append((place, item))
    for found in members.values():
        # By identity: to compare schedules costs more than to carry a few that are equal.
        number = {
            id(item): place for place, item in enumerate({id(item): item for _, item in found}.values())
        }
        of_plan = np.full(len(plans.plans), -1, dtype=np.int64)
        for place, item in found:
            of_plan[place] = number[id(item)]
        which = of_plan[plans.of]
        vehicle = np.flatnonzero(which >= 0)
        if len(vehicle):
            items = {number[id(item)]: item for _, item in found}
            yield Group(tuple(items[place] for place in sorted(items)), which[vehicle], vehicle)


def _shape(item: Item) -> tuple[object, ...]:
    """What has to be equal for items to be worked on together."""
    wear, countdown = item.wear, item.countdown
    measured = None if wear is None else (tuple(wear.signals), wear.new, wear.limit, wear.noise)
    return (item.key, measured, None if countdown is None else tuple(countdown.signals))
