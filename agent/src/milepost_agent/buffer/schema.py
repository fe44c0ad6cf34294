"""The buffer file: tables, pragmas, and how a new one comes to be whole or not at all.

``stream`` has one row for each epoch that is not wholly receipted, the current one last: the next seq, the
server's receipt, and the edge's counters, so that a commit touches one page beside its block.

``span`` tiles each stream from its receipt to its next seq, without holes and overlaps: a row is a block of
samples, or a gap (``reason`` set, no ``payload``). Its key is stream and first seq in one integer, so that no
second index costs a page a commit; what is indexed beside it, gaps and blocks with faults, is rare.

``counts`` names the tiers of a block's samples (``policy.TIERS``) in the order in which the samples stand.
A change here needs a new version, a step (see ``steps``), and a file in ``tests/agent/buffers``.
"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from typing import TYPE_CHECKING, Final

from milepost_agent.buffer.policy import WAL_BYTES_MAX
from milepost_agent.errors import StoreDamagedError, StoreError, StoreFullError, StoreIoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from milepost_agent.buffer.files import Files

SCHEMA_VERSION: Final = 2
APPLICATION_ID: Final = 0x4D50_4246  # "MPBF"
MAGIC: Final = b"SQLite format 3\0"
SEQ_BITS: Final = 48
SEQ_MAX: Final = 2**SEQ_BITS - 1
"""Seqs of one stream: at 10,000 samples a second, 890 years."""
NEXT_SEQ_MAX: Final = 2**42
"""A stream that is said to be further (14 years of 10,000 samples a second) is not believed."""
ORDINAL_MAX: Final = 2 ** (63 - SEQ_BITS) - 1
PAGE_BYTES: Final = 4096
WAL_PAGES_MAX: Final = 64
CACHE_KIB: Final = 128
"""Rows are written in order and read in order: a larger cache only holds what nobody asks for again."""

TABLES: Final = (
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
)
INDEXES: Final = (
    "CREATE INDEX span_gap ON span (reason, last) WHERE reason IS NOT NULL",
    "CREATE INDEX span_fault ON span (key, last) WHERE reason IS NULL AND instr(counts, '\"fault\"') > 0",
)

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
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
        kind = StoreFullError if error.errno in NO_ROOM else StoreIoError
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
    # A text with a rotten byte is read as one that makes less sense, or it could never be salvaged.
    db.text_factory = lambda data: data.decode(errors="replace")
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
        for statement in (*TABLES, *INDEXES):
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        fill(db)
        db.execute("COMMIT")


def fresh_name(path: Path) -> Path:
    """Where a successor of the buffer is filled."""
    return path.with_name(f"{path.name}.new")


@contextlib.contextmanager
def new_file(files: Files, path: Path) -> Iterator[sqlite3.Connection]:
    """A file to be filled beside ``path``; at the end it is moved there whole.

    Raises:
        sqlite3.Error, OSError: the disk refuses.
    """
    fresh = fresh_name(path)
    for leftover in (fresh, *(fresh.with_name(f"{fresh.name}-{kind}") for kind in ("journal", "wal"))):
        files.remove(leftover)
    files.make(fresh)
    with contextlib.closing(files.connect(fresh)) as db:
        prepare(db)
        # What breaks off here is thrown away whole, so nothing on the disk has to tell how to undo it.
        db.execute("PRAGMA journal_mode = MEMORY")
        yield db
        db.execute("PRAGMA journal_mode = WAL")
    files.rename(fresh, path)
    files.sync_folder(path)
