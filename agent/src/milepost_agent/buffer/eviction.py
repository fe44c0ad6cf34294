"""Dropping what must be dropped: for room, for age, or because it cannot be read. Each drop leaves a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.buffer import blocks, policy
from milepost_agent.buffer.schema import span_key
from milepost_agent.buffer.spans import Span
from milepost_agent.errors import StoreFullError
from milepost_protocol.codec import unpack_batch
from milepost_protocol.errors import ProtocolError
from milepost_protocol.samples import GapReason

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from milepost_agent.buffer.spans import Spans

SPAN_OVERHEAD_BYTES: Final = 256
"""What a row needs beside its payload, generously."""
CHUNK_BLOCKS: Final = 16
"""Blocks that one query of an eviction reads."""
AGE_SPANS_MAX: Final = 64
"""Spans whose age one commit looks at; a look at all of a long backlog takes many commits."""
AGE_CHECK_INTERVAL_MS: Final = 3_600_000
"""From the end of one look at all ages to the beginning of the next."""


class Progress(NamedTuple):
    """How far the evictor is; taken back when its transaction is.

    Attributes:
        tally: samples dropped since the file was opened, by class.
        swept: by tier, the key up to which no block holds any of it. New blocks come behind it.
        age_key: the key up to which ages were looked at in the current round.
        age_checked_ms: when the last round ended.
    """

    tally: blocks.Counts = ()
    swept: Mapping[str, int] = {}
    age_key: int = 0
    age_checked_ms: int = -AGE_CHECK_INTERVAL_MS


class Evictor:
    """Works within the store's transaction."""

    def __init__(self, path: Path, db: sqlite3.Connection, spans: Spans, limits: policy.BufferLimits) -> None:
        self._path = path
        self._db = db
        self._spans = spans
        self._limits = limits
        self.progress = Progress()

    def file(self) -> policy.FileFacts:
        """Pages of the file as the running transaction sees them."""
        names = ("page_count", "freelist_count", "page_size")
        return policy.FileFacts(*(self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in names))

    def begin_anew(self) -> None:
        """Pass over nothing any more: blocks have moved to lower keys."""
        self.progress = self.progress._replace(swept={}, age_key=0)

    def is_filling(self) -> bool:
        """Whether what is stored now may have to be thinned later."""
        return policy.is_filling(self._limits, self.file())

    def make_room(self, incoming: list[Span], disk: policy.DiskFacts) -> list[Span]:
        """Evict until the incoming blocks fit; what is to be inserted of them, as blocks and gaps.

        Tier by tier, the stored samples go first, the oldest before others, then the incoming ones of the
        same tier: a fine series never costs a stored fault. Where it is not the cap but the disk that is
        short, only ``policy.YIELDS_TO_DISK`` gives way: the rest can wait in memory until there is room.

        Raises:
            StoreFullError: they do not fit, although everything that may go is gone.
        """
        for tier in policy.TIERS:
            short = self._shortfall(incoming, disk)
            if not short.must:
                return incoming
            if short.is_disk and tier not in policy.YIELDS_TO_DISK:
                break
            # Gaps and what is left of blocks take room, too: so much may have to go more than once.
            while short.must and self._evict(tier, self.file().free_pages + short.should):
                short = self._shortfall(incoming, disk)
            if self._shortfall(incoming, disk).must and not short.is_disk:
                incoming = [
                    part for span in incoming for part in _without(span, {tier}, GapReason.DISK_BUDGET)
                ]
        if not self._shortfall(incoming, disk).must:
            return incoming
        raise StoreFullError(
            str(self._path),
            f"no room to commit: {disk.free_bytes} bytes are free on its disk, "
            f"{self._limits.free_bytes_min} must stay free; free some, or lower [buffer] free_bytes_min",
        )

    def _shortfall(self, incoming: list[Span], disk: policy.DiskFacts) -> policy.Shortfall:
        incoming_bytes = sum(
            len(span.payload) + SPAN_OVERHEAD_BYTES for span in incoming if span.reason is None
        )
        return policy.shortfall(self._limits, disk, self.file(), incoming_bytes)

    def _evict(self, tier: str, free_pages_goal: int) -> bool:
        """Drop stored samples of ``tier`` until the goal is reached; False where there were not enough."""
        key = self.progress.swept.get(tier, 0)
        is_enough = False
        while not is_enough and (found := self._spans.blocks_with(tier, key, CHUNK_BLOCKS)):
            for span in found:
                self._drop(span, {tier}, GapReason.DISK_BUDGET)
                key = span_key(span.ordinal, span.last)
                if is_enough := self.file().free_pages >= free_pages_goal:
                    break
        if not is_enough:
            key = self._spans.last_key()
        self.progress = self.progress._replace(swept={**self.progress.swept, tier: key})
        return is_enough

    def drop_aged(self, now_ms: int | None) -> None:
        """Drop what is over the age cap, as far as the block's clock is trusted and ``now_ms`` is synced."""
        if now_ms is None or not self._limits.age_ms_max:
            return
        is_early = abs(now_ms - self.progress.age_checked_ms) < AGE_CHECK_INTERVAL_MS
        if is_early and not self.progress.age_key:
            return
        seen = self._spans.lightly(self.progress.age_key, AGE_SPANS_MAX)
        for light in seen:
            aged = self._aged_tiers(light, now_ms)
            if aged and (span := self._spans.at(light.key)):
                self._drop(span, aged, GapReason.AGE)
        if len(seen) == AGE_SPANS_MAX:
            self.progress = self.progress._replace(age_key=seen[-1].key)
        else:
            self.progress = self.progress._replace(age_key=0, age_checked_ms=now_ms)

    def _aged_tiers(self, span: Span, now_ms: int) -> set[str]:
        """What of a block is too old; nothing of a gap, and of a block of unknown time."""
        if span.reason is not None or span.stored_ms is None:
            return set()
        classes = {tier: policy.tier_class(tier) for tier, _ in span.counts}
        return {
            tier
            for tier, name in classes.items()
            if span.stored_ms < policy.oldest_kept_ms(self._limits, name, now_ms)
        }

    def drop_damaged(self, span: Span) -> None:
        """Put a gap in the place of a block that cannot be read."""
        self._spans.delete(span)
        self.insert(_gap(span, span.first, span.last, span.counts, GapReason.CORRUPT))

    def _drop(self, span: Span, tiers: Collection[str], reason: GapReason) -> None:
        self._spans.delete(span)
        for part in _without(span, tiers, reason):
            self.insert(part)

    def insert(self, span: Span) -> None:
        """Insert a block, or a gap as one with its neighbours."""
        if span.reason is None:
            self._spans.insert(span)
        else:
            tally = blocks.merge_counts((*self.progress.tally, *span.counts))
            self.progress = self.progress._replace(tally=tally)
            self._spans.insert_gap(span)


def _without(span: Span, tiers: Collection[str], reason: GapReason) -> list[Span]:
    """A block as blocks and gaps, without its samples of ``tiers``; one gap if it is damaged."""
    if span.reason is not None or not any(tier in tiers for tier, _ in span.counts):
        return [span]
    try:
        batch = unpack_batch(span.payload)
        rows = blocks.graded(list(batch.samples()), span.counts)
    except ProtocolError:
        return [_gap(span, span.first, span.last, span.counts, GapReason.CORRUPT)]
    # A block keeps the epoch and the seqs that it was stored under, also where it has moved to a new epoch.
    moved = span.first - batch.first
    parts: list[Span] = []
    for run in blocks.split(rows, tiers):
        if run.kept:
            for block in blocks.pack(batch.device, batch.epoch, run.rows, batch.sent_ms):
                first, last = block.first + moved, block.last + moved
                parts.append(
                    span._replace(first=first, last=last, counts=block.counts, payload=block.payload)
                )
        else:
            first, last = run.rows[0].sample.seq + moved, run.rows[-1].sample.seq + moved
            parts.append(_gap(span, first, last, run.counts, reason))
    return parts


def _gap(span: Span, first: int, last: int, counts: blocks.Counts, reason: GapReason) -> Span:
    return Span(span.ordinal, first, last, blocks.by_class(counts), reason)
