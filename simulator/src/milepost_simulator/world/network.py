"""The network between an agent and its broker: what it does to messages, and links over it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import LinkError
from milepost_agent.uplink.link import Granted, Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from random import Random

    from milepost_agent.uplink.link import Broker as Address
    from milepost_agent.uplink.link import Terms
    from milepost_simulator.world.broker import Broker

CONNECT_TIMEOUT_S: Final = 20.0
INCOMING_QUEUED_MAX: Final = 64
FRAME_BYTES: Final = 200
"""What a message costs on the wire beside its payload."""
KEEPALIVES_UNHEARD_MAX: Final = 1.5
PACKET_S: Final = 1e-6


@dataclass(slots=True)
class Weather:
    """What the network is like now.

    Attributes:
        is_up: whether connections can be made; when it goes down, those that are open break.
        is_silent: packets vanish without a word, in both directions.
        delay_s: shortest and longest time of a packet.
        bytes_per_s: of the way up; 0 means no limit.
    """

    is_up: bool = True
    is_silent: bool = False
    delay_s: tuple[float, float] = (0.02, 0.08)
    bytes_per_s: float = 0.0


class WorldLink:
    """One connection of one agent: packets keep their order, as TCP has it, or vanish with the connection."""

    def __init__(self, network: Network, address: Address, terms: Terms) -> None:
        self.device = address.device
        self.address = address.address
        self.keepalive_s = address.keepalive_s
        self.terms = terms
        self.granted = Granted()
        self.dropped = 0
        self.end = ""
        """Why it is over, as the agent sees it; empty while it lasts."""
        self.is_known_to_broker = True
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._up_free_s = 0.0
        self._landed_s = {True: 0.0, False: 0.0}
        self._held: deque[Callable[[], None]] = deque()
        self._unacknowledged: set[asyncio.Future[None]] = set()
        self._incoming: asyncio.Queue[Message | None] = asyncio.Queue()

    # --- The agent's end: see ``milepost_agent.uplink.link.Link`` -----------------------------------------

    async def publish(self, topic: str, payload: bytes, *, is_retained: bool = False, qos: int = 1) -> None:
        self._check()
        acknowledged: asyncio.Future[None] = self._loop.create_future()
        self._unacknowledged.add(acknowledged)

        def acknowledge() -> None:
            if not acknowledged.done():
                acknowledged.set_result(None)

        def arrive() -> None:
            self._network.broker.take(self, topic, payload, is_retained=is_retained)
            self._send(acknowledge, self._loop.time(), is_up=False)

        rate = self._network.weather.bytes_per_s
        wire_s = (len(payload) + FRAME_BYTES) / rate if rate else 0.0
        self._up_free_s = max(self._up_free_s, self._loop.time()) + wire_s
        self._send(arrive, self._up_free_s, is_up=True)
        try:
            if qos:
                await acknowledged
        finally:
            self._unacknowledged.discard(acknowledged)
        self._check()

    async def messages(self) -> AsyncIterator[Message]:
        while (message := await self._incoming.get()) is not None:
            yield message
        self._check()

    def _check(self) -> None:
        if self.end:
            raise LinkError(self.address, self.end)

    # --- The broker's end ---------------------------------------------------------------------------------

    def deliver(self, message: Message) -> None:
        """Send a message down to the agent; one that finds its queue full is dropped, as clients do."""

        def arrive() -> None:
            if self._incoming.qsize() < INCOMING_QUEUED_MAX:
                self._network.broker.on_delivery(message)
                self._incoming.put_nowait(message)
            else:
                self.dropped += 1

        self._send(arrive, self._loop.time(), is_up=False)

    # --- The wire -----------------------------------------------------------------------------------------

    def _send(self, arrive: Callable[[], None], from_s: float, *, is_up: bool) -> None:
        def land() -> None:
            if self.end or not self.is_known_to_broker:
                return
            if self._network.weather.is_silent or self._held:
                self._held.append(land)  # TCP repeats it until the network is back, if somebody still waits
                return
            arrive()

        # Packets of one direction do not overtake each other; of one moment, a loop knows no order.
        self._landed_s[is_up] = max(self._landed_s[is_up] + PACKET_S, from_s + self._network.delay_s())
        self._loop.call_at(self._landed_s[is_up], land)

    def resume(self) -> None:
        """The silence is over: what TCP kept repeating arrives."""
        held, self._held = self._held, deque()
        for land in held:
            land()

    def break_off(self, why: str) -> None:
        """End the connection for the agent."""
        if self.end:
            return
        self.end = why
        for future in list(self._unacknowledged):
            if not future.done():
                future.set_result(None)
        self._incoming.put_nowait(None)


class Network:
    """Connects agents to the broker.

    Args:
        broker: at the other end.
        random: the chances of delays.
    """

    def __init__(self, broker: Broker, random: Random) -> None:
        self.broker = broker
        self.weather = Weather()
        self._random = random
        self._links: list[WorldLink] = []
        self._silences = 0

    def delay_s(self) -> float:
        """How long the next packet takes."""
        return self._random.uniform(*self.weather.delay_s)

    @contextlib.asynccontextmanager
    async def connect(self, address: Address, terms: Terms) -> AsyncIterator[WorldLink]:
        """See ``milepost_agent.uplink.link.Connector``."""
        await asyncio.sleep(self.delay_s() * 2)
        if self.weather.is_silent:
            await asyncio.sleep(CONNECT_TIMEOUT_S)
            raise LinkError(address.address, "no answer")
        if not self.weather.is_up or not self.broker.is_up:
            raise LinkError(address.address, "connection refused")
        link = WorldLink(self, address, terms)
        self._links.append(link)
        self.broker.welcome(link)
        is_clean = False
        try:
            yield link
            is_clean = True
        finally:
            link.break_off("closed")
            self._links.remove(link)
            # Over a silent network the broker does not hear of the end before its own keepalive is over.
            if not self.weather.is_silent:
                self.broker.part(link, is_farewell=is_clean)

    def cut(self, why: str = "connection reset") -> None:
        """Break all connections."""
        for link in list(self._links):
            link.break_off(why)
            self.broker.part(link, is_farewell=False)

    def come_back(self) -> None:
        """Connections can be made again."""
        self.weather.is_up = True

    def full_speed(self) -> None:
        """No limit on the way up any more."""
        self.weather.bytes_per_s = 0.0

    def clear_up(self) -> None:
        """The network is well again."""
        self.come_back()
        self.full_speed()
        self._end_silence(self._silences)

    def silence(self, for_s: float) -> None:
        """Swallow everything for a while; connections that this outlasts are given up by both ends."""
        self._silences += 1
        self.weather.is_silent = True
        loop = asyncio.get_running_loop()
        for link in self._links:
            patience_s = link.keepalive_s * self._random.uniform(1.0, KEEPALIVES_UNHEARD_MAX)
            if patience_s < for_s:
                loop.call_later(patience_s, link.break_off, "no answer within the keepalive")
        loop.call_later(for_s, self._end_silence, self._silences)

    def _end_silence(self, number: int) -> None:
        if number != self._silences:
            return
        self.weather.is_silent = False
        self.broker.forget_the_silent()
        for link in list(self._links):
            link.resume()
