"""Opening a buffer file: made where there is none, brought to the current schema, salvaged where damaged."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from milepost_agent.buffer import checks, foreign, salvage, schema, steps
from milepost_agent.errors import StoreDamagedError, StoreForeignError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from milepost_agent.buffer.files import Files


def suspicion(path: Path) -> Path:
    """The mark beside a buffer in which damage was met: its next opening checks it as a whole."""
    return path.with_name(f"{path.name}.suspect")


@contextlib.contextmanager
def guarded(files: Files, path: Path) -> Iterator[None]:
    """Errors as those of this package; where damage shows, the buffer is marked for a whole check.

    Raises:
        StoreError: see ``schema.translated``.
    """
    try:
        with schema.translated(path):
            yield
    except StoreDamagedError:
        with contextlib.suppress(OSError):
            if not files.exists(suspicion(path)):
                files.make(suspicion(path))
        raise


class Opened(NamedTuple):
    """A connection to a buffer; ``is_checked``: as a whole, not at a glance."""

    db: sqlite3.Connection
    is_checked: bool
    patience: checks.Patience


def open_file(
    files: Files, path: Path, device: str, new_epoch: Callable[[], str], patience: checks.Patience
) -> Opened:
    """The buffer at ``path``; ``new_epoch`` is called where a file has to be made.

    Raises:
        StoreForeignError: the file there is somebody else's.
        StoreError: the disk refuses, or ``new_epoch`` does.
    """
    waiting = salvage.waiting_name(path)
    if files.exists(path) and not files.exists(waiting):
        # Before SQLite sees it: even to open a file may change it.
        if what := foreign.foreign(files.head(path, foreign.LOOK_BYTES)):
            raise StoreForeignError(str(path), what)
        try:
            return _connect(files, path, patience)
        except StoreDamagedError as damage:
            salvage.set_aside(files, path, str(damage))
    if not files.exists(path):
        salvage.take_over(files, path, new_epoch, device, patience)
    if files.exists(waiting):
        salvage.put_away(files, path)
    return _connect(files, path, patience)


def _connect(files: Files, path: Path, patience: checks.Patience) -> Opened:
    with schema.translated(path), contextlib.ExitStack() as undo:
        _write_log_again(files, path)
        db = schema.connect(files, path)
        undo.callback(db.close)
        version = checks.version_of(path, db)
        if version < schema.SCHEMA_VERSION:
            steps.advance(db, version)
        checks.check_outline(path, db)
        is_suspect = files.exists(suspicion(path))
        is_checked = is_suspect or not checks.is_large(db)
        if is_checked:
            checks.check_all(path, db, patience, is_suspect=is_suspect)
        if is_suspect:
            files.remove(suspicion(path))
        _write_back(db)
        # A log made by a process that was killed before its first sync may not have its name on the disk.
        files.sync_folder(path)
        undo.pop_all()
        return Opened(db, is_checked, patience)


def _write_log_again(files: Files, path: Path) -> None:
    """Bring to the disk what an earlier life left in the kernel's cache, before anybody builds on it.

    A sync that failed leaves pages which the kernel calls clean and never writes again: read back, they look
    stored, and with them all that follows in the log is lost when the power goes. It would not do to write
    the log back into the file alone: until its end is on the disk, the older log that is there would be
    played back over the newer file.
    """
    log = path.with_name(f"{path.name}-wal")
    if not files.exists(log):
        return
    try:
        files.rewrite(log)
    except OSError as error:
        # Some file systems need room even for that; without it what is there still has to be read and sent.
        if error.errno not in schema.NO_ROOM:
            raise


def _write_back(db: sqlite3.Connection) -> None:
    try:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        # On a full disk the log is all there is room for; it is written back once there is more.
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_FULL:
            raise
