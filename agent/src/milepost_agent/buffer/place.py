"""The buffer's file at its place: noticed when others remove, replace or write to it while it is open.

An open file outlives its name. Without this look every commit would succeed, and all of it be gone with the
process.
"""

from __future__ import annotations

import enum
import sqlite3
from typing import TYPE_CHECKING, Final

from milepost_agent.buffer.salvage import set_foreign_aside
from milepost_agent.buffer.schema import fresh_name, new_file

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_agent.buffer.files import Files, Identity

TRIES_MAX: Final = 100
"""Then it is not the disk that has no room for a copy, but the one with the open file that fails."""
TRY_EACH: Final = 16
"""A copy that the disk has refused is tried with the 2nd, 4th, 8th call, then with each of so many."""


class Finding(enum.Enum):
    """What a look at the place found."""

    AS_LEFT = enum.auto()
    GONE = enum.auto()
    """Removed or replaced: the open file has no name any more."""
    OVERWRITTEN = enum.auto()
    """Still the same file, with what somebody else has written into it."""
    HELD = enum.auto()
    """It has its name, and was kept open over a failure while that was not known: open it again."""


class Place:
    """Where the open buffer lies. ``left`` after each own write, ``look`` before the next."""

    def __init__(self, files: Files, path: Path) -> None:
        self._files = files
        self._path = path
        self._identity = files.identity(path)
        self._stamp = files.stamp(path)
        self._copied: Identity | None = None
        self._calls = 0
        self._tries = 0
        self._refusal: sqlite3.Error | OSError | None = None
        self._is_put_back = False
        self._is_held = False

    @property
    def is_given_up(self) -> bool:
        """Whether it was tried so often to put the file back that it is vain."""
        return self._tries >= TRIES_MAX

    def hold(self) -> bool:
        """Whether to keep the file open although something failed: it has no name, and may get one yet.

        So it is where nobody can say whether it has one: closed without one, it would be gone.
        """
        if self._is_put_back or self.is_given_up:
            return False
        try:
            self._is_held = self._files.identity(self._path) != self._identity
        except OSError:
            self._is_held = True
        self._tries += self._is_held
        return self._is_held

    def is_found(self) -> bool:
        """Whether the file was held open for nothing: it has its name, as can be seen now."""
        try:
            return self._is_held and self._files.identity(self._path) == self._identity
        except OSError:
            return False

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
        if self._is_held:
            return Finding.HELD  # what it was when it was left may not be known either
        return Finding.AS_LEFT if self._files.stamp(self._path) == self._stamp else Finding.OVERWRITTEN

    def put_back(self, db: sqlite3.Connection) -> None:
        """Write all that ``db``, whose file lost its name, still reads there; what is there is set aside.

        The log keeps its name and is read with the new file: it holds nothing that is not in it. Where the
        disk refuses, call again before ``db`` writes anything, as often as ``is_given_up`` allows.

        Raises:
            sqlite3.Error, OSError: the disk refuses, or did so not long ago.
        """
        self._calls += 1
        if self._refusal is not None and self._calls & (self._calls - 1) and self._calls % TRY_EACH:
            raise self._refusal.with_traceback(None)
        self._tries += 1
        try:
            self._copy(db)
        except (sqlite3.Error, OSError) as error:
            self._refusal = error
            raise
        self._is_put_back = True

    def _copy(self, db: sqlite3.Connection) -> None:
        if self._copied is not None and self._files.identity(self._path) == self._copied:
            self._files.sync_folder(self._path)
            return
        self._files.make_folder(self._path.parent)
        with new_file(self._files, self._path) as copy:
            self._copied = self._files.identity(fresh_name(self._path))
            db.backup(copy)
            if self._files.exists(self._path):
                set_foreign_aside(self._files, self._path)
