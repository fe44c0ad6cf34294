"""The watch over a bus: awake, quiet, and the jump of its traffic; in a time that the test makes."""

from __future__ import annotations

from milepost_agent.sources.can.watch import JUMP_FRAMES_MIN, BusWatch


def hear(watch: BusWatch, from_s: float, seconds: int, per_second: int) -> float:
    for n in range(seconds * per_second):
        watch.heard(from_s + n / per_second)
    return from_s + seconds


def test_a_bus_sleeps_until_its_first_frame_and_after_its_last() -> None:
    watch = BusWatch(5.0)
    assert not watch.is_awake(0.0)
    watch.heard(10.0)
    assert watch.is_awake(14.9)
    assert not watch.is_awake(15.0)


def test_a_jump_of_traffic_is_told_once() -> None:
    watch = BusWatch(5.0)
    now_s = hear(watch, 0.0, 10, 50)
    assert not watch.take_jump()
    now_s = hear(watch, now_s, 3, 300)
    assert watch.take_jump()
    assert not watch.take_jump()
    hear(watch, now_s, 10, 300)
    assert not watch.take_jump()


def test_traffic_that_fades_or_flickers_a_little_is_no_jump() -> None:
    watch = BusWatch(5.0)
    now_s = hear(watch, 0.0, 3, 400)
    for rate in (200, 100, 40, 20, 5, JUMP_FRAMES_MIN // 2, 5):
        now_s = hear(watch, now_s, 2, rate)
    assert not watch.take_jump()


def test_a_bus_that_wakes_has_no_traffic_to_jump_from() -> None:
    watch = BusWatch(5.0)
    hear(watch, 0.0, 5, 10)
    hear(watch, 100.0, 1, 400)
    assert not watch.take_jump()
