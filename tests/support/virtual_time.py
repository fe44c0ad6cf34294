"""Tests in virtual time: nothing waits, and no machine is too slow for what a test says of seconds."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, ParamSpec

from milepost_simulator.world.loop import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
JOB_S = 0.001


def in_virtual_time(story: Coroutine[object, object, None]) -> None:
    """Run ``story`` to its end in a loop whose clock jumps."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(lambda: JOB_S)) as runner:
        runner.run(story)


def virtually(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """Make ``test`` one in virtual time."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        in_virtual_time(test(*args, **kwargs))

    return run
