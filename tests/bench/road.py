"""The whole road: kills and what they cost, and what an agent needs of a small machine."""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.figures import ROOT
from support import postgres
from support.killing import drive_through
from support.ports import free_port
from support.road import Road, RuledMosquitto, Verdict, simulated_car, write_busy_drive

if TYPE_CHECKING:
    from support.road import AgentProcess

SEED = 1
KILLS = 60
AGENTS = 3
HOUR_S = 3600
HOUR_SPEED = 60.0
IMPORT_ROUNDS = 11
IMPORT_PROGRAM = """
import time
start_s = time.perf_counter()
import milepost_agent.agent, milepost_agent.cli
print(time.perf_counter() - start_s)
"""
WAIT_S_MAX = 120.0


def measure() -> dict[str, Any]:
    """All figures."""
    # A device runs compiled code; so does this, whatever the caller's environment says.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(ROOT / "agent", quiet=1)
    compileall.compile_dir(ROOT / "protocol", quiet=1)
    import_s = _import_s()
    rss_mb, peak_mb = _resident_mb()
    verdicts = {"embedded NATS, SQLite": _kill_embedded(), "Mosquitto, PostgreSQL": _kill_mosquitto()}
    return {
        "what": f"SIGKILL of agents, broker and server in turn while {AGENTS} agents store. `agent_rss_mb`: "
        "after an hour of driving in a minute, with an ELM327 port read beside it; `agent_import_s` is the "
        f"median of {IMPORT_ROUNDS} processes.",
        "agent_rss_mb": rss_mb,
        "agent_rss_peak_mb": peak_mb,
        "agent_import_s": import_s,
        "kills": KILLS * len(verdicts),
        **{key: sum(getattr(verdict, key) for verdict in verdicts.values()) for key in Verdict._fields},
        "table": [{"parts": name, "kills": KILLS, **verdict._asdict()} for name, verdict in verdicts.items()],
    }


def _import_s() -> float:
    command = [sys.executable, "-c", IMPORT_PROGRAM]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(IMPORT_ROUNDS)]
    return statistics.median(float(run.stdout) for run in runs)


def _resident_mb() -> tuple[float, float]:
    """(resident memory after the hour, its peak), in MB of 10^6 bytes, of one agent with two sources."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Road(Path(folder)) as road,
        simulated_car(Path(folder) / "obd") as port,
    ):
        road.register(1)
        drive = Path(folder) / "hour.csv"
        write_busy_drive(drive, HOUR_S, SEED)
        (agent,) = road.agents
        agent.source = (
            f'[[source]]\nkind = "elm327"\nport = "{port}"\n'
            f'[[source]]\nkind = "replay"\nfile = "{drive}"\nspeed = {HOUR_SPEED}\n'
        )
        road.configure()
        agent.start()
        _wait_for_the_hour(agent)
        return _status_mb(agent, "VmRSS"), _status_mb(agent, "VmHWM")


def _wait_for_the_hour(agent: AgentProcess) -> None:
    end_s = time.monotonic() + HOUR_S / HOUR_SPEED + 5
    while time.monotonic() < end_s:
        print(
            f"  an hour in a minute: {max(0.0, end_s - time.monotonic()):3.0f} s to go", end="\r", flush=True
        )
        time.sleep(1)
    print()
    assert agent.waiting() is not None, agent.log


def _status_mb(agent: AgentProcess, key: str) -> float:
    assert agent.process, "started before"
    lines = Path(f"/proc/{agent.process.pid}/status").read_text().splitlines()
    kib = next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))
    return kib * 1024 / 1e6


def _kill_embedded() -> Verdict:
    with tempfile.TemporaryDirectory() as folder, Road(Path(folder)) as road:
        road.register(AGENTS)
        return _told(
            "embedded NATS, SQLite", drive_through(road, road.kill_embedded_broker, kills=KILLS, seed=SEED)
        )


def _kill_mosquitto() -> Verdict:
    with tempfile.TemporaryDirectory() as folder, postgres.running(is_durable=True) as cluster:
        road = Road(Path(folder), database_url=cluster.create("road"), external_broker_port=free_port())
        with RuledMosquitto(road.server, Path(folder) / "mosquitto", road.mqtt_port) as broker, road:
            road.register(AGENTS)
            broker.reload()
            verdict = drive_through(road, broker.kill_and_start, kills=KILLS, seed=SEED)
            return _told("Mosquitto, PostgreSQL", verdict)


def _told(name: str, verdict: Verdict) -> Verdict:
    print(f"  {name}: {KILLS} kills, {verdict}", flush=True)
    return verdict
