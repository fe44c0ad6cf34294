"""The embedded broker with real devices on it: who gets in, and what each may do."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from milepost_agent.errors import LinkError
from milepost_agent.uplink import mqtt
from milepost_agent.uplink.link import Broker as AgentBroker
from milepost_agent.uplink.link import Subscription, Terms
from milepost_protocol import topics
from milepost_protocol.receipt import Receipt, encode_receipt
from milepost_server import secret_files, settings
from milepost_server.broker import rules
from milepost_server.broker.service import BrokerService
from milepost_server.errors import BrokerError
from milepost_server.store import devices
from milepost_server.store.engine import Store, open_store
from support.mqtt_device import connected
from support.ports import free_port
from support.registry import OTHER_VIN, Registered, register
from support.waiting import WAIT_S_MAX, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Broker:
    """A running embedded broker, two registered devices, and a client of the ingest's account."""

    def __init__(self, folder: Path, store: Store) -> None:
        secret_files.make(folder / "secrets")
        self.settings = settings.load(folder, {}).model_copy(
            update={
                "broker_port": free_port(),
                "broker_control_port": free_port(),
                "broker_revocation_interval_s": 0.1,
                "broker_restarts_max": 1,
            }
        )
        self.store = store
        self.answers: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()
        self.service = BrokerService(
            self.settings,
            store,
            on_violation=lambda client: self.violations.update([client]),
            on_answer=lambda word: self.answers.update([word]),
        )
        self.seen: list[tuple[str, bytes]] = []
        self.one: Registered
        self.two: Registered

    @property
    def port(self) -> int:
        return self.settings.broker_port

    @property
    def pid(self) -> int:
        return int((self.settings.data_dir / "broker" / "nats.pid").read_text())

    def started(self, before: int) -> int:
        """The id of the newest child; ``before`` while there is no newer one."""
        try:
            return self.pid
        except (FileNotFoundError, ValueError):
            return before

    @asynccontextmanager
    async def ingest(self) -> AsyncIterator[aiomqtt.Client]:
        """The ingest's client; what it hears is kept in ``seen``."""
        password = secret_files.read(self.settings.secrets_dir / secret_files.INGEST_PASSWORD)
        async with aiomqtt.Client(
            "127.0.0.1", self.port, username=rules.INGEST_USER, password=password
        ) as client:
            for channel in topics.PUBLISHED_BY_DEVICE:
                await client.subscribe(topics.filter_of(channel), qos=1)
            listening = asyncio.create_task(self._listen(client))
            try:
                yield client
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            self.seen.append((str(message.topic), message.payload))


@pytest.fixture
async def broker(tmp_path: Path, newest_sqlite_url: str) -> AsyncIterator[Broker]:
    store = open_store(newest_sqlite_url)
    broker = Broker(tmp_path, store)
    broker.one = await register(store, "gw-1")
    broker.two = await register(store, "gw-2", OTHER_VIN)
    running = asyncio.create_task(broker.service.run())
    ready = asyncio.create_task(broker.service.ready.wait())
    await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    yield broker
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()


async def test_a_device_sends_and_hears_its_receipts(broker: Broker) -> None:
    async with broker.ingest() as ingest, connected(broker.port, "gw-1", broker.one.secret) as device:
        await device.send(b"hello")
        await until(lambda: broker.seen, "the payload")
        assert broker.seen == [("milepost/v1/gw-1/up", b"hello")]
        receipt = Receipt("9f3a1c77e0b24d51", 7)
        await ingest.publish(topics.ack("gw-1"), encode_receipt(receipt))
        assert await device.receipt(7) == receipt
    assert broker.answers == {"granted": 1}


@pytest.mark.parametrize(
    ("device_id", "secret", "answer"),
    [
        ("gw-1", "wrong", "wrong-password"),
        ("gw-1", "", "wrong-password"),
        ("stranger", "whatever", "unknown-or-revoked"),
        ("gw$1", "whatever", "bad-id"),
        ("milepost-ingest", "wrong", None),
    ],
)
async def test_others_are_refused(broker: Broker, device_id: str, secret: str, answer: str | None) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with connected(broker.port, device_id, secret):
            pass
    if answer:
        assert set(broker.answers) == {answer}


@pytest.mark.parametrize("client_id", ["gw-2", "gw-1-again", None])
async def test_a_device_takes_nobody_elses_client_id(broker: Broker, client_id: str | None) -> None:
    async with connected(broker.port, "gw-2", broker.two.secret) as other:
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client(
                "127.0.0.1",
                broker.port,
                identifier=client_id,
                username="gw-1",
                password=broker.one.secret,
            ):
                pass
        await other.send(b"still here")
    assert broker.answers == {"granted": 1, "client-id": 1}


async def test_nobody_gets_in_without_a_name(broker: Broker) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client("127.0.0.1", broker.port):
            pass


async def test_a_payload_on_another_devices_topic_never_arrives_and_is_counted(broker: Broker) -> None:
    async with broker.ingest(), connected(broker.port, "gw-1", broker.one.secret) as device:
        await device.send(b"forged", topics.up("gw-2"))
        await device.send(b"forged", topics.ack("gw-2"))
        await device.send(b"own")
        await until(lambda: broker.seen, "the device's own payload")
        await until(lambda: broker.violations["gw-1"] == 2, "two violations")
    assert broker.seen == [("milepost/v1/gw-1/up", b"own")]


async def test_what_a_device_says_is_kept_for_who_comes_later_and_so_is_what_it_is_told(
    broker: Broker,
) -> None:
    async with connected(broker.port, "gw-1", broker.one.secret) as device:
        for topic in (
            topics.state("gw-1"),
            topics.reported("gw-1"),
            topics.state("gw-2"),
            topics.config("gw-1"),
        ):
            await device.client.publish(topic, b"said", qos=1, retain=True)
        await until(lambda: broker.violations["gw-1"] == 2, "two violations")
    async with broker.ingest() as ingest:
        await until(lambda: len(broker.seen) == 2, "what was retained")
        await ingest.publish(topics.config("gw-1"), b"desired", qos=1, retain=True)
    assert sorted(broker.seen) == [(topics.reported("gw-1"), b"said"), (topics.state("gw-1"), b"said")]
    async with connected(broker.port, "gw-1", broker.one.secret) as device:
        await device.client.subscribe(topics.config("gw-1"), qos=1)
        await until(lambda: device.documents, "what is desired")
        assert device.documents == [(topics.config("gw-1"), b"desired")]


async def test_a_device_cannot_hear_others(broker: Broker) -> None:
    async with connected(broker.port, "gw-1", broker.one.secret) as device:
        others = [topics.topic("gw-2", channel) for channel in topics.Channel]
        for wanted in (*others, topics.state("gw-1"), topics.UP_FILTER, "milepost/v1/+/ack", "#", "$SYS/#"):
            (code,) = await device.client.subscribe(wanted)
            assert code.is_failure, wanted


async def test_an_agent_does_without_a_topic_that_is_refused_but_not_without_receipts(broker: Broker) -> None:
    agent = AgentBroker("127.0.0.1", broker.port, "gw-1", broker.one.secret, 30, None)
    own, other = topics.ack("gw-1"), topics.ack("gw-2")
    terms = Terms((Subscription(own, 0), Subscription(other, 1, is_needed=False)))
    async with mqtt.connect(agent, terms) as link:
        await link.publish(topics.up("gw-1"), b"hello")
    with pytest.raises(LinkError, match=f"refuses a subscription to {other}"):
        async with mqtt.connect(agent, Terms((Subscription(other, 0),))):
            pass


async def test_devices_cannot_speak_the_brokers_own_protocol(broker: Broker) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.settings.broker_control_port)
    login = {"user": "gw-1", "pass": broker.one.secret, "verbose": False, "pedantic": False}
    writer.write(b"CONNECT " + json.dumps(login).encode() + b"\r\nPING\r\n")
    said = await reader.read()
    writer.close()
    assert b"Authorization Violation" in said
    assert b"PONG" not in said
    assert broker.answers == {"not-mqtt": 1}


async def test_a_revoked_device_is_disconnected_and_stays_out(broker: Broker) -> None:
    async with (
        connected(broker.port, "gw-1", broker.one.secret) as device,
        connected(broker.port, "gw-2", broker.two.secret) as other,
    ):
        async with broker.store.write() as connection:
            await devices.revoke(connection, broker.one.dealer_id, "gw-1", now=dt.datetime.now(dt.UTC))
        await until(lambda: not device.client._client.is_connected(), "the end of the connection")
        await other.send(b"still here")
    with pytest.raises(aiomqtt.MqttError):
        async with connected(broker.port, "gw-1", broker.one.secret):
            pass
    assert broker.answers["unknown-or-revoked"] == 1


async def test_a_broker_that_was_killed_comes_back(broker: Broker) -> None:
    first = broker.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: not broker.service.ready.is_set(), "the end to be noticed")
    await asyncio.wait_for(broker.service.ready.wait(), WAIT_S_MAX)
    assert broker.pid != first
    async with broker.ingest(), connected(broker.port, "gw-1", broker.one.secret) as device:
        await device.send(b"again")
        await until(lambda: broker.seen, "the payload")


async def test_a_broker_that_is_killed_while_it_starts_is_one_more_restart(broker: Broker) -> None:
    broker.service._settings = broker.settings.model_copy(update={"broker_restarts_max": 100})
    pid = broker.pid
    for _ in range(4):
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(WAIT_S_MAX):
            while pid == (pid := broker.started(pid)):  # noqa: ASYNC110  (another process writes it)
                await asyncio.sleep(0.001)
    await asyncio.wait_for(broker.service.ready.wait(), WAIT_S_MAX)
    async with broker.ingest(), connected(broker.port, "gw-1", broker.one.secret) as device:
        await device.send(b"again")
        await until(lambda: broker.seen, "the payload")


async def test_a_binary_that_is_none_is_named(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'milepost.db'}")
    broker = Broker(tmp_path, store)
    broker.service._settings = broker.settings.model_copy(update={"broker_binary": "/nonexistent/nats"})
    with pytest.raises(BrokerError, match="broker_binary"):
        await broker.service.run()


async def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'milepost.db'}")
    broker = Broker(tmp_path, store)
    taken = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", broker.port)
    async with taken:
        with pytest.raises(BrokerError, match="address already in use"):
            await broker.service.run()


def test_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    secret_files.make(tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    secret_files.make(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
