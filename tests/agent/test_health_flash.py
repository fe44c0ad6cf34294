"""The flash meter: the kernel's count, what it comes to a day, and what follows from too much of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from milepost_agent.health.flash import STRETCH_MAX, WINDOW_S, FlashMeter, written_bytes

if TYPE_CHECKING:
    from pathlib import Path

BUDGET = 144_000_000
"""1 MB in each window of 600 s."""


@dataclass
class Flash:
    """A count and a clock that the test moves."""

    written: int | None = 0
    now_s: float = 50.0

    def meter(self) -> FlashMeter:
        return FlashMeter(lambda: self.written, lambda: self.now_s, BUDGET)

    def go_on(self, window_bytes: int) -> None:
        self.now_s += WINDOW_S
        assert self.written is not None
        self.written += window_bytes


def test_commits_become_rarer_over_the_budget_and_as_before_below_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flash = Flash()
    meter = flash.meter()
    found = []
    for window_bytes in (900_000, 3_000_000, 3_000_000, 900_000, 600_000, 600_000, 600_000):
        flash.go_on(window_bytes)
        found.append(round(meter.stretch(), 2))
    assert found == [1, 1.5, 2.25, 2.25, 1.5, 1, 1]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "432 MB a day" in caplog.text


def test_there_is_an_end_to_rare() -> None:
    flash = Flash()
    meter = flash.meter()
    for _ in range(20):
        flash.go_on(100_000_000)
        meter.stretch()
    assert meter.stretch() == STRETCH_MAX


def test_one_look_within_a_window_says_nothing_yet() -> None:
    flash = Flash()
    meter = flash.meter()
    flash.now_s += WINDOW_S - 1
    flash.written = 10**9
    assert meter.stretch() == 1
    assert meter.facts(1_000) == {
        "written_bytes": 10**9,
        "bytes_per_sample": 10**6,
        "bytes_per_day": None,
        "bytes_per_day_max": BUDGET,
        "commit_stretch": 1,
    }
    flash.now_s += 1
    meter.stretch()
    assert meter.facts(0)["bytes_per_day"] == 144 * 10**9
    assert meter.facts(0)["bytes_per_sample"] is None


def test_where_nobody_counts_nothing_is_made_up() -> None:
    flash = Flash(written=None)
    meter = flash.meter()
    flash.now_s += WINDOW_S
    assert meter.stretch() == 1
    assert meter.facts(10)["written_bytes"] is meter.facts(10)["bytes_per_day"] is None


def test_the_kernel_counts_what_is_synced(tmp_path: Path) -> None:
    before = written_bytes()
    if before is None:
        pytest.skip("only Linux counts what a process writes")
    with (tmp_path / "file").open("wb") as file:
        file.write(os.urandom(1 << 20))
        file.flush()
        os.fsync(file.fileno())
        after = written_bytes()
    assert after is not None
    # A file system in memory writes nothing.
    assert after == before or after - before >= 1 << 20
