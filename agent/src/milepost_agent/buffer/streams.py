"""The rows that say how far each epoch goes: its next seq, the server's receipt, and the edge's counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3


class Stream(NamedTuple):
    """One epoch in the file: ``next_seq`` is not used yet, up to ``receipted`` the server has all."""

    ordinal: int
    epoch: str
    next_seq: int
    receipted: int

    @property
    def waiting(self) -> int:
        return self.next_seq - 1 - self.receipted


class Streams:
    """Reads and writes the table ``stream`` within the caller's transaction.

    ``rows`` are its content by epoch, oldest first; the caller puts them back where a transaction is undone.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        query = "SELECT ordinal, epoch, next_seq, receipted FROM stream ORDER BY ordinal"
        self.rows = {row[1]: Stream(*row) for row in db.execute(query)}
        self.device: str = db.execute("SELECT device FROM stream ORDER BY ordinal DESC").fetchone()[0]

    @property
    def current(self) -> Stream:
        """The epoch that new samples belong to."""
        return next(reversed(self.rows.values()))

    def state(self) -> str | None:
        """The edge's counters as they were saved last."""
        text: str | None = self._db.execute(
            "SELECT state FROM stream WHERE ordinal = ?", (self.current.ordinal,)
        ).fetchone()[0]
        return text

    def save(self, stream: Stream, state: str | None = None) -> None:
        """Keep how far ``stream`` is, and the edge's counters where they are given."""
        self._db.execute(
            "UPDATE stream SET next_seq = ?, receipted = ?, state = coalesce(?, state) WHERE ordinal = ?",
            (stream.next_seq, stream.receipted, state, stream.ordinal),
        )
        self.rows[stream.epoch] = stream

    def renumber(self, ordinal: int) -> None:
        """Give the current stream a later ``ordinal``."""
        current = self.current
        self._db.execute("UPDATE stream SET ordinal = ? WHERE ordinal = ?", (ordinal, current.ordinal))
        self.rows[current.epoch] = current._replace(ordinal=ordinal)

    def insert(self, stream: Stream, state: str | None) -> None:
        """Add a stream; the one with the highest ordinal is the current one."""
        self._db.execute(
            "INSERT INTO stream VALUES (?, ?, ?, ?, ?, ?)",
            (stream.ordinal, stream.epoch, self.device, stream.next_seq, stream.receipted, state),
        )
        rows = sorted((*self.rows.values(), stream))
        self.rows = {row.epoch: row for row in rows}

    def delete(self, stream: Stream) -> None:
        """Forget a stream of which nothing is left."""
        self._db.execute("DELETE FROM stream WHERE ordinal = ?", (stream.ordinal,))
        del self.rows[stream.epoch]
