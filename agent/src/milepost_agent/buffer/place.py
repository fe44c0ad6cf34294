"""The buffer's file at its place: noticed when it is removed or replaced, and put back from what is open.

An open file outlives its name. Without this look every commit would succeed, and all of it be gone with the
process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_agent.buffer.salvage import set_foreign_aside
from milepost_agent.buffer.schema import new_file

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from milepost_agent.buffer.files import Files


def put_back(files: Files, path: Path, db: sqlite3.Connection) -> None:
    """Write all that ``db``, whose file lost its name, still reads to ``path``; what is there is set aside.

    The log keeps its name and is read with the new file: it holds nothing that is not in it.

    Raises:
        sqlite3.Error, OSError: the disk refuses.
    """
    files.make_folder(path.parent)
    with new_file(files, path) as copy:
        db.backup(copy)
        if files.exists(path):
            set_foreign_aside(files, path)
