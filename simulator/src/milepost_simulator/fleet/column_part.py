"""A lot of a block as it is written down: its wanted rows, where they stand in columns, and the words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from milepost_simulator.fleet.items import ITEMS
from milepost_simulator.fleet.population import MONTH_DAYS, Contract

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.lot import FleetPlan, Lot
    from milepost_simulator.fleet.observed import Observed

    Ints = NDArray[np.int64]

Table = dict[str, "NDArray[Any]"]
Tables = dict[str, Table]

CARS_PER_BLOCK_MAX = 4096
WARRANTY = len(Contract)
CONTRACT_KINDS = (*(contract.name.lower() for contract in Contract), "warranty")
FAULT_STATUS = ("pending", "confirmed", "cleared")
CAUSES = ("life", "owner")
ITEM_KEYS = tuple(dict.fromkeys(item.key for item in ITEMS))
KEY_OF_ITEM = np.array([ITEM_KEYS.index(item.key) for item in ITEMS])


class Part(NamedTuple):
    """A lot, what was seen of it, and what is written of both.

    Attributes:
        block: number of the block.
        row: the wanted rows of the lot; ``car`` are theirs.
        rng: what is drawn only for the columns.
        vehicle, tenure: where each row of the lot stands in these tables of the block; -1 if not wanted.
    """

    block: int
    plan: FleetPlan
    lot: Lot
    seen: Observed
    row: Ints
    car: Ints
    rng: np.random.Generator
    vehicle: Ints
    tenure: Ints


def grid_days(plan: FleetPlan) -> Ints:
    """The days on whose eve the true odometer is written down, and at which months begin."""
    months = int(plan.days / MONTH_DAYS)
    days: Ints = plan.first_day + np.rint(np.arange(months) * MONTH_DAYS).astype(np.int64)
    return days


def kept_readings(part: Part) -> Ints:
    """Places of the readings that are written down."""
    return np.flatnonzero(part.tenure[part.seen.readings.row] >= 0)


def kept_wear(part: Part) -> Ints:
    """Places of the wear readings that are written down."""
    wear = part.seen.wear
    return np.zeros(0, np.int64) if wear is None else np.flatnonzero(part.tenure[wear.row] >= 0)
