"""Excess kilometres at the end of a lease: how many, what they cost, how likely they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.ends import Place
from milepost_server.signals.flat import METRES_PER_KM, Floats, Ints
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.value.contracts import ContractKind, Contracts, current

_UPPER = (0.1259975, 0.3864992, 0.6773069, 1.0446359, 1.7549833)
TENTHS = (*(-z for z in reversed(_UPPER)), *_UPPER)
"""The mean of each tenth of a standard normal variable: ten equally likely paces that stand for all."""


@dataclass(frozen=True, slots=True)
class LeaseExcess:
    """The running leases of V vehicles at their end; NaN where none runs or something is not known."""

    row: Ints  # (V) the contract, or NO_CONTRACT
    end_d: Floats  # (V)
    used_m: Floats  # (V) gone since the start, by the last reading
    at_end_m_p50: Floats  # (V) gone at the end, most likely
    at_end_m_p90: Floats  # (V) and at a fast pace
    excess_m_p50: Floats  # (V) beyond the allowance; 0 where none
    excess_m_p90: Floats  # (V)
    fee_p50: Floats  # (V) minor units
    fee_p90: Floats  # (V)
    fee_expected: Floats  # (V) the mean over all paces, that of no excess included
    odds: Floats  # (V) probability of any excess


def lease_excess(contracts: Contracts, place: Place, ahead: Ahead, as_of_d: float) -> LeaseExcess:
    """Project the running leases of V vehicles to their ends."""
    vehicles = len(place.time_d)
    row = current(contracts, (ContractKind.LEASE,), vehicles, as_of_d)
    vehicle = np.flatnonzero(row >= 0).astype(np.int64)
    lease = contracts.taken(row[vehicle])
    used = place.odometer_m[vehicle] - lease.start_m
    days = np.maximum(lease.end_d - place.time_d[vehicle], 0.0)
    known_days = np.nan_to_num(days)
    fee_per_m = lease.excess_fee_per_km / METRES_PER_KM

    def gone(pace: float) -> Floats:
        metres = used + ahead.metres_in(vehicle, known_days, pace)
        return np.where(np.isnan(days), np.nan, metres)

    def excess(pace: float) -> Floats:
        return np.maximum(gone(pace) - lease.allowance_m, 0.0)

    left = lease.allowance_m - used
    odds = ahead.odds_within(vehicle, np.where(left > 0, left, 1.0), np.zeros(len(vehicle)), known_days)
    odds = np.where(np.isnan(left) | np.isnan(days), np.nan, np.where(left > 0, odds, 1.0))
    mean = np.mean([excess(pace) for pace in TENTHS], axis=0)
    p50, p90 = excess(gamma.Z50), excess(gamma.Z90)
    columns = (lease.end_d, used, gone(gamma.Z50), gone(gamma.Z90), p50, p90)
    money = (p50 * fee_per_m, p90 * fee_per_m, mean * fee_per_m, odds)
    return LeaseExcess(row, *(_spread(values, vehicle, vehicles) for values in columns + money))


def _spread(values: Floats, vehicle: Ints, vehicles: int) -> Floats:
    """``values`` of ``vehicle`` among all vehicles (V); NaN for the others."""
    result = np.full(vehicles, np.nan)
    result[vehicle] = values
    return result
