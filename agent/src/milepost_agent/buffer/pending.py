"""Sampled, not yet stored: a bounded queue in memory that gives way by value when the disk refuses."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from milepost_agent.buffer.blocks import merge_counts
from milepost_agent.buffer.policy import DROP_ORDER, signal_class

if TYPE_CHECKING:
    from milepost_agent.buffer.blocks import Counts
    from milepost_agent.readings import Reading


class Pending:
    """At most ``samples_max`` readings; beyond, the oldest of the least valuable class goes."""

    def __init__(self, samples_max: int) -> None:
        self._samples_max = samples_max
        self._queues: dict[str, deque[Reading]] = {name: deque() for name in DROP_ORDER}
        self._lost: Counter[str] = Counter()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def lost(self) -> Counts:
        """What was dropped and stands in no gap yet."""
        return merge_counts(self._lost.items())

    def add(self, reading: Reading) -> None:
        """Take one reading in."""
        self._queues[signal_class(reading.signal)].append(reading)
        self._size += 1
        if self._size > self._samples_max:
            name = next(name for name in DROP_ORDER if self._queues[name])
            self._queues[name].popleft()
            self._lost[name] += 1
            self._size -= 1

    def take(self, samples_max: int) -> tuple[list[Reading], Counts]:
        """Up to ``samples_max`` readings, most valuable first, and what was lost; both leave the queue."""
        taken: list[Reading] = []
        for name in reversed(DROP_ORDER):
            queue = self._queues[name]
            while queue and len(taken) < samples_max:
                taken.append(queue.popleft())
        self._size -= len(taken)
        lost = self.lost
        self._lost.clear()
        return taken, lost
