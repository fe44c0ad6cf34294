"""A fleet for measuring how fast it is derived: arrays as the store's loading makes them, by seed."""

from __future__ import annotations

import numpy as np

from milepost_server.derivation import signal_paths
from milepost_server.derivation.fleet import (
    Chunk,
    FaultInputs,
    Inputs,
    MoneyInputs,
    OdometerSources,
    ReadingIds,
    Services,
    Vehicle,
)
from milepost_server.signals.faults.codes import encode
from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, Ints, offsets_of
from milepost_server.signals.fleet.inputs import SignalRows
from milepost_server.signals.odometer import OdometerReadings
from milepost_server.signals.schedules.book import Kind
from milepost_server.signals.schedules.shipped import shipped_book
from milepost_server.signals.value.contracts import ContractKind, Contracts
from milepost_server.signals.value.residual import shipped_curves

NOW_D = 20_000.0
MONTHS = 36
ITEMS = 10
MODELS = 40
SEED = 20_260_101
MISTAKEN_SHARE = 0.1
"""Of vehicles with a reading that was keyed or sent wrongly."""
RECORDED_SHARE = 0.6
"""Of items with two services on record."""
MEASURED_SHARE = 0.3
"""Of vehicles that measure a position's wear, six times in the three years."""
WEAR_READINGS = 6
FAULTY_SHARE = 0.1
EVENTS_EACH = 3
CONTRACTED_SHARE = 0.6
CODES = ("P0171", "P0420", "P0301", "P0442", "P0128", "C0035", "U0100", "B0081")
NAN = np.nan


def fleet(vehicles: int, number: int) -> Inputs:
    """Chunk ``number`` of a fleet: petrol cars of ``MODELS`` models with ``ITEMS`` items each."""
    rng = np.random.default_rng([SEED, number])
    plans = shipped_book().plans([Kind("combustion", "Make", str(n % MODELS)) for n in range(vehicles)])
    assert all(len(plan.items) == ITEMS for plan in plans.plans)
    registered_d = np.floor(NOW_D - rng.uniform(1_100, 3_000, vehicles))
    return Inputs(
        plans=plans,
        keys=plans.keys,
        registered_d=registered_d,
        odometer=_odometer(rng, vehicles),
        services=_services(rng, vehicles),
        signals={**_wear(rng, vehicles, plans.plans[0].items), **_batteries(rng, vehicles)},
        faults=_faults(rng, vehicles),
        money=_money(rng, vehicles, registered_d),
    )


def chunk(inputs: Inputs) -> Chunk:
    """The inputs with what learning asks of the registry: which model each car is."""
    none = np.zeros(0, dtype=np.int64)
    vehicles = [
        Vehicle(n + 1, "Make", str(n % MODELS), "combustion", None, None, None, None)
        for n in range(inputs.vehicles)
    ]
    sources, ids = OdometerSources(none, none, none), ReadingIds(none, none)
    return Chunk(vehicles, inputs, sources, none, {}, ids, none, none)


def _months(rng: np.random.Generator, vehicles: int) -> Floats:
    """Days (V, MONTHS) at which cars spoke, once a month, the last time within the last ten days."""
    ago_d = DAYS_PER_MONTH * np.arange(MONTHS - 1, -1, -1) + rng.uniform(0, 10, (vehicles, 1))
    days: Floats = NOW_D - 0.5 - ago_d
    return days


def _odometer(rng: np.random.Generator, vehicles: int) -> OdometerReadings:
    rate_m = 40_000 * rng.gamma(4, 0.25, (vehicles, 1)) * DAYS_PER_MONTH
    steps = rate_m * rng.gamma(9, 1 / 9, (vehicles, MONTHS))
    metres = np.cumsum(steps, axis=1) + rng.uniform(0, 8e7, (vehicles, 1))
    wrong = np.flatnonzero(rng.uniform(size=vehicles) < MISTAKEN_SHARE)
    metres[wrong, rng.integers(1, MONTHS, len(wrong))] *= rng.choice([10.0, 0.1, 0.9, 1.7], len(wrong))
    size = vehicles * MONTHS
    return OdometerReadings(
        offsets=offsets_of(np.full(vehicles, MONTHS)),
        time_d=_months(rng, vehicles).ravel(),
        odometer_m=np.rint(metres).ravel(),
        trusted=np.ones(size, dtype=np.bool_),
        plausible=np.ones(size, dtype=np.bool_),
        tolerance_m=np.full(size, 1_000.0),
    )


def _services(rng: np.random.Generator, vehicles: int) -> Services:
    place = np.tile(np.flatnonzero(rng.uniform(size=vehicles * ITEMS) < RECORDED_SHARE), 2)
    return Services(
        vehicle=place // ITEMS,
        item=place % ITEMS,
        done_d=np.floor(NOW_D - rng.uniform(1, 900, len(place))),
        odometer_row=np.full(len(place), -1),
    )


def _wear(rng: np.random.Generator, vehicles: int, items: tuple) -> dict[str, SignalRows]:
    found = {}
    for item in items:
        for path in () if item.wear is None else item.wear.signals:
            way = np.sort(rng.uniform(0, 0.9, (vehicles, WEAR_READINGS)), axis=1)
            value = item.wear.new + (item.wear.limit - item.wear.new) * way
            chosen = np.flatnonzero(rng.uniform(size=vehicles) < MEASURED_SHARE)
            ago_d = np.sort(rng.uniform(0, 900, (len(chosen), WEAR_READINGS)))[:, ::-1]
            found[path] = _rows(chosen, NOW_D - 0.5 - ago_d, value[chosen])
    return found


def _batteries(rng: np.random.Generator, vehicles: int) -> dict[str, SignalRows]:
    time_d, every = _months(rng, vehicles), np.arange(vehicles)
    fall = np.linspace(0, 0.8, MONTHS) * rng.uniform(0.2, 1.6, (vehicles, 1))
    noise = rng.normal(0, 0.15, (vehicles, MONTHS))
    levels = (10.6 - fall + noise, 12.7 - fall / 4 + noise / 3)
    return {
        path: _rows(every, time_d, np.round(level, 2))
        for path, level in zip(signal_paths.BATTERY[:2], levels, strict=True)
    }


def _rows(vehicle: Ints, time_d: Floats, value: Floats) -> SignalRows:
    return SignalRows(np.repeat(vehicle, value.shape[1]), time_d.ravel(), value.ravel())


def _faults(rng: np.random.Generator, vehicles: int) -> FaultInputs:
    counts = np.where(rng.uniform(size=vehicles) < FAULTY_SHARE, EVENTS_EACH, 0)
    size, none = int(counts.sum()), np.zeros(0, dtype=np.int64)
    time_d = NOW_D - np.sort(rng.uniform(0, 900, (size // EVENTS_EACH, EVENTS_EACH)))[:, ::-1]
    return FaultInputs(
        offsets=offsets_of(counts.astype(np.int64)),
        code=encode(CODES)[rng.integers(0, len(CODES), size)],
        status=rng.choice([0, 2, 3], size),
        time_d=time_d.ravel(),
        detail_vehicle=none,
        detail_code=none,
        detail_bits=none,
    )


def _money(rng: np.random.Generator, vehicles: int, registered_d: Floats) -> MoneyInputs:
    curve, over = shipped_curves().of_model("Make", "0", "combustion")
    since_d = np.floor(np.maximum(registered_d, NOW_D - rng.uniform(30, 3_000, vehicles)))
    return MoneyInputs(
        curve=np.full(vehicles, curve),
        loss_over_usual=np.full(vehicles, over),
        list_price=rng.uniform(1_500_000, 6_000_000, vehicles),
        since_d=since_d,
        pack_warranty=np.full(vehicles, -1),
        contracts=_contracts(rng, since_d),
    )


def _contracts(rng: np.random.Generator, since_d: Floats) -> Contracts:
    """A lease or a loan on most cars, and a warranty on all."""
    vehicles = len(since_d)
    bound = np.flatnonzero(rng.uniform(size=vehicles) < CONTRACTED_SHARE)
    vehicle = np.concatenate([bound, np.arange(vehicles)])
    is_lease = np.concatenate([rng.uniform(size=len(bound)) < 0.5, np.zeros(vehicles, dtype=np.bool_)])
    is_bound = np.arange(len(vehicle)) < len(bound)
    start_d = since_d[vehicle]

    def where(condition: np.ndarray, low: float, high: float) -> Floats:
        return np.where(condition, rng.uniform(low, high, len(vehicle)), NAN)

    return Contracts(
        vehicle=vehicle,
        kind=np.where(
            is_bound, np.where(is_lease, ContractKind.LEASE, ContractKind.FINANCE), ContractKind.WARRANTY
        ).astype(np.int64),
        start_d=start_d,
        end_d=start_d + rng.integers(24, 61, len(vehicle)) * DAYS_PER_MONTH,
        start_m=where(is_bound, 0, 2e7),
        end_m=where(~is_bound, 1e8, 1.6e8),
        allowance_m=where(is_lease, 3e7, 6e7),
        excess_fee_per_km=where(is_lease, 5, 15),
        principal=where(is_bound, 1_500_000, 5_000_000),
        monthly_rate=where(is_bound, 15_000, 60_000),
        annual_interest=where(is_bound, 0.01, 0.07),
        balloon=where(is_bound, 500_000, 1_500_000),
    )
