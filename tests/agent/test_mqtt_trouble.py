"""The MQTT client where something goes wrong: peers that are silent, rude or no brokers, and refusals."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from milepost_agent.errors import LinkError, PublishRefusedError
from milepost_agent.uplink import mqtt
from milepost_agent.uplink.link import Broker, Granted, Subscription, Terms
from milepost_agent.uplink.mqtt import connecting, trouble
from milepost_protocol import topics
from support.links import Link as Proxy
from support.mosquitto import Mosquitto, mosquitto
from support.nats import Nats
from support.ports import free_port
from support.stores import DEVICE
from support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from milepost_agent.uplink.link import Link

    Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

__all__ = ["mosquitto"]

UP = topics.up(DEVICE)
TERMS = Terms((Subscription(topics.ack(DEVICE), 0),))
KEEPALIVE_S = 2


def at(port: int, protocol: str = "3.1.1", secret: str | None = None) -> Broker:
    return Broker("127.0.0.1", port, DEVICE, secret, KEEPALIVE_S, None, protocol)


async def failure(broker: Broker) -> str:
    async with asyncio.timeout(WAIT_S_MAX):
        with pytest.raises(LinkError) as caught:
            async with mqtt.connect(broker, TERMS):
                pass
    return str(caught.value)


@contextlib.asynccontextmanager
async def peer(behave: Peer) -> AsyncIterator[int]:
    """A server that behaves so with each connection; its port."""
    async with await asyncio.start_server(behave, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def publish_for_ever(link: Link) -> None:
    while True:
        await link.publish(UP, b"", qos=0)
        await asyncio.sleep(0.05)


async def test_a_half_open_link_is_given_up_while_things_are_sent_over_it(mosquitto: Mosquitto) -> None:
    async with Proxy(mosquitto.port).serving() as proxy:
        async with mqtt.connect(at(proxy.port), TERMS) as link:
            await link.publish(UP, b"heard")
            proxy.swallows = True
            waiting = asyncio.create_task(link.publish(UP, b"not heard"))
            async with asyncio.timeout(WAIT_S_MAX):
                with pytest.raises(LinkError, match="nothing was heard"):
                    await publish_for_ever(link)
                with pytest.raises(LinkError, match="nothing was heard"):
                    await waiting
        proxy.swallows = False
        async with mqtt.connect(at(proxy.port), TERMS) as link:
            await link.publish(UP, b"heard again")


async def test_a_link_that_is_only_quiet_stays(mosquitto: Mosquitto) -> None:
    async with Proxy(mosquitto.port).serving() as proxy, mqtt.connect(at(proxy.port), TERMS) as link:
        await asyncio.sleep(1.6 * KEEPALIVE_S)
        await link.publish(UP, b"still there")
        assert proxy.connects == 1


async def test_leaving_a_dead_link_does_not_wait_for_it(mosquitto: Mosquitto) -> None:
    async with Proxy(mosquitto.port).serving() as proxy:
        # No more than connecting may take: waiting for the socket would last for minutes.
        async with asyncio.timeout(connecting.CONNECT_S_MAX), mqtt.connect(at(proxy.port), TERMS) as link:
            proxy.swallows = True
            waiting = [asyncio.create_task(link.publish(UP, bytes(60_000))) for _ in range(20)]
            await asyncio.sleep(0)
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(end, LinkError) for end in ends)


async def test_a_peer_that_closes_before_it_answers_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async def kick(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.close()

    async with peer(kick) as port:
        assert "closed the connection" in await failure(at(port))
    assert "never retrieved" not in caplog.text


async def test_a_peer_that_is_no_broker(caplog: pytest.LogCaptureFixture) -> None:
    async def serve_pages(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read(100)
        writer.close()

    async with peer(serve_pages) as port:
        assert "no MQTT" in await failure(at(port))
    assert not caplog.text


async def test_a_peer_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "CONNECT_S_MAX", 0.2)

    async def be_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        await reader.read(100)
        writer.close()

    async with peer(be_silent) as port:
        assert "no answer within 0.2 s" in await failure(at(port))


async def test_nobody_listens() -> None:
    assert "connection refused: check [uplink] port" in await failure(at(free_port()))


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_a_password_that_is_wrong(tmp_path: Path, protocol: str) -> None:
    with Mosquitto(tmp_path / "mosquitto", users={DEVICE: "right"}) as broker:
        assert "check [device] id and the secret" in await failure(at(broker.port, protocol, "wrong"))
        async with mqtt.connect(at(broker.port, protocol, "right"), TERMS) as link:
            await link.publish(UP, b"")


async def test_a_broker_that_does_not_speak_mqtt_5(tmp_path: Path) -> None:
    with Nats(tmp_path / "nats") as broker:
        assert 'set [uplink] protocol = "3.1.1"' in await failure(at(broker.port, "5"))


async def test_a_publish_that_is_not_authorised_is_seen_with_mqtt_5_and_the_link_stays(
    tmp_path: Path,
) -> None:
    acl = f"topic write {UP}\ntopic read {topics.ack(DEVICE)}\n"
    with Mosquitto(tmp_path / "mosquitto", acl=acl) as broker:
        async with mqtt.connect(at(broker.port, "5"), TERMS) as link:
            with pytest.raises(PublishRefusedError, match="not authorised; check what this device") as caught:
                await link.publish(topics.up("gw-other"), b"no")
            assert caught.value.topic == topics.up("gw-other")
            await link.publish(UP, b"yes")


async def test_what_a_broker_of_mqtt_5_allows_is_kept_to(tmp_path: Path) -> None:
    limits = "max_inflight_messages 3\nmax_packet_size 5000\nretain_available false\n"
    with Mosquitto(tmp_path / "mosquitto", extra=limits) as broker:
        async with mqtt.connect(at(broker.port, "5"), TERMS) as link:
            assert link.granted == Granted(in_flight_max=3, packet_bytes_max=5_000)
            async with asyncio.timeout(WAIT_S_MAX), asyncio.TaskGroup() as group:
                for _ in range(50):
                    group.create_task(link.publish(UP, bytes(4_000)))
            with pytest.raises(PublishRefusedError, match="larger than it takes"):
                await link.publish(UP, bytes(5_000))
            with pytest.raises(PublishRefusedError, match="no retained"):
                await link.publish(UP, b"", is_retained=True)


@pytest.mark.parametrize("answer", ["90 03 0002 00", "20 02 00 00 40 02 0000 90 03 0002 01"])
async def test_an_answer_of_the_wrong_kind_is_an_error_of_the_link(answer: str) -> None:
    async def mix_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for data in ("20 02 00 00", "90 03 0001 00", answer):
            await reader.read(1000)
            writer.write(bytes.fromhex(data))
        await reader.read(1000)
        writer.close()

    async with peer(mix_up) as port, asyncio.timeout(WAIT_S_MAX):
        with pytest.raises(LinkError, match="the broker's answer to a message is none"):
            async with mqtt.connect(at(port), TERMS) as link:
                await link.publish(UP, b"")


async def test_a_broker_of_mqtt_5_says_why_it_ends_the_connection() -> None:
    async def throw_out(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in ("20 03 00 00 00", "90 04 0001 00 00 e0 02 8e 00"):
            await reader.read(1000)
            writer.write(bytes.fromhex(answer))
        await reader.read(1000)
        writer.close()

    async with peer(throw_out) as port, mqtt.connect(at(port, "5"), TERMS) as link:
        with pytest.raises(LinkError, match="another client came with this device's id"):
            async for _ in link.messages():
                pass


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the name broker.example leads nowhere"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
        (ConnectionResetError(), "connection reset"),
        (OSError("Multiple exceptions: ..."), "Multiple exceptions"),
        (OSError(), "OSError"),
    ],
)
def test_other_errors_have_words_too(error: OSError, words: str) -> None:
    assert words in trouble.explain(error, "broker.example")
