"""How much is asked of the tests of faults: a share of `make test`, or the long form of `make crash`."""

from __future__ import annotations

import json
import os
from pathlib import Path

IS_LONG = os.environ.get("MILEPOST_TEST_CRASH", "") == "1"
TALLY = os.environ.get("MILEPOST_TEST_TALLY", "")
"""Where each test notes how often it tried, a line of JSON a test; nowhere by default."""


def times(few: int, many: int) -> int:
    """How often: ``few`` times in `make test`, ``many`` times in `make crash`."""
    return many if IS_LONG else few


def tally(what: str, runs: int, lost: int = 0, doubled: int = 0) -> None:
    """Note that a fault was tried ``runs`` times, and how many stored samples that has cost."""
    print(f"{what}: {runs} runs, {lost} lost, {doubled} doubled")
    if TALLY:
        with Path(TALLY).open("a", encoding="utf-8") as file:
            print(json.dumps({"what": what, "runs": runs, "lost": lost, "doubled": doubled}), file=file)
