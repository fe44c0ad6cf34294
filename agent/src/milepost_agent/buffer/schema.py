"""The buffer file: tables, pragmas, and how a new one comes to be whole or not at all.

``stream`` has one row for each epoch that is not wholly receipted, the current one last: the next seq, the
server's receipt, and the edge's counters, so that a commit touches one page beside its block.

``span`` tiles each stream from its receipt to its next seq, without holes and overlaps: a row is a block of
samples, or a gap (``reason`` set, no ``payload``). Its key is stream and first seq in one integer, so that no
second index costs a page a commit.
"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from typing import TYPE_CHECKING, Final

from milepost_agent.buffer.policy import WAL_BYTES_MAX
from milepost_agent.errors import StoreDamagedError, StoreError, StoreFullError, StoreIoError
from milepost_protocol.samples import GapReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from milepost_agent.buffer.files import Files

SCHEMA_VERSION: Final = 1
APPLICATION_ID: Final = 0x4D50_4246  # "MPBF"
MAGIC: Final = b"SQLite format 3\0"
SEQ_BITS: Final = 48
SEQ_MAX: Final = 2**SEQ_BITS - 1
"""Seqs of one stream: at 10,000 samples a second, 890 years."""
PAGE_BYTES: Final = 4096
WAL_PAGES_MAX: Final = 64
CACHE_KIB: Final = 128
"""Rows are written in order and read in order: a larger cache only holds what nobody asks for again."""

_TABLES: Final = (
    """
    CREATE TABLE stream (
        ordinal INTEGER PRIMARY KEY, epoch TEXT NOT NULL UNIQUE, device TEXT NOT NULL,
        next_seq INTEGER NOT NULL, receipted INTEGER NOT NULL, state TEXT
    )""",
    """
    CREATE TABLE span (
        key INTEGER PRIMARY KEY, last INTEGER NOT NULL, counts TEXT NOT NULL, reason TEXT,
        stored_ms INTEGER, boot TEXT, offset_ms INTEGER, payload BLOB
    )""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

_STREAMS_SOUND: Final = """
    SELECT count(*) FROM stream WHERE length(epoch) = 16 AND epoch NOT GLOB '*[^0-9a-f]*'
    AND receipted BETWEEN 0 AND next_seq - 1 AND (state IS NULL OR (json_valid(state) AND state LIKE '{%'))"""
_SPANS_UNSOUND: Final = """
    SELECT count(*) FROM span WHERE NOT (json_valid(counts) AND counts LIKE '{%')"""
_REASONS: Final = "SELECT DISTINCT reason FROM span WHERE reason IS NOT NULL"

_FULL: Final = {sqlite3.SQLITE_FULL}
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR}


def span_key(ordinal: int, seq: int) -> int:
    """The key of the span of stream ``ordinal`` that begins at ``seq``."""
    return ordinal << SEQ_BITS | seq


def split_key(key: int) -> tuple[int, int]:
    """(ordinal, first seq) of a span's key."""
    return key >> SEQ_BITS, key & SEQ_MAX


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Errors of SQLite and of the file system as errors of this package.

    Raises:
        StoreFullError, StoreDamagedError, StoreIoError: by the primary code of what SQLite raised.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(path, error) from error
    except OSError as error:
        kind = StoreFullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreIoError
        raise kind(str(path), f"the file system refuses ({error.strerror})") from error


def _translate(path: Path, error: sqlite3.Error) -> StoreError:
    # Some errors of the binding itself carry no code: they say that the content is not what it should be.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in _FULL:
        return StoreFullError(
            str(path), f"the disk is full ({error}); samples wait in memory until there is room"
        )
    if code in _DAMAGED:
        return StoreDamagedError(str(path), f"is damaged ({error})")
    return StoreIoError(
        str(path), f"the disk refuses ({error}); see the kernel's log and the mount's options"
    )


def prepare(db: sqlite3.Connection) -> None:
    """Set what each connection to a buffer file needs, before anything is read of it.

    Raises:
        sqlite3.Error: it does not open.
    """
    for pragma in (
        # Exclusive before the log is first touched: its index then lives in this process's own memory.
        "locking_mode = EXCLUSIVE",
        "mmap_size = 0",
        "temp_store = MEMORY",
        "cell_size_check = ON",
        # These two look into the file.
        "synchronous = FULL",
        f"cache_size = -{CACHE_KIB}",
    ):
        db.execute(f"PRAGMA {pragma}")


def connect(files: Files, path: Path) -> sqlite3.Connection:
    """The one connection to the existing file at ``path``, ready for durable commits.

    Raises:
        StoreDamagedError: it is no database at all.
        sqlite3.Error, OSError: it does not open.
    """
    if files.head(path, len(MAGIC)) != MAGIC:
        # SQLite would take an empty file for a new database, and delete the log beside it.
        raise StoreDamagedError(str(path), "is no database")
    db = files.connect(path)
    try:
        prepare(db)
        for pragma in (
            "journal_mode = WAL",
            f"wal_autocheckpoint = {WAL_PAGES_MAX}",
            f"journal_size_limit = {WAL_BYTES_MAX}",
        ):
            db.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        db.close()
        raise
    return db


def create(files: Files, path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Make a buffer at ``path`` with the rows that ``fill`` inserts: first beside it, then moved there whole.

    Raises:
        sqlite3.Error, OSError: the disk refuses.
    """
    with new_file(files, path) as db:
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        db.execute("BEGIN")
        for statement in _TABLES:
            db.execute(statement)
        fill(db)
        db.execute("COMMIT")


@contextlib.contextmanager
def new_file(files: Files, path: Path) -> Iterator[sqlite3.Connection]:
    """A file to be filled beside ``path``; at the end it is moved there whole.

    Raises:
        sqlite3.Error, OSError: the disk refuses.
    """
    fresh = path.with_name(f"{path.name}.new")
    for leftover in (fresh, fresh.with_name(f"{fresh.name}-journal")):
        files.remove(leftover)
    files.make(fresh)
    with contextlib.closing(files.connect(fresh)) as db:
        prepare(db)
        # What breaks off here is thrown away whole, so nothing on the disk has to tell how to undo it.
        db.execute("PRAGMA journal_mode = MEMORY")
        yield db
    files.rename(fresh, path)
    files.sync_folder(path)


def check(path: Path, db: sqlite3.Connection) -> None:
    """Look whether the file is a sound buffer of this version.

    Raises:
        StoreDamagedError: it is not; the message says why.
        sqlite3.Error: it is too damaged to be asked.
    """
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise StoreDamagedError(str(path), "is not a Milepost buffer")
    if version != SCHEMA_VERSION:
        raise StoreDamagedError(str(path), f"has schema {version}; this agent reads {SCHEMA_VERSION}")
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StoreDamagedError(str(path), f"fails its check: {verdict}")
    streams = db.execute("SELECT count(*) FROM stream").fetchone()[0]
    if streams == 0:
        raise StoreDamagedError(str(path), "names no epoch")
    # What is well-formed for SQLite may still be nonsense; not seen here, it would raise again and again.
    is_sound = (
        db.execute(_STREAMS_SOUND).fetchone()[0] == streams
        and db.execute(_SPANS_UNSOUND).fetchone()[0] == 0
        and {reason for (reason,) in db.execute(_REASONS)} <= set(GapReason)
    )
    if not is_sound:
        raise StoreDamagedError(str(path), "holds rows that make no sense")
