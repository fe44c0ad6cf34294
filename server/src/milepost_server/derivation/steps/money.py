"""From values, contracts and needs to what keeping and owning each of V vehicles means in money."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.ends import Place
from milepost_server.signals.faults.systems import shipped_systems
from milepost_server.signals.flat import DAYS_PER_MONTH
from milepost_server.signals.value.assessment import Facts, Known, assess
from milepost_server.signals.value.repairs import WITHIN_D, Needs, odds_due, shipped_prices
from milepost_server.signals.value.residual import Cars, shipped_curves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Inputs
    from milepost_server.derivation.steps.health import Health
    from milepost_server.signals.fleet.inputs import Fleet
    from milepost_server.signals.fleet.results import ItemResult
    from milepost_server.signals.value.assessment import Assessment


def money(
    inputs: Inputs,
    fleet: Fleet,
    as_of_d: float,
    config: Configuration,
    *,
    items: Sequence[ItemResult],
    found: Health,
) -> Assessment:
    """What V vehicles are worth, owe, and will need."""
    told, axis = inputs.money, fleet.axis
    cars = Cars(
        kind=told.curve,
        loss_over_usual=told.loss_over_usual,
        age_months=np.maximum(as_of_d - inputs.registered_d, 0.0) / DAYS_PER_MONTH,
        price=told.list_price,
        price_age_months=np.zeros(inputs.vehicles),
        odometer_m=axis.anchor_m,
    )
    known = Known(
        cars=cars,
        contracts=told.contracts,
        place=Place(axis.anchor_d, axis.anchor_m),
        faults=found.faults,
        reports_faults=found.reports_faults,
        items=_needs(items, as_of_d),
    )
    facts = Facts(shipped_curves(), shipped_systems(), shipped_prices())
    return assess(known, fleet.ahead, as_of_d, facts=facts, rules=config.assessment)


def _needs(items: Sequence[ItemResult], as_of_d: float) -> Needs:
    """What the items of V vehicles will need within six months."""
    if not items:
        none = np.zeros(0)
        return Needs(np.zeros(0, dtype=np.int64), none, none, none)
    price, cv = shipped_prices().of_items([result.key for result in items])
    size = np.array([len(result.which) for result in items])
    early, middle, late = (np.concatenate([result.due.time_d[n] for result in items]) for n in range(3))
    return Needs(
        vehicle=np.concatenate([result.starts.vehicle for result in items]),
        odds=odds_due(early, middle, late, as_of_d + WITHIN_D),
        price=np.repeat(price, size),
        price_cv=np.repeat(cv, size),
    )
