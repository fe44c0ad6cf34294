"""What value says to readiness: the columns of `readiness.features` that contracts, value and faults fill.

NaN is what is not known; readiness has a bin of its own for that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, Ints
from milepost_server.signals.value.assessment import Assessment
from milepost_server.signals.value.contracts import NO_CONTRACT, ContractKind, at, current, months_to_end

USUAL_MONTHS_NEW = 71.0
USUAL_MONTHS_USED = 50.0
"""How long owners keep a car that they bought new, and one that they bought used, in the US."""
BOUGHT_NEW_D_MAX = 183.0
"""Whoever got a car within half a year of its first registration bought it as new."""


@dataclass(frozen=True, slots=True)
class Owned:
    """What is known of the ownership of V vehicles; NaN where it is not."""

    since_d: Floats  # (V) when the present owner got it, days since 1970
    registered_d: Floats  # (V) first registration


def columns(found: Assessment, owned: Owned, as_of_d: float) -> dict[str, Floats]:
    """The columns (V each) that readiness takes from value, by name."""
    vehicles = len(owned.since_d)
    row = current(found.contracts, (ContractKind.LEASE, ContractKind.FINANCE), vehicles, as_of_d)
    kind = np.append(found.contracts.kind, NO_CONTRACT)[row]
    bought_new = _bought_new(owned)
    owned_months = (as_of_d - owned.since_d) / DAYS_PER_MONTH
    usual = np.where(bought_new == 1.0, USUAL_MONTHS_NEW, USUAL_MONTHS_USED)
    return {
        "months_to_contract_end": months_to_end(found.contracts, row, as_of_d),
        "excess_fee_share": _excess_share(found, row),
        "months_to_warranty_end": found.warranty.months,
        "repair_burden_share": found.burden.share,
        "recurring_faults": found.recurring_faults,
        "equity_share": found.equity.share,
        "age_months": np.maximum(as_of_d - owned.registered_d, 0.0) / DAYS_PER_MONTH,
        "months_owned_over_usual": np.where(np.isnan(bought_new), np.nan, owned_months - usual),
        "is_lease": np.where(row == NO_CONTRACT, np.nan, (kind == ContractKind.LEASE) * 1.0),
        "bought_new": bought_new,
    }


def _excess_share(found: Assessment, row: Ints) -> Floats:
    """The expected fee in monthly payments; NaN without a lease or where its payment is not known."""
    monthly = at(found.contracts.monthly_rate, row)
    share = np.full(len(row), np.nan)
    np.divide(found.excess.fee_expected, monthly, out=share, where=monthly > 0)
    return share


def _bought_new(owned: Owned) -> Floats:
    """1 where the present owner bought the car new, 0 used; NaN where that is not known."""
    after_d = owned.since_d - owned.registered_d
    return np.where(np.isnan(after_d), np.nan, np.where(after_d <= BOUGHT_NEW_D_MAX, 1.0, 0.0))
