"""Ranges of seqs, inclusive at both ends: what is missing, and how many stand apart. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Range = tuple[int, int]


def merged(ranges: Iterable[Range]) -> list[Range]:
    """``ranges``, ascending and apart from each other; those that touch become one."""
    found: list[Range] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def first_missing(low: int, high: int, taken: Iterable[Range]) -> Range | None:
    """The first run of ``low`` to ``high`` that no range of ``taken`` touches; None if all is taken."""
    first, last = low, high
    for start, end in sorted(taken):
        if start > first:
            last = min(high, start - 1)
            break
        first = max(first, end + 1)
    return (first, last) if first <= high else None


def holds(ranges: Iterable[Range], first: int, last: int) -> bool:
    """Whether one of ``ranges`` covers all of ``first`` to ``last``."""
    return any(low <= first and last <= high for low, high in ranges)


def apart_above(watermark: int, ranges: Iterable[Range]) -> int:
    """How many ranges stand apart above ``watermark``, once those that touch it or each other are one."""
    return sum(low > watermark + 1 for low, _ in merged([(0, watermark), *ranges]))
