"""Logs of the server: structlog on standard error, one line an event, as text or JSON."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TextIO, cast

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor


class LossyFile:
    """Lines to ``file``; those that it does not take, as on a full disk, are dropped and counted.

    A server that stopped because nobody can read its log would lose more than lines.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.lost = 0

    def write(self, text: str) -> int:
        """Write, with a word on what was lost before."""
        said = f"{self.lost} writes to this log were lost before\n" if self.lost else ""
        try:
            self._file.write(said + text)
            self._file.flush()
        except OSError:
            self.lost += 1
        else:
            self.lost = 0
        return len(text)

    def flush(self) -> None:
        """Every write is."""


def configure(level: str, form: str) -> None:
    """Set the least level, and ``text`` or ``json``; the standard library's loggers go the same way."""
    errors = cast("TextIO", LossyFile(sys.stderr))
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: Processor = structlog.processors.JSONRenderer()
    if form == "text":
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(errors),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(errors)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries speak up only about what is wrong; their news are not the server's.
    root.setLevel(max(number, logging.WARNING))
