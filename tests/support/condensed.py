"""The product's table of values by age, condensed from listings of used cars (vehicletrends, MIT licence).

``python tests/support/condensed.py FOLDER`` writes it anew from the folder of listings; a test compares.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path
from typing import TypeAlias

import numpy as np

from milepost_server.signals.value.residual import MODEL_COLUMNS, RESIDUAL_COLUMNS

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "server" / "src" / "milepost_server" / "signals" / "value"
AGES = (12, 24, 36, 48, 60, 72, 84, 96, 108, 120, 132, 144, 156, 168, 180)
NEAR_MONTHS = 9.0
QUARTILES = (25, 50, 75)
KM_PER_MILE = 1.609344
POWERTRAINS = {
    "Gasoline": "combustion",
    "Hybrid Electric (HEV)": "hybrid",
    "Plug-In Hybrid Electric (PHEV)": "plug-in-hybrid",
    "Battery Electric (BEV)": "ev",
}
Bins: TypeAlias = dict[tuple[str, str], dict[int, dict[float, float]]]


def bins(path: Path, column: str) -> Bins:
    found: Bins = defaultdict(lambda: defaultdict(dict))
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["powertrain"] in POWERTRAINS:
                key = (POWERTRAINS[row["powertrain"]], row["vehicle_type"].lower())
                found[key][int(row["quantile"])][float(row["age_bin"])] = float(row[column])
    return found


def _is_told(bins: dict[float, float]) -> bool:
    """Whether there are listings around every age."""
    return all(any(abs(at - age) <= NEAR_MONTHS for at in bins) for age in AGES)


def _near(bins: dict[float, float], age: float, *, mean: bool) -> float:
    """The mean, of logarithms where ``mean`` is False, of the bins around an age."""
    near = [value for at, value in bins.items() if abs(at - age) <= NEAR_MONTHS]
    return float(np.mean(near)) if mean else float(np.exp(np.mean(np.log(near))))


def residuals(folder: Path) -> list[list[str]]:
    """Rows of ``residuals.csv``: value over list price, never rising with age nor above 1, and usual km."""
    worth, driven = bins(folder / "depreciation.csv", "rr"), bins(folder / "vmt_age.csv", "miles")
    rows = []
    for key in sorted(worth):
        if not _is_told(worth[key][50]) or not _is_told(driven[key][50]):
            continue
        shares = [
            np.minimum.accumulate([min(_near(worth[key][q], age, mean=False), 1.0) for age in AGES])
            for q in QUARTILES
        ]
        km = [
            np.maximum.accumulate([_near(driven[key][q], age, mean=True) * KM_PER_MILE for age in AGES])
            for q in QUARTILES
        ]
        for place, age in enumerate(AGES):
            numbers = [f"{share[place]:.3f}" for share in shares] + [f"{one[place]:.0f}" for one in km]
            rows.append([*key, str(age), *numbers])
    return rows


def models(folder: Path) -> list[list[str]]:
    """Rows of ``models.csv``: what a model loses a year more than the middle model of its powertrain."""
    with (folder / "dep_annual_model.csv").open(newline="", encoding="utf-8") as file:
        known = [row for row in csv.DictReader(file) if row["powertrain"] in POWERTRAINS]
    middle = {
        powertrain: float(np.median([float(r["dep_annual"]) for r in known if r["powertrain"] == powertrain]))
        for powertrain in POWERTRAINS
    }
    found: dict[tuple[str, str, str], list[tuple[str, float]]] = defaultdict(list)
    for row in known:
        key = (row["make"].casefold(), row["model"].casefold(), POWERTRAINS[row["powertrain"]])
        over = float(row["dep_annual"]) - middle[row["powertrain"]]
        found[key].append((row["vehicle_type"].lower(), over))
    return [
        [*key, entries[0][0], f"{np.mean([over for _, over in entries]):.3f}"]
        for key, entries in sorted(found.items())
    ]


def tables(folder: Path) -> dict[str, str]:
    """The text of each table by its file's name."""
    return {
        "residuals.csv": _text([list(RESIDUAL_COLUMNS), *residuals(folder)]),
        "models.csv": _text([list(MODEL_COLUMNS), *models(folder)]),
    }


def _text(rows: list[list[str]]) -> str:
    return "".join(",".join(row) + "\n" for row in rows)


if __name__ == "__main__":
    for name, text in tables(Path(sys.argv[1])).items():
        (TARGET / name).write_text(text, encoding="utf-8")
