"""Measured wear: where on the odometer each worn part will reach its limit.

Wear per metre is a rate like the usage: a mean of what was measured and of what is usual for the part, the
latter counting like a share of the part's life. It is gamma distributed around that mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.flat import Bools, Floats, Ints, count_up_to, owners_of


@dataclass(frozen=True, slots=True)
class WearRules:
    """The numbers behind wear; part of the configuration version."""

    prior_weight_lives: float = 0.15  # the usual rate counts as if it had been seen over this share of a life
    renewal_fall: float = 0.2  # wear that falls by this much of the way to the limit is a new part


@dataclass(frozen=True, slots=True)
class UsualWear:
    """The rate of wear per metre that is usual for a part, before it is measured."""

    per_m: float
    variance: float  # relative


def usual_wear(metres_p10: float, metres_p90: float) -> UsualWear:
    """The rate whose lives have these two quantiles."""
    ratio = np.log(metres_p90 / metres_p10)
    low, high = 1e-6, 0.81
    for _ in range(60):
        middle = np.array((low + high) / 2)
        spread = np.log(gamma.quantile(middle, gamma.Z90) / gamma.quantile(middle, gamma.Z10))
        low, high = (float(middle), high) if spread < ratio else (low, float(middle))
    fast = float(gamma.quantile(np.array(low), gamma.Z90))
    return UsualWear(per_m=1 / (metres_p10 * fast), variance=low)


@dataclass(frozen=True, slots=True)
class WearReadings:
    """Wear readings of S parts (a position of an item of a vehicle), N rows in the order of time."""

    offsets: Ints  # (S + 1)
    odometer_m: Floats  # (N) continuous; never falls within a part
    worn: Floats  # (N) 0 new, 1 at the limit


@dataclass(frozen=True, slots=True)
class WearLimit:
    """Where each of S parts reaches its limit."""

    at_m: Floats  # (S) odometer at the mean rate; behind the last reading where the part is past its limit
    variance: Floats  # (S) relative, of the rate
    worn: Floats  # (S) at the last reading; NaN where none
    measured: Bools  # (S) whether a reading of this part stands behind it
    first_row: Ints  # (S) the first and the last row that it rests on, -1 where none
    last_row: Ints


def wear_limit(readings: WearReadings, start_m: Floats, usual: UsualWear, rules: WearRules) -> WearLimit:
    """Project the wear of S parts; ``start_m`` (S) is where each was new, NaN where that is not known.

    A part without reading and without start gets a NaN limit; one without reading but with a start is
    projected by what is usual.
    """
    first, renewed = _first_rows(readings, start_m, rules)
    last = readings.offsets[1:] - 1
    measured = first <= last
    padded_m, padded_worn = np.append(readings.odometer_m, 0.0), np.append(readings.worn, 0.0)
    first_row, last_row = np.where(measured, first, -1), np.where(measured, last, -1)

    from_start = ~renewed & np.isfinite(start_m)
    base_m = np.where(from_start, start_m, np.where(measured, padded_m[first_row], np.nan))
    base_worn = np.where(from_start, 0.0, np.where(measured, padded_worn[first_row], np.nan))
    seen_m = np.where(measured, np.maximum(padded_m[last_row] - base_m, 0.0), 0.0)
    seen_worn = np.where(measured, np.maximum(padded_worn[last_row] - base_worn, 0.0), 0.0)
    prior_m = rules.prior_weight_lives / usual.per_m
    rate = (seen_worn + rules.prior_weight_lives) / (seen_m + prior_m)

    here_m = np.where(measured, padded_m[last_row], base_m)
    here_worn = np.where(measured, padded_worn[last_row], base_worn)
    return WearLimit(
        at_m=here_m + (1 - here_worn) / rate,
        variance=usual.variance * prior_m / (seen_m + prior_m),
        worn=np.where(measured, here_worn, np.nan),
        measured=measured,
        first_row=first_row,
        last_row=last_row,
    )


def _first_rows(readings: WearReadings, start_m: Floats, rules: WearRules) -> tuple[Ints, Bools]:
    """The first row (S) of each part that is fitted now, and whether it was renewed after its start."""
    parts = np.arange(len(start_m), dtype=np.int64)
    since = np.nextafter(np.nan_to_num(start_m, nan=-np.inf), -np.inf)
    first = readings.offsets[:-1] + count_up_to(readings.offsets, readings.odometer_m, parts, since)
    owner = owners_of(readings.offsets)
    fell = np.flatnonzero(
        (owner[1:] == owner[:-1]) & (readings.worn[:-1] - readings.worn[1:] >= rules.renewal_fall)
    )
    renewal = np.full(len(parts), -1, dtype=np.int64)
    np.maximum.at(renewal, owner[fell], fell + 1)
    # A fall right at the start is the very renewal that the service record tells of.
    return np.maximum(first, renewal), renewal > first
