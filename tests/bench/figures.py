"""Figures go to build/bench/<name>.json; the tables in docs/benchmarks.md are made from those files."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "bench"
PAGE = ROOT / "docs" / "benchmarks.md"


def write(name: str, figures: dict[str, Any]) -> None:
    """Write ``figures`` to the benchmark's file, and print those that are numbers."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for key, value in figures.items():
        if isinstance(value, (int, float)):
            print(f"{key:32} {value:g}")
    print(f"wrote {path.relative_to(ROOT)}", flush=True)


def write_page() -> None:
    """Write docs/benchmarks.md from the files that are there."""
    parts = [
        "# Benchmarks",
        "",
        f"Made by `make bench` from `build/bench/*.json`; Python {platform.python_version()}, "
        f"{platform.machine()}. Sizes are exact; times are medians: compare them within a table.",
    ]
    for path in sorted(FOLDER.glob("*.json"), reverse=True):
        parts += ["", *_section(path.stem, json.loads(path.read_text(encoding="utf-8")))]
    PAGE.write_text("\n".join(parts) + "\n", encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


def _section(name: str, figures: dict[str, Any]) -> list[str]:
    lines = [f"## {name}", "", str(figures.get("what", "")), "", "| figure | value |", "|---|---|"]
    lines += [f"| `{key}` | {value:g} |" for key, value in figures.items() if isinstance(value, (int, float))]
    table = figures.get("table", [])
    if table:
        keys = list(table[0])
        lines += ["", "| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
        lines += ["| " + " | ".join(_cell(row[key]) for key in keys) + " |" for row in table]
    return lines


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
