"""The steps from a fleet's arrays to its results, in arrays; no I/O, no clock, no loop over vehicles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from milepost_server.derivation.driving import Driven, drive
from milepost_server.derivation.health_steps import Health, health, no_season
from milepost_server.derivation.money_steps import money
from milepost_server.derivation.standing import Standing, standing
from milepost_server.signals.ahead import Ahead
from milepost_server.signals.axis import OdometerAxis
from milepost_server.signals.fleet.inputs import Fleet, ItemRules, UsualOf
from milepost_server.signals.fleet.results import ItemResult, item_results
from milepost_server.signals.starts import ServiceRecords
from milepost_server.signals.usage import GroupPrior, Usage, shrink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Inputs
    from milepost_server.signals.due import Widening
    from milepost_server.signals.flat import Floats
    from milepost_server.signals.value.columns import Results


@dataclass(frozen=True, slots=True)
class Learned:
    """What the last full derivation has learned of the fleet."""

    usage: GroupPrior  # (V) of each vehicle's group
    wear: UsualOf | None = None
    widening: Widening | None = None
    season: Sequence[Floats] = field(default_factory=no_season)  # of 12 V batteries, one a measure


@dataclass(frozen=True, slots=True)
class Derived:
    """All results of V vehicles."""

    driven: Driven
    usage: Usage
    items: list[ItemResult]
    standing: Standing
    health: Health
    money: Results


def derive(inputs: Inputs, learned: Learned, as_of_d: float, config: Configuration) -> Derived:
    """All results as of the day that ends at ``as_of_d``, days since 1970."""
    return finish(inputs, drive(inputs.odometer, as_of_d, config), learned, as_of_d, config)


def finish(
    inputs: Inputs, driven: Driven, learned: Learned, as_of_d: float, config: Configuration
) -> Derived:
    """From what was driven to all other results."""
    usage = shrink(driven.observed, learned.usage, config.usage)
    fleet = fleet_of(inputs, driven, usage, config)
    rules = ItemRules(config.wear, config.due, learned.widening, learned.wear)
    before = None if inputs.before is None else inputs.before.items
    items = list(item_results(fleet, as_of_d, rules, before))
    sick = health(inputs, fleet, learned.season, as_of_d, config)
    return Derived(
        driven=driven,
        usage=usage,
        items=items,
        standing=standing(inputs, items, as_of_d, config.life_cycle),
        health=sick,
        money=money(inputs, fleet, as_of_d, config, items=items, found=sick),
    )


def fleet_of(inputs: Inputs, driven: Driven, usage: Usage, config: Configuration) -> Fleet:
    """What items are derived from."""
    services = inputs.services
    odometer_m = driven.continuous_at(services.odometer_row)
    return Fleet(
        axis=OdometerAxis(
            driven.history, usage.rate_m_per_d, driven.anchor_d, driven.anchor_m, driven.origin_m
        ),
        ahead=Ahead(usage, config.usage),
        registered_d=inputs.registered_d,
        plans=inputs.plans,
        keys=inputs.keys,
        records=ServiceRecords(services.vehicle, services.item, services.done_d, odometer_m),
        signals=inputs.signals,
    )
