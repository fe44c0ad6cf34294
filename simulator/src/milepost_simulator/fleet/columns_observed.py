"""What the dealer has of a lot, as columns; `docs/fleet-columns.md` says what each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_simulator.fleet import money
from milepost_simulator.fleet.blocks import BLOCK_OWNERS
from milepost_simulator.fleet.column_part import (
    CARS_PER_BLOCK_MAX,
    KEY_OF_ITEM,
    WARRANTY,
    kept_readings,
    kept_wear,
)
from milepost_simulator.fleet.population import MONTH_DAYS, YEAR_DAYS, Contract

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.column_part import Ints, Part, Table, Tables

BUYERS_FROM = 10**12
"""Numbers of owners who came with a car: beyond those of the plan."""
UNKNOWN_CONTRACT, UNKNOWN_MONEY = 0.1, 0.2
WARRANTY_MONTHS, WARRANTY_KM = (36, 60), (100_000, 150_000)
LONG_WARRANTY = 0.2


def observed(part: Part) -> Tables:
    """What the dealer has."""
    return {
        "tenures": _tenures(part),
        "readings": _readings(part),
        "wear": _wear(part),
        "services": _services(part),
        "contracts": _contracts(part),
        "faults": _faults(part),
    }


def _tenures(part: Part) -> Table:
    row, people = part.row, part.lot.population.rows(part.row)
    number = part.block * BLOCK_OWNERS + people.owner
    # A car that changes hands twice has two buyers.
    buyer = BUYERS_FROM + part.block * CARS_PER_BLOCK_MAX * 8 + people.car * 8
    until = part.lot.until_day[row]
    return {
        "vehicle": part.vehicle[row].astype(np.int32),
        "owner": np.where(people.is_buyer, buyer + part.lot.generation, number),
        "owned_since_day": people.owned_since_day.astype(np.int32),
        "until_day": np.where(until < part.plan.as_of_day, until, -1).astype(np.int32),
        "bought_new": people.bought_new,
        "connected": part.seen.connected[row],
    }


def _readings(part: Part) -> Table:
    seen = part.seen.readings
    kept = kept_readings(part)
    return {
        "vehicle": part.vehicle[seen.row[kept]].astype(np.int32),
        "time_d": part.plan.first_day + seen.day[kept] + seen.hour_d[kept],
        "odometer_m": seen.sent_m[kept],
        "sigma_m": seen.sigma_m[kept].astype(np.float32),
        "source": seen.source[kept].astype(np.int8),
    }


def _wear(part: Part) -> Table:
    wear, kept = part.seen.wear, kept_wear(part)
    none = np.zeros(0)
    row, day, hour, position, value = (
        (none.astype(np.int64),) * 2 + (none,) * 3
        if wear is None
        else (wear.row[kept], wear.day[kept], wear.hour_d[kept], wear.position[kept], wear.value[kept])
    )
    return {
        "vehicle": part.vehicle[row].astype(np.int32),
        "time_d": part.plan.first_day + day + hour,
        "position": position.astype(np.int8),
        "value": value.astype(np.float32),
    }


def _services(part: Part) -> Table:
    services, seen = part.lot.life.services, part.seen.services
    kept = np.flatnonzero(part.tenure[services.row[seen.service]] >= 0)
    service = seen.service[kept]
    return {
        "vehicle": part.vehicle[services.row[service]].astype(np.int32),
        "item": KEY_OF_ITEM[services.item[service]].astype(np.int8),
        "done_day": services.day[service].astype(np.int32),
        "known_day": seen.known_day[kept].astype(np.int32),
        "odometer_m": seen.sent_m[kept],
    }


def _contracts(part: Part) -> Table:
    """What pays for the car where the dealer knows of it, and warranties."""
    people = part.lot.population
    count = len(people)
    known = part.rng.random(count) >= UNKNOWN_CONTRACT
    told = part.rng.random(count) >= UNKNOWN_MONEY
    fee = part.rng.uniform(*money.EXCESS_FEE_CENTS_PER_KM, count)
    is_long = (part.rng.random(count) < LONG_WARRANTY).astype(np.int64)
    row = np.flatnonzero((people.contract != Contract.OWNED) & known & (part.tenure >= 0))
    guaranteed = np.flatnonzero((part.tenure >= 0) & ~people.is_buyer)
    table = _paid(people.rows(row), fee[row], told[row])
    months = np.array(WARRANTY_MONTHS)[is_long[guaranteed]]
    registered = people.registered_day[guaranteed]
    end_m = 1000.0 * np.array(WARRANTY_KM)[is_long[guaranteed]]
    warranty = _warranties(registered, registered + np.rint(months * MONTH_DAYS).astype(np.int64), end_m)
    both = {name: np.concatenate([table[name], warranty[name]]) for name in table}
    rows = np.concatenate([row, guaranteed])
    place = {
        "vehicle": part.vehicle[rows].astype(np.int32),
        "tenure": part.tenure[rows].astype(np.int32),
    }
    return place | both


def _faults(part: Part) -> Table:
    """What devices have reported before the as-of day."""
    faults = part.lot.faults
    row = np.tile(faults.row, 3)
    day = np.concatenate([faults.pending_day, faults.confirmed_day, faults.cleared_day])
    status = np.repeat(np.arange(3), len(faults.row))
    until = np.minimum(part.lot.until_day, part.plan.as_of_day)[row]
    kept = (part.tenure[row] >= 0) & part.seen.connected[row]
    kept &= (day >= part.lot.population.from_day[row]) & (day < until)
    order = np.flatnonzero(kept)[np.lexsort((status[kept], day[kept], row[kept]))]
    return {
        "vehicle": part.vehicle[row[order]].astype(np.int32),
        "day": day[order].astype(np.int32),
        "code": np.tile(faults.code, 3)[order].astype(np.int16),
        "status": status[order].astype(np.int8),
    }


def _paid(people: Any, fee: NDArray[np.float64], told: NDArray[np.bool_]) -> Table:
    """Contracts (people) that pay for a car; ``told``: whether the dealer knows the money in it."""
    price = money.CENTS * money.PRICE[people.model]
    years = (people.contract_end_day - people.contract_start_day) / YEAR_DAYS
    is_debt = (people.contract == Contract.LEASE) | (people.contract == Contract.FINANCE)
    has_limit = people.allowance_km_year > 0

    def known(values: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.where(told & where, np.rint(values), np.nan)

    new = people.registered_day >= people.contract_start_day
    return {
        "kind": people.contract.astype(np.int8),
        "start_day": people.contract_start_day.astype(np.int32),
        "end_day": people.contract_end_day.astype(np.int32),
        "start_m": np.where(new, 0.0, np.nan),
        "end_m": np.full(len(price), np.nan),
        "allowance_m": np.where(has_limit, 1000.0 * people.allowance_km_year * years, np.nan),
        "excess_fee_per_km": np.where(has_limit, np.round(fee, 1), np.nan),
        "principal": known((1 - money.DEPOSIT) * money.price_share(people) * price, is_debt),
        "monthly_rate": known(money.payment_share(people) * price, np.ones(len(price), dtype=bool)),
        "annual_interest": np.where(told & is_debt, money.INTEREST_YEAR, np.nan),
        "balloon": known(money.balloon_share(people) * price, is_debt),
    }


def _warranties(start_day: Ints, end_day: Ints, end_m: NDArray[np.float64]) -> Table:
    nothing = np.full(len(start_day), np.nan)
    money_columns = (
        "allowance_m",
        "excess_fee_per_km",
        "principal",
        "monthly_rate",
        "annual_interest",
        "balloon",
    )
    return {
        "kind": np.full(len(start_day), WARRANTY, dtype=np.int8),
        "start_day": start_day.astype(np.int32),
        "end_day": end_day.astype(np.int32),
        "start_m": np.zeros(len(start_day)),
        "end_m": end_m,
        **dict.fromkeys(money_columns, nothing),
    }
