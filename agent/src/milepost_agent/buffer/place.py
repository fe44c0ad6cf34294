"""The buffer's file at its place: noticed when it is removed or replaced, and put back from what is open.

An open file outlives its name. Without this look every commit would succeed, and all of it be gone with the
process.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from milepost_agent.buffer.salvage import set_foreign_aside
from milepost_agent.buffer.schema import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

Identity = tuple[int, int]
"""(device, inode)."""


def identity(path: Path) -> Identity | None:
    """Which file is at ``path``, None where there is none.

    Raises:
        OSError: the file system refuses.
    """
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return facts.st_dev, facts.st_ino


def put_back(path: Path, db: sqlite3.Connection) -> None:
    """Write all that ``db``, whose file lost its name, still reads to ``path``; what is there is set aside.

    The log keeps its name and is read with the new file: it holds nothing that is not in it.

    Raises:
        sqlite3.Error, OSError: the disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous = FULL")
        db.backup(copy)
    if path.exists():
        set_foreign_aside(path)
    fresh.rename(path)
    sync_folder(path)
