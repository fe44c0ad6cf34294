"""Reads a fleet's folder: what the dealer has, and apart from it the truth; names what is wrong with it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from milepost_server.evaluation.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from milepost_server.signals.flat import Ints

FORMAT = 1
PARTS_MAX = 1_000
VEHICLES_PER_PART_MAX = 100_000

Table = Mapping[str, NDArray[Any]]
Tables = Mapping[str, Table]

OBSERVED: dict[str, tuple[str, ...]] = {
    "vehicles": ("number", "model", "registered_day"),
    "tenures": ("vehicle", "owner", "owned_since_day", "until_day", "bought_new", "connected"),
    "readings": ("vehicle", "time_d", "odometer_m", "sigma_m", "source"),
    "wear": ("vehicle", "time_d", "position", "value"),
    "services": ("vehicle", "item", "done_day", "known_day", "odometer_m"),
    "contracts": (
        *("vehicle", "tenure", "kind", "start_day", "end_day", "start_m", "end_m", "allowance_m"),
        *("excess_fee_per_km", "principal", "monthly_rate", "annual_interest", "balloon"),
    ),
    "faults": ("vehicle", "day", "code", "status"),
}
TRUTH: dict[str, tuple[str, ...]] = {
    "tenures": ("replaced_day", "hazard", "odometer_m"),
    "readings": ("flaw", "odometer_m"),
    "wear": ("share",),
    "lives": (
        *("tenure", "item", "start_day", "start_m", "seen_day", "seen_m", "seen_share"),
        *("share_per_m", "share_per_day", "due_day", "renewed_day"),
    ),
    "regimes": ("vehicle", "day", "factor", "cause"),
    "clusters": ("vehicle", "day", "offset_m"),
}
_NUMBERED = {
    "model": "models",
    "position": "positions",
    "item": "items",
    "kind": "contract_kinds",
    "source": "sources",
    "code": "codes",
    "status": "fault_status",
    "flaw": "flaws",
    "cause": "causes",
}
"""Columns that hold places in a list of words of ``fleet.json``."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the fleet; its list price in the money's small unit."""

    make: str
    name: str
    powertrain: str
    price: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What ``fleet.json`` says: the words behind numbers, and the days; all days count from 1970."""

    owners: int
    seed: int
    parts: int
    first_day: int
    as_of_day: int
    grid_days: Ints  # (G) on whose eve the true odometer is known; months of the hazard begin there
    models: tuple[Model, ...]
    words: Mapping[str, tuple[str, ...]]  # items, positions, sources, flaws and so on

    def place(self, kind: str, word: str) -> int:
        """The number that a word has in the columns; -1 where the fleet has no such word."""
        return self.words[kind].index(word) if word in self.words[kind] else -1


@dataclass(frozen=True, slots=True)
class Part:
    """Some vehicles of the fleet: the dealer's tables, and the truth's."""

    facts: Facts
    observed: Tables
    truth: Tables

    @property
    def vehicles(self) -> int:
        """How many vehicles the part has."""
        return len(self.observed["vehicles"]["number"])


def read_facts(folder: Path) -> Facts:
    """What the fleet is.

    Raises:
        EvaluationError: the folder holds no fleet, or one of another format.
    """
    path = folder / "fleet.json"
    if not path.is_file():
        raise EvaluationError(
            f"{folder} has no fleet.json: make a fleet with `milepost-sim fleet --columns --out {folder}`"
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise EvaluationError(
                f"{path} is of format {document['format']!r}; this version reads format {FORMAT}"
            )
        return _facts(document)
    except (KeyError, TypeError, ValueError) as error:
        raise EvaluationError(f"{path} does not describe a fleet: {error!r}") from error


def _facts(document: dict[str, Any]) -> Facts:
    parts = int(document["parts"])
    if not 1 <= parts <= PARTS_MAX:
        raise ValueError(f"parts is {parts}; it must be 1 to {PARTS_MAX}")
    kinds = [kind for kind in _NUMBERED.values() if kind != "models"]
    return Facts(
        owners=int(document["plan"]["owners"]),
        seed=int(document["plan"]["seed"]),
        parts=parts,
        first_day=int(document["first_day"]),
        as_of_day=int(document["plan"]["as_of_day"]),
        grid_days=np.array(document["grid_days"], dtype=np.int64),
        models=tuple(Model(m["make"], m["name"], m["powertrain"], m["price"]) for m in document["models"]),
        words={kind: tuple(document[kind]) for kind in kinds},
    )


def read_parts(folder: Path, facts: Facts) -> Iterator[Part]:
    """The parts of the fleet, one after another, so that no more than one need be in memory.

    Raises:
        EvaluationError: a part is missing, cannot be read, or contradicts itself.
    """
    for number in range(facts.parts):
        name = f"part-{number:05d}.npz"
        observed = _Reader(folder / "observed" / name, facts).tables(OBSERVED)
        truth = _Reader(folder / "truth" / name, facts).tables(TRUTH)
        part = Part(facts, observed, truth)
        _check(folder / "observed" / name, part)
        yield part


class _Reader:
    """Reads one file, table by table."""

    def __init__(self, path: Path, facts: Facts) -> None:
        self._path, self._facts = path, facts
        if not path.is_file():
            raise EvaluationError(f"{path} is missing: the fleet has {facts.parts} parts")

    def tables(self, wanted: Mapping[str, tuple[str, ...]]) -> Tables:
        try:
            # A file of our own, and looked at first: NumPy leaves a damaged one open.
            with self._path.open("rb") as file, zipfile.ZipFile(file):
                file.seek(0)
                arrays = np.load(file, allow_pickle=False)
                return {table: self._table(arrays, table, columns) for table, columns in wanted.items()}
        except (zipfile.BadZipFile, ValueError, EOFError) as error:
            raise EvaluationError(f"{self._path} is damaged: {error}") from error

    def _table(self, arrays: Mapping[str, NDArray[Any]], name: str, columns: tuple[str, ...]) -> Table:
        table = {}
        for column in columns:
            key = f"{name}.{column}"
            if key not in arrays:
                raise EvaluationError(f"{self._path} has no column {key}")
            values = arrays[key]
            if values.dtype.kind not in "ifb":
                raise EvaluationError(f"{self._path}: {key} holds {values.dtype}, not numbers")
            table[column] = values.astype(np.float64 if values.dtype.kind == "f" else np.int64)
            self._check_words(key, column, table[column])
        if len({len(values) for values in table.values()}) > 1:
            raise EvaluationError(f"{self._path}: the columns of {name} differ in length")
        return table

    def _check_words(self, key: str, column: str, values: NDArray[Any]) -> None:
        kind = _NUMBERED.get(column)
        if kind is None or not len(values):
            return
        known = len(self._facts.models) if kind == "models" else len(self._facts.words[kind])
        if values.min() < 0 or values.max() >= known:
            raise EvaluationError(f"{self._path}: {key} names {kind} that fleet.json does not have")


def _check(path: Path, part: Part) -> None:
    vehicles = part.vehicles
    if vehicles > VEHICLES_PER_PART_MAX:
        raise EvaluationError(
            f"{path} holds {vehicles:,} vehicles; at most {VEHICLES_PER_PART_MAX:,} go into a part"
        )
    limits = {"vehicle": vehicles, "tenure": len(part.observed["tenures"]["vehicle"])}
    for name, table in (*part.observed.items(), *part.truth.items()):
        for column, limit in limits.items():
            values = table.get(column)
            if values is not None and len(values) and not 0 <= values.min() <= values.max() < limit:
                raise EvaluationError(f"{path}: {name}.{column} points beyond the {limit:,} rows that it may")
    for name in ("tenures", "readings", "wear"):
        if len(part.truth[name][TRUTH[name][0]]) != len(part.observed[name]["vehicle"]):
            raise EvaluationError(f"{path}: the truth of {name} has another number of rows")
    for name in ("readings", "wear"):
        _check_times(path, name, part.observed[name])
    shape = (limits["tenure"], len(part.facts.grid_days))
    for column in ("hazard", "odometer_m"):
        if part.truth["tenures"][column].shape != shape:
            raise EvaluationError(f"{path}: the truth's {column} is not of the shape {shape}")


def _check_times(path: Path, name: str, table: Table) -> None:
    if not all(np.isfinite(values).all() for values in table.values()):
        raise EvaluationError(f"{path}: {name} holds values that are no finite numbers")
    backward = (np.diff(table["vehicle"]) == 0) & (np.diff(table["time_d"]) < 0)
    if (np.diff(table["vehicle"]) < 0).any() or backward.any():
        raise EvaluationError(f"{path}: {name} is not in the order of vehicle and time")
