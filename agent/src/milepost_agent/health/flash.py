"""What this process writes to flash, by the kernel's own count, against what the flash bears a day."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

IO_FACTS: Final = "/proc/self/io"
DAY_S: Final = 86_400
WINDOW_S: Final = 600.0
"""So long bytes are counted before they are held against the budget."""
STRETCH_MAX: Final = 10.0
"""Commits become this many times as rare at most: a power cut costs what was sampled since the last one."""
STRETCH_STEP: Final = 1.5

_LOG = logging.getLogger(__name__)


def written_bytes() -> int | None:
    """Bytes that this process has caused to be written to disks; None where the system does not tell.

    What was in files that were removed before it reached the disk is not in the count.
    """
    try:
        with open(IO_FACTS, encoding="ascii") as file:  # noqa: PTH123  (no need of pathlib)
            facts = dict(line.split(": ") for line in file)
    except OSError:
        return None
    return int(facts["write_bytes"]) - int(facts["cancelled_write_bytes"])


class FlashMeter:
    """Projects what is written to a day, and stretches the time between commits where that is too much.

    Args:
        written: bytes written so far by this process, None where nobody knows.
        clock_s: the monotonic clock, in seconds.
        bytes_per_day_max: the budget.
    """

    def __init__(
        self, written: Callable[[], int | None], clock_s: Callable[[], float], bytes_per_day_max: int
    ) -> None:
        self._written = written
        self._clock_s = clock_s
        self._bytes_per_day_max = bytes_per_day_max
        self._since = (clock_s(), written())
        self._bytes_per_day: float | None = None
        self._stretch = 1.0

    def stretch(self) -> float:
        """How many times as long as configured commits wait, 1 or more; looks at the count now."""
        since_s, before = self._since
        now_s, written = self._clock_s(), self._written()
        if before is not None and written is not None and now_s - since_s >= WINDOW_S:
            self._bytes_per_day = max(0, written - before) / (now_s - since_s) * DAY_S
            self._since = now_s, written
            self._adjust(self._bytes_per_day)
        return self._stretch

    def _adjust(self, bytes_per_day: float) -> None:
        if bytes_per_day > self._bytes_per_day_max:
            if self._stretch == 1:
                _LOG.warning(
                    "writing %.0f MB a day to flash, over the budget of %.0f MB; commits become rarer",
                    bytes_per_day / 1e6,
                    self._bytes_per_day_max / 1e6,
                )
            self._stretch = min(self._stretch * STRETCH_STEP, STRETCH_MAX)
        elif bytes_per_day * STRETCH_STEP < self._bytes_per_day_max:
            self._stretch = max(self._stretch / STRETCH_STEP, 1.0)

    def facts(self, stored: int) -> dict[str, Any]:
        """What ``status`` shows; ``stored`` samples since start.

        ``bytes_per_day`` is what a day at the pace of the last ``WINDOW_S`` seconds comes to. All of it
        counts, logs and documents too.
        """
        written = self._written()
        return {
            "written_bytes": written,
            "bytes_per_sample": round(written / stored, 1) if written is not None and stored else None,
            "bytes_per_day": None if self._bytes_per_day is None else round(self._bytes_per_day),
            "bytes_per_day_max": self._bytes_per_day_max,
            "commit_stretch": round(self._stretch, 2),
        }
