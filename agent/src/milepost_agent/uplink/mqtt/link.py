"""A link over MQTT: what waits for a PUBACK, and what came in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import LinkError, PublishRefusedError
from milepost_agent.uplink.link import Granted, Message
from milepost_agent.uplink.mqtt import packets, reasons
from milepost_agent.uplink.mqtt.channel import Channel
from milepost_agent.uplink.mqtt.packets import Connack, Goodbye, Login, Puback, Publish, Suback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from milepost_agent.uplink.link import Broker, Subscription
    from milepost_agent.uplink.mqtt.packets import Packet

INCOMING_QUEUED_MAX: Final = 64
"""Messages that wait to be handled; of receipts, a later one says all that a lost one said."""
IN_FLIGHT_MAX: Final = 20
"""Messages without a PUBACK, whoever published them."""
PUBACK_S_MAX: Final = 300.0
"""A broker that answers pings and acknowledges nothing for so long is of no use."""
PACKET_ID_MAX: Final = 0xFFFF
LOGIN: Final = 0
"""Stands for the answer to CONNECT among those to packets with an id, which begin at 1."""


class MqttLink:
    """See ``milepost_agent.uplink.link.Link``."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._version = packets.V5 if broker.protocol == "5" else packets.V311
        self._waiting: dict[int, asyncio.Future[Packet]] = {}
        self._last_id = 0
        self._inbox: asyncio.Queue[Publish | None] = asyncio.Queue()
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._is_retain_available = True
        self.channel = Channel(broker, self._version, self)
        self.granted = Granted()
        self.dropped = 0

    # --- Opening -----------------------------------------------------------------------------------------

    async def log_in(self, login: Login) -> None:
        """Introduce this device, and take over what the broker allows.

        Raises:
            LinkError: it is not let in.
        """
        answer = await self._answer(LOGIN, packets.connect(self._version, login))
        assert isinstance(answer, Connack)
        if answer.code:
            raise self._error(reasons.connack(answer.code))
        said = {name: value for name, value in answer.properties.items() if isinstance(value, int)}
        if said.get("maximum_qos", 1) < 1:
            raise self._error("the broker offers QoS 0 only, which acknowledges nothing: use another one")
        # Nought is against the protocol, and would let nothing pass.
        self.granted = Granted(said.get("receive_maximum") or None, said.get("maximum_packet_bytes") or None)
        self._slots = asyncio.Semaphore(min(IN_FLIGHT_MAX, self.granted.in_flight_max or IN_FLIGHT_MAX))
        self._is_retain_available = bool(said.get("is_retain_available", 1))
        # A broker may ask for more signs of life; for fewer it may ask, too, but not let a dead link live.
        self.channel.watch(min(said.get("keepalive_s") or login.keepalive_s, login.keepalive_s))

    async def subscribe(self, subscriptions: Sequence[Subscription]) -> Sequence[Subscription]:
        """Ask for all of them; those that the broker refuses.

        Raises:
            LinkError: the link is gone.
        """
        packet_id = self._new_id()
        answer = await self._answer(packet_id, packets.subscribe(self._version, packet_id, subscriptions))
        if not isinstance(answer, Suback) or len(answer.codes) != len(subscriptions):
            raise self._error("the broker's answer to the subscriptions is none")
        granted = zip(subscriptions, answer.codes, strict=True)
        return [entry for entry, code in granted if code >= reasons.REFUSED]

    # --- Link --------------------------------------------------------------------------------------------

    async def publish(self, topic: str, payload: bytes, *, is_retained: bool = False, qos: int = 1) -> None:
        """See ``Link.publish``."""
        if is_retained and not self._is_retain_available:
            raise PublishRefusedError(self._broker.address, topic, reasons.reason(0x9A))
        if not qos:
            self.channel.send(self._publish(Publish(topic, payload, is_retained, None)))
            return
        async with self._slots:
            packet_id = self._new_id()
            answer = await self._puback(packet_id, Publish(topic, payload, is_retained, packet_id))
        if not isinstance(answer, Puback):
            raise self._error("the broker's answer to a message is none")
        if answer.code >= reasons.REFUSED:
            why = reasons.reason(answer.code, answer.reason)
            raise PublishRefusedError(self._broker.address, topic, why)

    def _publish(self, message: Publish) -> bytes:
        packet = packets.publish(self._version, message)
        if len(packet) > (self.granted.packet_bytes_max or len(packet)):
            raise PublishRefusedError(self._broker.address, message.topic, reasons.reason(0x95))
        return packet

    async def _puback(self, packet_id: int, message: Publish) -> Packet:
        try:
            async with asyncio.timeout(PUBACK_S_MAX):
                return await self._answer(packet_id, self._publish(message))
        except TimeoutError:
            self.channel.end(f"no PUBACK within {PUBACK_S_MAX:g} s, although the broker answers pings")
            self.channel.check()
            raise

    async def messages(self) -> AsyncIterator[Message]:
        """See ``Link.messages``; a message with QoS 1 is acknowledged when the next one is asked for."""
        while (message := await self._inbox.get()) is not None:
            yield Message(message.topic, message.payload, message.is_retained)
            if message.packet_id is not None:
                self.channel.send(packets.puback(message.packet_id))
        self.channel.check()

    # --- Answers -----------------------------------------------------------------------------------------

    def _error(self, why: str) -> LinkError:
        return LinkError(self._broker.address, why)

    def _new_id(self) -> int:
        while True:
            self._last_id = self._last_id % PACKET_ID_MAX + 1
            if self._last_id not in self._waiting:
                return self._last_id

    async def _answer(self, packet_id: int, packet: bytes) -> Packet:
        self.channel.send(packet)
        answer: asyncio.Future[Packet] = asyncio.get_running_loop().create_future()
        self._waiting[packet_id] = answer
        try:
            return await answer
        finally:
            del self._waiting[packet_id]

    def take(self, packet: Packet) -> None:
        """See ``channel.User``."""
        if isinstance(packet, Publish):
            self._take_message(packet)
        elif isinstance(packet, Goodbye):
            self.channel.end(f"the broker ended the connection: {reasons.reason(packet.code, packet.reason)}")
        elif isinstance(packet, Connack):
            self._answered(LOGIN, packet)
        elif isinstance(packet, Puback | Suback) and packet.packet_id != LOGIN:
            self._answered(packet.packet_id, packet)

    def _answered(self, packet_id: int, packet: Packet) -> None:
        # To none that waits: its publisher was cancelled.
        answer = self._waiting.get(packet_id)
        if answer is not None and not answer.done():
            answer.set_result(packet)

    def _take_message(self, message: Publish) -> None:
        if self._inbox.qsize() < INCOMING_QUEUED_MAX:
            self._inbox.put_nowait(message)
        elif message.packet_id is None:
            self.dropped += 1
        else:
            self.channel.end(
                f"the broker sent over {INCOMING_QUEUED_MAX} messages before one was acknowledged"
            )

    def ended(self, why: str) -> None:
        """See ``channel.User``."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._error(why))
        self._inbox.put_nowait(None)
