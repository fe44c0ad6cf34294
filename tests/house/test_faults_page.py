"""The page of faults names tests that exist, and every test of faults stands on it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE))


def functions_of(file: Path) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_fault_has_a_test_that_exists() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| fault")]
    assert len(rows) > 20
    assert [row for row in rows if "::test_" not in row] == []
    assert {(file, name) for file, name in NAMED if name not in functions_of(ROOT / file)} == set()


def test_no_test_of_faults_is_left_out() -> None:
    made = {
        (str(file.relative_to(ROOT)), name)
        for file in (ROOT / "tests" / "system").glob("test_faults_*.py")
        for name in functions_of(file)
        if name != "test_a_disk_that_is_never_asked_to_sync_would_be_caught"
    }
    assert made - NAMED == set()
