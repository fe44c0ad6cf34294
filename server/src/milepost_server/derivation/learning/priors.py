"""What a dealer's vehicles do in a day, by make and model: made by a full derivation, used by all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sqlalchemy import delete, func, insert, select

from milepost_server.derivation.steps.driving import months_of
from milepost_server.signals.usage.rate import GroupPrior, Observed, group_prior, published_prior
from milepost_server.store.schema import usage_priors, vehicle_usage

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Vehicle
    from milepost_server.derivation.steps.driving import Driven
    from milepost_server.signals.flat import Floats, Ints
    from milepost_server.signals.usage.rate import UsageRules


class Model(NamedTuple):
    """A group of vehicles; empty strings are the whole fleet, for models that no prior was made of."""

    make: str
    model: str


FLEET = Model("", "")
FLEET_GROWTH = 1.25
"""Priors are made anew when this many times more vehicles have a history than when they were made."""


def places(groups: Mapping[Model, int], vehicles: Sequence[Vehicle]) -> Ints:
    """The place (V) of each vehicle's group; that of the whole fleet for a model that has none."""
    names = [(each.make, each.model) for each in vehicles]
    place = {name: groups.get(Model(*name), groups[FLEET]) for name in set(names)}
    return np.array([place[name] for name in names], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Priors:
    """The priors of a dealer's groups (G), the fleet's first."""

    groups: dict[Model, int]
    prior: GroupPrior
    vehicles: tuple[int, ...]  # (G) how many with a history stand behind each

    @classmethod
    def published(cls) -> Priors:
        """For a dealer whose fleet was never derived."""
        return cls({FLEET: 0}, published_prior(1), (0,))

    def of(self, vehicles: Sequence[Vehicle]) -> GroupPrior:
        """The prior of each vehicle (V)."""
        return self.prior.of(places(self.groups, vehicles))


class UsageSample:
    """Collects what the vehicles of a fleet did, chunk by chunk, until `priors` is asked for."""

    def __init__(self) -> None:
        self._groups: dict[Model, int] = {FLEET: 0}
        self._group: list[int] = []
        self._observed: list[Observed] = []
        self._months: list[Floats] = []

    @property
    def groups(self) -> dict[Model, int]:
        """The number of each model so far, the whole fleet's first."""
        return self._groups

    def add(self, vehicles: Sequence[Vehicle], driven: Driven) -> Ints:
        """Add one chunk; returns the number (V) of each vehicle's model."""
        found = [
            self._groups.setdefault(Model(each.make, each.model), len(self._groups)) for each in vehicles
        ]
        self._group += found
        self._observed.append(driven.observed)
        self._months.append(months_of(driven))
        return np.array(found, dtype=np.int64)

    def priors(self, rules: UsageRules) -> Priors:
        """The priors of all groups seen; the published ones where nothing was."""
        if not self._observed:
            return Priors.published()
        observed = Observed(
            np.concatenate([chunk.distance_m for chunk in self._observed]),
            np.concatenate([chunk.weight_months for chunk in self._observed]),
        )
        group = np.array(self._group, dtype=np.int64)
        prior = group_prior(observed, np.concatenate(self._months), group, len(self._groups), rules)
        told = observed.weight_months >= rules.group_weight_months_min
        counts = np.bincount(group[told], minlength=len(self._groups))
        counts[0] = np.count_nonzero(told)
        return Priors(dict(self._groups), prior, tuple(int(n) for n in counts))


async def save(
    connection: AsyncConnection, dealer_id: int, as_of: dt.date, priors: Priors, config: Configuration
) -> None:
    """Put the dealer's priors of that date in place of those that are there.

    Beside the whole fleet's stands how many vehicles had a history when all were derived, which may be more
    than the priors were made of.
    """
    c = usage_priors.c
    counts = {FLEET: await _with_a_history(connection, dealer_id, as_of, config)}
    await connection.execute(delete(usage_priors).where(c.dealer_id == dealer_id, c.as_of == as_of))
    rows = [
        {
            "dealer_id": dealer_id,
            "as_of": as_of,
            **model._asdict(),
            "rate_m_per_d": float(priors.prior.rate_m_per_d[place]),
            "between_cv": float(priors.prior.between_cv[place]),
            "month_cv": float(priors.prior.month_cv[place]),
            "vehicles": counts.get(model, priors.vehicles[place]),
            "config_version": config.version,
        }
        for model, place in priors.groups.items()
    ]
    await connection.execute(insert(usage_priors), rows)


async def newest(connection: AsyncConnection, dealer_id: int, as_of: dt.date) -> Priors:
    """The newest priors up to that date; the published ones where there are none."""
    c = usage_priors.c
    mine = (c.dealer_id == dealer_id) & (c.as_of <= as_of)
    latest = select(func.max(c.as_of)).where(mine).scalar_subquery()
    query = (
        select(c.make, c.model, c.rate_m_per_d, c.between_cv, c.month_cv, c.vehicles)
        .where(c.dealer_id == dealer_id, c.as_of == latest)
        .order_by(c.make, c.model)
    )
    rows = (await connection.execute(query)).all()
    if not rows:
        return Priors.published()
    columns = [np.array([row[n] for row in rows], dtype=np.float64) for n in (2, 3, 4)]
    groups = {Model(row[0], row[1]): place for place, row in enumerate(rows)}
    return Priors(groups, GroupPrior(*columns), tuple(row[5] for row in rows))


async def are_current(
    connection: AsyncConnection, dealer_id: int, as_of: dt.date, config: Configuration
) -> bool:
    """Whether a full derivation was made for that date, by a fleet that has not grown much since."""
    c = usage_priors.c
    made = select(c.vehicles).where(
        c.dealer_id == dealer_id,
        c.as_of == as_of,
        c.make == FLEET.make,
        c.model == FLEET.model,
        c.config_version == config.version,
    )
    then = (await connection.execute(made)).scalar_one_or_none()
    now = await _with_a_history(connection, dealer_id, as_of, config)
    return then is not None and now <= then * FLEET_GROWTH


async def _with_a_history(
    connection: AsyncConnection, dealer_id: int, as_of: dt.date, config: Configuration
) -> int:
    """How many vehicles had enough of a history by the derivations of that date."""
    used = vehicle_usage.c
    query = select(func.count()).where(
        used.dealer_id == dealer_id,
        used.as_of == as_of,
        used.weight_months >= config.usage.group_weight_months_min,
    )
    count: int = (await connection.execute(query)).scalar_one()
    return count
