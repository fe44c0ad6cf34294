"""The uplink: keeps a link, and sends what the store holds until receipts cover it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from milepost_agent.buffer.cutting import Size
from milepost_agent.buffer.schema import NEXT_SEQ_MAX
from milepost_agent.errors import LinkError, PublishRefusedError, StoreError
from milepost_agent.pulse import BUFFER_S_MAX, Pulse
from milepost_agent.uplink.budget import EVERYTHING, LOOK_AGAIN_S, Budget, BudgetLimits
from milepost_agent.uplink.counted import CountedLink
from milepost_agent.uplink.link import Subscription, Terms
from milepost_agent.uplink.schedule import Schedule, Search
from milepost_agent.uplink.session import Kind, SessionLimits, Verdict
from milepost_protocol import topics
from milepost_protocol.errors import ProtocolError
from milepost_protocol.receipt import decode_receipt
from milepost_protocol.signals import SignalClass

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from milepost_agent.backoff import Backoff
    from milepost_agent.buffer.cutting import Cut
    from milepost_agent.buffer.recorder import Recorder
    from milepost_agent.buffer.store import BufferStore
    from milepost_agent.buffer.streams import Stream
    from milepost_agent.clock import ClockReading
    from milepost_agent.uplink.link import Broker, Connector, Link, Message, Will
    from milepost_agent.uplink.ranges import Range
    from milepost_agent.uplink.schedule import Dispatch, Order, Word
    from milepost_agent.uplink.session import Session
    from milepost_protocol.receipt import Receipt

    Handler = Callable[[Message], Awaitable[None]]
    Greeting = Callable[[Link], Coroutine[Any, Any, None]]

STEADY_S: Final = 10.0
"""A connection that lasted so long was a good one. Two agents of one name throw each other out sooner."""
FAREWELL_S_MAX: Final = 1.5
"""For the last words: less than those who stop a task wait before they insist (``tasks.CANCEL_AGAIN_S``)."""

_LOG = logging.getLogger(__name__)


async def say_nothing(_link: Link) -> None:
    """The greeting of an uplink that has nothing to say but batches."""


@dataclass(frozen=True, slots=True)
class Channels:
    """What goes over the link beside batches and receipts.

    Attributes:
        handlers: what to do with a message, by topic; each topic is subscribed with QoS 1.
        greet: runs after each connect, beside the sending of batches. LinkError ends the connection.
        take_leave: runs before the agent itself ends the connection, for ``FAREWELL_S_MAX`` at most.
        will: what the broker tells others when a connection is lost, by its number (from 1).
    """

    handlers: Mapping[str, Handler] = field(default_factory=dict)
    greet: Greeting = say_nothing
    take_leave: Greeting = say_nothing
    will: Callable[[int], Will] | None = None


class Uplink:
    """Connects, sends, takes receipts in, and connects again."""

    def __init__(
        self,
        broker: Broker,
        connect: Connector,
        recorder: Recorder,
        *,
        limits: SessionLimits,
        backoff: Backoff,
        clock: Callable[[], ClockReading],
        channels: Channels | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._broker = broker
        self._connect = connect
        self._recorder = recorder
        self._limits = limits
        self._backoff = backoff
        self._clock = clock
        self._channels = channels or Channels()
        self._wake = asyncio.Event()
        self.pulse = Pulse(limits.resend_s_max + BUFFER_S_MAX)
        self._link: Link | None = None
        self._dropped_before = 0
        self._connected_s = math.inf
        self.schedule = Schedule(limits)
        self.budget = budget or Budget(BudgetLimits())
        self.allowance = EVERYTHING
        self.connects = 0
        self.last_error = ""
        self.batches = 0
        self.batch_bytes = 0
        self.receipts: Counter[str] = Counter()
        self.receipt_s: float | None = None
        """When the last receipt came."""

    @property
    def session(self) -> Session | None:
        """The sending of the current epoch, None before the store was first asked."""
        return self.schedule.current

    @property
    def dropped(self) -> int:
        """Messages that the link dropped because they came faster than they were handled."""
        return self._dropped_before + (self._link.dropped if self._link else 0)

    @property
    def is_connected(self) -> bool:
        return self._link is not None

    def wake(self) -> None:
        """Something was stored: look again what to send."""
        self._wake.set()

    def hasten(self) -> None:
        """Something was stored that is to be sent now, with all before it, however little it is."""
        if self.schedule.current is not None:
            self.schedule.current.hasten()
        self._wake.set()

    async def publish(self, topic: str, payload: bytes, *, is_retained: bool = True) -> None:
        """Publish something beside the batches, now.

        Raises:
            LinkError: there is no connection, or it was lost; the next greeting may say it instead.
        """
        if self._link is None:
            raise LinkError(self._broker.address, "not connected")
        await self._link.publish(topic, payload, is_retained=is_retained)

    async def run(self) -> None:
        """Connect, send, and connect again after a pause, until cancelled."""
        with self.pulse.turning():
            while True:
                try:
                    await self._connection()
                except* (LinkError, StoreError) as group:
                    self._note(group)
                pause_s = self._backoff.next_s()
                _LOG.info("next attempt in %.1f s", pause_s)
                with self.pulse.resting():
                    await asyncio.sleep(pause_s)

    def _note(self, error: BaseException) -> None:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        text = str(error)
        if text != self.last_error:
            _LOG.warning("uplink %s", text)
        self.last_error = text

    async def _connection(self) -> None:
        async with self._connect(self._broker, self._terms()) as bare:
            self._link = link = CountedLink(bare, self._spend)
            self.connects += 1
            self._connected_s = self._now_s()
            _LOG.info("connected to %s", self._broker.address)
            try:
                await self._follow()
                self.schedule.connected(link.granted)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._listen(link))
                    group.create_task(self._channels.greet(link))
                    await self._send(link, group)
            except asyncio.CancelledError:
                await self._take_leave(link)
                raise
            finally:
                self._dropped_before += link.dropped
                self._link = None
                self.schedule.disconnected()

    async def _take_leave(self, link: Link) -> None:
        with contextlib.suppress(LinkError, TimeoutError):
            async with asyncio.timeout(FAREWELL_S_MAX):
                await self._channels.take_leave(link)

    def _terms(self) -> Terms:
        ack = Subscription(topics.ack(self._broker.device), topics.ACK_QOS)
        channels = self._channels
        return Terms(
            (ack, *(Subscription(topic, 1, is_needed=False) for topic in channels.handlers)),
            channels.will(self.connects + 1) if channels.will else None,
        )

    def _spend(self, size_bytes: int) -> None:
        self.budget.spend(size_bytes, self._clock())

    def _now_s(self) -> float:
        return self._clock().mono_s

    async def _send(self, link: Link, group: asyncio.TaskGroup) -> None:
        while True:
            self.pulse.beat()
            self._wake.clear()
            await self._follow()
            now = self._clock()
            self.allowance = self.budget.allowed(now)
            order = self.schedule.wanted(now.mono_s, self.allowance)
            if order is None:
                await self._sleep_until(self._wake_at_s(now.mono_s), now.mono_s)
                continue
            cut = await self._cut(order)
            if cut is None:
                await self._sleep_until(now.mono_s + self._limits.batch_wait_s, now.mono_s)
                continue
            dispatch = self.schedule.published(order, cut.first, cut.last, len(cut.payload), self._now_s())
            group.create_task(self._publish(link, dispatch, cut))

    def _wake_at_s(self, now_s: float) -> float:
        is_held_back = bool(self.allowance.why)
        return min(self.schedule.wake_at_s(now_s), now_s + LOOK_AGAIN_S if is_held_back else math.inf)

    async def _cut(self, order: Order) -> Cut | None:
        now, want = self._clock(), order.want
        size = Size(bytes_max=order.bytes_max, is_exact=want.kind is Kind.FAULT)
        return await self._recorder.ask(
            lambda store: store.cut(order.epoch, want.first, want.last_max, now, size)
        )

    async def _sleep_until(self, at_s: float, now_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(at_s - now_s, self._limits.resend_s_max))):
                await self._wake.wait()

    async def _follow(self) -> None:
        """Bring the store to the server's word, and the schedule to what is stored."""
        words = self.schedule.words
        searches = self.schedule.searches
        seen = await self._recorder.ask(lambda store: _look(store, words, searches))
        self.schedule.follow(seen.streams, self._now_s())
        for epoch, found, searched in seen.faults:
            self.schedule.hurry(epoch, found, searched)

    async def _publish(self, link: Link, dispatch: Dispatch, cut: Cut) -> None:
        try:
            await link.publish(topics.up(self._broker.device), cut.payload, qos=topics.UP_QOS)
        except PublishRefusedError as error:
            self._note(error)
        else:
            self.batches += 1
            self.batch_bytes += len(cut.payload)
        self.schedule.acknowledged(dispatch, self._now_s())
        self._wake.set()

    async def _listen(self, link: Link) -> None:
        ack = topics.ack(self._broker.device)
        async for message in link.messages():
            if message.topic != ack:
                handler = self._channels.handlers.get(message.topic)
                if handler is not None:
                    await handler(message)
                continue
            try:
                receipt = decode_receipt(message.payload)
            except ProtocolError as error:
                self.receipts[f"refused_{error.reason}"] += 1
                continue
            await self._take(receipt)

    async def _take(self, receipt: Receipt) -> None:
        now_s = self._now_s()
        verdict = self.schedule.receipt(receipt, now_s)
        self.receipts[verdict.value] += 1
        self.receipt_s = now_s
        if now_s - self._connected_s >= STEADY_S:
            self._backoff.reset()
        self.last_error = ""
        if verdict is Verdict.RESTORED:
            _LOG.warning("the server went back to seq %d; sending again what is left", receipt.seq)
        elif verdict is Verdict.AHEAD:
            _LOG.warning(
                "the server knows seq %d of epoch %s, not this buffer", receipt.highest, receipt.epoch
            )
            await self._recorder.ask(lambda store: _go_past(store, receipt))
        self._wake.set()


class _Seen(NamedTuple):
    """The epochs in the store, and where it was found to hold faults: epoch, ranges, searched up to."""

    streams: Sequence[Stream]
    faults: Sequence[tuple[str, Sequence[Range], int]]


def _look(store: BufferStore, words: Sequence[Word], searches: Mapping[str, Search]) -> _Seen:
    """Make the store agree with what the server says of each epoch, which may also have gone back."""
    for word in words:
        store.receive(*word)
        store.rewind(*word)
    faults = []
    for stream in store.streams:
        stored = stream.next_seq - 1
        search = searches.get(stream.epoch, Search())
        if stored > search.after and search.limit:
            found = store.ranges_with(stream.epoch, SignalClass.FAULT, search.after, search.limit)
            faults.append((stream.epoch, found, found[-1][1] if len(found) == search.limit else stored))
    return _Seen(store.streams, faults)


def _go_past(store: BufferStore, receipt: Receipt) -> None:
    """The server is ahead of the file: the current epoch has to be left; of an old one the end is lost.

    What the current epoch gave out twice would pass for received. An old one gives nothing out, and what it
    still holds is the server's word to keep or to delete.
    """
    if receipt.epoch == store.current.epoch:
        store.renew_epoch()
    elif receipt.highest < NEXT_SEQ_MAX:
        old = [row for row in store.streams if row.epoch == receipt.epoch]
        store.remember([row._replace(next_seq=receipt.highest + 1) for row in old])
