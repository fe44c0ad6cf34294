"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_S_MAX = 60.0
LOOK_S = 0.02


async def until(condition: Callable[[], object], what: str, wait_s_max: float = WAIT_S_MAX) -> None:
    """Return as soon as ``condition`` holds; fail with ``what`` if it never does."""
    deadline_s = time.monotonic() + wait_s_max
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {wait_s_max:g} s in vain: {what}"
        await asyncio.sleep(LOOK_S)


def poll(condition: Callable[[], object], what: str, wait_s_max: float = WAIT_S_MAX) -> None:
    """The same for a test without an event loop."""
    deadline_s = time.monotonic() + wait_s_max
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {wait_s_max:g} s in vain: {what}"
        time.sleep(LOOK_S)
