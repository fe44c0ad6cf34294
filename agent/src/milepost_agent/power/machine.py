"""The machine under the agent: how long it has slept, its ignition line, and how it is put to sleep."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milepost_agent.clock import ClockReading

COMMAND_S_MAX: Final = 120.0
"""A sleep command that has not ended so long after it began, sleep not counted, is ended."""
LINE_BYTES_MAX: Final = 16
SECONDS: Final = "{seconds}"


def slept_s(now: ClockReading) -> float:
    """How long the machine has slept since it was started: its time since boot less its monotonic clock."""
    return (now.wall_ms - now.offset_ms) / 1000 - now.mono_s


def line_reader(path: str) -> Callable[[], bool | None]:
    """A function that reads the ignition line in file ``path``; it gives None where that cannot tell."""
    if not path:
        return lambda: None
    file = Path(path)

    def read() -> bool | None:
        try:
            with file.open("rb") as opened:
                text = opened.read(LINE_BYTES_MAX).strip()
        except OSError:
            return None
        return {b"1": True, b"0": False}.get(text)

    return read


def is_timed(command: Sequence[str]) -> bool:
    """Whether ``command`` is told when the machine has to be awake again."""
    return any(SECONDS in word for word in command)


async def run_command(command: Sequence[str], seconds: float) -> str:
    """Run ``command`` without a shell; what went wrong, "" where nothing did.

    Args:
        command: program and arguments; ``{seconds}`` in any of them stands for ``seconds``.
        seconds: until the next look at the battery.
    """
    words = [word.replace(SECONDS, str(round(seconds))) for word in command]
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
        )
    except OSError as error:
        return f"{words[0]} does not start: {error.strerror or error}"
    try:
        async with asyncio.timeout(COMMAND_S_MAX):
            status = await process.wait()
    except TimeoutError:
        return f"{words[0]} did not end within {COMMAND_S_MAX:g} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return f"{words[0]} ended with status {status}" if status else ""
