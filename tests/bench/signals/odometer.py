"""How well the next 3,000 and 6,000 miles and the next engine are foretold, on real buses held out.

The same as ``milepost-server evaluate odometer`` on the buses that stand beside the repository; without them
there is nothing to measure, and the figures are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from milepost_server.evaluation.odometer import report as odometer_report
from milepost_server.evaluation.odometer.events import read_lives, score
from milepost_server.evaluation.odometer.file import METRES, ColumnMap, read_fleet
from milepost_server.evaluation.odometer.folds import Protocol, Run

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "bus-odometers"
COLUMNS = ColumnMap(vehicle="bus", odometer="odometer_mi", year="year", month="month", group="group")
MILES = (3_000.0, 6_000.0)
SEED = 1
KEPT = ("due3000_mae_over_", "due6000_mae_over_", "due3000_later_", "due6000_later_", "due_", "replacement_")


def measure() -> dict[str, Any]:
    """The figures, each with the ends of its bootstrap interval by bus."""
    if not FOLDER.is_dir():
        return {"odometer_note": "the real buses are not beside this checkout; see docs/data.md"}
    fleet = read_fleet(FOLDER / "odometer.csv", COLUMNS, "mi")
    lives = read_lives(FOLDER / "engine_replacements.csv", COLUMNS, fleet)
    run = Run.of(fleet, Protocol(seed=SEED), _say)
    foretold = run.foretell([miles * METRES["mi"] for miles in MILES], _say)
    named = {f"{miles:g} mi": one for miles, one in zip(MILES, foretold, strict=True)}
    report = odometer_report.report("odometer.csv", fleet, named, run.protocol)
    odometer_report.add_events(report, "engine_replacements.csv", score(fleet, lives, run.fold, run.models))
    return {key: value for key, value in report.figures.items() if key.startswith(KEPT)}


def _say(words: str) -> None:
    print(f"odometer: {words}", flush=True)
