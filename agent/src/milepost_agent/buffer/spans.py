"""The rows that tile a stream: blocks of samples, and gaps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.buffer.blocks import merge_counts
from milepost_agent.buffer.schema import SEQ_MAX, span_key, split_key
from milepost_protocol.samples import Gap, GapReason

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from milepost_agent.buffer.blocks import Counts

GAP_RUN_MAX: Final = 2**31
"""Seqs in one gap row; a batch must be able to cover it."""

_SELECT: Final = "SELECT key, last, counts, reason, stored_ms, boot, offset_ms, payload FROM span "


class Span(NamedTuple):
    """Seqs ``first`` to ``last`` of stream ``ordinal``: a block (``payload``), or a gap (``reason``).

    ``stored_ms`` is the wall time of the commit, None where the clock was not trusted. ``boot`` and
    ``offset_ms`` say which clock stamped the block.
    """

    ordinal: int
    first: int
    last: int
    counts: Counts
    reason: GapReason | None = None
    stored_ms: int | None = None
    boot: str = ""
    offset_ms: int = 0
    payload: bytes = b""

    @property
    def seqs(self) -> int:
        return self.last - self.first + 1

    def gap(self) -> Gap:
        """This span, which must be one, as a gap."""
        assert self.reason is not None
        return Gap(self.first, self.last, self.reason, self.counts)


class Totals(NamedTuple):
    """What waits in the file: gap rows, and the samples that they stand for."""

    gaps: int
    gap_samples: int


class Spans:
    """Reads and writes the table ``span`` within the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.totals = self._count()

    def _count(self) -> Totals:
        query = "SELECT count(*), total(last - (key & ?) + 1) FROM span WHERE reason IS NOT NULL"
        gaps, gap_samples = self._db.execute(query, (SEQ_MAX,)).fetchone()
        return Totals(gaps, int(gap_samples))

    def insert(self, span: Span) -> None:
        """Add a span; its seqs must be free."""
        self._db.execute(
            "INSERT INTO span VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                span_key(span.ordinal, span.first),
                span.last,
                json.dumps(dict(span.counts), separators=(",", ":")),
                span.reason,
                span.stored_ms,
                span.boot or None,
                None if span.reason else span.offset_ms,
                None if span.reason else span.payload,
            ),
        )
        self._add(span, 1)

    def delete(self, span: Span) -> None:
        """Take a span out."""
        self._db.execute("DELETE FROM span WHERE key = ?", (span_key(span.ordinal, span.first),))
        self._add(span, -1)

    def insert_gap(self, gap: Span) -> None:
        """Add a gap, as one with its neighbours of the same reason: years of drops must stay few rows."""
        before = self._before(gap.ordinal, gap.first - 1)
        after = self._at(gap.ordinal, gap.last + 1)
        for neighbour in (before, after):
            if neighbour and _may_join(gap, neighbour):
                self.delete(neighbour)
                gap = gap._replace(
                    first=min(gap.first, neighbour.first),
                    last=max(gap.last, neighbour.last),
                    counts=merge_counts((*gap.counts, *neighbour.counts)),
                )
        self.insert(gap)

    def covering(self, ordinal: int, first: int) -> Iterator[Span]:
        """The spans of a stream from the one that holds ``first`` on, ascending."""
        before = self._before(ordinal, first)
        start = before.first if before and before.last >= first else first
        yield from self._rows(span_key(ordinal, start), span_key(ordinal, SEQ_MAX))

    def up_to(self, ordinal: int, seq: int) -> list[Span]:
        """The gaps of a stream that end at ``seq`` or before (their payload is empty)."""
        where = "WHERE key BETWEEN ? AND ? AND last <= ? AND reason IS NOT NULL"
        bounds = (span_key(ordinal, 0), span_key(ordinal, seq), seq)
        return [_span(row) for row in self._db.execute(_SELECT + where, bounds)]

    def delete_up_to(self, ordinal: int, seq: int) -> None:
        """Take out all spans of a stream that end at ``seq`` or before."""
        for gap in self.up_to(ordinal, seq):
            self._add(gap, -1)
        self._db.execute(
            "DELETE FROM span WHERE key BETWEEN ? AND ? AND last <= ?",
            (span_key(ordinal, 0), span_key(ordinal, seq), seq),
        )

    def blocks_with(self, name: str, after_key: int, stored_before_ms: int | None, limit: int) -> list[Span]:
        """The oldest blocks that hold samples of class ``name``; with an age, only those of known time."""
        where = "WHERE reason IS NULL AND key > ? AND instr(counts, ?) > 0"
        values: list[object] = [after_key, f'"{name}"']
        if stored_before_ms is not None:
            where += " AND stored_ms < ?"
            values.append(stored_before_ms)
        query = _SELECT + where + " ORDER BY key LIMIT ?"
        return [_span(row) for row in self._db.execute(query, (*values, limit))]

    def oldest(self) -> Span | None:
        """The first span of the oldest stream."""
        return next(self._rows(0, 2**63 - 1), None)

    def _before(self, ordinal: int, first: int) -> Span | None:
        """The span of the stream with the greatest first seq up to ``first``."""
        query = _SELECT + "WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1"
        row = self._db.execute(query, (span_key(ordinal, 0), span_key(ordinal, first))).fetchone()
        return _span(row) if row else None

    def _at(self, ordinal: int, first: int) -> Span | None:
        query = _SELECT + "WHERE key = ?"
        row = self._db.execute(query, (span_key(ordinal, first),)).fetchone()
        return _span(row) if row else None

    def _rows(self, first_key: int, last_key: int) -> Iterator[Span]:
        query = _SELECT + "WHERE key BETWEEN ? AND ? ORDER BY key"
        return map(_span, self._db.execute(query, (first_key, last_key)))

    def _add(self, span: Span, sign: int) -> None:
        if span.reason is not None:
            gaps, gap_samples = self.totals
            self.totals = Totals(gaps + sign, gap_samples + sign * span.seqs)


def _may_join(gap: Span, other: Span) -> bool:
    touches = other.last + 1 == gap.first or gap.last + 1 == other.first
    return touches and other.reason is gap.reason and other.seqs + gap.seqs <= GAP_RUN_MAX


def _span(row: tuple[int, int, str, str | None, int | None, str | None, int | None, bytes | None]) -> Span:
    key, last, counts, reason, stored_ms, boot, offset_ms, payload = row
    ordinal, first = split_key(key)
    return Span(
        ordinal=ordinal,
        first=first,
        last=last,
        counts=merge_counts(json.loads(counts).items()),
        reason=GapReason(reason) if reason else None,
        stored_ms=stored_ms,
        boot=boot or "",
        offset_ms=offset_ms or 0,
        payload=payload or b"",
    )
