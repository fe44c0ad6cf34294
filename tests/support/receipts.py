"""A small server for the agent's tests: commits batches in memory and publishes receipts."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import aiomqtt

from milepost_protocol import topics
from milepost_protocol.codec import decode_batch
from milepost_protocol.receipt import Receipt, encode_receipt
from support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_protocol.batch import Batch
    from milepost_protocol.samples import Gap, Sample

RECONNECT_S = 0.1


@dataclass
class Committed:
    """What is committed of one epoch: samples and gaps by seq; a seq that came again changes nothing."""

    samples: dict[int, Sample] = field(default_factory=dict)
    lost: dict[int, Gap] = field(default_factory=dict)
    resent: int = 0

    def add(self, batch: Batch) -> None:
        """Commit what is new in ``batch``."""
        for sample in batch.samples():
            self.resent += self.has(sample.seq)
            if not self.has(sample.seq):
                self.samples[sample.seq] = sample
        for gap in batch.gaps:
            for seq in range(gap.first, gap.last + 1):
                if not self.has(seq):
                    self.lost[seq] = gap

    def has(self, seq: int) -> bool:
        """Whether ``seq`` is accounted for."""
        return seq in self.samples or seq in self.lost

    def receipt(self, epoch: str) -> Receipt:
        """The receipt for all this."""
        ranges: list[tuple[int, int]] = []
        for seq in sorted({*self.samples, *self.lost}):
            if ranges and ranges[-1][1] + 1 == seq:
                ranges[-1] = (ranges[-1][0], seq)
            else:
                ranges.append((seq, seq))
        below = ranges.pop(0)[1] if ranges and ranges[0][0] == 1 else 0
        return Receipt(epoch, below, tuple(ranges[:16]))


class ReceiptGiver:
    """Subscribes to all devices on a broker; reconnects by itself. ``is_mute``: commits without a receipt."""

    def __init__(
        self,
        port: int,
        *,
        username: str | None = None,
        password: str | None = None,
        unix_socket: Path | None = None,
    ) -> None:
        self._where: dict[str, Any] = {"hostname": "127.0.0.1", "port": port}
        if unix_socket:
            self._where = {"hostname": str(unix_socket), "transport": "unix"}
        self._login = {"username": username, "password": password}
        self.epochs: dict[tuple[str, str], Committed] = {}
        self.batches: list[Batch] = []
        self.is_mute = False
        self.is_deaf = False
        """Forgets what the broker has acknowledged: neither commits nor answers."""
        self.counts: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._listens = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        await asyncio.wait_for(self._listens.wait(), WAIT_S_MAX)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        while not self._task.done():
            # A client that is just answering may take a cancellation for trouble with its broker.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=RECONNECT_S)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(**self._where, **self._login) as client:
                    await client.subscribe(topics.UP_FILTER, qos=topics.UP_QOS)
                    self._listens.set()
                    async for message in client.messages:
                        await self._take(client, message)
            self._listens.clear()
            await asyncio.sleep(RECONNECT_S)

    async def _take(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        assert isinstance(message.payload, bytes)
        self.counts["batches"] += 1
        if self.is_deaf:
            return
        device = topics.device_of(str(message.topic))
        batch = decode_batch(message.payload)
        self.batches.append(batch)
        committed = self.epochs.setdefault((device, batch.epoch), Committed())
        committed.add(batch)
        if not self.is_mute:
            await client.publish(topics.ack(device), encode_receipt(committed.receipt(batch.epoch)), qos=0)

    def of(self, device: str, epoch: str) -> Committed:
        """What is committed of one epoch."""
        return self.epochs.setdefault((device, epoch), Committed())
