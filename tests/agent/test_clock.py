"""Trust in the clock, wall times of readings, repair."""

from __future__ import annotations

import time

import pytest

from milepost_agent.clock import BUILT_MS, DAY_MS, ClockReading, SystemClock, judge, repair_ms
from milepost_protocol.samples import TimeTrust
from support.stores import FakeClock

NOW_MS = BUILT_MS + 400 * DAY_MS


@pytest.mark.parametrize(
    ("wall_ms", "synced", "trust"),
    [
        (NOW_MS, True, TimeTrust.SYNCED),
        (NOW_MS, False, TimeTrust.RTC),
        (NOW_MS, None, TimeTrust.RTC),
        (0, True, TimeTrust.UNTRUSTED),
        (86_400_000, False, TimeTrust.UNTRUSTED),
        (BUILT_MS - 1, True, TimeTrust.UNTRUSTED),
        (BUILT_MS + 40 * 365 * DAY_MS, True, TimeTrust.UNTRUSTED),
    ],
)
def test_a_clock_is_trusted_where_it_is_plausible(
    wall_ms: int, synced: bool | None, trust: TimeTrust
) -> None:
    assert judge(wall_ms, synced=synced) is trust


def test_a_reading_gets_the_wall_time_of_its_moment() -> None:
    now = FakeClock(wall_ms=NOW_MS, mono_s=500.0).read()
    assert now.wall_ms_at(497.25) == NOW_MS - 2_750
    assert FakeClock(wall_ms=1_000, mono_s=500.0).read().wall_ms_at(0.0) == 0


def test_a_stamp_is_repaired_by_what_the_clock_was_set_by_and_sleep_does_not_count() -> None:
    then = ClockReading(5_000, 10.0, -5_000, TimeTrust.UNTRUSTED, "boot")
    # An hour later, 50 minutes of it asleep: the monotonic clock stood still, time since boot did not.
    synced = ClockReading(NOW_MS, 610.0, NOW_MS - 3_610_000, TimeTrust.SYNCED, "boot")
    shift_ms = repair_ms(then.boot, then.offset_ms, synced)
    assert shift_ms is not None
    assert then.wall_ms + shift_ms == NOW_MS - 3_600_000


def test_there_is_no_repair_before_the_clock_is_right_nor_after_a_reboot() -> None:
    wrong = FakeClock(wall_ms=9_000, trust=TimeTrust.UNTRUSTED).read()
    assert repair_ms(wrong.boot, -5_000, wrong) is None
    assert repair_ms("boot-0", -5_000, FakeClock().read()) is None


def test_the_clocks_of_this_machine_agree_with_it() -> None:
    clock = SystemClock()
    before_ms, now, after_ms = time.time_ns() // 1_000_000, clock(), time.time_ns() // 1_000_000
    assert before_ms <= now.wall_ms <= after_ms
    assert now.mono_s <= time.monotonic()
    assert now.boot == SystemClock()().boot
    assert now.trust in (TimeTrust.SYNCED, TimeTrust.RTC, TimeTrust.UNTRUSTED)
