"""MQTT: from the broker into the queue, receipts and configurations out. Any broker will do."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import aiomqtt
import structlog

from milepost_protocol import topics
from milepost_protocol.errors import TopicError
from milepost_protocol.receipt import Receipt, encode_receipt
from milepost_protocol.topics import Channel
from milepost_server.errors import SettingsError
from milepost_server.ingest.arrivals import Arrival

if TYPE_CHECKING:
    from collections.abc import Callable

    from milepost_server.ingest.queue import ArrivalQueue

BACKOFF_FIRST_S = 0.5
BACKOFF_S_MAX = 30.0
KEEPALIVE_S = 30
TIMEOUT_S = 10.0
SCHEMES = {"mqtt": 1883, "mqtts": 8883}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and as whom to connect; ``tls`` is None for plain TCP."""

    host: str
    port: int
    user: str
    password: str
    tls: ssl.SSLContext | None = None

    @classmethod
    def of_url(cls, url: str, user: str, password: str, ca_file: str = "") -> BrokerAddress:
        """The address that setting ``broker_url`` names.

        Raises:
            SettingsError: it is no such URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.hostname or parts.username:
            raise SettingsError("broker_url", "must be mqtt://HOST:PORT or mqtts://HOST:PORT, no credentials")
        tls = ssl.create_default_context(cafile=ca_file or None) if parts.scheme == "mqtts" else None
        return cls(parts.hostname, parts.port or SCHEMES[parts.scheme], user, password, tls)


class Transport:
    """One connection to the broker, made again whenever it is lost.

    Args:
        address: where and as whom.
        queue: where batches go.
        on_document: where state and reported documents go.
        share_group: name of a shared subscription, or empty.
        queue_payloads_max: payloads between the socket and ``queue``.
        on_overflow: called for each payload that did not fit.
        on_receipt: called with whether a receipt could be handed to the broker.
    """

    def __init__(
        self,
        address: BrokerAddress,
        queue: ArrivalQueue,
        *,
        on_document: Callable[[Arrival], None],
        share_group: str,
        queue_payloads_max: int,
        on_overflow: Callable[[], None],
        on_receipt: Callable[[bool], None],
    ) -> None:
        self._address = address
        self._queue = queue
        self._on_document = on_document
        self._filter = f"$share/{share_group}/{topics.UP_FILTER}" if share_group else topics.UP_FILTER
        self._queue_payloads_max = queue_payloads_max
        self._on_overflow = on_overflow
        self._on_receipt = on_receipt
        self._client: aiomqtt.Client | None = None
        self.connected = asyncio.Event()

    async def run(self) -> None:
        """Receive until cancelled."""
        backoff_s = BACKOFF_FIRST_S
        while True:
            try:
                async with self._new_client() as client:
                    await client.subscribe(self._filter, qos=topics.UP_QOS, timeout=TIMEOUT_S)
                    for channel in (Channel.STATE, Channel.REPORTED):
                        # Never shared: of what is retained each server hears the last when it connects.
                        name = topics.filter_of(channel)
                        await client.subscribe(name, qos=topics.DOCUMENT_QOS, timeout=TIMEOUT_S)
                    backoff_s = BACKOFF_FIRST_S
                    self._client = client
                    self.connected.set()
                    log.info("broker_connected", host=self._address.host, port=self._address.port)
                    await self._receive(client)
            except aiomqtt.MqttError as error:
                log.warning("broker_lost", error=str(error), again_in_s=backoff_s)
            finally:
                self._client = None
                self.connected.clear()
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_S_MAX)

    async def publish(self, device_id: str, receipt: Receipt) -> None:
        """Tell the device; without a connection the receipt is dropped, and counted."""
        client = self._client
        if client is None:
            self._on_receipt(False)
            return
        try:
            await client.publish(
                topics.ack(device_id), encode_receipt(receipt), qos=topics.ACK_QOS, timeout=TIMEOUT_S
            )
        except aiomqtt.MqttError as error:
            log.warning("receipt_dropped", device=device_id, error=str(error))
            self._on_receipt(False)
        else:
            self._on_receipt(True)

    async def publish_config(self, device_id: str, document: bytes) -> bool:
        """Tell the device what is desired of it, retained; whether the broker has it."""
        client = self._client
        return client is not None and await publish_config(client, device_id, document)

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload if isinstance(message.payload, bytes) else b""
            arrival = Arrival(str(message.topic), payload, dt.datetime.now(dt.UTC))
            if _is_document(arrival.topic):
                self._on_document(arrival)
            elif not self._queue.put(arrival):
                self._on_overflow()

    def _new_client(self) -> aiomqtt.Client:
        on_overflow = self._on_overflow

        class CountingQueue(asyncio.Queue[aiomqtt.Message]):
            def put_nowait(self, item: aiomqtt.Message) -> None:
                if self.full():
                    on_overflow()
                super().put_nowait(item)

        return new_client(
            self._address,
            queue_type=cast("type[asyncio.Queue[aiomqtt.Message]]", CountingQueue),
            max_queued_incoming_messages=self._queue_payloads_max,
        )


def new_client(address: BrokerAddress, **more: Any) -> aiomqtt.Client:
    """A client of the ingest's account, not yet connected."""
    return aiomqtt.Client(
        address.host,
        address.port,
        username=address.user,
        password=address.password,
        protocol=aiomqtt.ProtocolVersion.V311,
        clean_session=True,
        keepalive=KEEPALIVE_S,
        timeout=TIMEOUT_S,
        tls_context=address.tls,
        **more,
    )


async def publish_config(client: aiomqtt.Client, device_id: str, document: bytes) -> bool:
    """Publish a config document, retained; whether the broker has it."""
    try:
        await client.publish(
            topics.config(device_id), document, qos=topics.DOCUMENT_QOS, retain=True, timeout=TIMEOUT_S
        )
    except aiomqtt.MqttError as error:
        log.warning("config_not_published", device=device_id, error=str(error))
        return False
    return True


def _is_document(topic: str) -> bool:
    try:
        return topics.split(topic)[1] in (Channel.STATE, Channel.REPORTED)
    except TopicError:
        return False  # the quarantine shows it
