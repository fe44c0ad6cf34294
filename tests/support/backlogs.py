"""What an agent stores in days of driving without a link: by default, and fine series beside that."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from milepost_agent import paths
from milepost_agent.edge import Edge
from milepost_agent.readings import Reading
from support.stores import CLOCK, DISK, DTC, all_batches, open_store

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_protocol.signals import Value

DAY_S = 86_400
DRIVEN_S = 5_400
"""An hour and a half of driving a day."""
COMMIT_S = 60
READ_S = 6
FAULT = DTC


class Backlog(NamedTuple):
    """What waits in a buffer: the last seq of its epoch, and all samples by seq."""

    epoch: str
    last: int
    samples: dict[int, tuple[str, Value]]


def driven(path: Path, days: int) -> Backlog:
    """A buffer at ``path`` after ``days`` without a link, fine series and all; in its middle is a fault."""
    store, edge = open_store(path), Edge()
    for day in range(days):
        begin_s = day * DAY_S
        samples: list[Reading] = []
        for second in range(begin_s + READ_S, begin_s + DRIVEN_S + 1, READ_S):
            moved = second * second % 61
            read = ((paths.RPM, 1500.0 + moved), (paths.SPEED, 40.0 + moved), (paths.ODOMETER, 9.0 * second))
            for signal, value in read:
                reading = Reading(signal, value, float(second))
                samples += edge.feed(reading)
                if signal != paths.ODOMETER:
                    samples.append(reading)
            samples += edge.tick(float(second))
            if day == days // 2 and second == begin_s + DRIVEN_S // 2:
                samples.append(Reading(FAULT, "P0301 confirmed", float(second)))
            if second % COMMIT_S == 0:
                store.commit(samples, edge.state(), CLOCK.later(second).read(), DISK)
                samples = []
    epoch, last = store.current.epoch, store.current.next_seq - 1
    batches = all_batches(store, epoch)
    store.close()
    return Backlog(
        epoch, last, {row.seq: (row.signal, row.value) for one in batches for row in one.samples()}
    )
