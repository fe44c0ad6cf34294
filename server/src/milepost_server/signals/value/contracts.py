"""The contracts of a fleet: which one runs, how long it still does, when a warranty ends."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from milepost_server.signals.ends import Ends, Place, first_of
from milepost_server.signals.flat import DAYS_PER_MONTH, Bools, Floats, Ints
from milepost_server.signals.usage.ahead import Ahead

NO_CONTRACT = -1


class ContractKind(enum.IntEnum):
    """What was agreed."""

    LEASE = 0
    FINANCE = 1
    WARRANTY = 2
    SUBSCRIPTION = 3


@dataclass(frozen=True, slots=True)
class Contracts:
    """C contracts of V vehicles in any order; NaN where something is not agreed or not known."""

    vehicle: Ints  # (C) 0 .. V - 1
    kind: Ints  # (C) a `ContractKind`
    start_d: Floats  # (C) days since 1970
    end_d: Floats  # (C) days since 1970
    start_m: Floats  # (C) odometer at the start
    end_m: Floats  # (C) odometer at which a warranty ends
    allowance_m: Floats  # (C) metres of the whole term
    excess_fee_per_km: Floats  # (C) minor units
    principal: Floats  # (C) borrowed, or the capitalised cost of a lease; minor units
    monthly_rate: Floats  # (C) payment a month; minor units
    annual_interest: Floats  # (C) nominal, 0.049 for 4.9 %
    balloon: Floats  # (C) left to pay at the end, or the residual value of a lease; minor units

    def taken(self, row: Ints) -> Contracts:
        """The contracts at ``row`` (Q)."""
        return Contracts(*(getattr(self, name)[row] for name in Contracts.__slots__))

    def runs(self, as_of_d: float) -> Bools:
        """Whether each contract (C) has begun and not yet ended; one without an end runs on."""
        running: Bools = (self.start_d <= as_of_d) & ~(self.end_d <= as_of_d)
        return running


def current(contracts: Contracts, kinds: tuple[ContractKind, ...], vehicles: int, as_of_d: float) -> Ints:
    """The row (V) of the contract of one of ``kinds`` that runs; of several the one that began last.

    NO_CONTRACT where none does.
    """
    row = np.flatnonzero(contracts.runs(as_of_d) & np.isin(contracts.kind, kinds))
    row = row[np.argsort(contracts.start_d[row], kind="stable")]
    result = np.full(vehicles, NO_CONTRACT, dtype=np.int64)
    result[contracts.vehicle[row]] = row  # the last of equal places stays
    return result


def at(values: Floats, row: Ints) -> Floats:
    """``values`` (C) at ``row`` (V); NaN at NO_CONTRACT."""
    return np.append(values, np.nan)[row]


def months_to_end(contracts: Contracts, row: Ints, as_of_d: float) -> Floats:
    """Months (V) until the contract at ``row`` (V) ends; NaN where there is none or it runs on."""
    return (at(contracts.end_d, row) - as_of_d) / DAYS_PER_MONTH


@dataclass(frozen=True, slots=True)
class WarrantyEnds:
    """When the warranty of V vehicles ends; NaN where there is none or its end is not known."""

    row: Ints  # (V) the contract, or NO_CONTRACT
    ends: Ends  # (V) days from the as-of time, negative where it has ended
    months: Floats  # (V) most likely
    by_distance: Bools  # (V) whether most likely the distance ends it, rather than the date


def warranty_ends(contracts: Contracts, place: Place, ahead: Ahead, as_of_d: float) -> WarrantyEnds:
    """When the warranty of each vehicle (V) ends, or has: its date or its distance, whichever comes first.

    Of several that of the latest date counts: an extension goes before what it extends.
    """
    vehicles = len(place.time_d)
    row = _last_warranty(contracts, vehicles, as_of_d)
    end_d = at(contracts.end_d, row)
    vehicle = np.arange(vehicles, dtype=np.int64)
    ends = first_of(end_d, at(contracts.end_m, row), place, vehicle, ahead, as_of_d=as_of_d)
    by_distance: Bools = np.isfinite(ends.p50_d) & ~(ends.p50_d >= end_d - as_of_d)
    return WarrantyEnds(row, ends, ends.p50_d / DAYS_PER_MONTH, by_distance)


def _last_warranty(contracts: Contracts, vehicles: int, as_of_d: float) -> Ints:
    """The row (V) of the warranty that has begun and ends last by its date; NO_CONTRACT without any."""
    begun = (contracts.kind == ContractKind.WARRANTY) & (contracts.start_d <= as_of_d)
    row = np.flatnonzero(begun)
    row = row[np.argsort(contracts.end_d[row], kind="stable")]  # NaN last: it ends by distance alone
    result = np.full(vehicles, NO_CONTRACT, dtype=np.int64)
    result[contracts.vehicle[row]] = row  # the last of equal places stays
    return result
