"""The doctor on real parts: a car on a pseudo-terminal, Mosquitto with passwords and TLS, a running agent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from milepost_agent.health.doctor import probes
from support.adapters import serve_elmulator
from support.agents import AgentProcess, write_drive
from support.certificates import Authority
from support.mosquitto import Mosquitto
from support.road import simulated_car
from support.waiting import poll

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVICE = "gw-000017"
SECRET = "not-so-secret"
VIN = "1M8GDM9AXKP042788"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that knows the device by its password."""
    with Mosquitto(tmp_path / "mosquitto", users={DEVICE: SECRET}) as running:
        yield running


def agent_in(
    folder: Path, port: int, source: dict[str, Any], secret: str = SECRET, **uplink: object
) -> AgentProcess:
    file = folder / "device.secret"
    file.write_text(secret)
    file.chmod(0o600)
    sections = {"source": [source], "uplink": uplink, "device": {"id": DEVICE, "secret_file": str(file)}}
    return AgentProcess(folder, port, sections)


def doctor(agent: AgentProcess) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit status, and the last finding of each check."""
    command = [sys.executable, "-m", "milepost_agent", "doctor", "--json", "--config", str(agent.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout, done.stderr
    return done.returncode, {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}


def replay(folder: Path) -> dict[str, str]:
    write_drive(folder / "drive.csv", 0, 2000)
    return {"kind": "replay", "file": str(folder / "drive.csv")}


def test_before_the_first_start_it_reads_the_car_and_logs_in(tmp_path: Path, broker: Mosquitto) -> None:
    with simulated_car(tmp_path / "obd", "--vin", VIN) as port:
        agent = agent_in(tmp_path, broker.port, {"kind": "elm327", "port": str(port)})
        status, found = doctor(agent)
    assert status == 0, found
    assert found["VIN"]["text"] == VIN
    assert "battery" in found["adapter"]["text"]
    assert found["login"]["level"] == "good"
    assert found["secret"]["level"] == "good"
    assert found["receipts"]["level"] == "-"
    assert not agent.buffer.exists(), "the doctor does not make what it looks for"


def test_a_running_agent_is_asked_and_keeps_its_port_and_its_connection(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with serve_elmulator("p0301_basic") as port:
        source = {"kind": "elm327", "port": f"tcp://127.0.0.1:{port}"}
        agent = agent_in(tmp_path, broker.port, source)
        agent.start()
        try:
            poll(lambda: agent.status()["uplink"]["batches"], "batches")
            status, found = doctor(agent)
            after = agent.status()
        finally:
            agent.kill()
    assert status == 0, found
    assert "seqs wait for a receipt" in found["buffer"]["text"]
    assert found["adapter"]["text"].startswith("elm327: ")
    assert found["login"]["text"].startswith("the agent is connected")
    assert found["receipts"]["text"] == "none yet"
    assert after["uplink"]["connects"] == 1, "the doctor took the agent's place at the broker"
    assert after["sources"]["elm327"]["connects"] == 1


def test_an_agent_that_does_not_answer_is_left_alone_and_told(tmp_path: Path, broker: Mosquitto) -> None:
    with serve_elmulator("p0301_basic") as port:
        source = {"kind": "elm327", "port": f"tcp://127.0.0.1:{port}"}
        agent = agent_in(tmp_path, broker.port, source)
        agent.start()
        try:
            poll(lambda: agent.status()["uplink"]["batches"], "batches")
            os.kill(agent.pid, signal.SIGSTOP)
            status, found = doctor(agent)
            os.kill(agent.pid, signal.SIGCONT)
            after = agent.status()
        finally:
            agent.kill()
    assert status == 1
    assert "if it hangs, start it anew" in found["agent"]["text"]
    assert {check for check, one in found.items() if one["level"] == "-"} == (
        {"buffer", "adapter", "login", "receipts"}
    )
    assert found["broker"]["level"] == "good"
    assert after["uplink"]["connects"] == 1, "the doctor took the agent's place at the broker"
    assert after["sources"]["elm327"]["connects"] == 1


def test_a_wrong_secret_is_told_from_a_broker_that_is_away(tmp_path: Path, broker: Mosquitto) -> None:
    agent = agent_in(tmp_path, broker.port, replay(tmp_path), secret="wrong")
    status, found = doctor(agent)
    assert (status, found["broker"]["level"], found["login"]["level"]) == (1, "good", "BAD")
    broker.kill()
    status, found = doctor(agent)
    assert (status, found["broker"]["level"]) == (1, "BAD")
    assert "login" not in found


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    agent = agent_in(tmp_path, 1, replay(tmp_path))
    (tmp_path / "device.secret").chmod(0o644)
    status, found = doctor(agent)
    assert status == 1
    assert "chmod 600" in found["secret"]["text"]
    assert found["broker"]["level"] == "-"


def test_a_certificate_that_ends_soon_is_seen_and_one_of_a_stranger_refused(tmp_path: Path) -> None:
    ours, strange = Authority(tmp_path / "ours"), Authority(tmp_path / "strange", "Another authority")
    own = ours.sign("broker", hosts="IP:127.0.0.1")
    lines = f"cafile {ours.own.cert}\ncertfile {own.cert}\nkeyfile {own.key}"
    with Mosquitto(tmp_path / "mosquitto", users={DEVICE: SECRET}, extra=lines) as broker:
        for authority, level in ((ours, "good"), (strange, "BAD")):
            trusted = {"tls": True, "ca_file": str(authority.own.cert)}
            _, found = doctor(agent_in(tmp_path, broker.port, replay(tmp_path), **trusted))
            assert found["broker"]["level"] == level
            if authority is ours:
                assert found["login"]["level"] == "good"
                assert (found["TLS"]["level"], "in 2 days" in found["TLS"]["text"]) == ("note", True)


def test_a_configuration_that_cannot_be_used_ends_the_examination(tmp_path: Path) -> None:
    agent = agent_in(tmp_path, 1, replay(tmp_path))
    agent.config.write_text("[device]\nidd = 'gw'\n")
    status, found = doctor(agent)
    assert status == 1
    assert "did you mean device.id" in found["config"]["text"]
    assert set(found) == {"config", "the rest"}


def test_a_port_that_is_not_there_says_so_at_once(tmp_path: Path) -> None:
    agent = agent_in(tmp_path, 1, {"kind": "elm327", "port": str(tmp_path / "ttyUSB0")})
    _, found = doctor(agent)
    assert "is not there" in found["adapter"]["text"]


def test_the_file_system_of_the_buffer_is_the_one_that_is_mounted_nearest(tmp_path: Path) -> None:
    facts = probes.look_at_disk(tmp_path / "later" / "buffer.db")
    assert facts.folder == tmp_path
    assert facts.fsync_s is not None
    assert not list(tmp_path.iterdir()), "the probe leaves nothing behind"
    mounts = Path(probes.MOUNTS_FILE).read_text().splitlines()
    memory = [line.split()[4] for line in mounts if " - tmpfs " in line]
    assert not memory or probes._file_system(Path(memory[-1])) == "tmpfs"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else_is_seen(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert probes.look_at_disk(tmp_path / "buffer.db").refusal == "Permission denied"
