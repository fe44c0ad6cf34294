"""A batch in memory: columns of absolute values, and the seqs that it covers."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import merge
from itertools import chain, repeat
from typing import TYPE_CHECKING

from milepost_protocol.errors import LimitError
from milepost_protocol.samples import Gap, Sample, TimeTrust
from milepost_protocol.signals import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from milepost_protocol.signals import Value


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one signal, by seq, in ``unit``; numbers are whole multiples of 1 / ``per_unit``."""

    signal: str
    unit: str
    per_unit: int
    values: Sequence[Value]

    @property
    def is_text(self) -> bool:
        return bool(self.values) and isinstance(self.values[0], str)


@dataclass(frozen=True, slots=True)
class Batch:
    """Seqs ``first`` to ``last`` (inclusive) of (``device``, ``epoch``): each is a sample or lies in a gap.

    ``times_ms`` and ``order`` have one entry a sample, ascending by seq: when it was taken (milliseconds
    since 1970, UTC, by the device's clock), and which of ``columns`` holds its value. ``trust`` are runs of
    samples with the same trust in time: (trust, number of samples).
    """

    device: str
    epoch: str
    first: int
    last: int
    sent_ms: int
    vss: str
    times_ms: Sequence[int]
    trust: Sequence[tuple[TimeTrust, int]]
    order: Sequence[int]
    columns: Sequence[Column]
    gaps: Sequence[Gap] = ()

    @classmethod
    def of(
        cls, device: str, epoch: str, samples: Iterable[Sample], gaps: Iterable[Gap] = (), *, sent_ms: int
    ) -> Batch:
        """The batch of ``samples`` and ``gaps``, which together leave no seq out.

        Raises:
            LimitError: a seq is missing or doubled, or there is nothing to send.
            UnknownSignalError, ValueRefusedError: a sample that the catalogue does not allow.
        """
        rows = sorted(samples)
        runs = sorted(gaps, key=lambda gap: gap.first)
        first, last = _covered(rows, runs)
        indices: dict[str, int] = {}
        values: list[list[Value]] = []
        known = catalogue()
        for row in rows:
            index = indices.setdefault(row.signal, len(indices))
            if index == len(values):
                values.append([])
            values[index].append(known[row.signal].check(row.value))
        columns = [
            Column(path, known[path].unit, known[path].per_unit, values[index])
            for path, index in indices.items()
        ]
        return cls(
            device=device,
            epoch=epoch,
            first=first,
            last=last,
            sent_ms=sent_ms,
            vss=known.vss,
            times_ms=[row.time_ms for row in rows],
            trust=_runs(row.trust for row in rows),
            order=[indices[row.signal] for row in rows],
            columns=columns,
            gaps=runs,
        )

    def seqs(self) -> Iterator[int]:
        """The seq of each sample: all that is covered, less the gaps."""
        ends = [gap.first for gap in self.gaps] + [self.last + 1]
        starts = [self.first] + [gap.last + 1 for gap in self.gaps]
        return chain.from_iterable(range(start, end) for start, end in zip(starts, ends, strict=True))

    def samples(self) -> Iterator[Sample]:
        """The samples as rows, ascending by seq."""
        cursors = [iter(column.values) for column in self.columns]
        paths = [column.signal for column in self.columns]
        trusts = chain.from_iterable(repeat(trust, count) for trust, count in self.trust)
        for seq, time_ms, trust, index in zip(self.seqs(), self.times_ms, trusts, self.order, strict=True):
            yield Sample(seq, time_ms, trust, paths[index], next(cursors[index]))


def _covered(rows: Sequence[Sample], gaps: Sequence[Gap]) -> tuple[int, int]:
    spans = merge(((row.seq, row.seq) for row in rows), ((gap.first, gap.last) for gap in gaps))
    start = next(spans, None)
    if start is None:
        raise LimitError("a batch needs at least one sample or gap")
    covered = start
    for first, last in spans:
        expected = covered[1] + 1
        if first != expected:
            raise LimitError(f"seq {min(first, expected)} is {'missing' if first > expected else 'doubled'}")
        covered = (start[0], last)
    return covered


def _runs(trusts: Iterable[TimeTrust]) -> list[tuple[TimeTrust, int]]:
    runs: list[tuple[TimeTrust, int]] = []
    for trust in trusts:
        if runs and runs[-1][0] is trust:
            runs[-1] = (trust, runs[-1][1] + 1)
        else:
            runs.append((trust, 1))
    return runs
