"""The server at work: payloads wait for a transaction, receipts follow it, a crash may come in between."""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_protocol import topics
from milepost_protocol.receipt import encode_receipt
from milepost_simulator.world.server import Archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from milepost_simulator.world.broker import Broker


@dataclass(frozen=True, slots=True)
class Pace:
    """Workers, and the shortest and longest time of a transaction and of its receipt."""

    workers: int = 1
    commit_s: tuple[float, float] = (0.005, 0.05)
    receipt_s: tuple[float, float] = (0.0, 0.02)
    group_max: int = 16


class Ingest:
    """Workers that share what arrives; all they know is lost in a crash, but not what is committed.

    Args:
        broker: where batches come from and receipts go to.
        random: the chances of delays.
    """

    def __init__(self, broker: Broker, pace: Pace, random: Random) -> None:
        self.archive = Archive()
        self.is_up = True
        self.counts: Counter[str] = Counter()
        self._broker = broker
        self._pace = pace
        self._random = random
        self._lives = 0
        self._waiting: list[tuple[str, bytes]] = []
        self._idle = pace.workers
        self._backup = self.archive.copy()

    def arrive(self, topic: str, payload: bytes) -> None:
        """A payload from the broker; nobody hears it while the server is down."""
        if not self.is_up:
            return
        self._waiting.append((topic, payload))
        if self._idle:
            self._idle -= 1
            self._begin()

    def _begin(self) -> None:
        group = self._waiting[: self._pace.group_max]
        del self._waiting[: len(group)]
        self._later(self._pace.commit_s, lambda: self._commit(group))

    def _commit(self, group: list[tuple[str, bytes]]) -> None:
        receipts = self.archive.commit(group)
        self.counts["commits"] += 1
        for device, receipt in receipts:
            payload = encode_receipt(receipt)
            self._later(self._pace.receipt_s, functools.partial(self._tell, device, payload))
        if self._waiting:
            self._begin()
        else:
            self._idle += 1

    def _tell(self, device: str, payload: bytes) -> None:
        self.counts["receipts"] += 1
        self._broker.publish(topics.ack(device), payload)

    def _later(self, bounds_s: tuple[float, float], what: Callable[[], None]) -> None:
        life = self._lives

        def run() -> None:
            if life == self._lives:
                what()

        asyncio.get_running_loop().call_later(self._random.uniform(*bounds_s), run)

    def crash(self) -> None:
        """Lose all that is not committed, and say nothing of what is."""
        self._lives += 1
        self.is_up = False
        self._waiting.clear()
        self._idle = self._pace.workers
        self.counts["crashes"] += 1

    def start(self) -> None:
        """Come back with the database as it is."""
        self.is_up = True

    def back_up(self) -> None:
        """Keep a copy of the database."""
        self._backup = self.archive.copy()

    def restore(self) -> None:
        """Go back to the last backup."""
        self.archive = self._backup.copy()
        self.counts["restores"] += 1
