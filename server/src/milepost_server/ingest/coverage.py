"""Which seqs of a stream are committed: a watermark, and ranges above it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_protocol.limits import RECEIPT_RANGES_MAX
from milepost_protocol.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Span = tuple[int, int]
"""First and last seq, both inclusive."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """All from 1 to ``watermark`` (0: nothing), and ``ranges``: ascending, and apart from each other."""

    watermark: int = 0
    ranges: tuple[Span, ...] = ()

    def uncovered(self, first: int, last: int) -> Iterator[Span]:
        """The parts of ``first`` to ``last`` that are not committed yet, ascending."""
        start = max(first, self.watermark + 1)
        for low, high in self.ranges:
            if high < start:
                continue
            if low > last:
                break
            if low > start:
                yield start, low - 1
            start = high + 1
        if start <= last:
            yield start, last

    def covered(self, first: int, last: int) -> Iterator[Span]:
        """The parts of ``first`` to ``last`` that are committed already, ascending."""
        start = first
        for low, high in self.uncovered(first, last):
            if low > start:
                yield start, low - 1
            start = high + 1
        if start <= last:
            yield start, last

    def with_span(self, first: int, last: int) -> Coverage:
        """This coverage and ``first`` to ``last``."""
        merged: list[Span] = []
        for low, high in sorted([*self.ranges, (first, last)]):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        watermark = self.watermark
        while merged and merged[0][0] <= watermark + 1:
            watermark = max(watermark, merged.pop(0)[1])
        return Coverage(watermark, tuple(merged))

    def receipt(self, epoch: str, asked: Sequence[Span] = ()) -> Receipt:
        """What the device is told that sent ``asked``.

        Of more ranges than a receipt has room for: those that hold what was asked, the highest of them, so
        that a device which knows of a higher watermark sees that this one was told later; then the lowest,
        which close first.
        """
        if len(self.ranges) <= RECEIPT_RANGES_MAX:
            return Receipt(epoch, self.watermark, self.ranges)
        answered = {
            (low, high)
            for low, high in self.ranges
            if any(first <= high and low <= last for first, last in asked)
        }
        told = sorted(answered)[-RECEIPT_RANGES_MAX:]
        told += [span for span in self.ranges if span not in answered][: RECEIPT_RANGES_MAX - len(told)]
        return Receipt(epoch, self.watermark, tuple(sorted(told)))
