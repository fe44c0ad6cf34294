"""The uplink over MQTT 3.1.1: batches up with QoS 1, receipts down with QoS 0, in a clean session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiomqtt

from milepost_agent.errors import StoreError
from milepost_agent.uplink.session import Session, SessionLimits, Verdict, Want
from milepost_protocol import topics
from milepost_protocol.errors import ProtocolError
from milepost_protocol.limits import SEQ_MAX
from milepost_protocol.receipt import decode_receipt

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from milepost_agent.backoff import Backoff
    from milepost_agent.buffer.cutting import Cut
    from milepost_agent.buffer.recorder import Recorder
    from milepost_agent.buffer.store import BufferStore, Stream
    from milepost_agent.clock import ClockReading
    from milepost_protocol.receipt import Receipt

CONNECT_TIMEOUT_S: Final = 20.0
STEADY_S: Final = 10.0
"""A connection that lasted so long was a good one. Two agents of one name throw each other out sooner."""
RECEIPTS_QUEUED_MAX: Final = 64
"""Receipts that wait to be handled; any later one says all that a lost one said."""
SUBACK_REFUSED: Final = 128

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where and as whom to connect; ``tls`` None means an open connection."""

    host: str
    port: int
    device: str
    secret: str | None
    keepalive_s: int
    tls: ssl.SSLContext | None


class Uplink:
    """Keeps a connection, and sends what the store holds until receipts cover it."""

    def __init__(
        self,
        broker: Broker,
        recorder: Recorder,
        limits: SessionLimits,
        backoff: Backoff,
        clock: Callable[[], ClockReading],
    ) -> None:
        self._broker = broker
        self._recorder = recorder
        self._limits = limits
        self._backoff = backoff
        self._clock = clock
        self._wake = asyncio.Event()
        self._session: Session | None = None
        self._connected_s = math.inf
        self.is_connected = False
        self.connects = 0
        self.last_error = ""
        self.batches = 0
        self.batch_bytes = 0
        self.receipts: Counter[str] = Counter()

    @property
    def session(self) -> Session | None:
        """The sending of the oldest epoch that is not done, None before the store was first asked."""
        return self._session

    def wake(self) -> None:
        """Something was stored: look again what to send."""
        self._wake.set()

    async def run(self) -> None:
        """Connect, send, and connect again after a pause, until cancelled."""
        while True:
            try:
                await self._connection()
            except* (aiomqtt.MqttError, StoreError) as group:
                self._note(group.exceptions[0])
            pause_s = self._backoff.next_s()
            _LOG.info("next attempt in %.1f s", pause_s)
            await asyncio.sleep(pause_s)

    def _note(self, error: BaseException) -> None:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        text = f"{self._broker.host}:{self._broker.port}: {str(error) or type(error).__name__}"
        if text != self.last_error:
            _LOG.warning("uplink %s", text)
        self.last_error = text

    async def _connection(self) -> None:
        async with self._client() as client:
            granted = await client.subscribe(topics.ack(self._broker.device), qos=topics.ACK_QOS)
            if any(isinstance(code, int) and code >= SUBACK_REFUSED for code in granted):
                raise aiomqtt.MqttError(
                    "the broker refuses the receipts' topic; check this device's permissions"
                )
            self.is_connected = True
            self.connects += 1
            self._connected_s = time.monotonic()
            _LOG.info("connected to %s:%d", self._broker.host, self._broker.port)
            try:
                if self._session:
                    self._session.connected()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._listen(client))
                    await self._send(client, group)
            finally:
                self.is_connected = False
                if self._session:
                    self._session.disconnected()

    def _client(self) -> aiomqtt.Client:
        broker = self._broker
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
            max_queued_incoming_messages=RECEIPTS_QUEUED_MAX,
            max_inflight_messages=self._limits.window_batches,
        )

    async def _send(self, client: aiomqtt.Client, group: asyncio.TaskGroup) -> None:
        while True:
            self._wake.clear()
            session = await self._follow()
            now_s = time.monotonic()
            want = session.wanted(now_s)
            if want is None:
                await self._sleep_until(session.wake_at_s(), now_s)
                continue
            cut = await self._cut(session.epoch, want)
            if cut is None:
                await self._sleep_until(now_s + self._limits.batch_wait_s, now_s)
                continue
            session.published(cut.first, cut.last, len(cut.payload), time.monotonic())
            group.create_task(self._publish(client, session, cut))

    async def _cut(self, epoch: str, want: Want) -> Cut | None:
        now = self._clock()
        return await self._recorder.ask(lambda store: store.cut(epoch, want.first, want.last_max, now))

    async def _sleep_until(self, at_s: float, now_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), max(0.0, min(at_s - now_s, self._limits.resend_s_max)))

    async def _follow(self) -> Session:
        """Bring the store to the server's word; then the session of the oldest epoch that is not done."""
        session = self._session
        word = (session.epoch, session.receipted) if session else None
        streams = await self._recorder.ask(lambda store: _settle(store, word))
        stream = next((stream for stream in streams if stream.waiting), streams[-1])
        if session is None or session.epoch != stream.epoch:
            session = self._session = Session(stream.epoch, stream.receipted, self._limits)
            if self.is_connected:
                session.connected()
        session.stored(stream.next_seq - 1, time.monotonic())
        return session

    async def _publish(self, client: aiomqtt.Client, session: Session, cut: Cut) -> None:
        # No time limit of its own: on a slow link the keepalive tells a dead connection from a busy one.
        topic = topics.up(self._broker.device)
        await client.publish(topic, cut.payload, qos=topics.UP_QOS, timeout=math.inf)
        self.batches += 1
        self.batch_bytes += len(cut.payload)
        session.acknowledged(cut.first, cut.last)
        self._wake.set()

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload
            if not isinstance(payload, bytes):
                continue
            try:
                receipt = decode_receipt(payload)
            except ProtocolError as error:
                self.receipts[f"refused_{error.reason}"] += 1
                continue
            await self._take(receipt)

    async def _take(self, receipt: Receipt) -> None:
        session = self._session
        if session is None:
            return
        now_s = time.monotonic()
        verdict = session.receipt(receipt, now_s)
        self.receipts[verdict.value] += 1
        if now_s - self._connected_s >= STEADY_S:
            self._backoff.reset()
        self.last_error = ""
        if verdict is Verdict.RESTORED:
            _LOG.warning("the server went back to seq %d; sending again what is left", receipt.seq)
        elif verdict is Verdict.AHEAD:
            _LOG.warning(
                "the server knows seq %d of epoch %s, this buffer does not", receipt.seq, receipt.epoch
            )
            await self._recorder.ask(lambda store: _go_past(store, receipt.epoch))
        self._wake.set()


def _settle(store: BufferStore, word: tuple[str, int] | None) -> Sequence[Stream]:
    """Make the store agree with the server's ``word`` (epoch, seq), which may also have gone back."""
    if word is not None:
        store.receive(*word)
        store.rewind(*word)
    return store.streams


def _go_past(store: BufferStore, epoch: str) -> None:
    """The server is ahead of the file: an old epoch is done then, the current one has to be left."""
    if epoch == store.current.epoch:
        store.renew_epoch()
    else:
        store.receive(epoch, SEQ_MAX)
