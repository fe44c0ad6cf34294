"""The loop in virtual time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from typing import Any

import pytest

from milepost_simulator.errors import WorldStuckError
from milepost_simulator.world.loop import START_S, VirtualLoop


def run(main: Coroutine[Any, Any, Any], job_delay_s: float = 1.0) -> Any:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(lambda: job_delay_s)) as runner:
        return runner.run(main)


def test_a_year_passes_at_once() -> None:
    async def wait() -> float:
        await asyncio.sleep(365 * 86_400)
        return asyncio.get_running_loop().time() - START_S

    assert run(wait()) == pytest.approx(365 * 86_400)


def test_timeouts_and_order_are_those_of_any_loop() -> None:
    seen: list[str] = []

    async def at(delay_s: float, name: str) -> None:
        await asyncio.sleep(delay_s)
        seen.append(name)

    async def all_of_it() -> None:
        async with asyncio.TaskGroup() as group:
            for delay_s, name in ((2.0, "c"), (1.0, "a"), (1.0, "b")):
                group.create_task(at(delay_s, name))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.Event().wait()

    run(all_of_it())
    assert seen == ["a", "b", "c"]


def test_jobs_of_a_thread_follow_one_another_while_the_rest_goes_on() -> None:
    async def jobs() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        seen: list[tuple[str, float]] = []

        def job(name: str) -> None:
            seen.append((name, loop.time() - START_S))

        first, second = loop.run_in_executor(None, job, "first"), loop.run_in_executor(None, job, "second")
        await asyncio.sleep(1.5)
        job("meanwhile")
        first.cancel()
        await second
        return seen

    assert [(name, round(at_s, 6)) for name, at_s in run(jobs())] == [
        ("first", 1.0),
        ("meanwhile", 1.5),
        ("second", 2.0),
    ]


def test_an_error_of_a_job_belongs_to_whoever_waits() -> None:
    async def fail() -> None:
        await asyncio.get_running_loop().run_in_executor(None, lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        run(fail())


def test_tasks_in_a_set_have_one_order() -> None:
    async def order() -> list[int]:
        tasks = {asyncio.ensure_future(asyncio.sleep(1.0, number)) for number in range(50)}
        return [await task for task in tasks]

    assert run(order()) == list(range(50))


def test_who_waits_for_nothing_is_found_out() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(WorldStuckError, match="nothing will ever happen"):
        run(forever())


def test_real_sockets_are_refused() -> None:
    async def read(real: socket.socket) -> None:
        real.setblocking(False)
        await asyncio.get_running_loop().sock_recv(real, 1)

    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(WorldStuckError, match="real file or socket"):
        run(read(ours))
