"""Child processes of the demo: started with a log file, watched, and ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from milepost_simulator.demo.plan import STOP_S_MAX
from milepost_simulator.errors import ProcessFailedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

LOG_LINES_SHOWN = 3


def program(name: str) -> str:
    """The command ``name`` that was installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


class Child:
    """One running process; it has a session of its own, so that Ctrl-C reaches the demo alone."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, name: str, command: Sequence[str], log: Path) -> Child:
        """Start ``command``; all it says goes to ``log``."""
        with await asyncio.to_thread(log.open, "ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(name, process, log)

    def check(self) -> None:
        """Make sure that it runs.

        Raises:
            ProcessFailedError: it has ended.
        """
        if self._process.returncode is not None:
            raise self._failure(f"ended with status {self._process.returncode}")

    def _failure(self, why: str) -> ProcessFailedError:
        lines = self._log.read_text(errors="replace").strip().splitlines()[-LOG_LINES_SHOWN:]
        return ProcessFailedError(
            self.name, why + "".join(f"\n    {line}" for line in lines) + "\n", self._log
        )

    async def ended(self) -> None:
        """Wait for the end that should not come.

        Raises:
            ProcessFailedError: always, when it comes.
        """
        status = await self._process.wait()
        raise self._failure(f"ended with status {status}")

    async def stop(self) -> None:
        """Ask it to end; where it does not in time, end it and its children.

        Raises:
            ProcessFailedError: it had to be killed, or ended with an error.
        """
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S_MAX):
                status = await self._process.wait()
        except TimeoutError:
            self._kill()
            await self._process.wait()
            raise self._failure(f"did not stop within {STOP_S_MAX:g} s and was killed") from None
        if status != 0:
            raise self._failure(f"ended with status {status}")

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


@contextlib.asynccontextmanager
async def running(name: str, command: Sequence[str], log: Path) -> AsyncIterator[Child]:
    """A process for as long as the block lasts."""
    child = await Child.start(name, command, log)
    try:
        yield child
    finally:
        await asyncio.shield(child.stop())


async def run_to_end(name: str, command: Sequence[str], log: Path) -> str:
    """Run a command that ends by itself; gives what it printed on standard output.

    Raises:
        ProcessFailedError: it ended with an error.
    """
    with await asyncio.to_thread(log.open, "ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode != 0:
        raise Child(name, process, log)._failure(f"ended with status {process.returncode}")
    return output.decode()
