"""A real server whose disk fills up in the middle of its work: no receipt comes early, and it recovers."""

from __future__ import annotations

import asyncio
import datetime as dt
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import aiomqtt
import httpx
import pytest

from milepost_protocol.receipt import Receipt
from milepost_server.store.engine import open_store
from support import servers
from support.batches import EPOCH, batch, sample
from support.mqtt_device import connected
from support.registry import register
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from milepost_protocol.batch import Batch

SMALL = "12m"
ROOMY = "200m"
SAMPLES = 500
BATCHES = 40
RECOVER_S_MAX = 90
# A broker whose disk is full says nothing at all. Who is slow for another reason tries again.
ANSWER_S_MAX = 3.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def nth(number: int) -> Batch:
    now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    first = number * SAMPLES + 1
    samples = (sample(seq, value=seq, time_ms=now_ms) for seq in range(first, first + SAMPLES))
    return batch(*samples, device="gw-1")


def fill(folder: Path) -> None:
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def refused_commits(server: servers.ServerProcess) -> float:
    """How many there were, from the server's metrics."""
    text = httpx.get(f"{server.url}/metrics").text
    (line,) = (line for line in text.splitlines() if line.startswith("milepost_ingest_commit_retries_total"))
    return float(line.split()[1])


async def sends_all(port: int, secret: str) -> bool:
    """Send everything, as an agent does that has no receipt for it; False where the broker ends it."""
    try:
        async with connected(port, "gw-1", secret) as device:
            for number in range(1, BATCHES):
                async with asyncio.timeout(ANSWER_S_MAX):
                    await device.send(nth(number))
            return await device.receipt(BATCHES * SAMPLES) == Receipt(EPOCH, BATCHES * SAMPLES)
    except (aiomqtt.MqttError, TimeoutError):
        return False


@pytest.mark.timeout(180)
async def test_a_full_disk_delays_receipts_and_nothing_else(disk: Path) -> None:
    server = await asyncio.to_thread(servers.install, disk / "data", settings={"ingest_retry_s_max": 0.5})
    store = open_store(f"sqlite:///{server.data_dir / 'milepost.db'}")
    known = await register(store, "gw-1", dealer_id=1)
    await store.close()
    await asyncio.to_thread(server.start)
    try:
        async with connected(server.mqtt_port, "gw-1", known.secret) as device:
            await device.send(nth(0))
            await device.receipt(SAMPLES)
            fill(disk)
            with suppress(aiomqtt.MqttError, TimeoutError):  # the broker's disk is full too
                for number in range(1, BATCHES):
                    async with asyncio.timeout(ANSWER_S_MAX):
                        await device.send(nth(number))
            await until(lambda: refused_commits(server) > 0, "a commit that the disk refuses")
            login = {"email": server.email, "password": server.password}
            answer = await asyncio.to_thread(httpx.post, f"{server.url}/api/v1/sessions", json=login)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
            assert {receipt.seq for receipt in device.receipts} == {SAMPLES}, "a receipt without a commit"

        remount = ["mount", "-o", f"remount,size={ROOMY}", str(disk)]
        await asyncio.to_thread(subprocess.run, remount, check=True)
        await until(
            lambda: sends_all(server.mqtt_port, known.secret), "a receipt for all of it", RECOVER_S_MAX
        )
        assert await asyncio.to_thread(server.stop) == 0
    finally:
        await asyncio.to_thread(server.kill)


async def test_a_data_directory_that_cannot_be_written_is_said_in_one_line(disk: Path) -> None:
    server = await asyncio.to_thread(servers.install, disk / "data")
    read_only = ["mount", "-o", "remount,ro", str(disk)]
    await asyncio.to_thread(subprocess.run, read_only, check=True)
    done = await asyncio.to_thread(server.command, "run", check=False)
    assert done.returncode == 1
    assert "the disk or the database refuses" in done.stderr
    assert "Traceback" not in done.stderr
