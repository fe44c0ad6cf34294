"""The log, on standard error: for the journal with priorities, else with the time; repeats are counted."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Final, TextIO

from milepost_agent.health.repeats import Repeats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from milepost_agent.health.repeats import Held

PACKAGE: Final = "milepost_agent."
PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
"""Least level of ``logging``, and the syslog priority that the journal takes from the beginning of a line."""
EVENT_CHARACTERS_MAX: Final = 16_384
"""Of one message with its trace: what a device, a broker or a server says may be part of it."""


def setup(
    level: str,
    repeat_pause_s: float,
    clock_s: Callable[[], float],
    environment: Mapping[str, str] = os.environ,
) -> LineHandler:
    """Let all that is logged go to standard error; call ``LineHandler.finish`` at the end.

    Args:
        level: debug, info, warning or error.
        repeat_pause_s: see ``Repeats``.
        clock_s: the monotonic clock, in seconds.
        environment: of this process; systemd says there whether standard error is the journal.
    """
    handler = LineHandler(sys.stderr, Repeats(repeat_pause_s), clock_s, to_journal=is_journal(environment))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    return handler


def is_journal(environment: Mapping[str, str], fd: int = 2) -> bool:
    """Whether ``fd`` is the journal: the variable alone may come from a service far above this process."""
    try:
        facts = os.fstat(fd)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{facts.st_dev}:{facts.st_ino}"


class LineHandler(logging.Handler):
    """Writes each event as lines of ``stream``; the journal stamps its own time, so it gets none."""

    def __init__(
        self, stream: TextIO, repeats: Repeats, clock_s: Callable[[], float], *, to_journal: bool
    ) -> None:
        super().__init__()
        self._stream = stream
        self._repeats = repeats
        self._clock_s = clock_s
        self._to_journal = to_journal

    def emit(self, record: logging.LogRecord) -> None:
        """Say ``record``, or count it."""
        message = f"{record.name.removeprefix(PACKAGE)}: {record.getMessage()}"
        now_s = self._clock_s()
        is_news = self._repeats.offer(message, record.levelno, now_s)
        self._tell(self._repeats.due(now_s))
        if not is_news:
            return
        if record.exc_info:
            message = f"{message}\n{logging.Formatter().formatException(record.exc_info)}"
        self._write(message, record.levelno)

    def configure(self, level: str, repeat_pause_s: float) -> None:
        """Take up other settings; what was held back is said."""
        self.finish()
        self._repeats = Repeats(repeat_pause_s)
        logging.root.setLevel(level.upper())

    def look(self) -> None:
        """Say the counts that are due; to be called now and then, for the time after the last repeat."""
        self.acquire()
        try:
            self._tell(self._repeats.due(self._clock_s()))
        finally:
            self.release()

    def finish(self) -> None:
        """Say all that was held back."""
        self.acquire()
        try:
            self._tell(self._repeats.finish(self._clock_s()))
        finally:
            self.release()

    def _tell(self, counts: Iterable[Held]) -> None:
        for held in counts:
            span = f"{held.for_s / 60:.0f} min" if held.for_s >= 60 else f"{held.for_s:.0f} s"
            self._write(f"{held.message} ({held.times} such messages in {span})", held.level)

    def _write(self, event: str, level: int) -> None:
        if len(event) > EVENT_CHARACTERS_MAX:
            event = f"{event[:EVENT_CHARACTERS_MAX]} ..."
        before = self._before(level)
        try:
            self._stream.write("".join(f"{before}{line}\n" for line in event.splitlines() or [""]))
            self._stream.flush()
        except OSError:
            # Whoever listened has gone; the agent works for the buffer, not for its log.
            return

    def _before(self, level: int) -> str:
        if self._to_journal:
            return f"<{next(priority for least, priority in PRIORITIES if level >= least)}>"
        return f"{time.strftime('%Y-%m-%d %H:%M:%S')} {logging.getLevelName(level).lower()} "
