"""SIGKILL of the real agent where it hurts most, and pauses by SIGSTOP."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from support.agents import write_drive
from support.device_spy import DeviceSpy, desired
from support.faulty_agents import counted, counting_agent, rows_so_far_once, told_as_lost
from support.long_runs import tally, times
from support.mosquitto import Mosquitto, mosquitto
from support.ports import free_port
from support.receipts import ReceiptGiver
from support.recorded_life import RELEASED, SeededEntropy, told
from support.stores import DEVICE, LIMITS, ODOMETER, RPM, commit, crash_image, open_store, readings
from support.waiting import until

if TYPE_CHECKING:
    from support.agents import AgentProcess

__all__ = ["mosquitto"]

SEED = 20261122
START_KILLS = times(12, 200)
OPENING_KILLS = times(8, 100)
DESIRED_KILLS = times(6, 100)
PAUSES = times(4, 40)
ROWS_A_LIFE = 10_000
START_S = (0.05, 0.9)
"""From the start of the process, over the opening of its buffer, to its first commits."""
NO_AGE: dict[str, Any] = {"age_days_max": 0}
PAGE_BYTES = 4096


def is_whole(rows: list[int], lives: int) -> bool:
    """Whether of each life the rows up to some one are there, each once: a kill takes only what was last."""
    starts = [
        [row - life * ROWS_A_LIFE for row in rows if row // ROWS_A_LIFE == life] for life in range(lives)
    ]
    return all(of_life == list(range(len(of_life))) for of_life in starts)


async def test_kills_at_the_start_leave_one_sound_buffer(tmp_path: Path, mosquitto: Mosquitto) -> None:
    random = Random(SEED)
    agent = counting_agent(tmp_path / "agent", mosquitto.port)
    epochs = set()
    async with ReceiptGiver(mosquitto.port) as server:
        for life in range(START_KILLS):
            write_drive(agent.folder / "drive.csv", life * ROWS_A_LIFE, 500)
            agent.start()
            await asyncio.sleep(random.uniform(*START_S))
            agent.kill()
        write_drive(agent.folder / "drive.csv", START_KILLS * ROWS_A_LIFE, 50)
        agent.start()
        try:
            last = START_KILLS * ROWS_A_LIFE + 49
            await until(lambda: last in counted(server), "the last row of the last life")
            buffer = agent.status()["buffer"]
        finally:
            agent.kill()
        epochs = {epoch for _, epoch in server.epochs}
    tally("SIGKILL at starts", START_KILLS, told_as_lost(server))
    assert (buffer["corrupt_files"], epochs) == (0, {buffer["epoch"]})
    assert is_whole(counted(server), START_KILLS + 1)
    assert told_as_lost(server) == 0


def damaged(path: Path) -> None:
    """A buffer in the middle of which a page has rotted."""
    store = open_store(path)
    for part in range(20):
        commit(store, readings(1500, RPM, start=part * 7 % 11), readings(100, ODOMETER, start=part * 100))
    store.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // PAGE_BYTES * PAGE_BYTES)
        file.write(b"\xa5" * PAGE_BYTES)


def of_schema_1(path: Path) -> None:
    """A buffer as the first released schema has left it."""
    shutil.copy(RELEASED / "schema-1.db", path)


def old_rows(path: Path, folder: Path, epochs: set[str] | None = None) -> dict[str, Any]:
    """What a crash image of the buffer at ``path`` tells of ``epochs``."""
    store = open_store(crash_image(path, folder), LIMITS, entropy=SeededEntropy(folder.name))
    try:
        return {
            row[0]: row[1:] for row in told(store)["streams"] if row[0] and (not epochs or row[0] in epochs)
        }
    finally:
        store.close()


@pytest.mark.parametrize("made", [damaged, of_schema_1], ids=["salvage", "schema upgrade"])
def test_kills_while_an_old_buffer_is_opened_lose_nothing_of_it(tmp_path: Path, made: Any) -> None:
    random = Random(SEED)
    made(tmp_path / "made.db")
    expected = old_rows(tmp_path / "made.db", tmp_path / "whole")
    agent = counting_agent(tmp_path / "agent", free_port(), rows=1, buffer=NO_AGE)
    shutil.copy(tmp_path / "made.db", agent.buffer)
    for _ in range(OPENING_KILLS):
        agent.start()
        time.sleep(random.uniform(*START_S))
        agent.kill()
    agent.start()
    agent.status()
    agent.kill()
    found = old_rows(agent.buffer, tmp_path / "found", set(expected))
    tally(f"SIGKILL while a {made.__name__} buffer is opened", OPENING_KILLS)
    assert found.keys() == expected.keys()
    for name, (receipted, next_seq, samples, gaps) in expected.items():
        # The agent itself goes on in the newest epoch of a file that it need not salvage.
        held = {seq: row for seq, row in found[name][2].items() if int(seq) < next_seq}
        assert (found[name][0], held, found[name][3]) == (receipted, samples, gaps)


async def test_kills_while_the_configuration_changes(tmp_path: Path, mosquitto: Mosquitto) -> None:
    random = Random(SEED)
    agent = counting_agent(tmp_path / "agent", mosquitto.port)
    async with ReceiptGiver(mosquitto.port) as server, DeviceSpy(mosquitto.port, DEVICE) as spy:
        for life in range(DESIRED_KILLS):
            write_drive(agent.folder / "drive.csv", life * ROWS_A_LIFE, 500)
            agent.start()
            agent.status()
            interval_s = random.uniform(0.1, 0.3)
            await spy.desire(desired(life + 1, {"buffer": {"commit_interval_s": interval_s}}))
            await asyncio.sleep(random.uniform(0.0, 0.3))
            agent.kill()
        write_drive(agent.folder / "drive.csv", DESIRED_KILLS * ROWS_A_LIFE, 50)
        agent.start()
        try:
            await spy.online(revision=DESIRED_KILLS)
            last = DESIRED_KILLS * ROWS_A_LIFE + 49
            await until(lambda: last in counted(server), "the last row of the last life")
        finally:
            agent.kill()
    tally("SIGKILL while the configuration changes", DESIRED_KILLS, told_as_lost(server))
    # An agent that takes a configuration up begins its drive anew: then rows come again, as other samples.
    rows = list(dict.fromkeys(counted(server)))
    assert is_whole(rows, DESIRED_KILLS + 1)
    assert told_as_lost(server) == 0


async def test_an_agent_that_is_stopped_and_continued_stores_every_row(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    random = Random(SEED)
    agent = counting_agent(tmp_path / "agent", mosquitto.port, uplink={"keepalive_s": 5})
    async with ReceiptGiver(mosquitto.port) as server:
        agent.start()
        try:
            agent.status()
            for _ in range(PAUSES):
                os.kill(agent.pid, signal.SIGSTOP)
                await asyncio.sleep(random.uniform(0.2, 0.8))
                os.kill(agent.pid, signal.SIGCONT)
                await asyncio.sleep(random.uniform(0.1, 0.4))
            await rows_so_far_once(agent, server)
        finally:
            agent.kill()
    tally("SIGSTOP and SIGCONT", PAUSES)


async def test_two_agents_with_one_client_id_lose_nothing(tmp_path: Path, mosquitto: Mosquitto) -> None:
    agents = [counting_agent(tmp_path / name, mosquitto.port, rows=300) for name in ("one", "two")]
    async with ReceiptGiver(mosquitto.port) as server:
        try:
            for agent in agents:
                agent.start()
            # Each connection ends the other's; in the pauses, which grow, each sends some of its own.
            await until(lambda: len(counted(server)) == 600, "the rows of both")
        finally:
            for agent in agents:
                agent.kill()
    assert sorted(counted(server)) == sorted([*range(300)] * 2)
    assert len(server.epochs) == 2


def truncated(path: Path) -> None:
    """The first half of a buffer, and a bit."""
    damaged(path)
    os.truncate(path, path.stat().st_size // 2 + 100)


def newer(path: Path) -> None:
    """A buffer of a schema that nobody knows yet."""
    store = open_store(path)
    commit(store, readings(100))
    store.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA user_version = 99")


FILES = {
    "corrupt": (damaged, 1),
    "truncated": (truncated, 1),
    "empty": (Path.touch, 1),
    "older": (of_schema_1, 0),
    "newer": (newer, 1),
}


@pytest.mark.parametrize("kind", FILES)
async def test_whatever_lies_at_its_place_the_agent_stores_and_keeps_it(
    tmp_path: Path, mosquitto: Mosquitto, kind: str
) -> None:
    make, set_aside = FILES[kind]
    agent: AgentProcess = counting_agent(tmp_path / "agent", mosquitto.port, rows=100, buffer=NO_AGE)
    make(agent.buffer)
    async with ReceiptGiver(mosquitto.port) as server:
        agent.start()
        try:
            await until(lambda: set(range(100)) <= set(counted(server)), "the rows of the new life")
            await until(lambda: agent.status()["buffer"]["waiting"] == 0, "the rest of the old one")
            assert agent.status()["buffer"]["corrupt_files"] == set_aside
        finally:
            agent.kill()
    assert {gap.reason.value for one in server.epochs.values() for gap in one.lost.values()} <= (
        {"corrupt", "disk_full", "age"}
    )
