"""Dropping what must be dropped: for room, for age, or because it cannot be read. Each drop leaves a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_agent.buffer import blocks, policy, schema
from milepost_agent.buffer.spans import Span
from milepost_agent.errors import StoreFullError
from milepost_protocol.codec import unpack_batch
from milepost_protocol.errors import ProtocolError
from milepost_protocol.samples import GapReason

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from milepost_agent.buffer.spans import Spans

SPAN_OVERHEAD_BYTES: Final = 256
"""What a row needs beside its payload, generously."""
CHUNK_BLOCKS: Final = 16
"""Blocks that one query of an eviction reads."""
AGED_BLOCKS_MAX: Final = 64
"""Blocks of one class that one commit drops for their age; the rest waits for the next commit."""
AGE_CHECK_INTERVAL_MS: Final = 3_600_000
"""A look for old blocks reads the whole file, so commits do it once an hour."""


class Evictor:
    """Works within the store's transaction. ``tally`` are the samples dropped since the file was opened."""

    def __init__(self, path: Path, db: sqlite3.Connection, spans: Spans, limits: policy.BufferLimits) -> None:
        self._path = path
        self._db = db
        self._spans = spans
        self._limits = limits
        self._age_checked_ms = -AGE_CHECK_INTERVAL_MS
        self.tally: blocks.Counts = ()

    def file(self) -> policy.FileFacts:
        """Pages of the file as the running transaction sees them."""
        names = ("page_count", "freelist_count", "page_size")
        return policy.FileFacts(*(self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in names))

    def make_room(self, incoming: list[Span], disk: policy.DiskFacts) -> list[Span]:
        """Evict until the incoming blocks fit; what is to be inserted of them, as blocks and gaps.

        Class by class, the stored samples go first, the oldest before others, then the incoming ones of the
        same class: a fine series never costs a stored fault. Where it is not the cap but the disk that is
        short, only ``policy.YIELDS_TO_DISK`` gives way: the rest can wait in memory until there is room.

        Raises:
            StoreFullError: they do not fit, although everything that may go is gone.
        """
        for name in policy.DROP_ORDER:
            short = self._shortfall(incoming, disk)
            if not short.must:
                return incoming
            if short.is_disk and name not in policy.YIELDS_TO_DISK:
                break
            self._evict(name, self.file().free_pages + short.should)
            if self._shortfall(incoming, disk).must and not short.is_disk:
                incoming = [part for span in incoming for part in self._without(span, name)]
        if not self._shortfall(incoming, disk).must:
            return incoming
        raise StoreFullError(
            str(self._path),
            f"no room to commit: {disk.free_bytes} bytes are free on its disk, "
            f"{self._limits.free_bytes_min} must stay free; free some, or lower [buffer] free_bytes_min",
        )

    def _shortfall(self, incoming: list[Span], disk: policy.DiskFacts) -> policy.Shortfall:
        incoming_bytes = sum(len(span.payload) + SPAN_OVERHEAD_BYTES for span in incoming)
        return policy.shortfall(self._limits, disk, self.file(), incoming_bytes)

    def _evict(self, name: str, free_pages_goal: int) -> None:
        key = 0
        while found := self._spans.blocks_with(name, key, None, CHUNK_BLOCKS):
            for span in found:
                self._drop_class(span, name, GapReason.DISK_BUDGET)
                if self.file().free_pages >= free_pages_goal:
                    return
            key = schema.span_key(found[-1].ordinal, found[-1].last)

    def drop_aged(self, now_ms: int | None) -> None:
        """Drop what is over the age cap, as far as the block's clock is trusted and ``now_ms`` is synced."""
        is_early = now_ms is not None and abs(now_ms - self._age_checked_ms) < AGE_CHECK_INTERVAL_MS
        if now_ms is None or is_early or not self._limits.age_ms_max:
            return
        is_more = False
        for name in policy.DROP_ORDER:
            before_ms = policy.oldest_kept_ms(self._limits, name, now_ms)
            found = self._spans.blocks_with(name, 0, before_ms, AGED_BLOCKS_MAX)
            for span in found:
                self._drop_class(span, name, GapReason.AGE)
            is_more = is_more or len(found) == AGED_BLOCKS_MAX
        if not is_more:
            self._age_checked_ms = now_ms

    def drop_damaged(self, span: Span) -> None:
        """Put a gap in the place of a block that cannot be read."""
        self._spans.delete(span)
        self.insert(_gap(span, span.first, span.last, span.counts, GapReason.CORRUPT))

    def _drop_class(self, span: Span, name: str, reason: GapReason) -> None:
        self._spans.delete(span)
        for part in self._without(span, name, reason):
            self.insert(part)

    def insert(self, span: Span) -> None:
        """Insert a block, or a gap as one with its neighbours."""
        if span.reason is None:
            self._spans.insert(span)
        else:
            self.tally = blocks.merge_counts((*self.tally, *span.counts))
            self._spans.insert_gap(span)

    def _without(self, span: Span, name: str, reason: GapReason = GapReason.DISK_BUDGET) -> list[Span]:
        """A block as blocks and gaps, without its samples of class ``name``; one gap if it is damaged."""
        if span.reason is not None or all(name != known for known, _ in span.counts):
            return [span]
        try:
            batch = unpack_batch(span.payload)
            samples = blocks.numbered(batch, span.first)
        except ProtocolError:
            return [_gap(span, span.first, span.last, span.counts, GapReason.CORRUPT)]
        parts: list[Span] = []
        for run in blocks.split(samples, name):
            first, last = run.samples[0].seq, run.samples[-1].seq
            if run.kept:
                made = blocks.pack(batch.device, batch.epoch, run.samples, batch.sent_ms)
                parts += [span._replace(**block._asdict()) for block in made]
            else:
                parts.append(_gap(span, first, last, ((name, last - first + 1),), reason))
        return parts


def _gap(span: Span, first: int, last: int, counts: blocks.Counts, reason: GapReason) -> Span:
    return Span(span.ordinal, first, last, counts, reason)
