"""All that is said of the value of a fleet's cars at once, from what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from milepost_server.signals.ends import Place
from milepost_server.signals.faults.fleet import FaultRules, FleetFaults
from milepost_server.signals.faults.systems import CodeTable
from milepost_server.signals.flat import Bools, Floats
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.value.contracts import Contracts, WarrantyEnds, warranty_ends
from milepost_server.signals.value.equity import Equity, equity
from milepost_server.signals.value.lease import LeaseExcess, lease_excess
from milepost_server.signals.value.repairs import (
    Needs,
    PriceList,
    RepairBurden,
    RepairRules,
    needs_of_faults,
    repair_burden,
)
from milepost_server.signals.value.residual import Cars, Curves, ValueRules, Values, values


@dataclass(frozen=True, slots=True)
class AssessmentRules:
    """The numbers behind an assessment; part of the configuration version."""

    value: ValueRules = field(default_factory=ValueRules)
    repair: RepairRules = field(default_factory=RepairRules)
    faults: FaultRules = field(default_factory=FaultRules)


@dataclass(frozen=True, slots=True)
class Facts:
    """The tables that an assessment looks things up in: those shipped, or a dealer's own."""

    curves: Curves
    systems: CodeTable
    prices: PriceList


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of V vehicles."""

    cars: Cars
    contracts: Contracts
    place: Place
    faults: FleetFaults
    reports_faults: Bools  # (V) whether the car tells of its faults at all
    items: Needs
    """Service items with the odds that each is due within six months (see `repairs.odds_due`)."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What was found out about V vehicles."""

    contracts: Contracts
    values: Values
    excess: LeaseExcess
    warranty: WarrantyEnds
    burden: RepairBurden
    equity: Equity
    recurring_faults: Floats  # (V) NaN where the car does not report faults


def assess(known: Known, ahead: Ahead, as_of_d: float, *, facts: Facts, rules: AssessmentRules) -> Assessment:
    """Assess V vehicles."""
    worth = values(known.cars, facts.curves, rules.value)
    needs = known.items.and_(needs_of_faults(known.faults, facts.systems, facts.prices, rules.repair))
    recurring = known.faults.recurring(rules.faults).astype(np.float64)
    return Assessment(
        contracts=known.contracts,
        values=worth,
        excess=lease_excess(known.contracts, known.place, ahead, as_of_d),
        warranty=warranty_ends(known.contracts, known.place, ahead, as_of_d),
        burden=repair_burden(needs, worth.p50),
        equity=equity(worth, known.contracts, as_of_d),
        recurring_faults=np.where(known.reports_faults, recurring, np.nan),
    )
