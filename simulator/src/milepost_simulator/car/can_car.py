"""One car on CAN: its units and what they say by themselves, frames in, frames out in time. No I/O."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milepost_simulator.car.broadcast import Broadcast
    from milepost_simulator.car.can_unit import CanFrame, CanUnit
    from milepost_simulator.car.snapshot import Vehicle
    from milepost_simulator.clock import Clock

AFTER_RUN_S = 2.0
"""Something is still said on the bus for so long after the ignition was turned off."""
SETTLE_S = 1.0
"""And so long after that it sleeps."""
FRAMES_MAX = 10_000


class CanCar:
    """All of a car that is on one bus.

    The times of ``hear``, ``due`` and ``next_s`` are those of a monotonic clock; what the units know is that
    of the car's own clock. ``woken`` counts frames that were sent to it while its bus slept: nobody should.

    Args:
        vehicle: what the units look at.
        clock: the time in the car's world.
        units: those that answer.
        broadcasts: what is said without being asked.
        spoil: what a bad bus makes of a frame: the frames that arrive.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        clock: Clock,
        units: Sequence[CanUnit],
        broadcasts: Sequence[Broadcast] = (),
        spoil: Callable[[CanFrame], Sequence[CanFrame]] = lambda frame: (frame,),
    ) -> None:
        self.units = tuple(units)
        self.heard: list[CanFrame] = []
        self.woken = 0
        self._vehicle = vehicle
        self._clock = clock
        self._broadcasts = tuple(broadcasts)
        self._spoil = spoil
        self._due_s = [0.0] * len(self._broadcasts)
        self._on_until_s = -float("inf")
        self._queue: list[tuple[float, int, CanFrame]] = []
        self._count = 0

    def is_awake(self, mono_s: float) -> bool:
        """Whether the bus does not sleep."""
        if self._vehicle.snapshot(self._clock.now_s()).is_ignition_on:
            self._on_until_s = mono_s
        return mono_s - self._on_until_s <= AFTER_RUN_S + SETTLE_S

    def hear(self, frame: CanFrame, mono_s: float) -> None:
        """A frame came from outside."""
        self.heard.append(frame)
        self.woken += not self.is_awake(mono_s)
        now = self._vehicle.snapshot(self._clock.now_s())
        for unit in self.units:
            at_s = mono_s
            for delay_s, answer in unit.hear(frame, now):
                at_s += delay_s
                self._put(at_s, answer)

    def due(self, mono_s: float) -> list[CanFrame]:
        """The frames that are sent by now, in order."""
        self._broadcast(mono_s)
        frames: list[CanFrame] = []
        while self._queue and self._queue[0][0] <= mono_s:
            frames += self._spoil(heapq.heappop(self._queue)[2])
        return frames

    def next_s(self) -> float:
        """When ``due`` has something next, as far as is known."""
        broadcast_s = min(self._due_s, default=float("inf"))
        return min(broadcast_s, self._queue[0][0]) if self._queue else broadcast_s

    def _broadcast(self, mono_s: float) -> None:
        ripe = [n for n, due_s in enumerate(self._due_s) if due_s <= mono_s]
        if not ripe:
            return
        now = self._vehicle.snapshot(self._clock.now_s())
        says_more = self.is_awake(mono_s) and mono_s - self._on_until_s <= AFTER_RUN_S
        for n in ripe:
            broadcast = self._broadcasts[n]
            self._due_s[n] = mono_s + broadcast.period_s
            if now.is_ignition_on or (says_more and broadcast.when_off):
                self._put(mono_s, broadcast.make(now))

    def _put(self, at_s: float, frame: CanFrame) -> None:
        if len(self._queue) < FRAMES_MAX:
            self._count += 1
            heapq.heappush(self._queue, (at_s, self._count, frame))
