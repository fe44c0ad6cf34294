"""Looks into the buffer after each commit, through the agent's own connection, and holds it to its word."""

from __future__ import annotations

import functools
import json
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from milepost_agent.buffer.schema import split_key
from milepost_protocol.codec import unpack_batch
from milepost_protocol.errors import ProtocolError
from milepost_protocol.samples import UNKNOWN_CLASS, GapReason
from milepost_protocol.signals import SignalClass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from milepost_protocol.samples import Sample
    from milepost_simulator.world.ledger import Ledger
    from milepost_simulator.world.mount import Mount

STREAMS = "SELECT ordinal, epoch, next_seq, receipted FROM stream ORDER BY ordinal"
SPANS = "SELECT key, last, reason, counts FROM span WHERE key > ? ORDER BY key"
PAYLOAD = "SELECT payload FROM span WHERE key = ?"
ORDER = (UNKNOWN_CLASS, *(member.value for member in SignalClass))
"""Classes in the order in which they have to go."""
LOOKED_AFTER = frozenset({"COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)"})
"""An opened file is written back: from then on what a commit that failed has left in its log counts, too."""
BUDGET = GapReason.DISK_BUDGET.value
RANK = {name: rank for rank, name in enumerate(ORDER)}
TIER_MARK = "/"
"""In the name of a part of a class: its samples were numbered so that they can be thinned."""


class Row(NamedTuple):
    """A stream of the file."""

    ordinal: int
    epoch: str
    next_seq: int
    receipted: int


class Piece(NamedTuple):
    """A span of the file: a block of samples, or a gap with its reason."""

    ordinal: int
    first: int
    last: int
    reason: str | None
    counts: str


class Witness:
    """What it saw last, and the comparison with what it sees now.

    Args:
        ledger: the books that are kept.
        path: the buffer; other databases (one that is being made) have promised nothing yet.
        forgives: whether what was done to the file from outside excuses that samples vanish.
    """

    def __init__(self, ledger: Ledger, path: Path, forgives: Callable[[], bool]) -> None:
        self._ledger = ledger
        self._path = path
        self._forgives = forgives
        self._is_next_look = False
        self.has_open_file = False
        """Whether the agent holds the buffer open now: then nobody can take it away for good."""
        self._rows: dict[str, Row] = {}
        self._pieces: dict[int, Piece] = {}

    def connections(self, mount: Mount) -> Callable[[Path], type[sqlite3.Connection]]:
        """The class of connections of one life: such that tell of each commit to the buffer."""
        witness = self

        class Watched(sqlite3.Connection):
            deleted = True
            looks = 0

            def close(self) -> None:
                witness.has_open_file = False
                super().close()

            def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
                cursor = super().execute(sql, parameters)
                witness.has_open_file = True
                if sql in LOOKED_AFTER and not mount.is_dead:
                    with mount.unobserved():
                        witness.look(super().execute, is_whole=self.deleted, is_next=self.looks > 0)
                    self.deleted = False
                    self.looks += 1
                elif sql.startswith(("DELETE", "UPDATE span", "ROLLBACK")):
                    self.deleted = True
                return cursor

        return lambda path: Watched if path == self._path else sqlite3.Connection

    def look(self, ask: Callable[..., sqlite3.Cursor], *, is_whole: bool, is_next: bool) -> None:
        """Compare the file with the books: after a commit that only added, its new end; else all of it.

        ``is_next``: nothing can have been committed since the last look.
        """
        self._is_next_look = is_next
        rows = {row[1]: Row(*row) for row in ask(STREAMS)}
        is_whole |= any(self._is_behind_the_end(row, rows) for row in rows.values())
        after = -1 if is_whole else max(self._pieces, default=-1)
        found = {
            key: Piece(*split_key(key), last, reason, counts)
            for key, last, reason, counts in ask(SPANS, (after,))
        }
        names = {row.ordinal: epoch for epoch, row in rows.items()}
        fresh: dict[str, list[Sample]] = {}
        is_by_tier = False
        for key, piece in found.items():
            if piece.reason is None and self._pieces.get(key) != piece:
                epoch = names.get(piece.ordinal, "")
                samples = self._samples(epoch, piece, ask(PAYLOAD, (key,)).fetchone()[0])
                fresh.setdefault(epoch, []).extend(samples)
                is_by_tier |= TIER_MARK in piece.counts
        for epoch, samples in fresh.items():
            self._ledger.store(epoch, samples, is_by_tier=is_by_tier)
        pieces = found if is_whole else {**self._pieces, **found}
        self._ledger.looked()
        self._compare_streams(rows)
        self._check_order_of_value(found, pieces)
        for epoch, row in rows.items():
            before = self._rows.get(epoch)
            expected = row.receipted + 1 if is_whole or before is None else before.next_seq
            self._check_tiles(row, expected, [p for p in found.values() if p.ordinal == row.ordinal])
            books = self._ledger.epoch(epoch)
            books.last = max(books.last, row.next_seq - 1)
        self._rows, self._pieces = rows, pieces

    def _is_behind_the_end(self, row: Row, rows: Mapping[str, Row]) -> bool:
        """Whether a stream changed elsewhere than at the file's end: it went back, or an old one grew."""
        before = self._rows.get(row.epoch, row)
        is_old = row.ordinal < max(other.ordinal for other in rows.values())
        return row.receipted < before.receipted or (is_old and row.next_seq != before.next_seq)

    @property
    def rows(self) -> Sequence[Row]:
        """The streams as they were seen last."""
        return list(self._rows.values())

    def _samples(self, epoch: str, piece: Piece, payload: bytes) -> list[Sample]:
        try:
            batch = unpack_batch(payload)
        except ProtocolError as error:
            self._ledger.violate(f"block {piece.first}..{piece.last} of {epoch} cannot be read: {error}")
            return []
        return [sample._replace(seq=seq) for seq, sample in enumerate(batch.samples(), piece.first)]

    def _check_tiles(self, row: Row, expected: int, pieces: Sequence[Piece]) -> None:
        """From ``expected``, or what is left before it, to the next seq each seq is in one span."""
        if pieces:
            expected = min(expected, pieces[0].first)
        for piece in pieces:
            if piece.first != expected:
                self._ledger.violate(f"{row.epoch}: a span begins at {piece.first}, not at {expected}")
            expected = piece.last + 1
        if expected != row.next_seq:
            self._ledger.violate(
                f"{row.epoch}: the spans end before {expected}, the stream before {row.next_seq}"
            )

    def _compare_streams(self, rows: dict[str, Row]) -> None:
        """What was there and is not any more must be covered by a receipt that has reached the agent."""
        for epoch, books in self._ledger.epochs.items():
            row = rows.get(epoch)
            if row is not None and row.receipted > max(books.receipted, 0) and row.receipted > 0:
                self._ledger.violate(
                    f"{epoch} is deleted up to {row.receipted}, receipts cover {books.receipted}"
                )
            if books.moved_to or not books.last:
                continue
            if self._forgives():
                is_new_file = bool(rows.keys() - self._ledger.epochs.keys())
                if is_new_file or row is None or row.next_seq <= books.last:
                    self._ledger.excuse(epoch)
                continue
            if row is not None and row.next_seq <= books.last:
                self._ledger.violate(
                    f"{epoch} was given out up to {books.last}, now it ends before {row.next_seq}"
                )
            if row is None and max(books.receipted, books.named) < books.last:
                self._ledger.violate(
                    f"{epoch} is gone, with seqs up to {books.last}; receipts cover {books.receipted}"
                )
        for epoch in self._rows.keys() - rows.keys():
            self._note_move(self._rows[epoch], rows)

    def _note_move(self, old: Row, rows: dict[str, Row]) -> None:
        """An epoch that the server knew more of than the agent: what was left of it has new seqs."""
        heir = next((row for row in rows.values() if row.ordinal == old.ordinal + 1), None)
        if heir is None or heir.epoch in self._rows:
            return
        held = [piece.first for piece in self._pieces.values() if piece.ordinal == old.ordinal]
        base = (min(held) if held else old.next_seq) - 1
        self._ledger.epoch(old.epoch).moved_to = (heir.epoch, base)

    def _check_order_of_value(self, found: dict[int, Piece], pieces: dict[int, Piece]) -> None:
        """Where the byte cap costs samples of a class, no block may hold any of a lesser class."""
        if not any(piece.reason == BUDGET and self._pieces.get(key) != piece for key, piece in found.items()):
            return
        before, now = _dropped(self._pieces), _dropped(pieces)
        ranks = [RANK[name] for name in now if now[name] > before[name]]
        self._ledger.counts["evictions"] += bool(ranks)
        if not ranks or not self._is_next_look:
            return
        for piece in pieces.values():
            if piece.reason is None and any(RANK[name] < max(ranks) for name in _classes(piece.counts)):
                self._ledger.violate(
                    f"{ORDER[max(ranks)]} is dropped for room, while block {piece.first}..{piece.last} "
                    f"still holds {piece.counts}"
                )
                return


@functools.lru_cache(10_000)
def _classes(counts: str) -> Mapping[str, int]:
    classes: Counter[str] = Counter()
    for name, count in json.loads(counts).items():
        classes[name.partition(TIER_MARK)[0]] += count
    return classes


def _dropped(pieces: dict[int, Piece]) -> Counter[str]:
    total: Counter[str] = Counter()
    for piece in pieces.values():
        if piece.reason == BUDGET:
            for name, count in _classes(piece.counts).items():
                total[name] += count
    return total
