"""Real small disks under the real agent: full, without inodes, gone read-only, and failing as devices do."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from support.faulty_agents import counted, counting_agent, rows_so_far_once
from support.mosquitto import Mosquitto, mosquitto
from support.namespaces import SmallDisk, needs_root
from support.receipts import ReceiptGiver
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from support.agents import AgentProcess

__all__ = ["mosquitto"]

pytestmark = needs_root
MIB = 1024 * 1024
MANY = 10
SIZES = {"tmpfs": MIB, "ext4": 2 * MIB}


def agent_on(disk: SmallDisk, folder: Path, port: int, **settings: object) -> AgentProcess:
    buffer = {"path": str(disk.path / "buffer.db"), "free_bytes_min": 0, "free_inodes_min": 0} | settings
    buffer |= {"commit_interval_s": 0.05}
    return counting_agent(folder / "agent", port, within=disk.within, buffer=buffer)


async def refuses_but_samples(agent: AgentProcess) -> None:
    await until(lambda: agent.status()["buffer"]["error"], "the agent says that it does not store")
    seen = agent.status()["samples"]
    await until(lambda: agent.status()["samples"]["in_memory"] > seen["in_memory"], "sampling goes on")


def is_repaired(disk: SmallDisk, agent: AgentProcess) -> bool:
    """Mount the disk anew, if the agent has no file open on it; it does not see the folder without a disk."""
    os.kill(agent.pid, signal.SIGSTOP)
    is_free = disk.unmount()
    if is_free:
        disk.mount()
    os.kill(agent.pid, signal.SIGCONT)
    return is_free


@pytest.mark.parametrize("kind", SIZES)
async def test_on_a_full_disk_it_samples_on_and_without_inodes_it_stores_on(
    tmp_path: Path, mosquitto: Mosquitto, kind: str
) -> None:
    with SmallDisk(tmp_path, kind, SIZES[kind]) as disk:
        agent = agent_on(disk, tmp_path, mosquitto.port)
        async with ReceiptGiver(mosquitto.port) as server:
            server.is_mute = True  # what is stored stays, so that the file has to grow
            agent.start()
            try:
                await until(lambda: agent.status()["buffer"].get("stored_seq", 0) > 20, "samples")
                disk.fill()
                await refuses_but_samples(agent)
                disk.empty()
                server.is_mute = False
                await until(lambda: agent.status()["buffer"]["error"] == "", "it stores again")
                assert disk.fill_inodes() > MANY
                seen = len(counted(server))
                await until(lambda: len(counted(server)) > seen + MANY, "samples without a free inode")
                await rows_so_far_once(agent, server)
                assert agent.status()["buffer"]["error"] == ""
            finally:
                agent.kill()


async def test_without_inodes_at_the_start_it_waits_for_one(tmp_path: Path, mosquitto: Mosquitto) -> None:
    with SmallDisk(tmp_path, "tmpfs", SIZES["tmpfs"], inodes=64) as disk:
        disk.fill_inodes()
        agent = agent_on(disk, tmp_path, mosquitto.port, free_inodes_min=1)
        agent.start()
        try:
            assert agent.status()["buffer"]["error"]
            disk.empty_inodes()
            async with ReceiptGiver(mosquitto.port) as server:
                await rows_so_far_once(agent, server)
        finally:
            agent.kill()


async def test_a_file_system_that_goes_read_only_and_is_mounted_again(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    with SmallDisk(tmp_path, "ext4", 4 * MIB) as disk:
        agent = agent_on(disk, tmp_path, mosquitto.port)
        async with ReceiptGiver(mosquitto.port) as server:
            agent.start()
            try:
                await until(lambda: len(counted(server)) > 20, "samples")
                disk.break_down()
                await refuses_but_samples(agent)
                await until(lambda: is_repaired(disk, agent), "the agent lets go of the failed file system")
                await rows_so_far_once(agent, server)
            finally:
                agent.kill()


def test_no_commit_is_tried_on_a_file_system_that_is_read_only(tmp_path: Path) -> None:
    # By force (SysRq u) it goes read-only under open files, too; ext4 then takes writes and syncs nothing.
    look = "import sys; from pathlib import Path; from milepost_agent.buffer.files import POSIX;"
    look += "print(POSIX.look(Path(sys.argv[1])))"
    with SmallDisk(tmp_path, "tmpfs", MIB) as disk:
        assert "free_bytes" in disk.space.run(sys.executable, "-c", look, disk.path)
        disk.space.run("mount", "-o", "remount,ro", disk.path)
        with pytest.raises(AssertionError, match="Read-only file system"):
            disk.space.run(sys.executable, "-c", look, disk.path)


async def test_a_device_that_fails_in_mid_work(tmp_path: Path, mosquitto: Mosquitto) -> None:
    with SmallDisk(tmp_path, "ext4", 8 * MIB, backing_bytes=MIB) as disk:
        agent = agent_on(disk, tmp_path, mosquitto.port)
        async with ReceiptGiver(mosquitto.port) as server:
            server.is_mute = True
            agent.start()
            try:
                await until(lambda: agent.status()["buffer"].get("stored_seq", 0) > 20, "samples")
                disk.use_up_flash()
                await refuses_but_samples(agent)
                disk.mend_flash()
                await until(lambda: is_repaired(disk, agent), "the agent lets go of the failed file system")
                server.is_mute = False
                await rows_so_far_once(agent, server)
            finally:
                agent.kill()
