"""Writes a fleet of any size as columns, in parts of some thousand owners: memory does not grow with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_simulator.fleet.blocks import BLOCK_OWNERS
from milepost_simulator.fleet.column_part import (
    CAUSES,
    CONTRACT_KINDS,
    FAULT_STATUS,
    ITEM_KEYS,
    Table,
    grid_days,
)
from milepost_simulator.fleet.columns import BlockTables, block_tables
from milepost_simulator.fleet.faults import ALL_CODES
from milepost_simulator.fleet.files import Written
from milepost_simulator.fleet.flaws import Flaw
from milepost_simulator.fleet.fleet import make_blocks
from milepost_simulator.fleet.makes import FLEET_MODELS
from milepost_simulator.fleet.money import CENTS
from milepost_simulator.fleet.observed import SOURCES
from milepost_simulator.fleet.records import date_of
from milepost_simulator.fleet.wear_readings import POSITIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from milepost_simulator.fleet.column_part import Tables
    from milepost_simulator.fleet.lot import FleetPlan

FORMAT = 1
PART_BLOCKS = 32
"""Blocks of 256 owners in one part: some 8,000 owners, and 60 MB of columns."""
READ_ME = """A simulated fleet as columns: people, cars and histories that do not exist.

fleet.json                 what it was made from, and the words that numbers in the columns stand for
observed/part-00000.npz    what the dealer has: vehicles, tenures, readings, services, contracts, faults
truth/part-00000.npz       what is true: due days, wear, which readings are wrong, intent, in the same order

Evaluate it:  milepost-server evaluate truth FOLDER
The columns:  docs/fleet-columns.md
"""


def write_columns(
    plan: FleetPlan, folder: Path, progress: Callable[[Written], None], *, with_wear: bool
) -> Written:
    """Write the whole fleet; ``progress`` hears the totals after each part. An earlier fleet there goes."""
    for name in ("observed", "truth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for old in (folder / name).glob("part-*.npz"):
            old.unlink()
    # Without it the folder holds no fleet: it is written last.
    (folder / "fleet.json").unlink(missing_ok=True)
    (folder / "README.txt").write_text(READ_ME)
    total, waiting, parts = Written(0, 0, 0), list[BlockTables](), 0
    for block in make_blocks(plan):
        waiting.append(block_tables(block, with_wear=with_wear))
        is_last = block.number == (plan.owners - 1) // BLOCK_OWNERS
        total = Written(
            total.owners + block.owners,
            total.vehicles + len(waiting[-1].observed["vehicles"]["number"]),
            total.samples + sum(len(waiting[-1].observed[t]["vehicle"]) for t in ("readings", "wear")),
        )
        if len(waiting) == PART_BLOCKS or is_last:
            _write_part(folder, parts, waiting)
            parts, waiting = parts + 1, []
            progress(total)
    (folder / "fleet.json").write_text(json.dumps(_facts(plan, parts), indent=2) + "\n")
    return total


def _write_part(folder: Path, part: int, blocks: list[BlockTables]) -> None:
    vehicles = np.cumsum([0] + [len(b.observed["vehicles"]["number"]) for b in blocks])
    tenures = np.cumsum([0] + [len(b.observed["tenures"]["vehicle"]) for b in blocks])
    for name in ("observed", "truth"):
        tables = [getattr(block, name) for block in blocks]
        np.savez(
            folder / name / f"part-{part:05d}.npz", allow_pickle=False, **_flat(tables, vehicles, tenures)
        )


def _flat(blocks: list[Tables], vehicles: NDArray[Any], tenures: NDArray[Any]) -> Table:
    """All blocks in one, under names such as ``readings.time_d``; indices count within the part."""
    shift = {"vehicle": vehicles, "tenure": tenures}
    flat: Table = {}
    for table, columns in blocks[0].items():
        for name in columns:
            values = [block[table][name] for block in blocks]
            if name in shift:
                values = [v + np.int32(s) for v, s in zip(values, shift[name], strict=False)]
            flat[f"{table}.{name}"] = np.concatenate(values)
    return flat


def _facts(plan: FleetPlan, parts: int) -> dict[str, object]:
    return {
        "format": FORMAT,
        "plan": plan._asdict() | {"as_of": date_of(plan.as_of_day).isoformat()},
        "parts": parts,
        "first_day": plan.first_day,
        "grid_days": grid_days(plan).tolist(),
        "models": [
            {
                "make": model.make,
                "name": model.name,
                "powertrain": model.powertrain.value,
                "price": CENTS * model.price,
            }
            for model in FLEET_MODELS
        ],
        "items": ITEM_KEYS,
        "positions": [position.signal for position in POSITIONS],
        "sources": SOURCES,
        "contract_kinds": CONTRACT_KINDS,
        "codes": ALL_CODES,
        "fault_status": FAULT_STATUS,
        "flaws": [flaw.name.lower() for flaw in Flaw],
        "causes": CAUSES,
    }
