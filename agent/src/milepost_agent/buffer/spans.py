"""The rows that tile a stream: blocks of samples, and gaps."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from milepost_agent.buffer.blocks import merge_counts
from milepost_agent.buffer.schema import SEQ_MAX, span_key, split_key
from milepost_protocol.samples import UNKNOWN_CLASS, Gap, GapReason
from milepost_protocol.signals import SignalClass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_agent.buffer.blocks import Counts

GAP_RUN_MAX: Final = 2**31
"""Seqs in one gap row; a batch must be able to cover it."""

KEY_MAX: Final = 2**63 - 1
_REASONS: Final = frozenset(GapReason)

_GAPS: Final = """
    SELECT count(*), total(last - (key & ?) + 1) FROM span INDEXED BY span_gap WHERE reason IS NOT NULL"""
_RANGES: Final = """
    SELECT key, last FROM span NOT INDEXED WHERE reason IS NULL AND instr(counts, ?5) > 0
    AND key BETWEEN ?1 AND ?2 AND last > ?3 ORDER BY key LIMIT ?4"""
_FAULT_RANGES: Final = """
    SELECT key, last FROM span INDEXED BY span_fault WHERE reason IS NULL AND instr(counts, '"fault"') > 0
    AND key BETWEEN ?1 AND ?2 AND last > ?3 ORDER BY key LIMIT ?4"""
_SELECT: Final = "SELECT key, last, counts, reason, stored_ms, boot, offset_ms, payload FROM span "
_SELECT_LIGHT: Final = """
    SELECT key, last, counts, reason, stored_ms, boot, offset_ms,
    CASE WHEN payload IS NULL THEN NULL ELSE x'' END FROM span """


class Span(NamedTuple):
    """Seqs ``first`` to ``last`` of stream ``ordinal``: a block (``payload``), or a gap (``reason``).

    ``counts`` are by tier for a block, by class for a gap. ``stored_ms`` is the wall time of the commit, None
    where the clock was not trusted. ``boot`` and ``offset_ms`` say which clock stamped the block.
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
    def key(self) -> int:
        return span_key(self.ordinal, self.first)

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
        gaps, gap_samples = self._db.execute(_GAPS, (SEQ_MAX,)).fetchone()
        return Totals(gaps, int(gap_samples))

    def insert(self, span: Span) -> None:
        """Add a span; its seqs must be free."""
        self._db.execute(
            "INSERT INTO span VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                span.key,
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
        self._db.execute("DELETE FROM span WHERE key = ?", (span.key,))
        self._add(span, -1)

    def insert_lost(
        self, ordinal: int, first: int, until: int, reason: GapReason = GapReason.CORRUPT
    ) -> None:
        """Tell that all from ``first`` to before ``until`` is lost, nobody knows what of it."""
        while first < until:
            last = min(until, first + GAP_RUN_MAX) - 1
            self.insert_gap(Span(ordinal, first, last, ((UNKNOWN_CLASS, last - first + 1),), reason))
            first = last + 1

    def insert_gap(self, gap: Span) -> None:
        """Add a gap, as one with its neighbours of the same reason: years of drops must stay few rows."""
        before = self._before(gap.ordinal, gap.first - 1)
        after = self.at(span_key(gap.ordinal, gap.last + 1))
        for neighbour in (before, after):
            if neighbour and _may_join(gap, neighbour):
                self.delete(neighbour)
                gap = gap._replace(
                    first=min(gap.first, neighbour.first),
                    last=max(gap.last, neighbour.last),
                    counts=merge_counts((*gap.counts, *neighbour.counts)),
                )
        self.insert(gap)

    def move(self, ordinal: int, base: int, to_ordinal: int) -> None:
        """Make the last stream, ``ordinal``, stream ``to_ordinal``, with seqs less by ``base``."""
        shift = span_key(to_ordinal, 0) - span_key(ordinal, base)
        self._db.execute(
            "UPDATE span SET key = key + ?, last = last - ? WHERE key > ?",
            (shift, base, span_key(ordinal, 0)),
        )

    def covering(self, ordinal: int, first: int) -> Iterator[Span]:
        """The spans of a stream from the one that holds ``first`` on, ascending."""
        before = self._before(ordinal, first)
        start = before.first if before and before.last >= first else first
        yield from self._rows(span_key(ordinal, start), span_key(ordinal, SEQ_MAX))

    def up_to(self, ordinal: int, seq: int) -> list[Span]:
        """The gaps of a stream that end at ``seq`` or before (their payload is empty)."""
        where = "WHERE key BETWEEN ? AND ? AND last <= ? AND reason IS NOT NULL"
        bounds = (span_key(ordinal, 0), span_key(ordinal, seq), seq)
        return [span_of(row) for row in self._db.execute(_SELECT + where, bounds)]

    def delete_up_to(self, ordinal: int, seq: int) -> None:
        """Take out all spans of a stream that end at ``seq`` or before."""
        for gap in self.up_to(ordinal, seq):
            self._add(gap, -1)
        self._db.execute(
            "DELETE FROM span WHERE key BETWEEN ? AND ? AND last <= ?",
            (span_key(ordinal, 0), span_key(ordinal, seq), seq),
        )

    def blocks_with(self, tier: str, after_key: int, limit: int) -> list[Span]:
        """The oldest blocks behind ``after_key`` that hold samples of ``tier``."""
        where = "WHERE reason IS NULL AND key > ? AND instr(counts, ?) > 0 ORDER BY key LIMIT ?"
        return [span_of(row) for row in self._db.execute(_SELECT + where, (after_key, f'"{tier}"', limit))]

    def ranges_with(
        self, ordinal: int, name: SignalClass, after_seq: int, limit: int
    ) -> list[tuple[int, int]]:
        """(first, last) of the first blocks that end behind ``after_seq`` and hold samples of class ``name``.

        For faults an index knows them; for others this reads the stream until it has found so many.
        """
        bounds = (span_key(ordinal, 0), span_key(ordinal, SEQ_MAX), after_seq, limit)
        if name is SignalClass.FAULT:
            rows = self._db.execute(_FAULT_RANGES, bounds)
        else:
            # Without the closing quote: the parts of a class that is dropped in parts count, too.
            rows = self._db.execute(_RANGES, (*bounds, f'"{name}'))
        return [(split_key(key)[1], _whole(last)) for key, last in rows]

    def lightly(self, after_key: int, limit: int) -> list[Span]:
        """The next spans behind ``after_key``, without their payloads."""
        where = "WHERE key > ? ORDER BY key LIMIT ?"
        return [span_of(row) for row in self._db.execute(_SELECT_LIGHT + where, (after_key, limit))]

    def read_all(self) -> None:
        """Read each row once.

        Raises:
            sqlite3.DataError: one makes no sense.
        """
        for row in self._db.execute(_SELECT_LIGHT):
            span_of(row)

    def oldest(self) -> Span | None:
        """The first span of the oldest stream."""
        return next(self._rows(0, KEY_MAX), None)

    def last_key(self) -> int:
        """The key of the last span, 0 where there is none."""
        key: int | None = self._db.execute("SELECT max(key) FROM span").fetchone()[0]
        return key or 0

    def _before(self, ordinal: int, first: int) -> Span | None:
        """The span of the stream with the greatest first seq up to ``first``."""
        query = _SELECT + "WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1"
        row = self._db.execute(query, (span_key(ordinal, 0), span_key(ordinal, first))).fetchone()
        return span_of(row) if row else None

    def at(self, key: int) -> Span | None:
        """The span with this key."""
        row = self._db.execute(_SELECT + "WHERE key = ?", (key,)).fetchone()
        return span_of(row) if row else None

    def _rows(self, first_key: int, last_key: int) -> Iterator[Span]:
        query = _SELECT + "WHERE key BETWEEN ? AND ? ORDER BY key"
        return map(span_of, self._db.execute(query, (first_key, last_key)))

    def _add(self, span: Span, sign: int) -> None:
        if span.reason is not None:
            gaps, gap_samples = self.totals
            self.totals = Totals(gaps + sign, gap_samples + sign * span.seqs)


def _may_join(gap: Span, other: Span) -> bool:
    touches = other.last + 1 == gap.first or gap.last + 1 == other.first
    return touches and other.reason is gap.reason and other.seqs + gap.seqs <= GAP_RUN_MAX


def span_of(row: tuple[Any, ...]) -> Span:
    """A row of the table.

    Raises:
        sqlite3.DataError: it makes no sense.
    """
    key, last, text, reason, stored_ms, boot, offset_ms, payload = row
    ordinal, first = split_key(key)
    if not (
        0 <= _whole(last) - first < GAP_RUN_MAX
        and isinstance(stored_ms, int | None)
        and isinstance(boot, str | None)
        and isinstance(offset_ms, int | None)
        and (reason is None or (reason in _REASONS and payload is None))
    ):
        raise sqlite3.DataError(f"span {first} of stream {ordinal} makes no sense")
    return Span(
        ordinal=ordinal,
        first=first,
        last=last,
        counts=counts_of(text, last - first + 1),
        reason=GapReason(reason) if reason else None,
        stored_ms=stored_ms,
        boot=boot or "",
        offset_ms=offset_ms or 0,
        payload=payload if isinstance(payload, bytes) else b"",
    )


def counts_of(text: Any, seqs: int) -> Counts:
    """The counts of a row that has so many seqs.

    Raises:
        sqlite3.DataError: they make no sense.
    """
    try:
        pairs = [*json.loads(text).items()]
    except (ValueError, TypeError, AttributeError) as error:
        raise sqlite3.DataError(f"counts {text!r}: {error}") from error
    if sum(_whole(count) for _, count in pairs) != seqs or any(count < 1 for _, count in pairs):
        raise sqlite3.DataError(f"counts {text!r} of {seqs} samples")
    return merge_counts(pairs)


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise sqlite3.DataError(f"{value!r} where a whole number was stored")
    return value
