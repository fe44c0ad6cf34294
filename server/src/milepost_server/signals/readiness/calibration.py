"""Whether probabilities come true: tables by bins of what was expected, with Wilson's intervals.

Wilson 1927, "Probable inference, the law of succession, and statistical inference".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Floats, Ints

Z95 = 1.959963984540054
BINS = 10


@dataclass(frozen=True, slots=True)
class Reliability:
    """A table of B bins of rows, by rising probability."""

    rows: Ints  # (B)
    expected: Floats  # (B) mean probability
    observed: Floats  # (B) share of rows with the event
    low: Floats  # (B) Wilson interval, 95 %, of ``observed``
    high: Floats

    def __len__(self) -> int:
        return len(self.rows)


def wilson(events: Floats, rows: Floats, z: float = Z95) -> tuple[Floats, Floats]:
    """The interval of a share of ``events`` among ``rows``; 0 to 1 where there are no rows."""
    known = np.maximum(rows, 1.0)
    share = events / known
    middle = (share + z**2 / (2 * known)) / (1 + z**2 / known)
    half = z / (1 + z**2 / known) * np.sqrt(share * (1 - share) / known + z**2 / (4 * known**2))
    none = rows <= 0
    low = np.where(none | (events <= 0), 0.0, np.maximum(middle - half, 0.0))
    return low, np.where(none | (events >= rows), 1.0, np.minimum(middle + half, 1.0))


def reliability(probability: Floats, event: Floats, bins: int = BINS) -> Reliability:
    """Expected against observed of N rows, in at most ``bins`` bins that expect equally many events each.

    Equally many rows a bin would put nearly all events of a rare kind into the last one. Rows of one
    probability stay together.
    """
    order = np.argsort(probability, kind="stable")
    rising, happened = probability[order], event[order]
    reached = np.cumsum(rising)
    total = reached[-1] if len(reached) else 0.0
    wanted = np.searchsorted(reached, np.arange(1, bins) * total / bins)
    cuts = (
        np.unique(np.searchsorted(rising, rising[wanted], side="left")) if len(rising) else np.zeros(0, int)
    )
    starts = np.unique(np.concatenate([[0], cuts])).astype(np.int64)[: max(len(rising), 0)]
    rows = np.diff(np.append(starts, len(rising)))
    expected, events = np.add.reduceat(rising, starts) / rows, np.add.reduceat(happened, starts)
    low, high = wilson(events, rows.astype(np.float64))
    return Reliability(rows, expected, events / rows, low, high)
