"""Blocks: the samples of one commit as one compressed blob, least valuable class first.

Within a commit, samples get their seqs by class and then by time. So what eviction drops of a block is a run
of consecutive seqs: one gap, instead of one for every second sample. The order of each single signal stays.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.buffer.policy import DROP_ORDER, RANK, signal_class
from milepost_protocol.batch import Batch
from milepost_protocol.codec import encode_batch, unpack_batch
from milepost_protocol.errors import LimitError
from milepost_protocol.samples import UNKNOWN_CLASS, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from milepost_agent.clock import ClockReading
    from milepost_agent.readings import Reading

BLOCK_BYTES_MAX: Final = 48 * 1024
"""Smaller than a batch may be, so that each block fits one, also after its times were repaired."""
BLOCK_SAMPLES_MAX: Final = 4096

Counts = tuple[tuple[str, int], ...]
"""(signal class, number of samples), in the order in which classes are dropped."""


class Block(NamedTuple):
    """Samples ``first`` to ``last`` (inclusive), none missing, as the payload of a batch."""

    first: int
    last: int
    counts: Counts
    payload: bytes


class Run(NamedTuple):
    """Consecutive samples of a block which are all kept, or all dropped."""

    kept: bool
    samples: list[Sample]


def count_classes(signals: Iterable[str]) -> Counts:
    """How many of ``signals`` belong to each class."""
    return merge_counts((signal_class(signal), 1) for signal in signals)


def merge_counts(pairs: Iterable[tuple[str, int]]) -> Counts:
    """The sums of ``pairs`` by class."""
    totals: Counter[str] = Counter()
    for name, count in pairs:
        totals[name if name in RANK else UNKNOWN_CLASS] += count
    return tuple((name, totals[name]) for name in DROP_ORDER if totals[name])


def stamp(readings: Sequence[Reading], first: int, now: ClockReading) -> list[Sample]:
    """Readings as samples from seq ``first`` on, with the wall time that ``now`` gives them."""
    ordered = sorted(readings, key=lambda reading: RANK[signal_class(reading.signal)])
    return [
        Sample(seq, now.wall_ms_at(reading.mono_s), now.trust, reading.signal, reading.value)
        for seq, reading in enumerate(ordered, first)
    ]


def pack(device: str, epoch: str, samples: Sequence[Sample], sent_ms: int) -> list[Block]:
    """``samples`` (consecutive seqs) as few blocks as the limits allow.

    Raises:
        LimitError: a single sample is too large.
        UnknownSignalError, ValueRefusedError: a sample that the catalogue does not allow.
    """
    if not samples:
        return []
    try:
        payload = encode_batch(Batch.of(device, epoch, samples, sent_ms=sent_ms))
        if len(payload) > BLOCK_BYTES_MAX and len(samples) > 1:
            raise LimitError(f"block of {len(payload)} bytes is over {BLOCK_BYTES_MAX}; cut it smaller")
    except LimitError:
        if len(samples) == 1:
            raise
        middle = len(samples) // 2
        return [
            *pack(device, epoch, samples[:middle], sent_ms),
            *pack(device, epoch, samples[middle:], sent_ms),
        ]
    return [Block(samples[0].seq, samples[-1].seq, count_classes(row.signal for row in samples), payload)]


def unpack(payload: bytes, first: int) -> list[Sample]:
    """The samples of a block that now begins at seq ``first``.

    Raises:
        ProtocolError: the stored bytes are damaged, or of a version that this code does not read.
    """
    return numbered(unpack_batch(payload), first)


def numbered(batch: Batch, first: int) -> list[Sample]:
    """The samples of a stored batch without gaps, with seqs from ``first`` on."""
    return [row._replace(seq=seq) for seq, row in enumerate(batch.samples(), first)]


def split(samples: Sequence[Sample], dropped_class: str) -> Iterator[Run]:
    """``samples`` as runs, those of ``dropped_class`` marked as not kept."""
    for kept, rows in groupby(samples, key=lambda row: signal_class(row.signal) != dropped_class):
        yield Run(kept, list(rows))
