"""Batches out of spans: small blocks merged, untrusted times repaired, within the limits of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.buffer.blocks import unpack
from milepost_agent.clock import repair_ms
from milepost_protocol.batch import Batch
from milepost_protocol.codec import encode_batch
from milepost_protocol.errors import ProtocolError
from milepost_protocol.limits import BATCH_GAPS_MAX, BATCH_SAMPLES_MAX, GAP_SEQS_MAX
from milepost_protocol.samples import Sample, TimeTrust

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from milepost_agent.buffer.spans import Span
    from milepost_agent.clock import ClockReading

CUT_BYTES_MAX: Final = 60 * 1024
"""Sum of the blocks of one batch; merged they are smaller than that, and a batch may have 64 KiB."""


class Size(NamedTuple):
    """How large a batch may become: ``bytes_max`` as published, unless one sample alone is larger.

    ``is_exact``: it ends at the last seq that is asked for, even inside a block.
    """

    bytes_max: int = CUT_BYTES_MAX
    samples_max: int = BATCH_SAMPLES_MAX
    is_exact: bool = False


FULL_SIZE: Final = Size()


class Cut(NamedTuple):
    """A batch ready to be published: seqs ``first`` to ``last`` inclusive, ``samples`` of them no gap."""

    first: int
    last: int
    samples: int
    payload: bytes


class DamagedSpanError(Exception):
    """``span`` holds what this code cannot read; the store turns it into a gap."""

    def __init__(self, span: Span, why: str) -> None:
        super().__init__(f"block {span.first}..{span.last} cannot be read: {why}")
        self.span = span


def choose(spans: Iterable[Span], last_max: int, size: Size) -> list[Span]:
    """The leading spans that one batch may carry; the first always, no other beyond ``last_max``."""
    chosen: list[Span] = []
    samples = gaps = stored_bytes = 0
    for span in spans:
        samples += 0 if span.reason else span.seqs
        gaps += bool(span.reason)
        stored_bytes += len(span.payload)
        over = (
            span.last > last_max
            or samples > min(size.samples_max, BATCH_SAMPLES_MAX)
            or gaps > BATCH_GAPS_MAX
            or stored_bytes > min(size.bytes_max, CUT_BYTES_MAX)
            or span.last - (chosen[0].first if chosen else span.first) >= GAP_SEQS_MAX
        )
        if chosen and over:
            break
        chosen.append(span)
    return chosen


class Maker(NamedTuple):
    """Whose batches are cut, and by which clock they are stamped as sent."""

    device: str
    epoch: str
    now: ClockReading

    def cut(self, spans: Sequence[Span], first: int, last: int, bytes_max: int) -> Cut:
        """The batch of ``spans``, or of the leading half (quarter, ...) of them that fits.

        Of blocks only the seqs ``first`` to ``last``; gaps stay whole. A block that is too large alone is
        cut in two.

        Raises:
            DamagedSpanError: the first span cannot be read or sent.
        """
        try:
            samples = [row for span in spans for row in _samples(span, self.now) if first <= row.seq <= last]
            gaps = [span.gap() for span in spans if span.reason]
            batch = Batch.of(self.device, self.epoch, samples, gaps, sent_ms=max(0, self.now.wall_ms))
            payload = encode_batch(batch)
        except ProtocolError as error:
            if len(spans) == 1:
                raise DamagedSpanError(spans[0], str(error)) from error
            return self.cut(spans[: len(spans) // 2], first, last, bytes_max)
        if len(payload) > bytes_max and len(spans) > 1:
            return self.cut(spans[: len(spans) // 2], first, last, bytes_max)
        if len(payload) > bytes_max and len(samples) > 1:
            return self.cut(spans, first, (batch.first + batch.last) // 2, bytes_max)
        return Cut(batch.first, batch.last, len(samples), payload)


def _samples(span: Span, now: ClockReading) -> list[Sample]:
    if span.reason:
        return []
    rows = unpack(span.payload, span.first)
    shift_ms = repair_ms(span.boot, span.offset_ms, now)
    if shift_ms is None:
        return rows
    # A clock that nobody keeps makes a better guess than 1970, and no more than that.
    trust = TimeTrust.REPAIRED if now.trust is TimeTrust.SYNCED else now.trust
    return [_moved(row, shift_ms, trust) if row.trust is TimeTrust.UNTRUSTED else row for row in rows]


def _moved(row: Sample, shift_ms: int, trust: TimeTrust) -> Sample:
    return row._replace(time_ms=max(0, row.time_ms + shift_ms), trust=trust)
