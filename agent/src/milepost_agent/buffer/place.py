"""The buffer's file at its place: noticed when others remove, replace or write to it while it is open.

An open file outlives its name. Without this look every commit would succeed, and all of it be gone with the
process.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from milepost_agent.buffer.salvage import set_foreign_aside
from milepost_agent.buffer.schema import new_file

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from milepost_agent.buffer.files import Files


class Finding(enum.Enum):
    """What a look at the place found."""

    AS_LEFT = enum.auto()
    GONE = enum.auto()
    """Removed or replaced: the open file has no name any more."""
    OVERWRITTEN = enum.auto()
    """Still the same file, with what somebody else has written into it."""


class Place:
    """Where the open buffer lies. ``left`` after each own write, ``look`` before the next."""

    def __init__(self, files: Files, path: Path) -> None:
        self._files = files
        self._path = path
        self._identity = files.identity(path)
        self._stamp = files.stamp(path)

    def left(self) -> None:
        """Keep how the file is now; all writes to it until here were our own."""
        self._stamp = self._files.stamp(self._path)

    def look(self) -> Finding:
        """Whether the file is as it was left.

        Raises:
            OSError: the file system refuses.
        """
        if self._files.identity(self._path) != self._identity:
            return Finding.GONE
        return Finding.AS_LEFT if self._files.stamp(self._path) == self._stamp else Finding.OVERWRITTEN

    def put_back(self, db: sqlite3.Connection) -> None:
        """Write all that ``db``, whose file lost its name, still reads there; what is there is set aside.

        The log keeps its name and is read with the new file: it holds nothing that is not in it.

        Raises:
            sqlite3.Error, OSError: the disk refuses.
        """
        self._files.make_folder(self._path.parent)
        with new_file(self._files, self._path) as copy:
            db.backup(copy)
            if self._files.exists(self._path):
                set_foreign_aside(self._files, self._path)
