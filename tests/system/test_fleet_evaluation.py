"""From the simulator's columns to the server's evaluation: the files are all that they share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from milepost_server.cli import main as server
from milepost_simulator.cli import main as simulator

if TYPE_CHECKING:
    from pathlib import Path

AS_OF = ("--as-of", "2025-09-02", "--as-of", "2026-03-03")


def test_a_simulated_fleet_is_evaluated(tmp_path: Path) -> None:
    folder, out = tmp_path / "fleet", tmp_path / "out"
    made = CliRunner().invoke(
        simulator,
        [
            "fleet",
            "--columns",
            "--owners",
            "250",
            "--months",
            "30",
            "--as-of",
            "2026-03-03",
            *("--out", str(folder)),
        ],
    )
    assert made.exit_code == 0, made.output
    result = CliRunner().invoke(server, ["evaluate", "truth", str(folder), "--out", str(out), *AS_OF])
    assert result.exit_code == 0, result.output
    figures = json.loads((out / "truth.json").read_text())["figures"]
    assert figures["due_recall"] > 0.6
    assert figures["cleaning_precision"] > 0.6
    assert figures["cleaning_recall_large"] > 0.6
    for horizon in ("0_30d", "30_90d", "90_180d", "180_365d"):
        assert 0.5 < figures[f"due_coverage80_{horizon}"] <= 1.0
