"""How fast parts wear on a dealer's own vehicles, by make and model, for parts that nobody measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import delete, func, insert, select

from milepost_server.derivation.priors import FLEET, Model, places
from milepost_server.signals.fleet.results import wear_lines
from milepost_server.signals.items import METRES_PER_KM
from milepost_server.signals.wear import UsualWear, WearLine, usual_wear
from milepost_server.signals.wear_prior import WearPrior, WearPriorRules, wear_prior
from milepost_server.store.schema import wear_priors

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Vehicle
    from milepost_server.signals.flat import Ints
    from milepost_server.signals.fleet.inputs import Fleet, ItemRules, UsualOf
    from milepost_server.signals.items import Item


@dataclass(frozen=True, slots=True)
class ItemWear:
    """The usual wear of one item in a dealer's groups (G), the whole fleet's first."""

    groups: dict[Model, int]
    prior: WearPrior  # (G)


def usual_of(learned: dict[str, ItemWear], vehicles: Sequence[Vehicle]) -> UsualOf:
    """What is usual for the items of a chunk's vehicles, by what was ``learned`` of each item (by key)."""
    place = {key: places(item.groups, vehicles) for key, item in learned.items()}

    def usual(key: str, vehicle: Ints) -> UsualWear | None:
        return learned[key].prior.of(place[key][vehicle]) if key in learned else None

    return usual


class WearSample:
    """Collects the lines of measured parts, chunk by chunk, until `learned` is asked for."""

    def __init__(self) -> None:
        self._groups: dict[Model, int] = {FLEET: 0}
        self._lines: dict[str, list[WearLine]] = {}
        self._members: dict[str, list[Ints]] = {}
        self._items: dict[str, Item] = {}

    def add(self, vehicles: Sequence[Vehicle], fleet: Fleet, as_of_d: float, rules: ItemRules) -> None:
        """Add one chunk."""
        for vehicle in vehicles:
            self._groups.setdefault(Model(vehicle.make, vehicle.model), len(self._groups))
        place = places(self._groups, vehicles)
        for group, line in wear_lines(fleet, as_of_d, rules):
            told = np.flatnonzero(line.square_m2 > 0)
            if not len(told):
                continue
            self._items.setdefault(group.key, group.items[0])
            self._lines.setdefault(group.key, []).append(
                WearLine(*(getattr(line, name)[told] for name in WearLine.__slots__))
            )
            self._members.setdefault(group.key, []).append(place[group.vehicle[told]])

    def learned(self, rules: WearPriorRules) -> dict[str, ItemWear]:
        """What the fleet says of each item that it measures, by key."""
        return {key: self._of_item(key, rules) for key in sorted(self._lines)}

    def _of_item(self, key: str, rules: WearPriorRules) -> ItemWear:
        lines, wear = self._lines[key], self._items[key].wear
        assert wear is not None, "only what wears has lines"
        joined = WearLine(
            *(np.concatenate([getattr(line, name) for line in lines]) for name in WearLine.__slots__)
        )
        usual = usual_wear(*(km * METRES_PER_KM for km in wear.usual_km))
        member = np.concatenate(self._members[key])
        return ItemWear(dict(self._groups), wear_prior(joined, member, len(self._groups), usual, rules))


async def save(
    connection: AsyncConnection,
    dealer_id: int,
    as_of: dt.date,
    learned: dict[str, ItemWear],
    config: Configuration,
) -> None:
    """Put what was learned for that date in place of what is there."""
    c = wear_priors.c
    await connection.execute(delete(wear_priors).where(c.dealer_id == dealer_id, c.as_of == as_of))
    rows = [
        {
            "dealer_id": dealer_id,
            "as_of": as_of,
            "item": key,
            **model._asdict(),
            "lives_per_m": float(item.prior.per_m[place]),
            "variance": float(item.prior.variance[place]),
            "parts": int(item.prior.parts[place]),
            "config_version": config.version,
        }
        for key, item in learned.items()
        for model, place in item.groups.items()
    ]
    if rows:
        await connection.execute(insert(wear_priors), rows)


async def newest(connection: AsyncConnection, dealer_id: int, as_of: dt.date) -> dict[str, ItemWear]:
    """What was learned last up to that date, by item; nothing where nothing was."""
    c = wear_priors.c
    mine = (c.dealer_id == dealer_id) & (c.as_of <= as_of)
    latest = select(func.max(c.as_of)).where(mine).scalar_subquery()
    query = (
        select(c.item, c.make, c.model, c.lives_per_m, c.variance, c.parts)
        .where(c.dealer_id == dealer_id, c.as_of == latest)
        .order_by(c.item, c.make, c.model)
    )
    found: dict[str, list[tuple[Model, float, float, int]]] = {}
    for item, make, model, *numbers in await connection.execute(query):
        found.setdefault(item, []).append((Model(make, model), *numbers))
    return {key: _item_wear(rows) for key, rows in found.items()}


def _item_wear(rows: list[tuple[Model, float, float, int]]) -> ItemWear:
    models, per_m, variance, parts = zip(*rows, strict=True)
    prior = WearPrior(np.array(per_m), np.array(variance), np.array(parts, dtype=np.int64))
    return ItemWear({model: place for place, model in enumerate(models)}, prior)
