"""Steps from one schema of the buffer file to the next, each within the one transaction that opens it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.buffer.schema import INDEXES, SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable


class Step(NamedTuple):
    """Takes a file of schema ``version`` to the one after it."""

    version: int
    change: Callable[[sqlite3.Connection], None]


def _index_gaps_and_faults(db: sqlite3.Connection) -> None:
    """Blocks of schema 1 know no parts of the fine series: they are dropped whole, not thinned."""
    for statement in INDEXES:
        db.execute(statement)


STEPS: Final = (Step(1, _index_gaps_and_faults),)


def advance(db: sqlite3.Connection, version: int) -> None:
    """Bring a file of schema ``version``, an earlier one, to the current schema: wholly or not at all.

    Raises:
        sqlite3.Error: the disk refuses, or the file is damaged.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS:
            if step.version >= version:
                step.change(db)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
