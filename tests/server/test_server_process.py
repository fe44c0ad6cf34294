"""The whole server as a process: from a device's batch to its receipt, through kills, on both databases."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import shutil
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from milepost_protocol.receipt import Receipt
from milepost_server.store import migrations
from milepost_server.store.engine import open_store
from milepost_server.store.schema import readings, service_due
from support import servers
from support.batches import EPOCH, batch, sample
from support.mqtt_device import connected
from support.ports import free_port
from support.registry import Registered, register
from support.taking import Taker
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from milepost_protocol.batch import Batch
    from milepost_server.store.engine import Store

KILLS = 4

BATCHES_A_LIFE = 40
LAST = 2 * KILLS * BATCHES_A_LIFE
KILL_AFTER_S_MAX = 0.1


class Site:
    """A running server, one device of it, and a look into its database."""

    def __init__(self, server: servers.ServerProcess, store: Store, device: Registered) -> None:
        self.server = server
        self.store = store
        self.device = device

    async def readings(self) -> list[object]:
        return [row["seq"] for row in await Taker(self.store).rows(readings)]

    def broker_pid(self) -> int:
        return int((self.server.data_dir / "broker" / "nats.pid").read_text())


def two(first: int) -> Batch:
    now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    return batch(*(sample(seq, value=seq, time_ms=now_ms) for seq in (first, first + 1)), device="gw-1")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> servers.ServerProcess:
    """Made once; each test runs a copy of it."""
    return servers.install(tmp_path_factory.mktemp("installation") / "data")


@pytest.fixture
async def site(tmp_path: Path, database_url: str, installation: servers.ServerProcess) -> AsyncIterator[Site]:
    url = "" if database_url.startswith("sqlite") else database_url
    server = servers.copied(installation, tmp_path / "data", database_url=url)
    store = open_store(url or f"sqlite:///{server.data_dir / 'milepost.db'}")
    if url:
        await migrations.upgrade(store)
    device = await register(store, "gw-1", dealer_id=None if url else 1)
    await asyncio.to_thread(server.start)
    yield Site(server, store, device)
    await asyncio.to_thread(server.kill)
    await store.close()


async def test_from_a_batch_to_a_receipt_and_a_clean_stop(site: Site) -> None:
    async with connected(site.server.mqtt_port, "gw-1", site.device.secret) as device:
        await device.send(two(1))
        assert await device.receipt(2) == Receipt(EPOCH, 2)
    assert await site.readings() == [1, 2]

    async with httpx.AsyncClient(base_url=site.server.url) as client:
        health = (await client.get("/health")).json()
        counted = (await client.get("/metrics")).text
    assert health == {"status": "ok", "database": "ok", "broker": "connected", "queue_payloads": 0}
    assert 'milepost_ingest_payloads_total{fate="committed"} 1.0' in counted
    assert 'milepost_ingest_receipts_total{sent="yes"} 1.0' in counted
    assert 'milepost_broker_logins_total{answer="granted"} 1.0' in counted

    taker = Taker(site.store)
    await until(lambda: taker.rows(service_due), "the first due dates")

    broker = site.broker_pid()
    assert await asyncio.to_thread(site.server.stop) == 0
    assert not psutil.pid_exists(broker)


async def test_kill_after_kill_nothing_receipted_is_lost_and_nothing_doubled(site: Site) -> None:
    rng = random.Random(20)
    receipted = 0
    for life in range(KILLS):
        if life:
            await asyncio.to_thread(site.server.start)
        # As an agent does: what has no receipt is sent again, then what is new.
        firsts = range(receipted + 1, receipted + 1 + 2 * BATCHES_A_LIFE, 2)
        async with connected(site.server.mqtt_port, "gw-1", site.device.secret) as device:
            await device.send(two(firsts[0]))
            await device.receipt(receipted + 2)
            sending = [asyncio.create_task(device.send(two(first))) for first in firsts[1:]]
            await asyncio.sleep(rng.uniform(0, KILL_AFTER_S_MAX))
            site.server.kill()
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
            receipted = max(receipt.seq for receipt in device.receipts)
        stored = await site.readings()
        assert stored == list(range(1, len(stored) + 1))
        assert len(stored) >= receipted
    await asyncio.to_thread(site.server.start)
    async with connected(site.server.mqtt_port, "gw-1", site.device.secret) as device:
        await asyncio.gather(*(device.send(two(first)) for first in range(1, LAST, 2)))
        assert await device.receipt(LAST) == Receipt(EPOCH, LAST)
    assert await site.readings() == list(range(1, LAST + 1))


async def test_a_killed_server_leaves_no_broker_behind(site: Site) -> None:
    broker = site.broker_pid()
    site.server.kill()
    await until(lambda: not psutil.pid_exists(broker), "the end of the broker")


async def test_a_second_server_on_the_data_directory_ends_and_the_first_goes_on(site: Site) -> None:
    broker = site.broker_pid()
    ports = {
        f"MILEPOST_SERVER_{name}": str(free_port())
        for name in ("HTTP_PORT", "BROKER_PORT", "BROKER_CONTROL_PORT")
    }
    second = replace(site.server, environment=ports, process=None)
    done = await asyncio.to_thread(second.command, "run", check=False)
    assert done.returncode == 1
    assert "another server runs on" in done.stderr
    assert (site.broker_pid(), site.server.is_well()) == (broker, True)


async def test_a_revoked_device_is_thrown_out_of_a_running_server(site: Site) -> None:
    async with connected(site.server.mqtt_port, "gw-1", site.device.secret) as device:
        await asyncio.to_thread(site.server.command, "device", "revoke", "gw-1")
        await until(lambda: not device.client._client.is_connected(), "the end of the connection")


async def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    port = free_port()
    taken = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", port)
    server = await asyncio.to_thread(servers.install, tmp_path / "data", settings={"http_port": port})
    async with taken:
        done = await asyncio.to_thread(server.command, "run", check=False)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr
    assert "Traceback" not in done.stderr


async def test_the_embedded_broker_over_tls(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    assert openssl, "no openssl here; `make test` installs it"
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=broker.example"]
    await asyncio.to_thread(
        subprocess.run, [openssl, *made, "-keyout", key, "-out", cert], check=True, capture_output=True
    )
    server = await asyncio.to_thread(
        servers.install, tmp_path / "data", settings={"broker_tls_cert": cert, "broker_tls_key": key}
    )
    store = open_store(f"sqlite:///{server.data_dir / 'milepost.db'}")
    known = await register(store, "gw-1", dealer_id=1)
    await asyncio.to_thread(server.start)
    tls = ssl.create_default_context(cafile=cert)
    tls.check_hostname = False  # the test reaches it as 127.0.0.1
    async with connected(server.mqtt_port, "gw-1", known.secret, tls) as device:
        await device.send(two(1))
        assert await device.receipt(2) == Receipt(EPOCH, 2)
    await asyncio.to_thread(server.stop)
    await store.close()
