"""The window: a link of any rate stays busy, and what stands in it is a matter of seconds."""

from __future__ import annotations

from collections import deque

import pytest

from milepost_agent.uplink.link import Granted
from milepost_agent.uplink.window import BATCH_BYTES_MAX, BYTES_FIRST, BYTES_MIN, QUEUE_S, Crossing, Window

ANY = Granted()
FRAMING_BYTES = 60


class SlowLink:
    """Carries one batch after the other at ``bytes_s``; its PUBACK is back ``delay_s`` later."""

    def __init__(self, bytes_s: float, delay_s: float = 0.0) -> None:
        self.bytes_s = bytes_s
        self.delay_s = delay_s
        self.window = Window(batches_max=4, bytes_max=128 * 1024, granted=ANY)
        self.now_s = 0.0
        self.free_s = 0.0
        self.busy_s = 0.0
        self.carried_bytes = 0
        self.waits_s: list[float] = []
        self._on_way: deque[tuple[float, Crossing]] = deque()

    def run(self, for_s: float) -> None:
        """Hand over batches whenever the window has room."""
        until_s = self.now_s + for_s
        while self.now_s < until_s:
            while self.window.has_room():
                self._send(self.window.batch_bytes_max)
            self.now_s, crossing = self._on_way.popleft()
            self.window.acknowledged(crossing, self.now_s)
            self.carried_bytes += crossing.size_bytes

    def _send(self, size_bytes: int) -> None:
        self.waits_s.append(max(0.0, self.free_s - self.now_s))
        took_s = (size_bytes + FRAMING_BYTES) / self.bytes_s
        self.free_s = max(self.free_s, self.now_s) + took_s
        self._on_way.append((self.free_s + self.delay_s, self.window.sent(size_bytes, self.now_s)))


@pytest.mark.parametrize("bits_s", [9_600, 64_000, 1_000_000])
@pytest.mark.parametrize("delay_s", [0.05, 0.6])
def test_a_slow_link_is_used_and_nothing_waits_in_it_for_long(bits_s: int, delay_s: float) -> None:
    link = SlowLink(bits_s / 8, delay_s)
    link.run(for_s=60.0)
    link.waits_s.clear()
    before_bytes, before_s = link.carried_bytes, link.now_s
    link.run(for_s=300.0)
    share = (link.carried_bytes - before_bytes) / (link.bytes_s * (link.now_s - before_s))
    assert share > 0.9
    assert max(link.waits_s) <= QUEUE_S


def test_a_link_that_becomes_slow_gets_less_at_once() -> None:
    link = SlowLink(1_000_000.0, 0.05)
    link.run(for_s=20.0)
    assert link.window.batch_bytes_max == BATCH_BYTES_MAX
    link.bytes_s = 8_000.0
    link.run(for_s=120.0)
    link.waits_s.clear()
    link.run(for_s=30.0)
    assert max(link.waits_s) <= QUEUE_S
    assert link.window.rate_bytes_s == pytest.approx(8_000.0, rel=0.1)


def test_a_fast_link_is_held_by_the_configured_bytes_alone() -> None:
    window = Window(batches_max=4, bytes_max=100_000, granted=ANY)
    window.acknowledged(window.sent(10_000, 0.0), 0.001)
    assert window.bytes_max == 100_000
    assert window.batch_bytes_max == 50_000


def test_before_the_first_puback_little_is_under_way() -> None:
    window = Window(batches_max=4, bytes_max=1_000_000, granted=ANY)
    assert window.rate_bytes_s is None
    sent = 0
    while window.has_room():
        sent += window.batch_bytes_max
        window.sent(window.batch_bytes_max, 0.0)
    assert sent == BYTES_FIRST == window.bytes_under_way


def test_a_link_that_hardly_moves_still_gets_something() -> None:
    window = Window(batches_max=4, bytes_max=1_000_000, granted=ANY)
    window.acknowledged(window.sent(100, 0.0), 3_600.0)
    assert window.bytes_max == BYTES_MIN
    assert window.has_room()


@pytest.mark.parametrize(("granted", "bytes_max"), [(10_000, 9_904), (50, 1), (1 << 28, BYTES_FIRST // 2)])
def test_the_broker_bounds_the_size_of_a_batch(granted: int, bytes_max: int) -> None:
    window = Window(batches_max=4, bytes_max=1_000_000, granted=Granted(packet_bytes_max=granted))
    assert window.batch_bytes_max == min(bytes_max, BYTES_FIRST // 2)
