"""The broker: passes batches on to the server and receipts back, and forgets when it is told to."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from milepost_agent.uplink.link import Message
from milepost_protocol import topics

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from milepost_simulator.world.network import WorldLink


class Subscriber(Protocol):
    """The server's side."""

    def arrive(self, topic: str, payload: bytes) -> None:
        """A batch, once or more often, in any order."""


@dataclass(slots=True)
class Manners:
    """What the way between broker and server does.

    Attributes:
        delay_s: shortest and longest time of a message, each for itself: what leaves later may arrive first.
        doubles: share of messages that arrive twice, the second time much later.
        loses_receipts: share of receipts that are lost.
        forgets: whether batches are acknowledged and thrown away.
    """

    delay_s: tuple[float, float] = (0.01, 0.05)
    doubles: float = 0.0
    loses_receipts: float = 0.0
    forgets: bool = False


class Broker:
    """One broker; what it has taken in and not passed on is lost when it restarts.

    Args:
        random: the chances of delays and doubles.
        on_delivery: called with each message that reaches an agent.
    """

    def __init__(self, random: Random, on_delivery: Callable[[Message], None]) -> None:
        self._random = random
        self.on_delivery = on_delivery
        self.on_report: Callable[[bytes], None] = lambda _payload: None
        """Called with each report of a device on its configuration."""
        self._lives = 0
        self._links: dict[str, WorldLink] = {}
        self._retained: dict[str, bytes] = {}
        self.manners = Manners()
        self.is_up = True
        self.server: Subscriber | None = None
        self.counts: Counter[str] = Counter()

    # --- Agents -------------------------------------------------------------------------------------------

    def welcome(self, link: WorldLink) -> None:
        """Take a connection; an older one of the same client is thrown out."""
        if (older := self._links.get(link.device)) is not None:
            self.part(older, is_farewell=False)
            older.break_off("another client with this id has connected")
        self._links[link.device] = link
        self.counts["connects"] += 1
        for topic in (subscription.topic for subscription in link.terms.subscriptions):
            if topic in self._retained:
                link.deliver(Message(topic, self._retained[topic], is_retained=True))

    def part(self, link: WorldLink, *, is_farewell: bool) -> None:
        """A connection has ended."""
        if not link.is_known_to_broker:
            return
        link.is_known_to_broker = False
        if self._links.get(link.device) is link:
            del self._links[link.device]
        if not is_farewell and link.terms.will is not None:
            self._retained[link.terms.will.topic] = link.terms.will.payload

    def forget_the_silent(self) -> None:
        """Part from links that have ended at the agent's side while nothing got through."""
        for link in list(self._links.values()):
            if link.end:
                self.part(link, is_farewell=False)

    def take(self, link: WorldLink, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """A message of an agent has arrived; it is acknowledged whatever becomes of it."""
        self.counts["taken"] += 1
        if is_retained:
            self._retained[topic] = payload
        if topic == topics.reported(link.device):
            self.on_report(payload)
        if topic != topics.up(link.device):
            return
        if self.manners.forgets:
            self.counts["forgotten"] += 1
            return
        self._pass_on(topic, payload, 1.0)
        if self._random.random() < self.manners.doubles:
            self.counts["doubled"] += 1
            self._pass_on(topic, payload, self._random.uniform(1.0, 200.0))

    def _pass_on(self, topic: str, payload: bytes, slowness: float) -> None:
        life = self._lives

        def arrive() -> None:
            if life == self._lives and self.server is not None:
                self.server.arrive(topic, payload)

        asyncio.get_running_loop().call_later(self._delay_s() * slowness, arrive)

    # --- The server ---------------------------------------------------------------------------------------

    def publish(self, topic: str, payload: bytes) -> None:
        """A receipt of the server; with QoS 0 it reaches who is connected, or nobody."""
        if self._random.random() < self.manners.loses_receipts:
            self.counts["receipts_lost"] += 1
            return
        self._tell(topic, payload, 1.0)
        if self._random.random() < self.manners.doubles:
            self._tell(topic, payload, self._random.uniform(1.0, 200.0))

    def _tell(self, topic: str, payload: bytes, slowness: float) -> None:
        life = self._lives

        def arrive() -> None:
            link = self._links.get(topics.device_of(topic))
            if life == self._lives and link is not None:
                link.deliver(Message(topic, payload, is_retained=False))

        asyncio.get_running_loop().call_later(self._delay_s() * slowness, arrive)

    def desire(self, device: str, payload: bytes) -> None:
        """Keep a configuration for a device, and tell it, if it is connected."""
        topic = topics.config(device)
        self._retained[topic] = payload
        if (link := self._links.get(device)) is not None:
            link.deliver(Message(topic, payload, is_retained=False))

    def _delay_s(self) -> float:
        return self._random.uniform(*self.manners.delay_s)

    # --- What happens to it -------------------------------------------------------------------------------

    def crash(self) -> None:
        """Stop, and lose all that is under way."""
        self._lives += 1
        self.is_up = False
        self.counts["crashes"] += 1
        for link in list(self._links.values()):
            self.part(link, is_farewell=False)
            link.break_off("connection closed by the broker")

    def start(self) -> None:
        """Come back, with what it had retained."""
        self.is_up = True

    def remember(self) -> None:
        """Pass batches on again."""
        self.manners.forgets = False

    def kick(self) -> None:
        """Another client with the same id connects, and goes."""
        self.counts["kicks"] += 1
        for link in list(self._links.values()):
            self.part(link, is_farewell=False)
            link.break_off("another client with this id has connected")
