"""Opening a link over TCP or TLS, and leaving it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import LinkError
from milepost_agent.uplink.mqtt import trouble
from milepost_agent.uplink.mqtt.channel import CLOSE_S_MAX
from milepost_agent.uplink.mqtt.link import MqttLink
from milepost_agent.uplink.mqtt.packets import Login

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from milepost_agent.uplink.link import Broker, Terms

CONNECT_S_MAX: Final = 20.0
"""From looking up the name to the answer to the subscriptions."""
NEXT_ADDRESS_S: Final = 0.25
"""Of a name with several addresses, the next is tried beside one that does not answer (RFC 8305)."""

_LOG = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def connect(broker: Broker, terms: Terms) -> AsyncIterator[MqttLink]:
    """See ``milepost_agent.uplink.link.Connector``."""
    link = MqttLink(broker)
    try:
        await _open(link, broker, terms)
        yield link
    except Exception:
        link.channel.end("given up")
        raise
    finally:
        await link.channel.close()


async def _open(link: MqttLink, broker: Broker, terms: Terms) -> None:
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            await _reach(link, broker)
            await link.log_in(Login(broker.device, broker.secret, broker.keepalive_s, terms.will))
            refused = await link.subscribe(terms.subscriptions) if terms.subscriptions else []
    except TimeoutError as error:
        why = f"no answer within {CONNECT_S_MAX:g} s: check [uplink] host and port, and the way there"
        raise LinkError(broker.address, why) from error
    except OSError as error:
        raise LinkError(broker.address, trouble.explain(error, broker.host)) from error
    for topic, _, is_needed in refused:
        why = f"the broker refuses a subscription to {topic}; check this device's permissions"
        if is_needed:
            raise LinkError(broker.address, why)
        _LOG.warning("%s: %s", broker.address, why)


async def _reach(link: MqttLink, broker: Broker) -> None:
    loop = asyncio.get_running_loop()
    if broker.tls is None:
        await loop.create_connection(
            lambda: link.channel, broker.host, broker.port, happy_eyeballs_delay=NEXT_ADDRESS_S
        )
        return
    try:
        await loop.create_connection(
            lambda: link.channel,
            broker.host,
            broker.port,
            ssl=broker.tls,
            server_hostname=broker.host,
            ssl_handshake_timeout=CONNECT_S_MAX,
            ssl_shutdown_timeout=CLOSE_S_MAX,
            happy_eyeballs_delay=NEXT_ADDRESS_S,
        )
    except (ConnectionResetError, ConnectionAbortedError) as error:
        raise LinkError(broker.address, trouble.HANDSHAKE) from error
