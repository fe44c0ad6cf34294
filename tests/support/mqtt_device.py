"""A device as a broker sees it: MQTT 3.1.1, its own topics, and nothing of the agent."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiomqtt

from milepost_protocol import topics
from milepost_protocol.codec import encode_batch
from milepost_protocol.receipt import Receipt, decode_receipt
from support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from milepost_protocol.batch import Batch


@dataclass
class MqttDevice:
    """A connected device; ``receipts``, and ``documents`` with their topics, grow as they come."""

    id: str
    client: aiomqtt.Client
    receipts: list[Receipt] = field(default_factory=list)
    documents: list[tuple[str, bytes]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, batch: Batch | bytes, topic: str | None = None) -> None:
        """Publish a payload; returns with the broker's PUBACK."""
        payload = batch if isinstance(batch, bytes) else encode_batch(batch)
        await self.client.publish(topic or topics.up(self.id), payload, qos=topics.UP_QOS, timeout=WAIT_S_MAX)

    async def receipt(self, seq: int, epoch: str | None = None) -> Receipt:
        """Wait for a receipt up to ``seq``."""
        async with asyncio.timeout(WAIT_S_MAX):
            while True:
                for receipt in self.receipts:
                    if receipt.seq >= seq and epoch in (None, receipt.epoch):
                        return receipt
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def connected(
    port: int, device_id: str, secret: str, tls: ssl.SSLContext | None = None
) -> AsyncIterator[MqttDevice]:
    """Connect a device and subscribe to its receipts for the block.

    Raises:
        aiomqtt.MqttError: the broker does not let it in.
    """
    async with aiomqtt.Client(
        "127.0.0.1",
        port,
        identifier=device_id,
        username=device_id,
        password=secret,
        protocol=aiomqtt.ProtocolVersion.V311,
        timeout=WAIT_S_MAX,
        tls_context=tls,
    ) as client:
        await client.subscribe(topics.ack(device_id), qos=topics.ACK_QOS)
        device = MqttDevice(device_id, client)
        listening = asyncio.create_task(_listen(device))
        try:
            yield device
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _listen(device: MqttDevice) -> None:
    async for message in device.client.messages:
        assert isinstance(message.payload, bytes)
        if str(message.topic) == topics.ack(device.id):
            device.receipts.append(decode_receipt(message.payload))
        else:
            device.documents.append((str(message.topic), message.payload))
        device.changed.set()
