"""A disk that refuses under the real agent: each call, at its start, in mid commit and in mid checkpoint."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

import pytest

from support.agents import write_drive
from support.faulty_agents import ROWS, counted, counting_agent, rows_so_far_once, told_as_lost
from support.faulty_disk import Call, FaultyDisk
from support.mosquitto import Mosquitto, mosquitto
from support.receipts import ReceiptGiver
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["mosquitto"]

MANY = 100
COMMIT, CHECKPOINT = "-wal", "buffer.db"
REFUSALS = {
    "EIO in mid commit": (Call.WRITE, errno.EIO, COMMIT, 10),
    "disk full in mid commit": (Call.WRITE, errno.ENOSPC, COMMIT, 11),
    "EIO on the sync of a commit": (Call.SYNC, errno.EIO, COMMIT, 2),
    "a sync that worked and says EIO": (Call.SYNC, errno.EIO, COMMIT, 1),
    "read-only in mid work": (Call.ALL, errno.EROFS, "", 20),
}
UNWRITTEN = {
    "EIO in mid checkpoint": (Call.WRITE, errno.EIO, 3),
    "disk full in mid checkpoint": (Call.WRITE, errno.ENOSPC, 2),
    "EIO on the sync of a checkpoint": (Call.SYNC, errno.EIO, 1),
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultyDisk]:
    """The disk of the agent's folder."""
    with FaultyDisk(tmp_path / "agent") as made:
        yield made


async def test_what_was_sampled_while_the_disk_refused_is_stored_later(
    tmp_path: Path, mosquitto: Mosquitto, disk: FaultyDisk
) -> None:
    agent = counting_agent(tmp_path / "agent", mosquitto.port, within=disk.within)
    async with ReceiptGiver(mosquitto.port) as server:
        agent.start()
        try:
            for what, (calls, error, name_end, skip) in REFUSALS.items():
                await until(lambda: agent.status()["buffer"]["error"] == "", "a disk that is well")
                disk.fail(calls, error, skip=skip, name_end=name_end, is_after="worked" in what)
                await until(lambda: disk.struck, what)
                await until(lambda: agent.status()["buffer"]["error"], f"the agent says so: {what}")
                await until(lambda: agent.status()["samples"]["in_memory"], "samples that wait in memory")
                disk.heal()
            await rows_so_far_once(agent, server)
            assert agent.status()["buffer"]["error"] == ""
        finally:
            agent.kill()


async def test_what_cannot_be_written_back_stays_in_the_log(
    tmp_path: Path, mosquitto: Mosquitto, disk: FaultyDisk
) -> None:
    agent = counting_agent(tmp_path / "agent", mosquitto.port, within=disk.within)
    async with ReceiptGiver(mosquitto.port) as server:
        server.is_mute = True
        agent.start()
        try:
            for what, (calls, error, skip) in UNWRITTEN.items():
                disk.fail(calls, error, skip=skip, name_end=CHECKPOINT)
                await until(lambda: disk.struck > 2, what)
                disk.heal()
            disk.fail(Call.WRITE, errno.EIO, name_end=CHECKPOINT)
            await until(lambda: disk.struck > 2, "a checkpoint at the time of the kill")
            agent.kill()
            server.is_mute = False
            disk.heal()
            write_drive(tmp_path / "agent" / "drive.csv", 2 * ROWS, 1)
            agent.start()
            await until(lambda: agent.status()["buffer"].get("waiting") == 0, "the backlog")
        finally:
            agent.kill()
    rows = [row for row in counted(server) if row < ROWS]
    assert rows == list(range(len(rows))), "a row in the middle of what was stored is missing"
    assert len(rows) > MANY
    assert told_as_lost(server) == 0


async def test_now_and_then_a_call_fails_and_no_row_is_lost(
    tmp_path: Path, mosquitto: Mosquitto, disk: FaultyDisk
) -> None:
    agent = counting_agent(tmp_path / "agent", mosquitto.port, within=disk.within)
    async with ReceiptGiver(mosquitto.port) as server:
        agent.start()
        try:
            agent.status()
            for turn in range(12):
                call = (Call.WRITE, Call.SYNC, Call.TRUNCATE | Call.OPEN)[turn % 3]
                # A sync that has worked says that it failed: nobody may believe that nothing is on the disk.
                disk.fail(call, errno.EIO, skip=turn % 5, count=1, is_after=turn % 2 == 0)
                await asyncio.sleep(0.15)
                disk.heal()
            await rows_so_far_once(agent, server)
        finally:
            agent.kill()
