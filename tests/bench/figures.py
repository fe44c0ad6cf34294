"""Figures go to build/bench/<name>.json; the tables in the pages of docs/ are made from those files."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "bench"


class Page(NamedTuple):
    """A page of docs/, made by the target ``made_by`` from the files of its benchmarks."""

    name: str
    title: str
    made_by: str
    benchmarks: tuple[str, ...]


PAGES = (
    Page("benchmarks.md", "Benchmarks", "make bench", ("wire", "road", "memory")),
    Page("agent-benchmarks.md", "Benchmarks of the agent", "make bench-agent", ("agent",)),
    Page("signals-evaluation.md", "How good the signals are", "make bench-signals", ("signals",)),
)


def write(name: str, figures: dict[str, Any]) -> None:
    """Write ``figures`` to the benchmark's file, and print those that are numbers."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for key, value in figures.items():
        if isinstance(value, (int, float)):
            print(f"{key:32} {value:g}")
    print(f"wrote {path.relative_to(ROOT)}", flush=True)


def write_pages() -> None:
    """Write each page of whose benchmarks there are files."""
    for page in PAGES:
        files = [FOLDER / f"{name}.json" for name in page.benchmarks]
        sections = [_section(file.stem, json.loads(file.read_text())) for file in files if file.exists()]
        if sections:
            _write_page(page, sections)


def _write_page(page: Page, sections: list[list[str]]) -> None:
    lines = [
        f"# {page.title}",
        "",
        f"Made by `{page.made_by}` from `build/bench/*.json`; Python {platform.python_version()}, "
        f"{platform.machine()}. Sizes are exact; times are medians: compare them within a table.",
    ]
    for section in sections:
        lines += ["", *section]
    path = ROOT / "docs" / page.name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}")


def _section(name: str, figures: dict[str, Any]) -> list[str]:
    lines = [f"## {name}", "", str(figures.get("what", ""))]
    rows = [f"| `{key}` | {_figure(value)} |" for key, value in figures.items() if _is_figure(value)]
    if rows:
        lines += ["", "| figure | value |", "|---|---|", *rows]
    for key, table in figures.items():
        if isinstance(table, list) and table and isinstance(table[0], dict):
            lines += ["", *_table(key, table)]
    lines += [f"\n{value}" for key, value in figures.items() if key.endswith("_note")]
    return lines


def _is_figure(value: object) -> bool:
    """Whether it is a number, an interval, or a number with the ends of its interval."""
    if isinstance(value, list):
        return len(value) in (2, 3) and all(isinstance(each, int | float) for each in value)
    return isinstance(value, int | float)


def _figure(value: Any) -> str:
    if isinstance(value, list):
        *middle, low, high = value
        ends = f"{low:.4g} to {high:.4g}"
        return f"{middle[0]:.4g} ({ends})" if middle else ends
    return f"{value:g}"


def _table(key: str, table: list[dict[str, Any]]) -> list[str]:
    """Rows of one table; ``table`` is that of the section itself, another is named by its key."""
    names = list(table[0])
    head = [] if key == "table" else [f"### {key}", ""]
    rows = ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in table]
    return [*head, "| " + " | ".join(names) + " |", "|" + "---|" * len(names), *rows]


def _cell(value: object) -> str:
    if _is_figure(value) and isinstance(value, list):
        return _figure(value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
