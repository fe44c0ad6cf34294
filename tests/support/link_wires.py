"""Links of each kind with what is at their far end, for the contract that all of them keep."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import aiomqtt

from milepost_agent.uplink import mqtt
from milepost_agent.uplink.link import Broker
from support.links import Link as Proxy
from support.mosquitto import Mosquitto
from support.nats import Nats
from support.stores import DEVICE
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from milepost_agent.uplink.link import Connector

KEEPALIVE_S = 5


class Far(Protocol):
    """What a test sees of, and does at, the far end."""

    async def publish(self, topic: str, payload: bytes, *, is_retained: bool = False) -> None:
        """Another client publishes."""

    def got(self, topic: str) -> list[bytes]:
        """Payloads that came to another client on ``topic``, in their order."""

    def cut(self) -> None:
        """Break all connections of devices."""


@dataclass
class Wire:
    """How to connect, and the far end."""

    connect: Connector
    broker: Broker
    far: Far


@dataclass
class ClientFar:
    """A second client of a real broker; devices connect through ``proxy``."""

    client: aiomqtt.Client
    proxy: Proxy
    seen: list[tuple[str, bytes]] = field(default_factory=list)

    async def publish(self, topic: str, payload: bytes, *, is_retained: bool = False) -> None:
        """See ``Far``."""
        await self.client.publish(topic, payload, qos=1, retain=is_retained)

    def got(self, topic: str) -> list[bytes]:
        """See ``Far``."""
        return [payload for name, payload in self.seen if name == topic]

    def cut(self) -> None:
        """See ``Far``."""
        self.proxy.reset()

    async def listen(self) -> None:
        """Keep what comes."""
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            self.seen.append((str(message.topic), message.payload))


@contextlib.asynccontextmanager
async def _wired(port: int, protocol: str) -> AsyncIterator[Wire]:
    async with Proxy(port).serving() as proxy, aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("milepost/v1/#", qos=1)
        far = ClientFar(client, proxy)
        listening = asyncio.create_task(far.listen())
        broker = Broker("127.0.0.1", proxy.port, DEVICE, None, KEEPALIVE_S, None, protocol)
        try:
            yield Wire(mqtt.connect, broker, far)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


@contextlib.asynccontextmanager
async def mosquitto_311(folder: Path) -> AsyncIterator[Wire]:
    """Mosquitto, spoken to in 3.1.1."""
    with Mosquitto(folder / "mosquitto") as broker:
        async with _wired(broker.port, "3.1.1") as wire:
            yield wire


@contextlib.asynccontextmanager
async def mosquitto_5(folder: Path) -> AsyncIterator[Wire]:
    """Mosquitto, spoken to in 5."""
    with Mosquitto(folder / "mosquitto") as broker:
        async with _wired(broker.port, "5") as wire:
            yield wire


@contextlib.asynccontextmanager
async def nats_311(folder: Path) -> AsyncIterator[Wire]:
    """nats-server, which speaks 3.1.1 only."""
    with Nats(folder / "nats") as broker:
        async with _wired(broker.port, "3.1.1") as wire:
            yield wire


WIRES: dict[str, Callable[[Path], AbstractAsyncContextManager[Wire]]] = {
    "mosquitto, 3.1.1": mosquitto_311,
    "mosquitto, 5": mosquitto_5,
    "nats-server, 3.1.1": nats_311,
}
"""Each kind of link; whoever brings another one adds it here."""


def as_device(wire: Wire, device: str) -> Broker:
    """The same broker for another device."""
    return replace(wire.broker, device=device)


async def arrived(far: Far, topic: str, count: int) -> list[bytes]:
    """The payloads on ``topic``, once there are ``count``."""
    await until(lambda: len(far.got(topic)) >= count, f"{count} messages on {topic}")
    return far.got(topic)
