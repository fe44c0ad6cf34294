"""The generated rules on a real Mosquitto, and ingest through it."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import aiomqtt
import pytest
from click.testing import CliRunner

from milepost_protocol import topics
from milepost_protocol.receipt import Receipt
from milepost_server import secret_files
from milepost_server.broker import rules
from milepost_server.cli import main
from milepost_server.ingest.arrivals import Arrival
from milepost_server.ingest.transport import BrokerAddress, Transport
from milepost_server.store.engine import open_store
from milepost_server.store.schema import readings
from support import mosquitto
from support.batches import EPOCH, batch, sample
from support.mqtt_device import connected
from support.ports import free_port
from support.registry import OTHER_VIN, register
from support.taking import Taker
from support.waiting import WAIT_S_MAX, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Site:
    """An installation whose broker is a Mosquitto with the generated files, and its ingest."""

    def __init__(self, taker: Taker, port: int, secrets: dict[str, str]) -> None:
        self.taker = taker
        self.port = port
        self.secrets = secrets
        self.overflows = 0
        self.documents: list[Arrival] = []
        self.transport: Transport


def generate(folder: Path, port: int, server_port: int) -> Path:
    """What ``milepost-server broker mosquitto`` writes."""
    out = folder / "mosquitto"
    ports = ["--port", str(port), "--server-port", str(server_port)]
    done = CliRunner().invoke(
        main,
        ["broker", "mosquitto", "--data-dir", str(folder), "--out", str(out), *ports],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    conf = out / "mosquitto.conf"
    if os.geteuid() == 0:
        conf.write_text(conf.read_text() + "user root\n")
    return conf


def is_listening(port: int) -> bool:
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
async def site(tmp_path: Path, newest_sqlite_url: str) -> AsyncIterator[Site]:
    secret_files.make(tmp_path / "secrets")
    store = open_store(newest_sqlite_url)
    secrets = {
        device_id: (await register(store, device_id, vin)).secret
        for device_id, vin in (("gw-1", "1M8GDM9AXKP042788"), ("gw-2", OTHER_VIN))
    }
    port, server_port = free_port(), free_port()
    conf = await asyncio.to_thread(generate, tmp_path, port, server_port)
    process = await asyncio.create_subprocess_exec(
        str(mosquitto.BINARY), "-c", str(conf), stderr=asyncio.subprocess.DEVNULL
    )
    await until(lambda: is_listening(port), "mosquitto listens")
    taker = Taker(store)
    site = Site(taker, port, secrets)

    def overflowed() -> None:
        site.overflows += 1

    password = secret_files.read(tmp_path / "secrets" / secret_files.INGEST_PASSWORD)
    transport = Transport(
        BrokerAddress.of_url(f"mqtt://127.0.0.1:{server_port}", rules.INGEST_USER, password),
        taker.queue,
        on_document=site.documents.append,
        share_group="",
        queue_payloads_max=1000,
        on_overflow=overflowed,
        on_receipt=lambda sent: None,
    )
    taker.publish = transport.publish  # type: ignore[method-assign]
    site.transport = transport
    tasks = [asyncio.create_task(transport.run()), asyncio.create_task(taker.worker.run())]
    await asyncio.wait_for(transport.connected.wait(), WAIT_S_MAX)
    yield site
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await store.close()
    process.terminate()
    await process.wait()


async def test_batches_go_in_and_receipts_come_back(site: Site) -> None:
    async with connected(site.port, "gw-1", site.secrets["gw-1"]) as device:
        await device.send(batch(sample(1), sample(2), device="gw-1"))
        assert await device.receipt(2) == Receipt(EPOCH, 2)
    assert len(await site.taker.rows(readings)) == 2


@pytest.mark.parametrize(("device_id", "secret"), [("gw-1", "wrong"), ("stranger", "x")])
async def test_others_are_refused(site: Site, device_id: str, secret: str) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with connected(site.port, device_id, secret):
            pass


async def test_a_device_reaches_its_own_topics_only(site: Site) -> None:
    async with (
        connected(site.port, "gw-1", site.secrets["gw-1"]) as one,
        connected(site.port, "gw-2", site.secrets["gw-2"]) as two,
    ):
        await one.client.subscribe(topics.ack("gw-2"))
        await one.send(batch(sample(1), device="gw-2"), topics.up("gw-2"))
        await two.send(batch(sample(1), sample(2), device="gw-2"))
        assert await two.receipt(2) == Receipt(EPOCH, 2)
        await one.send(batch(sample(1), device="gw-1"))
        assert await one.receipt(1) == Receipt(EPOCH, 1)
        assert one.receipts == [Receipt(EPOCH, 1)]  # nothing of the other's
    assert len(site.taker.outcomes) == 2


async def test_no_device_takes_the_connection_of_another_by_its_client_id(site: Site) -> None:
    thief = aiomqtt.Client(
        "127.0.0.1", site.port, identifier="gw-1", username="gw-2", password=site.secrets["gw-2"]
    )
    async with connected(site.port, "gw-1", site.secrets["gw-1"]) as device, thief:
        await thief.subscribe(topics.ack("gw-2"))
        await device.send(batch(sample(1), device="gw-1"))
        assert await device.receipt(1) == Receipt(EPOCH, 1)


async def test_a_device_says_what_it_is_and_is_told_what_is_desired(site: Site) -> None:
    assert await site.transport.publish_config("gw-1", b"desired")
    async with connected(site.port, "gw-1", site.secrets["gw-1"]) as device:
        for topic in (topics.state("gw-2"), topics.config("gw-1"), topics.config("gw-2")):
            await device.client.publish(topic, b"forged", qos=1, retain=True)
        await device.client.subscribe(topics.config("gw-2"), qos=1)
        await device.client.subscribe(topics.state("gw-2"), qos=1)
        await device.client.subscribe(topics.config("gw-1"), qos=1)
        for topic in (topics.state("gw-1"), topics.reported("gw-1")):
            await device.client.publish(topic, b"said", qos=1, retain=True)
        await until(lambda: device.documents, "what is desired")
        await until(lambda: len(site.documents) == 2, "what was said")
    assert device.documents == [(topics.config("gw-1"), b"desired")]
    assert [(one.topic, one.payload) for one in site.documents] == [
        (topics.state("gw-1"), b"said"),
        (topics.reported("gw-1"), b"said"),
    ]
    assert not site.taker.outcomes


async def test_what_does_not_fit_the_queue_is_dropped_and_counted(site: Site) -> None:
    site.taker.queue.close()
    async with connected(site.port, "gw-1", site.secrets["gw-1"]) as device:
        await device.send(batch(sample(1), device="gw-1"))
        await until(lambda: site.overflows, "the payload to be dropped")
        assert device.receipts == []
    assert site.taker.queue.dropped == 1
