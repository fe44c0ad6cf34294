"""From values, contracts and needs to what keeping and owning each of V vehicles means in money."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.ends import Place
from milepost_server.signals.faults.systems import shipped_systems
from milepost_server.signals.flat import DAYS_PER_MONTH
from milepost_server.signals.value.columns import Results
from milepost_server.signals.value.contracts import warranty_ends
from milepost_server.signals.value.equity import equity
from milepost_server.signals.value.lease import lease_excess
from milepost_server.signals.value.repairs import (
    WITHIN_D,
    Needs,
    needs_of_faults,
    odds_due,
    repair_burden,
    shipped_prices,
)
from milepost_server.signals.value.residual import Cars, shipped_curves, values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Inputs
    from milepost_server.derivation.health_steps import Health
    from milepost_server.signals.fleet.inputs import Fleet
    from milepost_server.signals.fleet.results import ItemResult


def money(
    inputs: Inputs,
    fleet: Fleet,
    as_of_d: float,
    config: Configuration,
    *,
    items: Sequence[ItemResult],
    found: Health,
) -> Results:
    """What V vehicles are worth, owe, and will need."""
    told, axis, ahead = inputs.money, fleet.axis, fleet.ahead
    place = Place(axis.anchor_d, axis.anchor_m)
    cars = Cars(
        kind=told.curve,
        loss_over_usual=told.loss_over_usual,
        age_months=np.maximum(as_of_d - inputs.registered_d, 0.0) / DAYS_PER_MONTH,
        price=told.list_price,
        price_age_months=np.zeros(inputs.vehicles),
        odometer_m=axis.anchor_m,
    )
    worth = values(cars, shipped_curves(), config.value)
    needs = needs_of_faults(found.faults, shipped_systems(), shipped_prices(), config.repair)
    burden = repair_burden(needs.and_(_needs_of_items(items, as_of_d)), worth.p50)
    return Results(
        contracts=told.contracts,
        values=worth,
        excess=lease_excess(told.contracts, place, ahead, as_of_d),
        warranty=warranty_ends(told.contracts, place, ahead, as_of_d),
        burden=burden,
        equity=equity(worth, told.contracts, as_of_d),
        recurring_faults=found.recurring,
    )


def _needs_of_items(items: Sequence[ItemResult], as_of_d: float) -> Needs:
    none = np.zeros(0)
    needs = Needs(np.zeros(0, dtype=np.int64), none, none, none)
    if not items:
        return needs
    price, cv = shipped_prices().of_items([result.key for result in items])
    size = np.array([len(result.which) for result in items])
    early, middle, late = (np.concatenate([result.due.time_d[n] for result in items]) for n in range(3))
    return Needs(
        vehicle=np.concatenate([result.starts.vehicle for result in items]),
        odds=odds_due(early, middle, late, as_of_d + WITHIN_D),
        price=np.repeat(price, size),
        price_cv=np.repeat(cv, size),
    )
