"""Plays a scenario and gives its verdict: broken promises, what happened how often, and a digest."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final

from milepost_simulator.world import faults, sqlite_vfs
from milepost_simulator.world.audit import audit
from milepost_simulator.world.loop import START_S, VirtualLoop
from milepost_simulator.world.world import World

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from milepost_simulator.world.scenario import Scenario

TRACE_LINES_MAX: Final = 100_000
CALM_S: Final = 15.0
"""The car is still read so long: only by new samples does an agent learn that its server was restored."""
DOWN_S_MAX: Final = 120.0
"""An agent that is down when the calm begins, or whose disk refused, is back by then."""
NOTICED_S_MAX: Final = 1_000.0
"""A car that was asked in vain, and of which nothing but a charged battery tells, is asked again by then."""
SETTLE_S: Final = 12.0
"""After the last reading: longer than any scenario's commit interval."""
DRAIN_S_MAX: Final = 900.0
"""After the faults everything must have arrived by then."""
JOB_S: Final = (0.0005, 0.02)
"""Shortest and longest delay of a job of the buffer's thread."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a history came to.

    Attributes:
        violations: broken promises, in words; empty if all were kept.
        counts: what happened how often.
        digest: the same for the same scenario, whenever and wherever it is played.
        virtual_s: how long it lasted.
        trace: what happened, line by line.
    """

    violations: Sequence[str]
    counts: Counter[str]
    digest: str
    virtual_s: float
    trace: Sequence[str] = field(repr=False)


class _Trace(logging.Handler):
    """Lines of the world and of the agent's log, with their virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=TRACE_LINES_MAX)
        self.loop: VirtualLoop | None = None
        self.faults: list[str] = []

    def tell(self, line: str) -> None:
        now_s = self.loop.time() - START_S if self.loop else 0.0
        self.lines.append(f"{now_s:10.3f}  {line}")

    def emit(self, record: logging.LogRecord) -> None:
        self.tell(f"{record.levelname.lower()}: {record.getMessage()}")
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            self.faults.append(f"{record.getMessage()} ({type(error).__name__}: {error})")


def play(scenario: Scenario, log_level: int = logging.WARNING) -> Verdict:
    """Play one history.

    Raises:
        WorldUnavailableError: this Python's SQLite cannot be given a simulated disk.
        WorldError: the world itself is stuck.
    """
    trace = _Trace()
    vfs = sqlite_vfs.world_vfs()
    vfs.seed(scenario.seed)
    logs = logging.getLogger("milepost_agent")
    before = logs.level, logs.propagate
    logs.setLevel(log_level)
    logs.propagate = False
    logs.addHandler(trace)
    was_collecting = gc.isenabled()
    gc.disable()  # a collection would finalise what it finds at a moment that no seed knows
    try:
        return _play(scenario, trace, vfs)
    finally:
        logs.removeHandler(trace)
        logs.level, logs.propagate = before
        gc.collect()
        if was_collecting:
            gc.enable()


def _play(scenario: Scenario, trace: _Trace, vfs: sqlite_vfs.WorldVfs) -> Verdict:
    worlds: list[World] = []
    with asyncio.Runner(loop_factory=lambda: _loop(scenario, trace)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        trace.loop = loop
        worlds.append(World(scenario, loop, trace.tell))
        runner.run(_history(worlds[0]))
        end_s = loop.time()
    world = worlds[0]
    audit(world)
    for line in trace.faults:
        world.ledger.violate(line)
    if vfs.unexpected:
        unexpected, vfs.unexpected = vfs.unexpected, []
        raise unexpected[0]
    return Verdict(
        violations=world.ledger.violations,
        counts=world.ledger.counts,
        digest=_digest(world, end_s),
        virtual_s=end_s - START_S,
        trace=list(trace.lines),
    )


def _loop(scenario: Scenario, trace: _Trace) -> VirtualLoop:
    random = Random(f"{scenario.seed}/jobs")
    loop = VirtualLoop(lambda: random.uniform(*JOB_S))

    def complain(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        trace.faults.append(f"{context.get('message')}: {context.get('exception')!r}")

    loop.set_exception_handler(complain)
    return loop


async def _history(world: World) -> None:
    for fault in world.scenario.faults:
        faults.schedule(world, fault)
    living = asyncio.ensure_future(world.live())
    await asyncio.sleep(world.scenario.duration_s)
    world.calm()
    await _until(lambda: world.has_open_buffer, DOWN_S_MAX)
    await _until(lambda: world.is_read, NOTICED_S_MAX)
    await asyncio.sleep(CALM_S)
    world.park()
    await asyncio.sleep(SETTLE_S)
    await _drain(world)
    world.end()
    await living


async def _drain(world: World) -> None:
    waited_s = await _until(lambda: world.is_drained, DRAIN_S_MAX)
    world.ledger.counts["drain_s_max"] = waited_s
    if waited_s >= DRAIN_S_MAX:
        world.ledger.violate(
            f"the backlog is not drained {DRAIN_S_MAX:g} s after the last fault: {world.backlog()}"
        )


async def _until(is_so: Callable[[], bool], s_max: float) -> int:
    """Wait for it; how many seconds that took, ``s_max`` where it never came."""
    for waited_s in range(round(s_max)):
        if is_so():
            return waited_s
        await asyncio.sleep(1.0)
    return round(s_max)


def _digest(world: World, end_s: float) -> str:
    digest = hashlib.sha256(f"{end_s!r} {sorted(world.ledger.counts.items())}".encode())
    for key, stream in sorted(world.ingest.archive.streams.items()):
        digest.update(repr((key, stream.spans, sorted(stream.samples.items()), stream.gaps)).encode())
    return digest.hexdigest()[:16]
