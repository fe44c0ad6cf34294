"""Adapters for the agent to read: elmulator on TCP, any TCP adapter as a serial device."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from typing import TYPE_CHECKING

import elmulator

from support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from milepost_agent.readings import Reading

CHUNK_BYTES = 1024


@contextlib.contextmanager
def serve_elmulator(scenario: str | dict[str, object]) -> Iterator[int]:
    """Serve a scenario, or the bundled one of that name; yields the TCP port."""
    loaded = elmulator.load_bundled(scenario) if isinstance(scenario, str) else elmulator.Scenario(scenario)
    stop, port = elmulator.serve_in_background(loaded)
    try:
        yield port
    finally:
        stop()


@contextlib.asynccontextmanager
async def bridge_pty(port: int) -> AsyncIterator[str]:
    """Make the adapter on a TCP port of this machine reachable as a serial device; yields its path."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    loop = asyncio.get_running_loop()
    loop.add_reader(master, lambda: writer.write(os.read(master, CHUNK_BYTES)))

    async def to_terminal() -> None:
        while data := await reader.read(CHUNK_BYTES):
            os.write(master, data)

    pump = asyncio.create_task(to_terminal())
    try:
        yield os.ttyname(slave)
    finally:
        pump.cancel()
        loop.remove_reader(master)
        writer.close()
        os.close(master)
        os.close(slave)


async def collect_until(
    readings: AsyncGenerator[Reading, None], enough: Callable[[list[Reading]], bool]
) -> list[Reading]:
    """Readings until ``enough`` of them; fails, with what there was, where that takes too long."""
    collected: list[Reading] = []
    async with contextlib.aclosing(readings):
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                async for reading in readings:
                    collected.append(reading)
                    if enough(collected):
                        return collected
        except TimeoutError:
            raise AssertionError(f"not enough within {WAIT_S_MAX} s: {collected[-20:]}") from None
    raise AssertionError("the source ended by itself")


def has(*signals: str) -> Callable[[list[Reading]], bool]:
    """Enough is: each of ``signals`` was read."""
    return lambda readings: set(signals) <= {reading.signal for reading in readings}


def latest(readings: list[Reading]) -> dict[str, object]:
    """The last value of each signal."""
    return {reading.signal: reading.value for reading in readings}
