"""A block as columns: what the dealer has, and apart from it the truth, as `docs/fleet-columns.md` says.

Days count from 1970, and -1 is "none" or "not known"; money is in cents, and NaN where it is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_simulator.fleet.blocks import Stream, generator
from milepost_simulator.fleet.column_part import CARS_PER_BLOCK_MAX, Part
from milepost_simulator.fleet.columns_observed import observed
from milepost_simulator.fleet.columns_true import truth
from milepost_simulator.fleet.flaws import Clusters
from milepost_simulator.fleet.observed import Observer

if TYPE_CHECKING:
    from milepost_simulator.fleet.column_part import Ints, Table, Tables
    from milepost_simulator.fleet.fleet import Block
    from milepost_simulator.fleet.lot import Lot

UNKNOWN_REGISTRATION = 0.03


class BlockTables(NamedTuple):
    """What a block is written as. Indices of vehicles and tenures count from 0 within the block."""

    observed: Tables
    truth: Tables


def block_tables(block: Block, *, with_wear: bool) -> BlockTables:
    """Observe a block and write down what is seen and what is true, for its wanted owners."""
    parts = _look(block, with_wear=with_wear)
    both = _joined([observed(part) for part in parts]), _joined([truth(part) for part in parts])
    _sort_readings(*both)
    rng = generator(block.plan.seed, block.number, Stream.OBSERVED)
    both[0]["vehicles"] = _vehicles(rng, block, parts)
    return BlockTables(*both)


def _look(block: Block, *, with_wear: bool) -> list[Part]:
    plan = block.plan
    rng = generator(plan.seed, block.number, Stream.OBSERVED, 0)
    clusters = Clusters(rng, CARS_PER_BLOCK_MAX, plan.days)
    rows = [_wanted(block, lot) for lot in block.lots]
    cars = [lot.population.car[row] for lot, row in zip(block.lots, rows, strict=True)]
    vehicle_of = np.full(CARS_PER_BLOCK_MAX, -1)
    known = np.unique(np.concatenate(cars))
    vehicle_of[known] = np.arange(len(known))
    parts, tenures = [], 0
    for number, (lot, row, car) in enumerate(zip(block.lots, rows, cars, strict=True)):
        own = generator(plan.seed, block.number, Stream.OBSERVED, 1 + number)
        seen = Observer(own, plan, lot, clusters).look(with_wear=with_wear)
        vehicle, tenure = np.full((2, len(lot.population)), -1)
        vehicle[row], tenure[row] = vehicle_of[car], tenures + np.arange(len(row))
        parts.append(Part(block.number, plan, lot, seen, row, car, own, vehicle, tenure))
        tenures += len(row)
    return parts


def _wanted(block: Block, lot: Lot) -> Ints:
    is_wanted = (lot.population.owner < block.owners) & (lot.population.from_day < block.plan.as_of_day)
    return np.flatnonzero(is_wanted)


def _vehicles(rng: np.random.Generator, block: Block, parts: list[Part]) -> Table:
    cars = np.unique(np.concatenate([part.car for part in parts]))
    model, registered = np.zeros(CARS_PER_BLOCK_MAX, np.int64), np.zeros(CARS_PER_BLOCK_MAX, np.int64)
    for part in reversed(parts):
        model[part.car] = part.lot.population.model[part.row]
        registered[part.car] = part.lot.population.registered_day[part.row]
    unknown = rng.random(CARS_PER_BLOCK_MAX) < UNKNOWN_REGISTRATION
    return {
        "number": block.number * CARS_PER_BLOCK_MAX + cars,
        "model": model[cars].astype(np.int16),
        "registered_day": np.where(unknown, -1, registered)[cars].astype(np.int32),
    }


def _joined(parts: list[Tables]) -> Tables:
    return {
        table: {name: np.concatenate([part[table][name] for part in parts]) for name in columns}
        for table, columns in parts[0].items()
    }


def _sort_readings(observed: Tables, truth: Tables) -> None:
    """By vehicle and time, also where a car has been in several hands; truth in the same order."""
    for name in ("readings", "wear"):
        order = np.lexsort((observed[name]["time_d"], observed[name]["vehicle"]))
        for tables in (observed, truth):
            tables[name] = {column: values[order] for column, values in tables[name].items()}
