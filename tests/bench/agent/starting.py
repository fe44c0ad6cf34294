"""From the start of a process to its first stored sample, and to its first batch at the far end."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.agent import job
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
    """Medians, in seconds."""
    runs = [_round() for _ in range(ROUNDS)]
    stored, published = zip(*runs, strict=True)
    return {"first_stored_s": statistics.median(stored), "first_publish_s": statistics.median(published)}


def _round() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as name, Receiver(Path(name) / "receiver", DEVICE) as receiver:
        folder = Path(name) / "agent"
        folder.mkdir()
        replay = folder / "job.csv"
        job.write_replay(replay, SECONDS, 1)
        agent = made(folder, receiver.port, [{"kind": "replay", "file": str(replay)}])
        start_s = time.monotonic()
        agent.start()
        try:
            stored_s = _stored_s(agent)
            receiver.wait(1)
            return stored_s - start_s, receiver.arrivals[0][0] - start_s
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
