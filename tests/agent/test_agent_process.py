"""The agent as a real process: killed at any moment, stopped, started twice, without a broker, looked at."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING

import pytest

from support.agents import COUNTER, EVERY_ROW, AgentProcess, write_drive
from support.mosquitto import Mosquitto, mosquitto
from support.receipts import ReceiptGiver
from support.stores import DEVICE, crash_image, open_store
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["mosquitto"]

KILLS = int(os.environ.get("MILEPOST_TEST_KILLS", "24"))
ROWS_A_LIFE = 1_000_000


@pytest.fixture
def agent(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[AgentProcess]:
    """An agent that replays ``drive.csv``, each row of it a sample."""
    write_drive(tmp_path / "drive.csv", 0, 2000)
    made = agent_in(tmp_path, mosquitto.port)
    yield made
    made.kill()


def agent_in(folder: Path, port: int, **sections: object) -> AgentProcess:
    source = {"kind": "replay", "file": str(folder / "drive.csv")}
    return AgentProcess(folder, port, {"source": [source], "profile": EVERY_ROW} | sections)


def stored_seq(agent: AgentProcess, name: str) -> tuple[str, int]:
    """(epoch, last seq) that the file of a dead agent holds; read from a copy."""
    if not agent.buffer.exists():
        return "", 0
    store = open_store(crash_image(agent.buffer, agent.folder / name))
    current = store.current
    store.close()
    return current.epoch, current.next_seq - 1


def command(agent: AgentProcess, *words: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "milepost_agent", *words, "--config", str(agent.config)]
    return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=60)


async def test_killed_at_random_every_stored_sample_arrives_once(
    tmp_path: Path, agent: AgentProcess, mosquitto: Mosquitto
) -> None:
    random = Random(20261122)
    stored: list[tuple[str, int]] = []
    async with ReceiptGiver(mosquitto.port) as server:
        for life in range(KILLS):
            write_drive(tmp_path / "drive.csv", life * ROWS_A_LIFE, 2000)
            agent.start()
            said = 0
            if random.random() < 0.7:
                said = (await asyncio.to_thread(agent.status))["buffer"].get("stored_seq", 0)
            await asyncio.sleep(random.uniform(0.0, 0.6))
            agent.kill()
            stored.append(stored_seq(agent, f"death-{life}"))
            assert stored[-1][1] >= said, "status told more than was stored"
        write_drive(tmp_path / "drive.csv", KILLS * ROWS_A_LIFE, 1)
        agent.start()
        epoch, last = stored[-1]
        assert last > KILLS, "too little was stored to prove anything"
        committed = server.of(DEVICE, epoch)
        await until(lambda: committed.receipt(epoch).seq >= last, "all that was stored at the last death")
    assert {known for known, _ in stored if known} == {epoch}
    assert not committed.lost
    rows = [
        committed.samples[seq].value for seq in range(1, last + 1) if committed.samples[seq].signal == COUNTER
    ]
    assert len(rows) == len(set(rows)), "a sample was stored twice"
    for life in range(KILLS):
        of_life = [int(value) - life * ROWS_A_LIFE for value in rows if int(value) // ROWS_A_LIFE == life]
        assert of_life == list(range(len(of_life))), "a sample in the middle of what was stored is missing"


async def test_sigterm_commits_what_is_in_memory(tmp_path: Path, mosquitto: Mosquitto) -> None:
    write_drive(tmp_path / "drive.csv", 0, 2000)
    agent = agent_in(
        tmp_path, mosquitto.port, buffer={"commit_interval_s": 3600.0, "commit_samples_max": 4096}
    )
    agent.start()
    await until(lambda: agent.status()["samples"]["in_memory"] >= 100, "samples in memory")
    assert agent.status()["buffer"]["stored_seq"] < 50, "the first at once, the others wait"
    seen = agent.status()["samples"]["sampled"]
    assert agent.stop() == 0
    assert stored_seq(agent, "after")[1] >= seen
    assert not agent.socket.exists()


async def test_a_stopped_agent_goes_on_where_it_was(agent: AgentProcess, mosquitto: Mosquitto) -> None:
    async with ReceiptGiver(mosquitto.port) as server:
        agent.start()
        await until(lambda: agent.status()["buffer"]["receipted_seq"] > 100, "receipts")
        assert agent.stop() == 0
        epoch, last = stored_seq(agent, "between")
        agent.start()
        await until(lambda: agent.status()["buffer"]["receipted_seq"] > last, "new receipts")
        assert agent.status()["buffer"]["epoch"] == epoch
        assert not server.of(DEVICE, epoch).lost


def test_a_second_agent_on_the_same_buffer_is_refused(agent: AgentProcess) -> None:
    agent.start()
    agent.status()
    second = command(agent, "run")
    assert second.returncode == 1
    assert f"in use by another agent (process {agent.pid})" in second.stderr
    assert "Traceback" not in second.stderr
    assert agent.status()["pid"] == agent.pid


async def test_without_a_broker_it_stores_and_says_so(tmp_path: Path, mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    write_drive(tmp_path / "drive.csv", 0, 2000)
    agent = agent_in(tmp_path, mosquitto.port)
    agent.start()
    await until(lambda: agent.status()["buffer"]["waiting"] > 200, "stored samples")
    status = agent.status()
    assert not status["uplink"]["is_connected"]
    assert "refused" in status["uplink"]["error"]
    text = command(agent, "status").stdout
    assert "NOT CONNECTED" in text
    assert "stored    up to seq" in text
    mosquitto.start()
    await until(lambda: agent.status()["uplink"]["is_connected"], "a connection")
    assert re.search(
        "^uplink +connected; before that: .*refused", command(agent, "status").stdout, re.MULTILINE
    )
    agent.kill()


def test_while_the_disk_refuses_the_buffer_status_says_why(tmp_path: Path) -> None:
    write_drive(tmp_path / "drive.csv", 0, 10)
    (tmp_path / "no-folder").touch()
    agent = agent_in(tmp_path, 1, buffer={"path": str(tmp_path / "no-folder" / "buffer.db")})
    agent.start()
    assert "the file system refuses" in agent.status()["buffer"]["error"]
    assert "NOT STORING" in command(agent, "status").stdout
    assert agent.stop() == 0


async def test_sockets_that_cannot_be_made_are_told_without_a_trace_and_the_rest_goes_on(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    write_drive(tmp_path / "drive.csv", 0, 2000)
    (tmp_path / "no-folder").touch()
    agent = agent_in(tmp_path, mosquitto.port, health={"socket": str(tmp_path / "no-folder" / "s")})
    agent.start()
    try:
        await until(lambda: "change [entry] socket" in agent.log(), "what to do")
        assert "change [health] socket" in agent.log()
        assert "Traceback" not in agent.log()
        await until(lambda: agent.buffer.stat().st_size > 0, "a buffer")
    finally:
        assert agent.stop() == 0


async def test_a_failing_source_is_shown_and_the_others_go_on(tmp_path: Path, mosquitto: Mosquitto) -> None:
    write_drive(tmp_path / "drive.csv", 0, 2000)
    (tmp_path / "bad.csv").write_text(f"time_s,{COUNTER}\n0.0,1\n0.1,many\n")
    sources = [{"kind": "replay", "file": str(tmp_path / name)} for name in ("drive.csv", "bad.csv")]
    agent = agent_in(tmp_path, mosquitto.port, source=sources)
    agent.start()
    await until(lambda: any(task["failures"] for task in agent.status()["tasks"].values()), "the failure")
    await until(lambda: agent.status()["buffer"]["stored_seq"] > 500, "samples of the good source")
    tasks = agent.status()["tasks"]
    assert {name: "line 3" in task["last_error"] for name, task in tasks.items() if task["failures"]} == {
        "source replay 2": True
    }
    assert "line 3" in command(agent, "status").stdout
    agent.kill()


async def test_the_status_socket_gives_one_document_to_everybody_who_asks(agent: AgentProcess) -> None:
    agent.start()
    agent.status()
    assert stat.S_IMODE(agent.socket.stat().st_mode) == 0o660
    idle = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    for one in idle:
        one.connect(str(agent.socket))
    document = json.loads(command(agent, "status", "--json").stdout)
    assert document["device"] == DEVICE
    assert {"samples", "buffer", "uplink", "sources", "tasks", "clock"} <= set(document)
    for one in idle:
        one.close()
    assert agent.status()["pid"] == agent.pid


def test_status_without_an_agent_says_what_to_do(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path, 1883)
    done = command(agent, "status")
    assert done.returncode == 1
    assert "is `milepost-agent run` running with this config?" in done.stderr
    assert "Traceback" not in done.stderr


async def test_the_service_manager_is_told_when_the_buffer_is_open(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    mosquitto.kill()  # ready means that samples can be stored, whether or not there is a broker
    write_drive(tmp_path / "drive.csv", 0, 10)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        agent = agent_in(tmp_path, mosquitto.port)
        agent.start()
        while (said := manager.recv(500)) != b"READY=1":
            assert said.startswith((b"EXTEND_TIMEOUT_USEC=", b"STATUS="))
        assert agent.buffer.exists()
        await until(lambda: manager.recv(500) == b"WATCHDOG=1", "the watchdog's food")
        assert agent.stop() == 0
        while (said := manager.recv(500)) != b"STOPPING=1":
            assert said.startswith((b"WATCHDOG=", b"STATUS="))


async def test_an_agent_that_the_watchdog_ends_says_where_it_was(agent: AgentProcess) -> None:
    agent.start()
    agent.status()
    os.kill(agent.pid, signal.SIGABRT)
    assert agent.wait() == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in agent.log()
    assert "service.py" in agent.log()


async def test_a_damaged_buffer_is_salvaged_at_the_start(agent: AgentProcess, mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    agent.start()
    await until(lambda: agent.status()["buffer"]["stored_seq"] > 500, "stored samples")
    agent.stop()
    epoch, last = stored_seq(agent, "before")
    with agent.buffer.open("r+b") as file:
        file.seek(agent.buffer.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 4096)
    agent.start()
    buffer = agent.status()["buffer"]
    assert (buffer["corrupt_files"], buffer["epochs"]) == (1, 2)
    mosquitto.start()
    async with ReceiptGiver(mosquitto.port) as server:
        committed = server.of(DEVICE, epoch)
        await until(lambda: committed.receipt(epoch).seq == last, "the old epoch, whole")
        await until(lambda: agent.status()["buffer"]["epochs"] == 1, "the end of the old epoch")
    assert {gap.reason.value for gap in committed.lost.values()} <= {"corrupt"}


def test_the_agent_keeps_clear_of_what_is_heavy() -> None:
    code = (
        "import sys, milepost_agent.agent\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'pydantic', 'numpy', 'sqlalchemy', 'fastapi', 'click', 'structlog'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
