"""How fast parts wear on a dealer's own vehicles, by make and model: kept from one derivation to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import delete, func, insert, select

from milepost_server.derivation.learning.priors import FLEET, Model, places
from milepost_server.signals.fleet.wear_sample import Part, usual_of
from milepost_server.signals.items.wear_prior import WearPrior
from milepost_server.store.schema import wear_priors

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Vehicle
    from milepost_server.signals.fleet.inputs import UsualOf


@dataclass(frozen=True, slots=True)
class WearPriors:
    """The usual wear of each part in a dealer's groups (G), the whole fleet's first."""

    groups: dict[Model, int] = field(default_factory=lambda: {FLEET: 0})
    parts: dict[Part, WearPrior] = field(default_factory=dict)

    def of(self, vehicles: Sequence[Vehicle]) -> UsualOf:
        """What is usual for the vehicles of a chunk."""
        return usual_of(self.parts, places(self.groups, vehicles))


async def save(
    connection: AsyncConnection, dealer_id: int, as_of: dt.date, learned: WearPriors, config: Configuration
) -> None:
    """Put what was learned for that date in place of what is there."""
    c = wear_priors.c
    await connection.execute(delete(wear_priors).where(c.dealer_id == dealer_id, c.as_of == as_of))
    rows = [
        {
            "dealer_id": dealer_id,
            "as_of": as_of,
            "item": part.key,
            "signal": part.signal,
            **model._asdict(),
            "ratio": float(prior.ratio[place]),
            "variance": float(prior.variance[place]),
            "parts": int(prior.parts[place]),
            "config_version": config.version,
        }
        for part, prior in learned.parts.items()
        for model, place in learned.groups.items()
    ]
    if rows:
        await connection.execute(insert(wear_priors), rows)


async def newest(connection: AsyncConnection, dealer_id: int, as_of: dt.date) -> WearPriors:
    """What was learned last up to that date; nothing where nothing was."""
    c = wear_priors.c
    mine = (c.dealer_id == dealer_id) & (c.as_of <= as_of)
    latest = select(func.max(c.as_of)).where(mine).scalar_subquery()
    query = (
        select(c.item, c.signal, c.make, c.model, c.ratio, c.variance, c.parts)
        .where(c.dealer_id == dealer_id, c.as_of == latest)
        .order_by(c.item, c.signal, c.make, c.model)
    )
    groups: dict[Model, int] = {FLEET: 0}
    found: dict[Part, dict[int, tuple[float, float, int]]] = {}
    for item, signal, make, model, *numbers in await connection.execute(query):
        place = groups.setdefault(Model(make, model), len(groups))
        ratio, variance, parts = numbers
        found.setdefault(Part(item, signal), {})[place] = (ratio, variance, parts)
    return WearPriors(groups, {part: _prior(rows, len(groups)) for part, rows in found.items()})


def _prior(rows: dict[int, tuple[float, float, int]], groups: int) -> WearPrior:
    """All groups have rows of every part: they are written together."""
    ratio, variance, parts = zip(*(rows[place] for place in range(groups)), strict=True)
    return WearPrior(np.array(ratio), np.array(variance), np.array(parts, dtype=np.int64))
