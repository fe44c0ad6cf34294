"""The table of tasks ends when it is told to, whatever its tasks are doing."""

from __future__ import annotations

import asyncio

from milepost_agent.tasks import OnFailure, Task, run_all

STOP_S_MAX = 10.0


class _Deaf:
    """Misses its first cancellation, as `wait_for` of Python 3.11 can."""

    def __init__(self) -> None:
        self.cancellations = 0
        self.is_up = asyncio.Event()

    async def run(self) -> None:
        while True:
            try:
                self.is_up.set()
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.cancellations += 1
                if self.cancellations > 1:
                    raise


async def test_a_task_that_misses_its_cancellation_is_cancelled_again() -> None:
    deaf, stop = _Deaf(), asyncio.Event()
    table = [Task("deaf", deaf.run, OnFailure.RESTART)]
    running = asyncio.create_task(run_all(table, stop))
    await deaf.is_up.wait()
    stop.set()
    async with asyncio.timeout(STOP_S_MAX):
        await running
    assert deaf.cancellations == 2
