"""One commit, tried until it succeeds, and never stored twice.

After an I/O error nobody knows whether the disk has it nevertheless. The seqs that it was to get tell, once
the store is open again: also in the old epoch of a file that had to be salvaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from milepost_agent.buffer.blocks import numbering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_agent.buffer.blocks import Counts
    from milepost_agent.buffer.policy import DiskFacts
    from milepost_agent.buffer.store import BufferStore
    from milepost_agent.buffer.streams import Stream
    from milepost_agent.clock import ClockReading
    from milepost_agent.readings import Reading


@dataclass(slots=True)
class Attempt:
    """Readings, what was lost before them, and the edge's counters, on their way into the store."""

    readings: Sequence[Reading]
    lost: Counts
    state: Mapping[str, Any]
    is_done: bool = False
    _before: Stream | None = None
    _is_graded: bool = False

    def commit(self, store: BufferStore, now: ClockReading, disk: DiskFacts) -> None:
        """Store it, if that has not succeeded already.

        Raises:
            StoreError: see ``BufferStore.commit``.
        """
        self.settle(store)  # one that was held open after an error may have it, too
        if self.is_done:
            return
        self._is_graded = store.is_filling()
        self._before = store.current
        store.commit(self.readings, self.state, now, disk, self.lost, is_graded=self._is_graded)
        self.is_done = True

    def settle(self, store: BufferStore) -> None:
        """After an error, and after ``store`` was opened again: find out what it holds of the commit.

        Raises:
            StoreError: it cannot be read; settle once it is open again.
        """
        if self._before is None or self.is_done:
            return
        lost = sum(count for _, count in self.lost)
        held = store.holds(self._before.epoch, self._before.next_seq, lost + len(self.readings))
        if not any(held):
            return
        # It reached the disk, as a whole; what was salvaged of it may be less.
        ordered = numbering(self.readings, is_graded=self._is_graded)
        self.readings = [row for row, is_held in zip(ordered, held[lost:], strict=True) if not is_held]
        self.lost = ()
        self.is_done = not self.readings
        self._before = None
