"""What a car is worth beyond what is owed on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import Floats
from milepost_server.signals.value.contracts import ContractKind, Contracts, at, current
from milepost_server.signals.value.payoff import payoff
from milepost_server.signals.value.residual import Values


@dataclass(frozen=True, slots=True)
class Equity:
    """Value minus payoff of V vehicles, minor units; NaN where either is not known."""

    payoff: Floats  # (V) 0 where nothing is owed; NaN where a contract runs and what is owed is not known
    p10: Floats  # (V)
    p50: Floats  # (V)
    p90: Floats  # (V)
    odds: Floats  # (V) probability that it is above 0
    share: Floats  # (V) of the value: 1 owns all of it, below 0 owes more than it is worth


def equity(values: Values, contracts: Contracts, as_of_d: float) -> Equity:
    """The equity of V vehicles on their running lease or loan."""
    vehicles = len(values.p50)
    row = current(contracts, (ContractKind.LEASE, ContractKind.FINANCE), vehicles, as_of_d)
    owed = np.where(row >= 0, at(payoff(contracts, as_of_d), row), 0.0)
    gap = np.log(np.maximum(owed, 1e-9)) - np.log(values.p50)
    odds = np.where(
        owed > 0, 1 - gamma.normal_below(gap / values.log_sd), np.where(np.isnan(owed), np.nan, 1.0)
    )
    return Equity(
        payoff=owed,
        p10=values.p10 - owed,
        p50=values.p50 - owed,
        p90=values.p90 - owed,
        odds=np.where(np.isnan(values.p50), np.nan, odds),
        share=1 - owed / values.p50,
    )
