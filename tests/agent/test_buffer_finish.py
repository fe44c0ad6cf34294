"""The last commit of an agent that ends, with another one under way."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from milepost_agent.buffer.recorder import Recorder, RecorderLimits, Surroundings
from support.stores import CLOCK, DISK, all_batches, open_store, readings
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_agent.buffer.store import BufferStore

QUICK = RecorderLimits(commit_interval_s=0.02, commit_samples_max=100, memory_samples_max=300)


async def test_what_gathered_behind_a_commit_that_was_interrupted_is_stored_too(tmp_path: Path) -> None:
    path = tmp_path / "buffer.db"
    is_slow, goes_on = threading.Event(), threading.Event()

    def slow_flash() -> BufferStore:
        is_slow.set()
        assert goes_on.wait(20)
        return open_store(path)

    recorder = Recorder(slow_flash, Surroundings(dict, CLOCK.read, lambda: DISK), QUICK)
    running = asyncio.create_task(recorder.run())
    recorder.add(readings(2))
    await until(is_slow.is_set, "a commit under way")
    recorder.add(readings(3, start=2))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    goes_on.set()
    await recorder.finish()
    assert recorder.pending == 0
    store = open_store(path)
    (batch,) = all_batches(store, store.current.epoch)
    assert [sample.value for sample in batch.samples()] == [0, 1, 2, 3, 4]
    store.close()
