"""Remote configuration on a real agent and a real broker: births, ends, what is taken and what is refused."""

from __future__ import annotations

import tomllib
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import milepost_agent
from milepost_protocol.signals import catalogue
from support.agents import COUNTER, EVERY_ROW, AgentProcess, write_drive
from support.device_spy import DeviceSpy, desired, profile
from support.mosquitto import Mosquitto, mosquitto
from support.receipts import ReceiptGiver
from support.stores import DEVICE
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["mosquitto"]

LOAD = "Vehicle.Milepost.Engine.Load"
"""A fine series, from which nothing is derived."""
AGREED_MS = 12_000
"""Long enough for a slow machine to take the profile up and send something, and not too long to wait for."""
FASTER = {"buffer": {"commit_interval_s": 0.2}, "log": {"level": "debug"}}


@pytest.fixture
def agent(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[AgentProcess]:
    """An agent that replays a counter, each row of it a sample."""
    write_drive(tmp_path / "drive.csv", 0, 2000)
    source = {"kind": "replay", "file": str(tmp_path / "drive.csv")}
    made = AgentProcess(tmp_path, mosquitto.port, {"source": [source], "profile": EVERY_ROW})
    yield made
    made.kill()


def kept_by(agent: AgentProcess) -> Path:
    """Where it keeps the desired configuration."""
    return agent.buffer.with_name("buffer.db.desired")


def cut_off(file: Path) -> None:
    """Take the last bytes away."""
    file.write_bytes(file.read_bytes()[:-4])


def obstruct(file: Path) -> None:
    """See to it that no file can be put there."""
    file.mkdir()


@asynccontextmanager
async def spy(broker: Mosquitto) -> AsyncIterator[DeviceSpy]:
    async with DeviceSpy(broker.port, DEVICE) as one:
        yield one


def test_the_version_is_that_of_the_distribution() -> None:
    project = Path(__file__).resolve().parents[2] / "agent" / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == milepost_agent.__version__


async def test_who_subscribes_later_hears_the_birth_and_the_will_of_a_killed_agent(
    agent: AgentProcess, mosquitto: Mosquitto
) -> None:
    agent.start()
    async with spy(mosquitto) as first:
        await first.online()
    async with spy(mosquitto) as later:
        birth = await later.online()
        assert later.was_retained
        assert (birth["connection"], birth["agent"]) == (1, milepost_agent.__version__)
        assert birth["epoch"] == agent.status()["buffer"]["epoch"]
        assert birth["catalogue"] == catalogue().digest
        assert birth["sources"] == ["replay"]
        assert COUNTER in birth["signals"]
        assert LOAD not in birth["signals"], "no profile names it"
        agent.kill()
        will = await later.offline("lost")
        assert (will["run"], will["connection"]) == (birth["run"], birth["connection"])
    async with spy(mosquitto) as last:
        await last.offline("lost")
        assert last.was_retained


async def test_an_agent_that_is_stopped_says_so_itself(agent: AgentProcess, mosquitto: Mosquitto) -> None:
    agent.start()
    async with spy(mosquitto) as one:
        await one.online()
        assert agent.stop() == 0
        await one.offline("stop")
    async with spy(mosquitto) as later:
        await later.offline("stop")
        assert [state["reason"] for state in later.states] == ["stop"], "no will after it"


async def test_another_connection_is_another_birth(agent: AgentProcess, mosquitto: Mosquitto) -> None:
    agent.start()
    async with spy(mosquitto) as one:
        await one.online()
    mosquitto.kill()
    mosquitto.start()
    async with spy(mosquitto) as one:
        birth = await one.online()
    assert birth["connection"] == 2


async def test_what_is_desired_is_taken_kept_and_reported_and_nothing_is_lost(
    agent: AgentProcess, mosquitto: Mosquitto
) -> None:
    async with ReceiptGiver(mosquitto.port) as server, spy(mosquitto) as one:
        agent.start()
        await one.online()
        await until(lambda: agent.status()["buffer"]["receipted_seq"] > 50, "receipts")
        await one.desire(desired(7, FASTER))
        await one.online(revision=7)
        assert "reconfigure" in [state.get("reason") for state in one.states]
        await until(lambda: one.reports[-1]["revision"] == 7, "the report")
        assert one.reports[-1]["settings"] == {
            "buffer": {"commit_interval_s": 0.2},
            "log": {"level": "debug"},
        }
        assert one.reports[-1]["refused"] is None
        epoch = agent.status()["buffer"]["epoch"]
        committed = server.of(DEVICE, epoch)
        seq = agent.status()["buffer"]["stored_seq"]
        await until(lambda: committed.receipt(epoch).seq > seq, "receipts of the agent that came after")
        assert not committed.lost
        # Withdrawn: an empty revision is a revision, too.
        await one.desire(desired(8))
        await one.online(revision=8)
        await until(lambda: one.reports[-1]["revision"] == 8, "the report")
        assert one.reports[-1]["settings"] == {}
    assert agent.status()["remote"]["revision"] == 8


async def test_what_is_refused_changes_nothing_and_is_said(agent: AgentProcess, mosquitto: Mosquitto) -> None:
    async with spy(mosquitto) as one:
        agent.start()
        await one.desire(desired(1, FASTER))
        birth = await one.online(revision=1)
        await one.desire(desired(2, {"uplink": {"host": "elsewhere.example"}}))
        assert "uplink.host: cannot be set from afar" in await one.refusal(2)
        without = profile({LOAD: {}})
        del without["consent"]
        await one.desire(desired(3, profile=without))
        assert "profile: consent is missing" in await one.refusal(3)
        await one.desire(desired(4, profile=profile({LOAD: {}}, for_ms=-1000)))
        assert "ask the owner again" in await one.refusal(4)
        await one.desire(b"\xff not a document")
        assert "is no JSON" in await one.refusal(None)
        assert one.reports[-1]["revision"] == 1
        assert one.reports[-1]["settings"]["log"] == {"level": "debug"}
        assert one.states[-1]["run"] == birth["run"], "it was never built anew"
        await one.desire(desired(1, FASTER))
        await until(lambda: one.reports[-1]["refused"] is None, "the desired configuration is in force again")
    status = agent.status()["remote"]
    assert status["counts"]["refused"] == 4
    assert status["counts"]["unchanged"] >= 1


async def test_killed_right_after_it_was_taken_it_is_in_force_before_the_first_connect(
    agent: AgentProcess, mosquitto: Mosquitto
) -> None:
    kept = kept_by(agent)
    async with spy(mosquitto) as one:
        agent.start()
        await one.online()
        await one.desire(desired(7, FASTER))
        await until(kept.exists, "the document on the disk")
        agent.kill()
    mosquitto.kill()
    agent.start()
    status = agent.status()
    assert status["remote"]["revision"] == 7
    assert status["remote"]["settings"]["log"] == {"level": "debug"}
    assert not status["uplink"]["is_connected"]
    agent.kill()
    cut_off(kept)
    agent.start()
    status = agent.status()
    assert status["remote"]["revision"] is None
    assert "set aside" in status["remote"]["trouble"]
    mosquitto.start()


def write_loads(file: Path, rows: int = 20_000) -> None:
    """A replay of 50 values a second."""
    lines = [f"{row / 50:.2f},{20 + row % 60}" for row in range(rows)]
    file.write_text("\n".join([f"time_s,{LOAD}", *lines, ""]))


async def test_a_profile_begins_with_its_consent_and_ends_with_it_online_or_not(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    write_loads(tmp_path / "drive.csv")
    source = {"kind": "replay", "file": str(tmp_path / "drive.csv")}
    agent = AgentProcess(tmp_path, mosquitto.port, {"source": [source]})
    try:
        async with ReceiptGiver(mosquitto.port) as server, spy(mosquitto) as one:
            agent.start()
            await one.online()
            await until(lambda: agent.status()["samples"]["withheld"] > 20, "values that stay in the car")
            assert agent.status()["buffer"]["stored_seq"] == 0
            wanted = desired(5, profile=profile({LOAD: {"interval_s_min": 0.1}}, for_ms=AGREED_MS))
            await one.desire(wanted)
            birth = await one.online(revision=5)
            assert LOAD in birth["signals"]
            epoch = birth["epoch"]
            committed = server.of(DEVICE, epoch)
            await until(lambda: len(committed.samples) > 5, "values")
        mosquitto.kill()
        await until(lambda: agent.status()["remote"]["profile"]["state"] == "ended", "the end of the consent")
        last = agent.status()["buffer"]["stored_seq"]
        seen = agent.status()["samples"]["withheld"]
        await until(lambda: agent.status()["samples"]["withheld"] > seen + 50, "values that stay in the car")
        assert agent.status()["buffer"]["stored_seq"] <= last + 1, "what was in memory, no more"
        mosquitto.start()
        async with ReceiptGiver(mosquitto.port) as server, spy(mosquitto) as one:
            birth = await one.online(revision=5)
            assert LOAD not in birth["signals"]
            await until(lambda: one.reports or agent.status()["remote"]["profile"], "the report")
            after = server.of(DEVICE, epoch)
            await until(lambda: agent.status()["buffer"]["waiting"] == 0, "the rest")
        samples = [*committed.samples.values(), *after.samples.values()]
        assert {sample.signal for sample in samples} == {LOAD}
        expires_ms = wanted["profile"]["consent"]["expires_ms"]
        assert max(sample.time_ms for sample in samples) < expires_ms
    finally:
        agent.kill()


async def test_without_a_disk_that_takes_it_nothing_is_applied(
    agent: AgentProcess, mosquitto: Mosquitto
) -> None:
    obstruct(kept_by(agent))
    async with spy(mosquitto) as one:
        agent.start()
        birth = await one.online()
        await one.desire(desired(7, FASTER))
        assert "cannot be kept on the disk" in await one.refusal(7)
        assert one.states[-1]["run"] == birth["run"]
