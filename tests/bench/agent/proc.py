"""What the kernel counts of a process: memory, processor time, bytes written to disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
AFTER_NAME = ") "
"""In /proc/<pid>/stat the name may hold blanks; the fields after it are counted from the state, field 3."""
UTIME, STIME = 11, 12


class Usage(NamedTuple):
    """One look: resident memory in MB of 10^6 bytes, processor seconds and written bytes since the start."""

    rss_mb: float
    cpu_s: float
    written_bytes: int


def look(pid: int) -> Usage:
    """The counts of process ``pid``, with its threads and without its children."""
    folder = Path(f"/proc/{pid}")
    pages = int((folder / "statm").read_text().split()[1])
    fields = (folder / "stat").read_text().rpartition(AFTER_NAME)[2].split()
    io = dict(line.split(": ") for line in (folder / "io").read_text().splitlines())
    return Usage(
        rss_mb=pages * PAGE_BYTES / 1e6,
        cpu_s=(int(fields[UTIME]) + int(fields[STIME])) / TICKS_A_SECOND,
        written_bytes=int(io["write_bytes"]) - int(io["cancelled_write_bytes"]),
    )
