"""Generated pages say what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_map_of_files_is_current() -> None:
    current = runpy.run_path(str(Path(__file__).with_name("file_map.py")))["text"]()
    assert (ROOT / "docs" / "files.md").read_text(encoding="utf-8") == current, "run `make contracts`"
