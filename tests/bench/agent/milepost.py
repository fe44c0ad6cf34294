"""Milepost's agent at the same job: a real process that replays it, with the default settings of a device."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from bench.agent import job, proc
from bench.agent.contender import Outage, Steady
from bench.agent.link import CountedLink
from bench.agent.receiver import Receiver
from support.agents import AgentProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEVICE: Final = "gw-000017"
SEED: Final = 1
OUTAGE_S: Final = 25.0
"""The samples of an outage are handed over in so many seconds."""
DEFAULTS: Final = {
    "buffer": {"commit_interval_s": 30.0},
    "uplink": {"batch_wait_s": 30.0, "receipt_timeout_s": 30.0, "resend_s_max": 600.0},
}
"""The quick settings of the tests taken back."""
LOOK_S: Final = 0.2


class Milepost:
    """The agent between a replay and a receiver that gives receipts."""

    name = "milepost-agent"

    @contextlib.contextmanager
    def running(self, folder: Path) -> Iterator[MilepostRun]:
        """The receiver and the link; the agent starts with the job."""
        with Receiver(folder / "receiver", DEVICE) as receiver, CountedLink(receiver.port) as link:
            run = MilepostRun(folder, link, receiver)
            try:
                yield run
            finally:
                run.kill()


class MilepostRun:
    """Starts an agent for each part of the job, so that each begins with an empty buffer."""

    def __init__(self, folder: Path, link: CountedLink, receiver: Receiver) -> None:
        self._folder = folder
        self._link = link
        self._receiver = receiver
        self._agent: AgentProcess | None = None

    def kill(self) -> None:
        """SIGKILL of the agent that runs, if any."""
        if self._agent is not None:
            self._agent.kill()

    def _start(self, name: str, seconds: int, speed: float) -> AgentProcess:
        """A new agent that does ``seconds`` of the job, ``speed`` times as fast as real time."""
        self.kill()
        folder = self._folder / name
        folder.mkdir()
        replay = folder / "job.csv"
        job.write_replay(replay, seconds, SEED)
        source = {"kind": "replay", "file": str(replay), "speed": speed}
        self._agent = agent = made(folder, self._link.port, [source])
        agent.start()
        return agent

    def steady(self, seconds: int) -> Steady:
        """Do the job for so many seconds, looked at from its first receipt on.

        So what a connection begins with is left out, as it is with the rivals: see ``connect_bytes``.
        """
        agent = self._start("steady", seconds, 1.0)
        self._receiver.wait(self._receiver.seqs() + 1)
        begun = self._settled(agent)
        before, carried, start_s = proc.look(agent.pid), self._link.carried, time.monotonic()
        while time.monotonic() - start_s < seconds:
            print(f"  second {time.monotonic() - start_s:.0f} of {seconds}", end="\r", flush=True)
            time.sleep(1)
        samples = self._settled(agent) - begun
        after, lasted_s = proc.look(agent.pid), time.monotonic() - start_s
        return Steady(
            rss_mb=after.rss_mb,
            cpu_percent=100 * (after.cpu_s - before.cpu_s) / lasted_s,
            disk_bytes_per_sample=(after.written_bytes - before.written_bytes) / samples,
            wire_bytes_per_sample=(self._link.carried - carried) / samples,
        )

    def _settled(self, agent: AgentProcess) -> int:
        """Wait until all that was sampled is stored and receipted; how many samples."""
        while True:
            status = agent.status()
            stored = int(status["buffer"]["stored_seq"])
            if stored >= status["samples"]["sampled"] and not status["buffer"]["waiting"]:
                return stored
            time.sleep(LOOK_S)

    def outage(self, samples: int, settle_s: float) -> Outage:
        """See ``contender.Run``."""
        self._link.cut()
        before = self._receiver.seqs()
        seconds = samples // job.SIGNALS
        agent = self._start("outage", seconds, seconds / OUTAGE_S)
        time.sleep(OUTAGE_S + settle_s)
        status = agent.status()
        handed_over = int(status["samples"]["sampled"])
        stored = int(status["buffer"]["stored_seq"])
        agent.kill()
        self._agent = agent = made(agent.folder, self._link.port, [])
        arrivals, repeats = len(self._receiver.arrivals), self._repeats()
        agent.start()
        agent.status()
        self._link.mend()
        self._receiver.wait(before + stored)
        times_s = [at_s for at_s, _ in self._receiver.arrivals[arrivals:]]
        came = self._receiver.seqs() - before
        return Outage(
            handed_over=handed_over,
            lost=handed_over - came,
            repeated=self._repeats() - repeats,
            drain_samples_per_s=came / (times_s[-1] - times_s[0]),
        )

    def _repeats(self) -> int:
        return self._receiver.counts["seqs"] - self._receiver.seqs()


def made(folder: Path, port: int, sources: list[dict[str, object]]) -> AgentProcess:
    """An agent with a device's settings that lets all of the job become samples; started as by its unit."""
    sections = {**DEFAULTS, "source": sources, "profile": job.profile()}
    return AgentProcess(folder, port, sections, DEVICE, as_unit=True)
