"""A device of the demo: its folder, its buffer, and sending from it until the server has all of it."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_agent.backoff import Backoff
from milepost_agent.buffer.files import POSIX
from milepost_agent.buffer.policy import BufferLimits, DiskFacts
from milepost_agent.buffer.recorder import Recorder, RecorderLimits, Surroundings
from milepost_agent.buffer.store import BufferStore
from milepost_agent.clock import SystemClock
from milepost_agent.readings import Reading
from milepost_agent.uplink import mqtt
from milepost_agent.uplink.link import Broker
from milepost_agent.uplink.session import SessionLimits
from milepost_agent.uplink.uplink import Uplink
from milepost_simulator.demo.plan import DRAIN_S_MAX, POLL_S, ROWS_PER_COMMIT
from milepost_simulator.errors import SamplesMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from milepost_agent.clock import ClockReading
    from milepost_simulator.fleet.history import Row

MIB = 1024 * 1024
CANCEL_AGAIN_S = 1.0
BUFFER_LIMITS = BufferLimits(bytes_max=64 * MIB, free_bytes_min=16 * MIB, free_inodes_min=64, age_ms_max=0)
RECORDER_LIMITS = RecorderLimits(commit_interval_s=60.0, commit_samples_max=1_000, memory_samples_max=1_000)
SESSION_LIMITS = SessionLimits(
    window_batches=4,
    unreceipted_batches_max=16,
    unreceipted_bytes_max=512 * 1024,
    batch_samples_min=1_000,
    batch_wait_s=0.05,
    receipt_timeout_s=30.0,
    resend_s_max=60.0,
)


@dataclass(frozen=True, slots=True)
class DeviceFolder:
    """Where one device keeps its secret and its buffer."""

    device_id: str
    path: Path

    @property
    def secret_file(self) -> Path:
        """The secret that the server gave it, readable by this user alone."""
        return self.path / "secret"

    @property
    def buffer(self) -> Path:
        """The buffer file."""
        return self.path / "buffer.db"

    def write_secret(self, secret: str) -> None:
        """Keep ``secret``."""
        self.path.mkdir(parents=True, exist_ok=True)
        with open(os.open(self.secret_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
            file.write(secret + "\n")


class Outbox:
    """A device's buffer with its uplink, run in this process by the agent's own parts."""

    def __init__(self, folder: DeviceFolder, host: str, port: int) -> None:
        self._folder = folder
        self._clock = SystemClock()
        self._recorder = Recorder(self._open, Surroundings(dict, self._clock, self._look), RECORDER_LIMITS)
        secret = folder.secret_file.read_text().strip()
        self._uplink = Uplink(
            Broker(host, port, folder.device_id, secret, keepalive_s=30, tls=None),
            mqtt.connect,
            self._recorder,
            limits=SESSION_LIMITS,
            backoff=Backoff(random.random, 0.2, 5.0),
            clock=self._clock,
        )

    def _open(self) -> BufferStore:
        return BufferStore.open(
            self._folder.buffer, self._folder.device_id, BUFFER_LIMITS, os.urandom, self._look()
        )

    def _look(self) -> DiskFacts:
        return POSIX.look(self._folder.path)

    async def store(self, rows: Sequence[Row]) -> int:
        """Commit ``rows`` to the buffer, unless it has samples already; gives how many it has stored."""
        if await self._recorder.ask(lambda store: store.current.next_seq) == 1:
            for start in range(0, len(rows), ROWS_PER_COMMIT):
                await self._commit(rows[start : start + ROWS_PER_COMMIT])
        return await self._recorder.ask(lambda store: store.current.next_seq - 1)

    async def _commit(self, rows: Sequence[Row]) -> None:
        now = self._clock()
        readings = [_reading(row, now) for row in rows]
        await self._recorder.ask(lambda store: store.commit(readings, {}, now, self._look()))

    async def drain(self, on_receipt: Callable[[int], None]) -> None:
        """Send until the server has receipted all that is stored; ``on_receipt`` hears how far it is.

        Raises:
            SamplesMissingError: receipts do not come in time.
        """
        if not await self._waiting(on_receipt):
            return
        uplink = asyncio.create_task(self._uplink.run(), name=f"uplink {self._folder.device_id}")
        try:
            async with asyncio.timeout(DRAIN_S_MAX):
                while await self._waiting(on_receipt):  # noqa: ASYNC110 - the store tells nobody
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            waiting = await self._waiting(on_receipt)
            why = f": {self._uplink.last_error}" if self._uplink.last_error else ""
            raise SamplesMissingError(
                [f"{self._folder.device_id}: {waiting:,} have no receipt{why}"]
            ) from None
        finally:
            await _end(uplink)

    async def _waiting(self, on_receipt: Callable[[int], None]) -> int:
        streams = await self._recorder.ask(lambda store: store.streams)
        on_receipt(sum(stream.receipted for stream in streams))
        return sum(stream.waiting for stream in streams)

    async def stored(self) -> int:
        """How many seqs the buffer ever gave out, over all epochs in it."""
        streams = await self._recorder.ask(lambda store: store.streams)
        return sum(stream.next_seq - 1 for stream in streams)

    async def close(self) -> None:
        """Let the buffer go."""
        await self._recorder.finish()


async def _end(task: asyncio.Task[None]) -> None:
    # Python 3.11's wait_for loses a cancellation that comes together with what it waits for: ask again.
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_S)


def _reading(row: Row, now: ClockReading) -> Reading:
    # The buffer stamps by the monotonic clock: a past sample is one that was read so much earlier.
    return Reading(row.signal, row.value, now.mono_s - (now.wall_ms - row.time_ms) / 1000)
