"""Derives a million vehicles in this process, and prints what it took: run by itself, for its memory.

A full derivation as the product does it: learn from ``LEARN_PER_MODEL_MAX`` cars of each model, derive all
vehicles in chunks, take owners' vehicles together, give owners their keys in the lists for service and for
sales, by which the database sorts. Then a thousand vehicles with something new: derive them, take their
owners' vehicles together, give these owners new keys. Making the cars up is not counted.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from bench.signals.fleet import MODELS, NOW_D, SEED, chunk, fleet
from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.learning.knowledge import FleetSample, Knowledge
from milepost_server.derivation.loading.vehicles import LEARN_PER_MODEL_MAX
from milepost_server.derivation.steps.whole import Derived, Learned, derive
from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.owners import Owned, RollUp, roll_up
from milepost_server.signals.work_list import (
    ItemNeeds,
    fault_keys,
    first_needs,
    item_keys,
    sales_keys,
)

ONE_CORE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that say how many threads NumPy's library may use; for this process each is 1."""
VEHICLES = 1_000_000
CHUNK = 10_000
"""Vehicles that are derived together: their rows stay in the processor's caches."""
OWNERS_SHARE = 0.8
"""Owners for each vehicle: some have several."""
CHANGED = 1_000


@dataclass
class Clock:
    """Processor seconds by part of the work."""

    parts: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add what the block takes."""
        began = time.process_time()
        yield
        self.parts[name] = self.parts.get(name, 0.0) + time.process_time() - began


@dataclass
class Results:
    """What lists are made of, of V vehicles; all else is written down and forgotten, chunk by chunk."""

    key: Floats
    score: Floats
    p_90d: Floats
    p_180d: Floats

    @classmethod
    def empty(cls, vehicles: int) -> Results:
        """To be filled."""
        return cls(*(np.empty(vehicles) for _ in range(4)))

    def put(self, at: Ints | slice, derived: Derived) -> None:
        """Keep what was derived of the vehicles at these places."""
        scores = derived.readiness.scores
        self.key[at] = vehicle_keys(derived)
        self.score[at], self.p_90d[at], self.p_180d[at] = scores.points, scores.p_90d, scores.p_180d


def vehicle_keys(derived: Derived) -> Floats:
    """The least key (V) of each vehicle's items and faults in the service list."""
    vehicles = len(derived.usage.rate_m_per_d)
    state, median_d, vehicle = (
        np.concatenate(parts)
        for parts in (
            [result.due.state for result in derived.items],
            [result.due.time_d[1] for result in derived.items],
            [result.starts.vehicle for result in derived.items],
        )
    )
    guess = np.concatenate([~result.starts.sure for result in derived.items])
    nothing = np.zeros(len(state), dtype=np.bool_)
    items = item_keys(ItemNeeds(state, guess, nothing, nothing, median_d), NOW_D)
    faults, level = derived.health.faults, derived.health.urgency.level
    active = np.flatnonzero(faults.is_active)
    keys = np.concatenate([items, fault_keys(level[active], faults.first_seen_d[active], NOW_D)])
    first = first_needs(np.concatenate([vehicle, faults.vehicle[active]]), keys, vehicles)
    return keys[first]


def learn(config: Configuration, vehicles: int, clock: Clock) -> Knowledge:
    """What the fleet says of itself."""
    size = min(MODELS * LEARN_PER_MODEL_MAX, vehicles)
    sample = FleetSample(config, NOW_D, size)
    for number, start in enumerate(range(0, size, CHUNK)):
        part = chunk(fleet(min(CHUNK, size - start), number))
        with clock.part("learn"):
            sample.add(part)
    with clock.part("learn"):
        return sample.knowledge()


def rank(results: Results, owner: Ints, owners: int) -> tuple[Floats, RollUp, Floats]:
    """Every owner's keys in both lists."""
    owned = Owned(owner, np.arange(len(owner)))
    rolled = roll_up(owned, results.score, results.p_90d, results.p_180d, owners)
    service = np.full(owners, np.inf)
    np.minimum.at(service, owner, results.key)
    return service, rolled, sales_keys(rolled.p_90d)


def run(vehicles: int) -> dict[str, object]:
    """Seconds by part, and in all, of ``vehicles`` vehicles; the peak of memory; the share of a change."""
    config, clock = Configuration(), Clock()
    derive(fleet(100, 0), learn_nothing(100), NOW_D, config)  # what is read from files once is read
    known = learn(config, vehicles, clock)
    results = Results.empty(vehicles)
    for number, start in enumerate(range(0, vehicles, CHUNK)):
        part = chunk(fleet(min(CHUNK, vehicles - start), number))
        with clock.part("derive"):
            derived = derive(part.inputs, known.of(part.vehicles), NOW_D, config)
            results.put(slice(start, start + part.inputs.vehicles), derived)
    rng, owners = np.random.default_rng(SEED), int(vehicles * OWNERS_SHARE)
    owner = rng.integers(0, owners, vehicles)
    with clock.part("rank"):
        ranked = rank(results, owner, owners)
    whole_s = sum(clock.parts.values())
    change = _Change(results, owner, owners, *ranked)
    changed_s = change.measure(known, config, rng)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"parts_s": clock.parts, "whole_s": whole_s, "gb": peak / 1e9, "changed_s": changed_s}


@dataclass
class _Change:
    """A fleet that is derived and ranked, of which some vehicles change."""

    results: Results
    owner: Ints
    owners: int
    service: Floats
    rolled: RollUp
    sales: Floats

    def measure(self, known: Knowledge, config: Configuration, rng: np.random.Generator) -> float:
        """Processor seconds for ``CHANGED`` vehicles, from their readings to their owners' new keys."""
        vehicle = np.sort(rng.choice(len(self.owner), min(CHANGED, len(self.owner)), replace=False))
        part = chunk(fleet(len(vehicle), len(self.owner)))
        by_owner = np.argsort(self.owner, kind="stable")  # an index that a store keeps
        sorted_owner = self.owner[by_owner]
        began = time.process_time()
        derived = derive(part.inputs, known.of(part.vehicles), NOW_D, config)
        self.results.put(vehicle, derived)
        touched = np.unique(self.owner[vehicle])
        self._roll_up(touched, by_owner, sorted_owner)
        self.sales[touched] = sales_keys(self.rolled.p_90d[touched])
        spent_s = time.process_time() - began
        service, _, sales = rank(self.results, self.owner, self.owners)
        assert np.array_equal(self.service, service), "the service list is that of all ranked anew"
        assert np.array_equal(self.sales, sales), "the sales list, too"
        return spent_s

    def _roll_up(self, touched: Ints, by_owner: Ints, sorted_owner: Ints) -> None:
        low, high = (np.searchsorted(sorted_owner, touched, side=side) for side in ("left", "right"))
        rows = by_owner[np.concatenate([np.arange(*pair) for pair in zip(low, high, strict=True)])]
        place = np.repeat(np.arange(len(touched)), high - low)
        found = self.results
        rolled = roll_up(
            Owned(place, rows),
            found.score[rows],
            found.p_90d[rows],
            found.p_180d[rows],
            len(touched),
        )
        self.rolled.p_90d[touched], self.rolled.p_180d[touched] = rolled.p_90d, rolled.p_180d
        service = np.full(len(touched), np.inf)
        np.minimum.at(service, place, found.key[rows])
        self.service[touched] = service


def learn_nothing(vehicles: int) -> Learned:
    """What is published, for every vehicle."""
    known = FleetSample(Configuration(), NOW_D, 0).knowledge()
    return known.of(chunk(fleet(vehicles, 0)).vehicles)


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else VEHICLES)))
