"""What the buffer's file system has to spare."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from milepost_agent.buffer.policy import DiskFacts

if TYPE_CHECKING:
    from pathlib import Path


def look(folder: Path) -> DiskFacts:
    """Free bytes and inodes for an unprivileged process where ``folder`` is."""
    facts = os.statvfs(folder)
    # Some file systems (btrfs, vfat) make inodes as needed and report a total of 0.
    return DiskFacts(facts.f_bavail * facts.f_frsize, facts.f_favail if facts.f_files else None)
