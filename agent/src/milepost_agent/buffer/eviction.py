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
    from collections.abc import Iterator
    from pathlib import Path

    from milepost_agent.buffer.spans import Spans

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
        self._age_check_ms = 0
        self.tally: blocks.Counts = ()

    def file(self) -> policy.FileFacts:
        """Pages of the file as the running transaction sees them."""
        names = ("page_count", "freelist_count", "page_size")
        return policy.FileFacts(*(self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in names))

    def make_room(self, incoming_bytes: int, disk: policy.DiskFacts) -> None:
        """Evict until the incoming blocks fit under the cap and on the disk.

        Raises:
            StoreFullError: they do not, although nothing is left to evict.
        """
        file = self.file()
        short = policy.shortfall(self._limits, disk, file, incoming_bytes)
        if not short.must:
            return
        for span, name in self._by_value():
            self._drop_class(span, name, GapReason.DISK_BUDGET)
            if self.file().free_pages >= file.free_pages + short.should:
                return
        if self.file().free_pages < file.free_pages + short.must:
            raise StoreFullError(
                str(self._path),
                f"no room for {incoming_bytes} bytes: {disk.free_bytes} are free on its disk, of which "
                f"{self._limits.free_bytes_min} must stay free, and nothing is left to evict; "
                "free some space, or lower [buffer] free_bytes_min",
            )

    def drop_aged(self, now_ms: int | None) -> None:
        """Drop what is over the age cap, as far as both the block's clock and this one are trusted."""
        if now_ms is None or now_ms < self._age_check_ms or not self._limits.age_ms_max:
            return
        is_more = False
        for name in policy.DROP_ORDER:
            before_ms = policy.oldest_kept_ms(self._limits, name, now_ms)
            found = self._spans.blocks_with(name, 0, before_ms, AGED_BLOCKS_MAX)
            for span in found:
                self._drop_class(span, name, GapReason.AGE)
            is_more = is_more or len(found) == AGED_BLOCKS_MAX
        self._age_check_ms = now_ms + (0 if is_more else AGE_CHECK_INTERVAL_MS)

    def drop_damaged(self, span: Span) -> None:
        """Put a gap in the place of a block that cannot be read."""
        self._spans.delete(span)
        self._insert_loss(span, GapReason.CORRUPT)

    def _by_value(self) -> Iterator[tuple[Span, str]]:
        """Blocks with the class to drop from them: the least valuable class first, the oldest block first."""
        for name in policy.DROP_ORDER:
            key = 0
            while found := self._spans.blocks_with(name, key, None, CHUNK_BLOCKS):
                for span in found:
                    yield span, name
                key = schema.span_key(found[-1].ordinal, found[-1].last)

    def _drop_class(self, span: Span, name: str, reason: GapReason) -> None:
        try:
            batch = unpack_batch(span.payload)
            samples = blocks.numbered(batch, span.first)
        except ProtocolError:
            self.drop_damaged(span)
            return
        self._spans.delete(span)
        for run in blocks.split(samples, name):
            first, last = run.samples[0].seq, run.samples[-1].seq
            if not run.kept:
                lost = span._replace(first=first, last=last, counts=((name, last - first + 1),))
                self._insert_loss(lost, reason)
                continue
            for block in blocks.pack(batch.device, batch.epoch, run.samples, batch.sent_ms):
                self._spans.insert(span._replace(**block._asdict()))

    def _insert_loss(self, span: Span, reason: GapReason) -> None:
        self.tally = blocks.merge_counts((*self.tally, *span.counts))
        self._spans.insert_gap(Span(span.ordinal, span.first, span.last, span.counts, reason))
