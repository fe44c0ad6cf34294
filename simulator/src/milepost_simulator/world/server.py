"""A model of the server: what it must come to, written without looking at how the real one does it.

One stream for each (device, epoch); each seq of it has one fate, the first that was committed. One suite of
tests runs the real ingest beside it and holds both to the same behaviour.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_protocol import topics
from milepost_protocol.codec import decode_batch
from milepost_protocol.errors import FrameError, ProtocolError
from milepost_protocol.frame import read_header
from milepost_protocol.limits import RECEIPT_RANGES_MAX
from milepost_protocol.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from milepost_protocol.batch import Batch
    from milepost_protocol.samples import Gap, Sample

Span = tuple[int, int]
RANGES_MAX: Final = 64


class Committed(NamedTuple):
    """Seqs that one payload brought, and its gaps among them."""

    first: int
    last: int
    gaps: tuple[Gap, ...]


@dataclass(slots=True)
class Stream:
    """What is committed of one (device, epoch).

    Attributes:
        spans: committed seqs, ascending, apart from each other.
        samples: by seq.
        gaps: reported gaps, each with the seqs of it that were new.
        held: seqs of payloads in quarantine.
    """

    spans: tuple[Span, ...] = ()
    samples: dict[int, Sample] = field(default_factory=dict)
    gaps: list[tuple[Gap, tuple[Span, ...]]] = field(default_factory=list)
    held: tuple[Span, ...] = ()

    @property
    def watermark(self) -> int:
        return self.spans[0][1] if self.spans and self.spans[0][0] == 1 else 0

    @property
    def above(self) -> tuple[Span, ...]:
        return self.spans[1:] if self.watermark else self.spans

    def covers(self, seq: int) -> bool:
        """Whether ``seq`` is committed, whatever its fate."""
        return any(first <= seq <= last for first, last in self.spans)

    def is_held(self, seq: int) -> bool:
        """Whether ``seq`` came in a payload that went to quarantine."""
        return any(first <= seq <= last for first, last in self.held)

    def in_gaps(self) -> dict[int, Gap]:
        """The reported gap of each seq that was counted in one."""
        return {seq: gap for gap, spans in self.gaps for low, high in spans for seq in range(low, high + 1)}


def missing(spans: Iterable[Span], first: int, last: int) -> Iterator[Span]:
    """The parts of ``first`` to ``last`` that no span covers."""
    for low, high in spans:
        if high < first or low > last:
            continue
        if low > first:
            yield first, low - 1
        first = high + 1
    if first <= last:
        yield first, last


def united(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same seqs as few spans, ascending."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


class Archive:
    """The database. ``commit`` is one transaction; ``copy`` a backup."""

    def __init__(self, ranges_max: int = RANGES_MAX) -> None:
        self.streams: dict[tuple[str, str], Stream] = {}
        self.quarantine: list[tuple[str, bytes]] = []
        self._ranges_max = ranges_max

    def copy(self) -> Archive:
        """All that is committed now."""
        twin = Archive(self._ranges_max)
        twin.quarantine = list(self.quarantine)
        for key, stream in self.streams.items():
            twin.streams[key] = copy.copy(stream)
            twin.streams[key].samples = dict(stream.samples)
            twin.streams[key].gaps = list(stream.gaps)
        return twin

    def commit(self, group: Sequence[tuple[str, bytes]]) -> list[tuple[str, Receipt]]:
        """Take payloads (topic, bytes) in; the receipts to be published, one a stream."""
        asked: dict[tuple[str, str], list[Span]] = {}
        for topic, payload in group:
            self._take(topics.device_of(topic), payload, asked)
        return [
            (device, self._receipt(epoch, self.streams[device, epoch], spans))
            for (device, epoch), spans in sorted(asked.items())
        ]

    def _take(self, device: str, payload: bytes, asked: dict[tuple[str, str], list[Span]]) -> None:
        try:
            header = read_header(payload)
        except FrameError as error:
            self._hold(error.reason, payload)
            return
        stream = self.streams.setdefault((device, header.epoch), Stream())
        asked.setdefault((device, header.epoch), []).append((header.first, header.last))
        new = tuple(missing(stream.spans, header.first, header.last))
        batch, trouble = _read(device, payload)
        if batch is not None and _contradicts(batch, stream):
            trouble = "seq-reused"
        elif not new:
            return
        spans = united([*stream.spans, (header.first, header.last)])
        apart = len(spans) - (bool(spans) and spans[0][0] == 1)
        if apart > max(self._ranges_max, len(stream.above)):
            return
        stream.spans = spans
        if trouble or batch is None:
            stream.held = united([*stream.held, (header.first, header.last)])
            self._hold(trouble, payload)
            return
        _store(stream, batch, new)

    def _hold(self, reason: str, payload: bytes) -> None:
        if all(payload != held for _, held in self.quarantine):
            self.quarantine.append((reason, payload))

    def _receipt(self, epoch: str, stream: Stream, asked: Sequence[Span]) -> Receipt:
        above = stream.above
        if len(above) <= RECEIPT_RANGES_MAX:
            return Receipt(epoch, stream.watermark, above)
        # No room for all: those that answer what was sent come first, the highest of them; then the lowest.
        answers = [
            span for span in above if any(span[0] <= last and first <= span[1] for first, last in asked)
        ]
        told = answers[-RECEIPT_RANGES_MAX:]
        others = [span for span in above if span not in answers]
        return Receipt(
            epoch, stream.watermark, tuple(sorted([*told, *others[: RECEIPT_RANGES_MAX - len(told)]]))
        )


def _read(device: str, payload: bytes) -> tuple[Batch | None, str]:
    try:
        batch = decode_batch(payload)
    except ProtocolError as error:
        return None, error.reason
    return (batch, "") if batch.device == device else (None, "device")


def _contradicts(batch: Batch, stream: Stream) -> bool:
    for sample in batch.samples():
        known = stream.samples.get(sample.seq)
        if known and (known.signal, known.value) != (sample.signal, sample.value):
            return True
    return False


def _store(stream: Stream, batch: Batch, new: tuple[Span, ...]) -> None:
    for sample in batch.samples():
        if any(first <= sample.seq <= last for first, last in new):
            stream.samples[sample.seq] = sample
    for gap in batch.gaps:
        spans = tuple(
            (max(first, gap.first), min(last, gap.last))
            for first, last in new
            if first <= gap.last and gap.first <= last
        )
        if spans:
            stream.gaps.append((gap, spans))
