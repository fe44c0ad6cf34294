"""From the start of a process to its first stored sample, and to its first batch at the far end.

And what a connection begins with: all bytes of both ways until that batch has its receipt.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.agent import job
from bench.agent.link import CountedLink
from bench.agent.milepost import DEVICE, made
from bench.agent.receiver import Receiver
from milepost_agent.errors import StatusError
from milepost_agent.health.endpoint import ask

if TYPE_CHECKING:
    from support.agents import AgentProcess

ROUNDS = 11
SECONDS = 30
WAIT_S_MAX = 60.0
LOOK_S = 0.005


def measure() -> dict[str, float]:
    """Medians, in seconds and bytes."""
    runs = [_round() for _ in range(ROUNDS)]
    stored, published, carried = zip(*runs, strict=True)
    return {
        "first_stored_s": statistics.median(stored),
        "first_publish_s": statistics.median(published),
        "connect_bytes": statistics.median(carried),
    }


def _round() -> tuple[float, float, int]:
    with (
        tempfile.TemporaryDirectory() as name,
        Receiver(Path(name) / "receiver", DEVICE) as receiver,
        CountedLink(receiver.port) as link,
    ):
        folder = Path(name) / "agent"
        folder.mkdir()
        replay = folder / "job.csv"
        job.write_replay(replay, SECONDS, 1)
        agent = made(folder, link.port, [{"kind": "replay", "file": str(replay)}])
        start_s = time.monotonic()
        agent.start()
        try:
            stored_s = _stored_s(agent)
            receiver.wait(1)
            published_s = receiver.arrivals[0][0]
            while agent.status()["uplink"]["receipted_seq"] < 1:
                time.sleep(LOOK_S)
            return stored_s - start_s, published_s - start_s, link.carried
        finally:
            agent.kill()


def _stored_s(agent: AgentProcess) -> float:
    deadline_s = time.monotonic() + WAIT_S_MAX
    while time.monotonic() < deadline_s:
        with contextlib.suppress(StatusError):
            if ask(agent.socket)["buffer"].get("stored_seq"):
                return time.monotonic()
        time.sleep(LOOK_S)
    raise AssertionError(f"nothing is stored: {agent.log()[-2000:]}")
