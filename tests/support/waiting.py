"""Waiting for a condition instead of sleeping; one patience for all tests, long enough for a slow machine."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    What = str | Callable[[], str]
    """What is waited for; or what says so in the end, where that is to tell how things stand then."""

WAIT_S_MAX = 60.0
LOOK_S = 0.02


async def until(condition: Callable[[], object], what: What, wait_s_max: float = WAIT_S_MAX) -> None:
    """Return as soon as ``condition``, awaited if need be, holds; fail with ``what`` if it never does."""
    deadline_s = time.monotonic() + wait_s_max
    while not await _answer(condition):
        assert time.monotonic() < deadline_s, _in_vain(what, wait_s_max)
        await asyncio.sleep(LOOK_S)


def poll(condition: Callable[[], object], what: What, wait_s_max: float = WAIT_S_MAX) -> None:
    """The same for a test without an event loop."""
    deadline_s = time.monotonic() + wait_s_max
    while not condition():
        assert time.monotonic() < deadline_s, _in_vain(what, wait_s_max)
        time.sleep(LOOK_S)


async def _answer(condition: Callable[[], object]) -> object:
    answer = condition()
    return await answer if inspect.isawaitable(answer) else answer


def _in_vain(what: What, wait_s_max: float) -> str:
    return f"waited {wait_s_max:g} s in vain: {what if isinstance(what, str) else what()}"
