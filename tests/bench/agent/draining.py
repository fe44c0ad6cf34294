"""How fast a backlog leaves: over loopback, and over a slow link of which it should leave nothing unused."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.agent import job
from bench.agent.link import CountedLink
from bench.agent.milepost import DEVICE, made
from bench.agent.receiver import Receiver
from milepost_agent.buffer.files import POSIX
from milepost_agent.buffer.policy import BufferLimits
from milepost_agent.buffer.store import BufferStore
from milepost_agent.clock import ClockReading
from milepost_agent.readings import Reading
from milepost_protocol.samples import TimeTrust

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT_SECONDS = 25
"""Seconds of the job in one commit: 1,000 samples."""
BYTES_MAX = 1024**3


class Drained(NamedTuple):
    """From the first batch to the last; ``payload_bytes`` of what the receiver took."""

    samples: int
    payload_bytes: int
    spent_s: float


def fill(path: Path, samples: int) -> None:
    """A buffer at ``path`` with a backlog of ``samples`` of the job."""
    limits = BufferLimits(BYTES_MAX, free_bytes_min=0, free_inodes_min=0, age_ms_max=0)
    store = BufferStore.open(path, DEVICE, limits, os.urandom, POSIX.look(path.parent))
    try:
        for second, readings in _commits(samples):
            now = ClockReading(job.START_MS + 1000 * second, second, job.START_MS, TimeTrust.SYNCED, "boot")
            store.commit(readings, {}, now, POSIX.look(path.parent))
    finally:
        store.close()


def _commits(samples: int) -> Iterator[tuple[int, list[Reading]]]:
    signals = [signal.path for signal in job.chosen()]
    waiting: list[Reading] = []
    seconds = samples // job.SIGNALS
    for second, values in enumerate(job.rows(seconds, 1), 1):
        waiting += [Reading(path, value, second) for path, value in zip(signals, values, strict=True)]
        if second % COMMIT_SECONDS == 0 or second == seconds:
            yield second, waiting
            waiting = []


def drain(samples: int, link_bytes_per_s: float = 0.0) -> Drained:
    """Send a backlog of ``samples`` over loopback, or over a link that carries so many bytes up a second."""
    with (
        tempfile.TemporaryDirectory() as name,
        Receiver(Path(name) / "receiver", DEVICE) as receiver,
        CountedLink(receiver.port, link_bytes_per_s) as link,
    ):
        folder = Path(name) / "agent"
        agent = made(folder, link.port if link_bytes_per_s else receiver.port, [])
        fill(agent.buffer, samples)
        agent.start()
        try:
            receiver.wait(samples)
        finally:
            agent.kill()
        times_s = [at_s for at_s, _ in receiver.arrivals]
        return Drained(receiver.seqs(), receiver.counts["bytes"], times_s[-1] - times_s[0])
