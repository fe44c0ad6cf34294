"""A link over MQTT 3.1.1 in a clean session, by aiomqtt."""

from __future__ import annotations

import contextlib
import logging
import math
from typing import TYPE_CHECKING, Final

import aiomqtt

from milepost_agent.errors import LinkError
from milepost_agent.uplink.link import Granted, Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from paho.mqtt.reasoncodes import ReasonCode

    from milepost_agent.uplink.link import Broker, Terms

CONNECT_TIMEOUT_S: Final = 20.0
INCOMING_QUEUED_MAX: Final = 64
"""Messages that wait to be handled; any later receipt says all that a lost one said."""
SUBACK_REFUSED: Final = 128

_LOG = logging.getLogger(__name__)


class MqttLink:
    """An open connection to a broker."""

    def __init__(self, client: aiomqtt.Client, address: str) -> None:
        self._client = client
        self._address = address
        self.granted = Granted()

    async def publish(self, topic: str, payload: bytes, *, is_retained: bool = False, qos: int = 1) -> None:
        """See ``Link.publish``."""
        # No time limit of its own: on a slow link the keepalive tells a dead connection from a busy one.
        with _translated(self._address):
            await self._client.publish(topic, payload, qos=qos, retain=is_retained, timeout=math.inf)

    async def messages(self) -> AsyncIterator[Message]:
        """See ``Link.messages``."""
        with _translated(self._address):
            async for message in self._client.messages:
                if isinstance(message.payload, bytes):
                    yield Message(str(message.topic), message.payload, message.retain)


@contextlib.asynccontextmanager
async def connect(broker: Broker, terms: Terms) -> AsyncIterator[MqttLink]:
    """See ``Connector``."""
    with _translated(broker.address):
        async with _client(broker, terms) as client:
            for topic, qos, is_needed in terms.subscriptions:
                granted = await client.subscribe(topic, qos=qos)
                if not any(code >= SUBACK_REFUSED for code in map(_code, granted)):
                    continue
                why = f"the broker refuses a subscription to {topic}; check this device's permissions"
                if is_needed:
                    raise LinkError(broker.address, why)
                _LOG.warning("%s: %s", broker.address, why)
            yield MqttLink(client, broker.address)


def _client(broker: Broker, terms: Terms) -> aiomqtt.Client:
    will = terms.will
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.device if broker.secret is not None else None,
        password=broker.secret,
        identifier=broker.device,
        clean_session=True,
        keepalive=broker.keepalive_s,
        tls_context=broker.tls,
        timeout=CONNECT_TIMEOUT_S,
        max_queued_incoming_messages=INCOMING_QUEUED_MAX,
        will=aiomqtt.Will(will.topic, will.payload, qos=1, retain=True) if will else None,
    )


def _code(granted: int | ReasonCode) -> int:
    return granted if isinstance(granted, int) else granted.value


@contextlib.contextmanager
def _translated(address: str) -> Iterator[None]:
    try:
        yield
    except aiomqtt.MqttError as error:
        raise LinkError(address, str(error) or type(error).__name__) from error
