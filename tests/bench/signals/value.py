"""Faults, batteries and value of a million vehicles: seconds of one processor, by part."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from milepost_server.signals.ends import Place
from milepost_server.signals.faults.codes import encode
from milepost_server.signals.faults.fleet import FaultEvents, FaultRules, fleet_faults
from milepost_server.signals.faults.systems import shipped_systems
from milepost_server.signals.faults.urgency import NO_BITS, urgencies
from milepost_server.signals.flat import offsets_of
from milepost_server.signals.health.battery import (
    NO_SEASON,
    BatteryReadings,
    BatteryRules,
    Measure,
    batteries,
)
from milepost_server.signals.health.pack import (
    PackReadings,
    PackRules,
    pack_limits,
    packs,
    shipped_pack_facts,
)
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.usage.rate import Usage, UsageRules
from milepost_server.signals.value.assessment import AssessmentRules, Facts, Known, assess
from milepost_server.signals.value.columns import Owned, columns
from milepost_server.signals.value.contracts import ContractKind, Contracts
from milepost_server.signals.value.plans import Plans
from milepost_server.signals.value.repairs import Needs, shipped_prices
from milepost_server.signals.value.residual import Cars, shipped_curves
from milepost_server.signals.value.subscription import plan_fit, present

VEHICLES = 1_000_000
CHUNK = 50_000
CHUNKS_MEASURED = 4
READINGS = 36
ITEMS = 10
EVENTS = 3
AS_OF = 20_000.0
SEED = 7


def measure() -> dict[str, float | list[float]]:
    """Processor seconds for a million vehicles, by part and in all: medians of ``CHUNKS_MEASURED`` chunks."""
    parts: dict[str, list[float]] = {"faults": [], "battery": [], "pack": [], "value": []}
    for number in range(CHUNKS_MEASURED):
        fleet = _Fleet(np.random.default_rng([SEED, number]))
        steps: dict[str, Callable[[], None]] = {
            "faults": fleet.faults,
            "battery": fleet.battery,
            "pack": fleet.pack,
            "value": fleet.value,
        }
        for name, step in steps.items():
            begin = time.process_time()
            step()
            parts[name].append(time.process_time() - begin)
    figures: dict[str, float | list[float]] = {
        f"{name}_million_s": float(np.median(seconds)) * VEHICLES / CHUNK for name, seconds in parts.items()
    }
    total = np.median(np.sum(list(parts.values()), axis=0))
    figures["health_and_value_million_s"] = float(total) * VEHICLES / CHUNK
    return figures


class _Fleet:
    """One chunk: cars with monthly voltages, three fault events, a lease and a warranty; one in ten an EV."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.every = np.arange(CHUNK, dtype=np.int64)
        monthly = np.arange(CHUNK + 1, dtype=np.int64) * READINGS
        time_d = np.sort(rng.uniform(AS_OF - 1_100, AS_OF, (CHUNK, READINGS)), axis=1).ravel()
        self.volts = [
            BatteryReadings(monthly, time_d, rng.normal(10.4, 0.3, len(time_d))),
            BatteryReadings(monthly, time_d, rng.normal(12.5, 0.1, len(time_d))),
            BatteryReadings(np.zeros(CHUNK + 1, dtype=np.int64), np.zeros(0), np.zeros(0)),
        ]
        is_ev = rng.random(CHUNK) < 0.1
        health_offsets = offsets_of(np.where(is_ev, READINGS, 0).astype(np.int64))
        health_d = time_d.reshape(CHUNK, READINGS)[is_ev].ravel()
        self.health = PackReadings(health_offsets, health_d, rng.normal(92, 1.0, len(health_d)))
        events = CHUNK * EVENTS
        codes = encode(["P0420", "P0171", "P0455", "P0301", "C0035"])
        self.events = FaultEvents(
            np.arange(CHUNK + 1, dtype=np.int64) * EVENTS,
            codes[rng.integers(0, len(codes), events)],
            rng.integers(0, 4, events),
            rng.uniform(AS_OF - 900, AS_OF, events),
            rng.uniform(0, 1e8, events),
        )
        self.age_d = rng.uniform(100, 4_000, CHUNK)
        self.place = Place(np.full(CHUNK, AS_OF), self.age_d * 40_000.0)
        rate = rng.lognormal(np.log(40_000), 0.4, CHUNK)
        usage = Usage(rate, np.full(CHUNK, 0.05), np.full(CHUNK, 0.15), np.full(CHUNK, 4.0))
        self.ahead = Ahead(usage, UsageRules())
        self.contracts = self._contracts()
        self.found = fleet_faults(self.events, FaultRules())

    def _contracts(self) -> Contracts:
        kinds = (ContractKind.LEASE, ContractKind.WARRANTY)
        count = CHUNK * len(kinds)
        start_d = np.repeat(AS_OF - np.minimum(self.age_d, 900.0), len(kinds))
        return Contracts(
            vehicle=np.repeat(self.every, len(kinds)),
            kind=np.tile(np.array(kinds, dtype=np.int64), CHUNK),
            start_d=start_d,
            end_d=start_d + 1_460.0,
            start_m=np.zeros(count),
            end_m=np.full(count, 1e8),
            allowance_m=np.full(count, 6e7),
            excess_fee_per_km=np.full(count, 10.0),
            principal=np.full(count, 3e6),
            monthly_rate=np.full(count, 35_000.0),
            annual_interest=np.full(count, 0.04),
            balloon=np.full(count, 1.5e6),
        )

    def faults(self) -> None:
        self.found = fleet_faults(self.events, FaultRules())
        lamp, bits = np.zeros(CHUNK, dtype=np.int64), np.full(len(self.found.code), NO_BITS)
        urgencies(self.found, shipped_systems(), lamp, bits, FaultRules())

    def battery(self) -> None:
        season = [NO_SEASON] * len(Measure)
        batteries(self.volts, np.full(CHUNK, np.nan), season, AS_OF, BatteryRules())

    def pack(self) -> None:
        warranties, generic = [shipped_pack_facts().of("")], np.zeros(CHUNK, dtype=np.int64)
        limits = pack_limits(warranties, generic, AS_OF - self.age_d, np.zeros(CHUNK))
        packs(
            self.health,
            limits,
            self.place,
            self.ahead,
            AS_OF,
            facts=shipped_pack_facts(),
            rules=PackRules(),
        )

    def value(self) -> None:
        age = self.age_d / 30.44
        kind, none = np.zeros(CHUNK, dtype=np.int64), np.zeros(CHUNK)
        items = Needs(
            np.repeat(self.every, ITEMS),
            self.rng.random(CHUNK * ITEMS),
            np.full(CHUNK * ITEMS, 2e4),
            np.full(CHUNK * ITEMS, 0.3),
        )
        known = Known(
            Cars(kind, none, age, np.full(CHUNK, 3e6), none, self.place.odometer_m),
            self.contracts,
            self.place,
            self.found,
            np.ones(CHUNK, dtype=np.bool_),
            items,
        )
        facts = Facts(shipped_curves(), shipped_systems(), shipped_prices())
        found = assess(known, self.ahead, AS_OF, facts=facts, rules=AssessmentRules())
        columns(found, Owned(AS_OF - self.age_d / 2, AS_OF - self.age_d), AS_OF)
        plans = Plans(("S", "L"), np.array([1e7, 2e7]), np.array([5e5, 6e5]), np.array([0.02, 0.015]))
        plan_fit(plans, present(self.contracts, CHUNK, AS_OF), self.ahead)
