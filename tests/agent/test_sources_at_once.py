"""A real agent that reads an adapter and a file at once, while a person enters the odometer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from milepost_agent import paths
from milepost_protocol import service
from milepost_simulator.car.chaos import CALM, Chaos
from milepost_simulator.car.elm327 import Elm327
from milepost_simulator.car.port import serve_tcp
from milepost_simulator.clock import RunningClock
from support.agents import AgentProcess
from support.cars import START_S, StandingCar
from support.ports import free_port
from support.stores import all_batches, crash_image, open_store
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOKS_MAX, LOOK_S = 400, 0.1
REPLAYED = f"time_s,{paths.SPEED},{paths.ODOMETER},{paths.COOLANT}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a replay of ten minutes: another speed than the adapter reads, and what that does not read."""
    rows = [f"{tenth / 10},90,77000000,85" for tenth in range(6_000)]
    (tmp_path / "drive.csv").write_text("\n".join([REPLAYED, *rows, ""]))
    return tmp_path


@pytest.fixture
def made() -> Iterator[list[AgentProcess]]:
    """Agents, killed at the end."""
    agents: list[AgentProcess] = []
    yield agents
    for agent in agents:
        agent.kill()


async def command(agent: AgentProcess, *words: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "milepost_agent", *words, "--config", str(agent.config)]
    return await asyncio.to_thread(
        subprocess.run, whole, capture_output=True, text=True, check=False, timeout=60
    )


async def status(agent: AgentProcess) -> dict[str, Any]:
    return await asyncio.to_thread(agent.status)


async def test_adapter_replay_and_entry_at_once(folder: Path, made: list[AgentProcess]) -> None:
    car = StandingCar()
    clock = RunningClock(START_S)
    async with serve_tcp(Elm327(car, clock), Chaos(Random(1), CALM), "127.0.0.1", 0) as port:
        tables = [
            {"kind": "elm327", "port": f"tcp://127.0.0.1:{port}"},
            {"kind": "replay", "file": str(folder / "drive.csv")},
        ]
        agent = AgentProcess(folder, free_port(), {"source": tables})
        made.append(agent)
        agent.start()
        found = await status(agent)
        for _ in range(LOOKS_MAX):
            if found["derived"]["overruled"].get("replay", 0) > 20:
                break
            await asyncio.sleep(LOOK_S)
            found = await status(agent)
        heard = found["derived"]["from"]
        assert heard["distance"][paths.SPEED] == "elm327"
        assert heard["engine"][paths.COOLANT] == "replay", "the adapter's car does not tell it"
        assert heard["distance"][paths.ODOMETER] == "replay"
        text = (await command(agent, "status")).stdout
        assert f"distance from {paths.SPEED} of elm327, {paths.ODOMETER} of replay" in text

        refused = await command(agent, "enter", "odometer", "70000")
        assert refused.returncode == 1
        assert "the car itself reports 77,000 km" in refused.stderr
        taken = await command(agent, "enter", "odometer", "77000", "--sigma", "50")
        assert taken.stdout == "stored: odometer 77,000.0 km\n", "the car tells it: nothing is anchored"
        taken = await command(
            agent, "enter", "service", "engine-oil", "--odometer", "47845.5", "--unit", "mi"
        )
        assert taken.stdout == "stored: engine-oil at 76,999.9 km\n"
        agent.kill()

    store = open_store(crash_image(agent.buffer, folder / "image"))
    samples = [s for batch in all_batches(store, store.current.epoch) for s in batch.samples()]
    saved = store.state()
    store.close()
    assert [s.value for s in samples if s.signal == service.SIGNAL] == ["engine-oil 76999868"]
    assert "entered" in [s.value for s in samples if s.signal == paths.ODOMETER_SOURCE]
    assert saved is not None
    assert 0 < saved["distance"]["integrated_m"] < 90 / 3.6 * (found["uptime_s"] + 30)


async def test_an_entry_outlives_a_kill_right_after_its_answer(
    folder: Path, made: list[AgentProcess]
) -> None:
    slow = {"path": str(folder / "buffer.db"), "commit_interval_s": 3600.0, "free_bytes_min": 0}
    agent = AgentProcess(folder, free_port(), {"buffer": slow})
    made.append(agent)
    for kilometres in (100, 200, 300):
        agent.start()
        await until((folder / "entry.sock").is_socket, "the entry socket")
        await status(agent)
        answer = await command(agent, "enter", "odometer", str(kilometres), "--force")
        assert answer.stdout == f"stored: odometer {kilometres}.0 km; distance is counted on from it\n"
        agent.kill()
        store = open_store(crash_image(agent.buffer, folder / f"image-{kilometres}"))
        saved = store.state()
        told = [s.value for b in all_batches(store, store.current.epoch) for s in b.samples()]
        store.close()
        assert saved is not None
        assert saved["distance"]["anchor"]["odometer_m"] == 1000 * kilometres
        assert told[-1] == 1000 * kilometres
    agent.start()
    await status(agent)
    assert agent.stop() == 0
    assert not (folder / "entry.sock").exists()


async def test_bad_words_are_answered_with_what_to_say(folder: Path, made: list[AgentProcess]) -> None:
    agent = AgentProcess(folder, free_port())
    made.append(agent)
    missing = await command(agent, "enter", "odometer", "5")
    assert missing.returncode == 1
    assert "no agent takes entries" in missing.stderr
    help_text = (await command(agent, "enter", "odometer", "--help")).stdout
    assert "enter odometer 123456 --unit km" in help_text
    agent.start()
    await status(agent)
    await until((folder / "entry.sock").is_socket, "the entry socket")
    for words, why in (
        (("odometer", "5", "--at", "yesterday"), "neither a day"),
        (("odometer", "nan"), "must be from 0"),
        (("service", "Engine Oil"), "items are named as in engine-oil"),
    ):
        answer = await command(agent, "enter", *words)
        assert answer.returncode == 1
        assert why in answer.stderr
        assert "Traceback" not in answer.stderr
    assert agent.pid
    assert (await status(agent))["entries"] == {"taken": 0, "refused": {"time": 1, "value": 2}}
