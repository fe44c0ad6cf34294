"""What the uplink needs of a connection to a broker: all of MQTT that the rest of the agent knows.

``uplink/mqtt`` is one over a network; a simulator brings one of its own, and one suite of tests holds all
of them to what stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

PROTOCOLS: Final = ("3.1.1", "5")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where and as whom to connect; ``tls`` None means an open connection."""

    host: str
    port: int
    device: str
    secret: str | None
    keepalive_s: int
    tls: ssl.SSLContext | None
    protocol: str = "3.1.1"
    """Of MQTT, one of ``PROTOCOLS``."""

    @property
    def address(self) -> str:
        """For messages to people."""
        return f"{self.host}:{self.port}"


class Message(NamedTuple):
    """What came in; ``is_retained``: the broker had kept it, it may be old."""

    topic: str
    payload: bytes
    is_retained: bool


class Subscription(NamedTuple):
    """A topic to hear of, with the quality of service (0 or 1) asked for.

    ``is_needed``: without it the connection is of no use. Where a broker refuses another one, as the rules of
    an older server do, it is done without.
    """

    topic: str
    qos: int
    is_needed: bool = True


class Will(NamedTuple):
    """What the broker publishes, retained and with QoS 1, when the connection ends without a farewell."""

    topic: str
    payload: bytes


class Terms(NamedTuple):
    """What a connection is opened with; nothing is received before all ``subscriptions`` are answered."""

    subscriptions: tuple[Subscription, ...]
    will: Will | None = None


class Granted(NamedTuple):
    """What the broker allows beyond the agent's own limits; None: it does not say.

    Attributes:
        in_flight_max: messages of QoS 1 that it has not acknowledged.
        packet_bytes_max: one message, with topic and framing.
    """

    in_flight_max: int | None = None
    packet_bytes_max: int | None = None


class Link(Protocol):
    """An open connection in a clean session: what was under way when it ends is forgotten by both sides."""

    @property
    def granted(self) -> Granted:
        """What the broker allows."""
        ...

    @property
    def dropped(self) -> int:
        """Messages with QoS 0 that came while too many others waited for the reader."""
        ...

    async def publish(self, topic: str, payload: bytes, *, is_retained: bool = False, qos: int = 1) -> None:
        """Publish; with QoS 1 this returns when the broker has acknowledged it, however long that takes.

        Messages of one QoS leave in the order of the calls.

        Raises:
            PublishRefusedError: the broker does not take this message; the link stays.
            LinkError: the link is gone; whether the broker has the message is unknown.
        """
        ...

    def messages(self) -> AsyncIterator[Message]:
        """What comes in, for one reader, until the link ends.

        Raises:
            LinkError: the link is gone.
        """
        ...


Connector = Callable[[Broker, Terms], AbstractAsyncContextManager[Link]]
"""Opens a link for the length of an ``async with``.

Entering raises LinkError: no connection, not let in, or a needed subscription refused. Leaving it without an
error, or cancelled, says farewell, so that the will is not published; leaving it never waits long for a peer
that is silent.
"""
