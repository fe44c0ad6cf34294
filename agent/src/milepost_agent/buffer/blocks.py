"""Blocks: the samples of one commit as one compressed blob, least valuable tier first.

Within a commit, samples get their seqs by tier (see ``thinning``) and then by time. So what eviction drops of
a block is a run of consecutive seqs: one gap, instead of one for every second sample.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain, groupby, repeat
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.buffer import thinning
from milepost_agent.buffer.policy import DROP_ORDER, RANK, TIERS, signal_class, tier_class
from milepost_protocol.batch import Batch
from milepost_protocol.codec import encode_batch, unpack_batch
from milepost_protocol.errors import BodyError, LimitError
from milepost_protocol.samples import UNKNOWN_CLASS, Sample

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from milepost_agent.clock import ClockReading
    from milepost_agent.readings import Reading

BLOCK_BYTES_MAX: Final = 48 * 1024
"""Smaller than a batch may be, so that each block fits one, also after its times were repaired."""

Counts = tuple[tuple[str, int], ...]
"""(class or tier, number of samples), in the order in which they are dropped."""


class Graded(NamedTuple):
    """A sample, and the tier that it is dropped with."""

    tier: str
    sample: Sample


class Block(NamedTuple):
    """Samples ``first`` to ``last`` (inclusive), none missing, as the payload of a batch.

    ``counts`` are by tier; the samples stand in the same order.
    """

    first: int
    last: int
    counts: Counts
    payload: bytes


class Run(NamedTuple):
    """Consecutive samples of a block which are all kept, or all dropped."""

    kept: bool
    rows: list[Graded]

    @property
    def counts(self) -> Counts:
        return merge_counts((row.tier, 1) for row in self.rows)


def count_classes(signals: Iterable[str]) -> Counts:
    """How many of ``signals`` belong to each class."""
    return merge_counts((signal_class(signal), 1) for signal in signals)


def merge_counts(pairs: Iterable[tuple[str, int]]) -> Counts:
    """The sums of ``pairs`` by class or tier."""
    totals: Counter[str] = Counter()
    for name, count in pairs:
        totals[name if name in RANK else UNKNOWN_CLASS] += count
    return tuple((name, totals[name]) for name in TIERS if totals[name])


def by_class(counts: Counts) -> Counts:
    """``counts`` by class, as a gap tells them."""
    totals: Counter[str] = Counter()
    for tier, count in counts:
        totals[tier_class(tier)] += count
    return tuple((name, totals[name]) for name in DROP_ORDER if totals[name])


def stamp(readings: Sequence[Reading], first: int, now: ClockReading, *, is_graded: bool) -> list[Graded]:
    """Readings as samples from seq ``first`` on, with the wall time that ``now`` gives them.

    Where ``is_graded``, fine series are numbered so that they can be thinned.
    """
    return [
        Graded(tier, Sample(seq, now.wall_ms_at(row.mono_s), now.trust, row.signal, row.value))
        for seq, (tier, row) in enumerate(_by_tier(readings, is_graded=is_graded), first)
    ]


def numbering(readings: Sequence[Reading], *, is_graded: bool) -> list[Reading]:
    """Readings in the order in which ``stamp`` numbers them."""
    return [reading for _, reading in _by_tier(readings, is_graded=is_graded)]


def _by_tier(readings: Sequence[Reading], *, is_graded: bool) -> list[tuple[str, Reading]]:
    tiers = thinning.tiers(readings, is_graded=is_graded)
    return sorted(zip(tiers, readings, strict=True), key=lambda pair: RANK[pair[0]])


def pack(device: str, epoch: str, rows: Sequence[Graded], sent_ms: int) -> list[Block]:
    """``rows`` (consecutive seqs, by tier) as few blocks as the limits allow.

    Raises:
        LimitError: a single sample is too large.
        UnknownSignalError, ValueRefusedError: a sample that the catalogue does not allow.
    """
    if not rows:
        return []
    samples = [row.sample for row in rows]
    try:
        payload = encode_batch(Batch.of(device, epoch, samples, sent_ms=sent_ms))
        if len(payload) > BLOCK_BYTES_MAX and len(samples) > 1:
            raise LimitError(f"block of {len(payload)} bytes is over {BLOCK_BYTES_MAX}; cut it smaller")
    except LimitError:
        if len(samples) == 1:
            raise
        middle = len(samples) // 2
        return [*pack(device, epoch, rows[:middle], sent_ms), *pack(device, epoch, rows[middle:], sent_ms)]
    return [Block(samples[0].seq, samples[-1].seq, Run(kept=True, rows=list(rows)).counts, payload)]


def unpack(payload: bytes, first: int) -> list[Sample]:
    """The samples of a block that now begins at seq ``first``.

    Raises:
        ProtocolError: the stored bytes are damaged, or of a version that this code does not read.
    """
    batch = unpack_batch(payload)
    if first == batch.first:
        return list(batch.samples())  # as all that did not move to a new epoch: copies would cost a fifth
    return [row._replace(seq=seq) for seq, row in enumerate(batch.samples(), first)]


def graded(samples: Sequence[Sample], counts: Counts) -> list[Graded]:
    """The samples of a block whose counts are ``counts``, with their tiers.

    Raises:
        ProtocolError: the counts are of another block.
    """
    tiers = list(chain.from_iterable(repeat(tier, count) for tier, count in counts))
    if len(tiers) != len(samples):
        raise BodyError(f"{len(samples)} samples where {len(tiers)} were counted")
    return [Graded(tier, sample) for tier, sample in zip(tiers, samples, strict=True)]


def split(rows: Sequence[Graded], dropped: Collection[str]) -> Iterator[Run]:
    """``rows`` as runs, those of the tiers ``dropped`` marked as not kept."""
    for kept, run in groupby(rows, key=lambda row: row.tier not in dropped):
        yield Run(kept, list(run))
