"""From how far V vehicles go, and what they run on now, to how a dealer's subscription plans fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_server.derivation import times
from milepost_server.signals.value.subscription import plan_fit, present

if TYPE_CHECKING:
    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Inputs
    from milepost_server.signals.usage.ahead import Ahead
    from milepost_server.signals.value.plans import Plans
    from milepost_server.signals.value.subscription import PlanFit


@dataclass(frozen=True, slots=True)
class Subscription:
    """The plans of the day, one or more, and how they fit."""

    plans: Plans
    fit: PlanFit


def subscription(inputs: Inputs, ahead: Ahead, as_of_d: float, config: Configuration) -> Subscription | None:
    """How the plans that hold on the day that ends at ``as_of_d`` fit; None where there are none."""
    plans = config.plans.on(times.date_of(as_of_d - 1))
    if not plans.names:
        return None
    now = present(inputs.money.contracts, inputs.vehicles, as_of_d)
    return Subscription(plans, plan_fit(plans, now, ahead))
