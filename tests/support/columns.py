"""A fleet as columns, made by hand: cars that go as far every day, so that all truth is arithmetic."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

FIRST_DAY, AS_OF_DAY = 19_000, 20_000
DAYS = AS_OF_DAY - FIRST_DAY + 365
GRID = np.arange(FIRST_DAY, FIRST_DAY + DAYS, 30)
ITEMS = ("engine-oil", "brake-fluid")
OIL_M, OIL_DAYS = 15_000_000, 365
FLUID_DAYS = 730

Tables = dict[str, dict[str, Any]]


@dataclass
class EvenFleet:
    """``cars`` cars: each goes the same every day, had its services on known days, and is read every month.

    Attributes:
        cars: how many.
        observed, truth: the tables, to be spoilt by tests before they are written.
        facts: what ``fleet.json`` says.
    """

    cars: int = 30
    observed: Tables = field(default_factory=dict)
    truth: Tables = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cars = np.arange(self.cars)
        self.daily_m = 20_000 + 1_000 * cars
        self.oil_day = AS_OF_DAY - 20 - 11 * cars % 330
        self.fluid_day = AS_OF_DAY - 30 - 23 * cars
        self._facts()
        self._vehicles()
        self._readings()
        self._services()
        self._empty()

    def odometer_m(self, car: Any, day: Any) -> Any:
        """How far ``car`` has gone by the end of ``day``."""
        return 1_000_000 + self.daily_m[car] * (day - FIRST_DAY + 1)

    def oil_due_day(self) -> Any:
        """When the oil of each car is due: at the first of distance and a year."""
        by_distance = np.ceil(OIL_M / self.daily_m).astype(np.int64)
        return self.oil_day + np.minimum(by_distance, OIL_DAYS)

    def write(self, folder: Path) -> Path:
        """Write it; gives the folder back."""
        for side, tables in (("observed", self.observed), ("truth", self.truth)):
            (folder / side).mkdir(parents=True, exist_ok=True)
            flat = {f"{t}.{c}": np.asarray(v) for t, columns in tables.items() for c, v in columns.items()}
            np.savez(folder / side / "part-00000.npz", **flat)
        (folder / "fleet.json").write_text(json.dumps(self.facts))
        return folder

    def _facts(self) -> None:
        self.facts = {
            "format": 1,
            "plan": {"owners": self.cars, "seed": 5, "as_of_day": AS_OF_DAY},
            "parts": 1,
            "first_day": FIRST_DAY,
            "grid_days": GRID.tolist(),
            "models": [{"make": "Even", "name": "Car", "powertrain": "combustion", "price": 2_500_000.0}],
            "items": list(ITEMS),
            "positions": ["Vehicle.Milepost.Engine.OilLife"],
            "sources": ["own", "anchored", "entered"],
            "contract_kinds": ["owned", "finance", "lease", "subscription", "warranty"],
            "codes": ["P0420"],
            "fault_status": ["pending", "confirmed", "cleared"],
            "flaws": ["none", "digit", "transposed", "tenfold", "unit", "scaled"],
            "causes": ["life", "owner"],
        }

    def _vehicles(self) -> None:
        cars = np.arange(self.cars)
        self.observed["vehicles"] = {
            "number": cars,
            "model": np.zeros(self.cars, np.int64),
            "registered_day": np.full(self.cars, FIRST_DAY - 50),
        }
        self.observed["tenures"] = {
            "vehicle": cars,
            "owner": cars,
            "owned_since_day": np.full(self.cars, FIRST_DAY - 50),
            "until_day": np.full(self.cars, -1),
            "bought_new": np.ones(self.cars, np.int64),
            "connected": np.ones(self.cars, np.int64),
        }
        self.truth["tenures"] = {
            "replaced_day": np.full(self.cars, -1),
            "hazard": np.full((self.cars, len(GRID)), 0.01),
            "odometer_m": self.odometer_m(cars[:, None], GRID - 1),
        }

    def _readings(self) -> None:
        days = np.arange(FIRST_DAY + 5, AS_OF_DAY, 30)
        car, day = np.repeat(np.arange(self.cars), len(days)), np.tile(days, self.cars)
        metres = self.odometer_m(car, day)
        self.observed["readings"] = {
            "vehicle": car,
            "time_d": day + 0.99,
            "odometer_m": metres,
            "sigma_m": np.zeros(len(car)),
            "source": np.zeros(len(car), np.int64),
        }
        self.truth["readings"] = {"flaw": np.zeros(len(car), np.int64), "odometer_m": metres.copy()}

    def _services(self) -> None:
        cars = np.arange(self.cars)
        car, item = np.tile(cars, 2), np.repeat([0, 1], self.cars)
        day = np.concatenate([self.oil_day, self.fluid_day])
        metres = self.odometer_m(car, day)
        self.observed["services"] = {
            "vehicle": car,
            "item": item,
            "done_day": day,
            "known_day": day,
            "odometer_m": metres,
        }
        due = np.concatenate([self.oil_due_day(), self.fluid_day + FLUID_DAYS])
        zero = np.zeros(2 * self.cars)
        self.truth["lives"] = {
            "tenure": car,
            "item": item.copy(),
            "start_day": day,
            "start_m": metres,
            "seen_day": day,
            "seen_m": metres,
            "seen_share": zero,
            "share_per_m": zero,
            "share_per_day": zero,
            "due_day": np.where(due < FIRST_DAY + DAYS, due, -1),
            "renewed_day": np.full(2 * self.cars, -1),
        }

    def _empty(self) -> None:
        none = np.zeros(0, np.int64)
        self.observed["wear"] = dict.fromkeys(("vehicle", "time_d", "position", "value"), none)
        names = (
            *("vehicle", "tenure", "kind", "start_day", "end_day", "start_m", "end_m", "allowance_m"),
            *("excess_fee_per_km", "principal", "monthly_rate", "annual_interest", "balloon"),
        )
        self.observed["contracts"] = dict.fromkeys(names, none)
        self.observed["faults"] = dict.fromkeys(("vehicle", "day", "code", "status"), none)
        self.truth["wear"] = {"share": none}
        self.truth["regimes"] = dict.fromkeys(("vehicle", "day", "factor", "cause"), none)
        self.truth["clusters"] = dict.fromkeys(("vehicle", "day", "offset_m"), none)
