"""Whether a file is a sound buffer: at a glance when it is opened, and as a whole."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Final

from milepost_agent.buffer.schema import (
    APPLICATION_ID,
    ORDINAL_MAX,
    SCHEMA_VERSION,
    SEQ_BITS,
    SEQ_MAX,
    span_key,
)
from milepost_agent.buffer.spans import Spans
from milepost_agent.errors import StoreDamagedError, StoreIoError

if TYPE_CHECKING:
    from pathlib import Path

CHECK_BYTES_AT_OPEN: Final = 4 * 1024 * 1024
"""A file with more in use is opened at a glance, and checked as a whole when the first commit is done."""

UNREAD_MAX: Final = 30
"""After so many whole checks in a row to which the disk has refused a page, that is gone for good: damage."""

_UNREAD: Final = re.compile(r"failed to get page \d+|unable to get the page\. error code=(?P<code>\d+)")
"""What SQLite's check says of a page that it could not read; an error of the disk does not end it."""
_STREAMS_SOUND: Final = """
    SELECT count(*) FROM stream WHERE length(epoch) = 16 AND epoch NOT GLOB '*[^0-9a-f]*'
    AND length(device) BETWEEN 1 AND 64 AND device NOT GLOB '*[^A-Za-z0-9_-]*'
    AND typeof(receipted) = 'integer' AND typeof(next_seq) = 'integer'
    AND ordinal BETWEEN 1 AND ? AND receipted BETWEEN 0 AND next_seq - 1 AND next_seq <= ?
    AND (state IS NULL OR (json_valid(state) AND state LIKE '{%'))"""
_HOLES: Final = """
    SELECT count(*) FROM (
        SELECT key, lag(last) OVER (PARTITION BY key >> ?1 ORDER BY key) AS before FROM span
    ) WHERE before IS NOT NULL AND key & ?2 <> before + 1"""
_OUTER_SEQS: Final = """
    SELECT (SELECT key & ?3 FROM span WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT 1),
           (SELECT last FROM span WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC LIMIT 1)"""


class Patience:
    """With a disk that refuses a page to a check: mostly it passes, and a salvage would lose what is there.

    One object for all openings of a buffer by one process.
    """

    def __init__(self) -> None:
        self._unread = 0

    def bears(self) -> bool:
        """Count one more refusal; whether to go on trying."""
        self._unread += 1
        return self._unread < UNREAD_MAX

    def let_go(self, error: sqlite3.Error) -> None:
        """Take what ``error`` kept from being read for lost; a refusal of the disk only at the end of this.

        Raises:
            sqlite3.Error: ``error``: try again later.
        """
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR and self.bears():
            raise error

    def renew(self) -> None:
        """All was read."""
        self._unread = 0


def version_of(path: Path, db: sqlite3.Connection) -> int:
    """The schema of the file.

    Raises:
        StoreDamagedError: it is no buffer, or of a schema that this code cannot step from.
        sqlite3.Error: it is too damaged to be asked.
    """
    application: int = db.execute("PRAGMA application_id").fetchone()[0]
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise StoreDamagedError(str(path), "is not a Milepost buffer")
    if not 1 <= version <= SCHEMA_VERSION:
        raise StoreDamagedError(str(path), f"has schema {version}; this agent reads up to {SCHEMA_VERSION}")
    return version


def is_large(db: sqlite3.Connection) -> bool:
    """Whether a check of the whole file would hold up the start."""
    pages, free, page_bytes = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return bool((pages - free) * page_bytes > CHECK_BYTES_AT_OPEN)


def check_outline(path: Path, db: sqlite3.Connection) -> None:
    """Look at the streams, and at where each begins and ends; the time does not grow with the file.

    Raises:
        StoreDamagedError: it is not sound; the message says why.
        sqlite3.Error: it is too damaged to be asked.
    """
    streams = db.execute("SELECT ordinal, next_seq, receipted FROM stream").fetchall()
    if not streams:
        raise StoreDamagedError(str(path), "names no epoch")
    # What is well-formed for SQLite may still be nonsense; not seen here, it would raise again and again.
    if db.execute(_STREAMS_SOUND, (ORDINAL_MAX, SEQ_MAX)).fetchone()[0] != len(streams):
        raise StoreDamagedError(str(path), "holds epochs that make no sense")
    for ordinal, next_seq, receipted in streams:
        bounds = (span_key(ordinal, 0), span_key(ordinal, SEQ_MAX), SEQ_MAX)
        first, last = db.execute(_OUTER_SEQS, bounds).fetchone()
        if first is None:
            is_whole = next_seq - 1 == receipted
        else:
            # A rotten row may hold anything at all, also where the table says that it is a number.
            is_whole = isinstance(last, int) and first <= receipted + 1 <= last + 1 == next_seq
        if not is_whole:
            raise StoreDamagedError(str(path), f"has lost a part of stream {ordinal}")


def check_all(path: Path, db: sqlite3.Connection, patience: Patience, *, is_suspect: bool = False) -> bool:
    """Read the whole file: its structure, and whether its spans follow on one another.

    ``is_suspect``: damage was met in it, so its indexes are held against its rows, too; without that an entry
    that has rotted would be met again and again. False where it was interrupted.

    Raises:
        StoreDamagedError: it is not sound; the message says why.
        StoreIoError: the disk refuses a part of it, and ``patience`` is not at its end.
        sqlite3.Error: it is too damaged to be asked.
    """
    try:
        _check_all(path, db, patience, "integrity_check" if is_suspect else "quick_check")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return False
    return True


def _check_all(path: Path, db: sqlite3.Connection, patience: Patience, pragma: str) -> None:
    verdict = db.execute(f"PRAGMA {pragma}(1)").fetchone()[0]
    if verdict != "ok":
        if _is_unread(verdict) and patience.bears():
            raise StoreIoError(str(path), f"cannot be read as a whole: {verdict}")
        raise StoreDamagedError(str(path), f"fails its check: {verdict}")
    Spans(db).read_all()
    if db.execute(_HOLES, (SEQ_BITS, SEQ_MAX)).fetchone()[0]:
        raise StoreDamagedError(str(path), "has lost rows")
    patience.renew()


def _is_unread(verdict: str) -> bool:
    found = _UNREAD.search(verdict)
    return found is not None and int(found["code"] or sqlite3.SQLITE_IOERR) & 0xFF == sqlite3.SQLITE_IOERR
