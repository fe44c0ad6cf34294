"""How much is asked of the tests of faults: a share of `make test`, or the long form of `make crash`."""

from __future__ import annotations

import os

import pytest

IS_LONG = os.environ.get("MILEPOST_TEST_CRASH", "") == "1"

only_long = pytest.mark.skipif(
    not IS_LONG, reason="takes long, and stands in for little; `make crash` runs it"
)


def times(few: int, many: int) -> int:
    """How often: ``few`` times in `make test`, ``many`` times in `make crash`."""
    return many if IS_LONG else few
