"""One connection of bytes: cut into packets as they come, watched for life, ended once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from milepost_agent.errors import LinkError
from milepost_agent.uplink.mqtt import packets, trouble
from milepost_agent.uplink.mqtt.liveness import Liveness, Todo
from milepost_agent.uplink.mqtt.wire import PacketError

if TYPE_CHECKING:
    from milepost_agent.uplink.link import Broker
    from milepost_agent.uplink.mqtt.packets import Packet

CLOSE_S_MAX: Final = 1.0
"""For the farewell to leave; whoever does not take it by then is left without one."""


class User(Protocol):
    """Who reads a channel."""

    def take(self, packet: Packet) -> None:
        """A packet came."""

    def ended(self, why: str) -> None:
        """The channel is gone; called once."""


class Channel(asyncio.Protocol):
    """Packets to and from ``broker``; what comes goes to ``user``, in the event loop."""

    def __init__(self, broker: Broker, version: int, user: User) -> None:
        self._broker = broker
        self._parser = packets.Parser(version)
        self._user = user
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._liveness: Liveness | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = asyncio.Event()
        self._why = ""
        """Why it ended, empty while it lives."""

    # --- From the event loop -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.BaseProtocol``."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self._liveness:
            self._liveness.heard(self._loop.time())
        try:
            for packet in self._parser.feed(data):
                if not self._why:
                    self._user.take(packet)
        except PacketError as error:
            self.end(f"this is no MQTT: {error}; check [uplink] port")

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._closed.set()
        is_explained = isinstance(exc, OSError) and not isinstance(exc, trouble.CLOSED)
        if self._liveness is None and not is_explained:
            self.end(trouble.TURNED_AWAY_TLS if self._broker.tls else trouble.TURNED_AWAY)
        elif isinstance(exc, OSError):
            self.end(trouble.explain(exc, self._broker.host))
        else:
            self.end("the broker closed the connection")

    # --- For the user ------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Hand over a packet; it leaves as the network takes it.

        Raises:
            LinkError: the channel is gone.
        """
        self.check()
        assert self._transport is not None
        self._transport.write(data)
        if self._liveness:
            self._liveness.sent(self._loop.time())

    def check(self) -> None:
        """Raise LinkError if the channel is gone."""
        if self._why:
            raise LinkError(self._broker.address, self._why)

    def watch(self, keepalive_s: float) -> None:
        """From now on the broker has to be heard."""
        self._liveness = Liveness(keepalive_s, self._loop.time())
        self._look()

    def _look(self) -> None:
        assert self._liveness is not None
        now_s = self._loop.time()
        todo = self._liveness.todo(now_s)
        if todo is Todo.GIVE_UP:
            self.end(f"nothing was heard for {now_s - self._liveness.heard_s:.0f} s: the connection is dead")
            return
        if todo is Todo.ASK:
            self.send(packets.PING)
            self._liveness.asked(now_s)
        self._timer = self._loop.call_at(self._liveness.next_s, self._look)

    def end(self, why: str) -> None:
        """End it at once, and say why; nothing that was handed over is waited for."""
        if self._why:
            return
        self._why = why
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._user.ended(why)

    async def close(self) -> None:
        """Say farewell and end it, within ``CLOSE_S_MAX`` whatever the other end does."""
        if self._transport is None:
            return
        if not self._why:
            self.send(packets.FAREWELL)
            self._transport.close()
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._closed.wait()
        except TimeoutError:
            self.end("it did not take the farewell")
