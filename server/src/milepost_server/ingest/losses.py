"""Gaps as they are counted: a report may overlap what is stored already, and only the rest is lost. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from milepost_protocol.samples import UNKNOWN_CLASS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_protocol.batch import Batch
    from milepost_protocol.samples import Gap
    from milepost_protocol.signals import Catalogue
    from milepost_server.ingest.coverage import Coverage, Span


class Loss(NamedTuple):
    """What one gap report adds to what is dropped: ``counts`` by class, within ``first`` to ``last``."""

    first: int
    last: int
    reason: str
    counts: Mapping[str, int]


def losses(batch: Batch, coverage: Coverage, stored: Sequence[Batch], catalogue: Catalogue) -> list[Loss]:
    """The losses that ``batch`` reports, seqs under ``coverage`` not counted again.

    ``stored`` are the batches in the archive that overlap it: they say of which class each covered seq is.
    The counts of each loss add up to its newly dropped seqs; where a class cannot be told, it is "unknown".
    """
    found: list[Loss] = []
    for gap in batch.gaps:
        open_spans = list(coverage.uncovered(gap.first, gap.last))
        if not open_spans:
            continue
        covered = list(coverage.covered(gap.first, gap.last))
        counts = Counter(dict(gap.counts))
        if covered:
            dropped = sum(high - low + 1 for low, high in open_spans)
            counts = _less(counts, _classes(gap, covered, stored, catalogue), dropped)
        found.append(Loss(open_spans[0][0], open_spans[-1][1], gap.reason.value, dict(counts)))
    return found


def _less(reported: Counter[str], stored: Counter[str], dropped: int) -> Counter[str]:
    counts = reported - stored
    # What is stored and of unknown class could be any of the reported ones: say less rather than too much.
    while (surplus := counts.total() - dropped) > 0:
        name, number = counts.most_common(1)[0]
        counts[name] -= min(surplus, number)
    if counts.total() < dropped:
        counts[UNKNOWN_CLASS] += dropped - counts.total()
    return +counts


def _classes(
    gap: Gap, covered: Sequence[Span], stored: Sequence[Batch], catalogue: Catalogue
) -> Counter[str]:
    """Classes of the seqs of ``gap`` that are stored, or were reported dropped, before."""
    seen: dict[int, str] = {}
    counts: Counter[str] = Counter()
    for batch in stored:
        for sample in batch.samples():
            if any(low <= sample.seq <= high for low, high in covered):
                known = sample.signal in catalogue
                name = catalogue[sample.signal].signal_class.value if known else UNKNOWN_CLASS
                seen.setdefault(sample.seq, name)
        for earlier in batch.gaps:
            if gap.first <= earlier.first and earlier.last <= gap.last:
                counts.update(dict(earlier.counts))
    counts.update(seen.values())
    return counts


def contradiction(batch: Batch, stored: Sequence[Batch]) -> str | None:
    """How ``batch`` contradicts what is stored under the same seqs, in words; None where it does not.

    Times may differ: a device repairs them when its clock has synced. Signals and values never do, unless a
    seq was used twice, as by a device whose buffer was put back to an older copy.
    """
    known = {sample.seq: sample for earlier in stored for sample in earlier.samples()}
    for sample in batch.samples():
        before = known.get(sample.seq)
        if before and (before.signal, before.value) != (sample.signal, sample.value):
            return (
                f"seq {sample.seq} was stored as {before.signal} = {before.value}, and came again as "
                f"{sample.signal} = {sample.value}; was the device's buffer put back to an older copy?"
            )
    return None
