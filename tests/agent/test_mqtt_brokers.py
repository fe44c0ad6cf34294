"""The MQTT client with brokers that ask for odd things, or answer what nobody asked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from milepost_agent.errors import LinkError
from milepost_agent.uplink import mqtt
from milepost_agent.uplink.link import Broker, Granted, Subscription, Terms
from milepost_agent.uplink.mqtt import connecting, link
from milepost_protocol import topics
from support.ports import free_port
from support.stores import DEVICE
from support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

UP = topics.up(DEVICE)
TERMS = Terms((Subscription(topics.ack(DEVICE), 0),))
KEEPALIVE_S = 1
LET_IN, SUBSCRIBED = "20 03 00 00 00", "90 04 0001 00 00"


class Scripted:
    """A broker of MQTT 5 that answers the first packets by ``script`` and PUBLISH as ``acknowledge`` says."""

    def __init__(self, *script: str, host: str = "127.0.0.1") -> None:
        self._script = [bytes.fromhex(answer) for answer in script]
        self.host = host
        self._has_left = asyncio.Event()
        self.under_way: list[int] = []
        self.under_way_max = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Broker]:
        async with await asyncio.start_server(self._serve, self.host, 0) as server:
            yield Broker(self.host, server.sockets[0].getsockname()[1], DEVICE, None, KEEPALIVE_S, None, "5")
            await asyncio.wait_for(self._has_left.wait(), WAIT_S_MAX)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            for answer in self._script:
                await self._packet(reader)
                writer.write(answer)
            while len(self._script) > 1:
                kind, body = await self._packet(reader)
                if kind == 0x32:
                    self._take(body)
                    writer.write(b"".join(self.acknowledge(self.under_way)))
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self._has_left.set()

    def _take(self, body: bytes) -> None:
        at = 2 + int.from_bytes(body[:2], "big")
        packet_id = int.from_bytes(body[at : at + 2], "big")
        assert packet_id, "an id is never nought"
        assert packet_id not in self.under_way, "an id is not used twice at a time"
        self.under_way.append(packet_id)
        self.under_way_max = max(self.under_way_max, len(self.under_way))

    def acknowledge(self, under_way: list[int]) -> Iterable[bytes]:
        """The answers to what is under way; all that is acknowledged leaves the list."""
        while under_way:
            yield b"\x40\x02" + under_way.pop(0).to_bytes(2, "big")

    async def _packet(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        kind, size = await reader.readexactly(2)
        assert size < 0x80, "the tests send small packets only"
        return kind, await reader.readexactly(size)


async def failure(broker: Broker) -> str:
    try:
        async with asyncio.timeout(WAIT_S_MAX), mqtt.connect(broker, TERMS) as opened:
            async for _ in opened.messages():
                pass
    except LinkError as error:
        return str(error)
    raise AssertionError("the messages ended without an error")


@pytest.mark.parametrize("keepalive", ["0e10", "ffff", "0000"])
async def test_a_broker_that_asks_for_few_signs_of_life_does_not_let_a_dead_link_live(keepalive: str) -> None:
    async with Scripted(f"20 06 00 00 03 13 {keepalive}", SUBSCRIBED).serving() as broker:
        assert "nothing was heard for" in await failure(broker)


async def test_limits_of_nought_are_none() -> None:
    odd = Scripted("20 0b 00 00 08 21 0000 27 00000000", SUBSCRIBED)
    async with odd.serving() as broker, asyncio.timeout(WAIT_S_MAX), mqtt.connect(broker, TERMS) as opened:
        assert opened.granted == Granted()
        await opened.publish(UP, b"")


async def test_a_broker_that_takes_one_message_at_a_time_gets_one_at_a_time() -> None:
    strict = Scripted("20 06 00 00 03 21 0001", SUBSCRIBED)
    async with strict.serving() as broker, asyncio.timeout(WAIT_S_MAX), mqtt.connect(broker, TERMS) as opened:
        await asyncio.gather(*(opened.publish(UP, b"") for _ in range(20)))
    assert strict.under_way_max == 1


async def test_a_broker_that_goes_away_between_its_first_two_answers() -> None:
    async with Scripted(LET_IN).serving() as broker:
        assert "closed the connection" in await failure(broker)


class Confused(Scripted):
    """Acknowledges what nobody sent, and everything twice, the last first."""

    def acknowledge(self, under_way: list[int]) -> Iterable[bytes]:
        if len(under_way) == 5:
            for packet_id in (0, 999, *reversed(under_way), *under_way):
                yield b"\x40\x02" + packet_id.to_bytes(2, "big")
            under_way.clear()


async def test_pubacks_that_nobody_waits_for_change_nothing() -> None:
    confused = Confused(LET_IN, SUBSCRIBED)
    limit = asyncio.timeout(WAIT_S_MAX)
    async with confused.serving() as broker, limit, mqtt.connect(broker, TERMS) as opened:
        for _ in range(3):
            await asyncio.gather(*(opened.publish(UP, b"") for _ in range(5)))
    assert confused.under_way_max == 5


class Forgetful(Scripted):
    """Never acknowledges the first message."""

    def acknowledge(self, under_way: list[int]) -> Iterable[bytes]:
        while len(under_way) > 1:
            yield b"\x40\x02" + under_way.pop().to_bytes(2, "big")


async def test_ids_begin_anew_and_leave_out_those_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "PACKET_ID_MAX", 7)
    async with Forgetful(LET_IN, SUBSCRIBED).serving() as broker, asyncio.timeout(WAIT_S_MAX):
        async with mqtt.connect(broker, TERMS) as opened:
            forgotten = asyncio.create_task(opened.publish(UP, b""))
            await asyncio.sleep(0)
            for _ in range(30):
                await opened.publish(UP, b"")
            assert not forgotten.done()
        with pytest.raises(LinkError):
            await forgotten


async def test_a_broker_by_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    six = Scripted(LET_IN, SUBSCRIBED, host="::1")
    async with six.serving() as broker, asyncio.timeout(WAIT_S_MAX), mqtt.connect(broker, TERMS) as opened:
        await opened.publish(UP, b"")


async def test_a_name_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    def hang(*_args: object, **_kwargs: object) -> list[object]:
        answers.wait(WAIT_S_MAX)
        return []

    monkeypatch.setattr(connecting, "CONNECT_S_MAX", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        said = await failure(Broker("broker.example", free_port(), DEVICE, None, KEEPALIVE_S, None))
        assert "no answer within 0.2 s" in said
    finally:
        answers.set()
