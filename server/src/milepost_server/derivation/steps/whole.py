"""The steps from a fleet's arrays to its results, in arrays; no I/O, no clock, no loop over vehicles."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.derivation.steps.driving import Driven, drive
from milepost_server.derivation.steps.health import Health, health, no_season
from milepost_server.derivation.steps.money import money
from milepost_server.derivation.steps.readiness import Readiness, readiness
from milepost_server.derivation.steps.standing import Standing, standing
from milepost_server.derivation.steps.subscription import Subscription, subscription
from milepost_server.signals.axis import OdometerAxis
from milepost_server.signals.flat import DAYS_PER_MONTH
from milepost_server.signals.fleet.inputs import Fleet, ItemRules, UsualOf
from milepost_server.signals.fleet.results import ItemResult, item_results
from milepost_server.signals.items.starts import ServiceRecords
from milepost_server.signals.readiness import priors
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.usage.features import features
from milepost_server.signals.usage.model import PaceModel, untaught
from milepost_server.signals.usage.past import Known
from milepost_server.signals.usage.rate import GroupPrior, Usage, aged_until, shrink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Inputs
    from milepost_server.signals.flat import Floats
    from milepost_server.signals.readiness.model import Scorecard
    from milepost_server.signals.usage.pace import Learned as Pace
    from milepost_server.signals.value.assessment import Assessment


@dataclass(frozen=True, slots=True)
class Learned:
    """What the last full derivation has learned of the fleet."""

    usage: GroupPrior  # (V) of each vehicle's group
    pace: PaceModel = field(default_factory=untaught)
    wear: UsualOf | None = None
    season: Sequence[Floats] = field(default_factory=no_season)  # of 12 V batteries, one a measure
    model: Scorecard = field(default_factory=lambda: priors.shipped()[0])
    lapses_after_d: float = math.inf  # so late, what is on record has probably been done elsewhere


@dataclass(frozen=True, slots=True)
class Derived:
    """All results of V vehicles."""

    driven: Driven
    usage: Usage
    pace: Pace | None  # None: nothing beyond the rate
    items: list[ItemResult]
    standing: Standing
    health: Health
    money: Assessment
    readiness: Readiness
    subscription: Subscription | None  # None: no plans hold on that day


def derive(inputs: Inputs, learned: Learned, as_of_d: float, config: Configuration) -> Derived:
    """All results as of the day that ends at ``as_of_d``, days since 1970."""
    return finish(inputs, drive(inputs.odometer, as_of_d, config), learned, as_of_d, config)


def finish(
    inputs: Inputs, driven: Driven, learned: Learned, as_of_d: float, config: Configuration
) -> Derived:
    """From what was driven to all other results."""
    usage = shrink(driven.observed, learned.usage, config.usage, driven.scatter)
    pace = _pace(driven, usage, learned, as_of_d, config)
    fleet = fleet_of(inputs, driven, Ahead(usage, config.usage, pace))
    rules = ItemRules(config.wear, config.due, usual=learned.wear, lapses_after_d=learned.lapses_after_d)
    before = None if inputs.before is None else inputs.before.items
    items = list(item_results(fleet, as_of_d, rules, before))
    sick = health(inputs, fleet, learned.season, as_of_d, config)
    worth = money(inputs, fleet, as_of_d, config, items=items, found=sick)
    return Derived(
        driven=driven,
        usage=usage,
        pace=pace,
        items=items,
        standing=standing(inputs, items, as_of_d, config.life_cycle),
        health=sick,
        money=worth,
        readiness=readiness(inputs, fleet.axis, worth, learned.model, as_of_d, rules=config.asked),
        subscription=subscription(inputs, fleet.ahead, as_of_d, config),
    )


def _pace(
    driven: Driven, usage: Usage, learned: Learned, as_of_d: float, config: Configuration
) -> Pace | None:
    """What the fleet's past says of the pace of V vehicles; it fades while a vehicle is silent."""
    if not learned.pace.examples:
        return None
    known = Known(usage, learned.usage, features(driven.history, usage, learned.usage, driven.steps))
    until_d = aged_until(driven.anchor_d, as_of_d, config.usage)
    silent = np.nan_to_num(until_d - driven.anchor_d) / DAYS_PER_MONTH
    return learned.pace.learned(known, silent, config.usage.decay_per_month)


def fleet_of(inputs: Inputs, driven: Driven, ahead: Ahead) -> Fleet:
    """What items are derived from."""
    services = inputs.services
    odometer_m = driven.continuous_at(services.odometer_row)
    rate = ahead.usage.rate_m_per_d
    return Fleet(
        axis=OdometerAxis(driven.history, rate, driven.anchor_d, driven.anchor_m, driven.origin_m),
        ahead=ahead,
        registered_d=inputs.registered_d,
        plans=inputs.plans,
        keys=inputs.keys,
        records=ServiceRecords(services.vehicle, services.item, services.done_d, odometer_m),
        signals=inputs.signals,
    )
