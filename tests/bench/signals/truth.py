"""What the signals are worth on fleets whose truth is known, by seed: readiness, due dates, cleaning.

The same as ``milepost-server evaluate truth`` on fleets that the simulator makes.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from milepost_server.evaluation.truth.command import as_of_days
from milepost_server.evaluation.truth.files import read_facts
from milepost_server.evaluation.truth.found import find
from milepost_server.evaluation.truth.report import make_report
from milepost_simulator.fleet.column_files import write_columns
from milepost_simulator.fleet.lot import FleetPlan

SEEDS = (11, 12, 13)
OWNERS, MONTHS, AS_OF_DAY = 8_000, 36, 20_515
DRAWN_BY = 1
MILLION = 1_000_000
GAINS = ("readiness_gain_over_leaseend", "readiness_gain_over_agerule")
KEPT = ("readiness_", "due_", "list_", "distance_", "cleaning_")


def measure() -> dict[str, Any]:
    """A table with the figures of each seed; of the gains also the mean, with its interval over owners."""
    reports, seconds = [], []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            begin = time.process_time()
            plan = FleetPlan(OWNERS, seed, MONTHS, AS_OF_DAY, settled=False)
            write_columns(plan, Path(folder), lambda _: None, with_wear=True)
            seconds.append(time.process_time() - begin)
            reports.append(_figures(Path(folder), seed))
    kept = [key for key in reports[0] if key.startswith(KEPT) and not key.endswith(("_low", "_high"))]
    figures: dict[str, Any] = {
        "truth_by_seed": [
            {
                "figure": key,
                **{f"seed {seed}": report[key] for seed, report in zip(SEEDS, reports, strict=True)},
            }
            for key in kept
        ]
    }
    for key in GAINS:
        for days in (90, 180):
            figures |= _over_seeds(key if days == 90 else f"{key}_{days}d", f"{key}_{days}d", reports)
    figures["fleet_million_s"] = float(np.median(seconds)) * MILLION / OWNERS
    return figures


def _figures(folder: Path, seed: int) -> dict[str, Any]:
    facts = read_facts(folder)
    found = find(folder, facts, as_of_days(facts, ()), lambda words: print(f"truth, seed {seed}: {words}"))
    return dict(make_report(found, facts, DRAWN_BY).figures)


def _over_seeds(name: str, key: str, reports: list[dict[str, Any]]) -> dict[str, float]:
    """The mean of a gain over independent fleets; its error is that of their intervals together."""
    values = np.array([report[key] for report in reports])
    halves = np.array([(report[f"{key}_high"] - report[f"{key}_low"]) / 2 for report in reports])
    half = float(np.sqrt((halves**2).sum()) / len(reports))
    mean = float(values.mean())
    return {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half}
