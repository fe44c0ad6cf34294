"""What waits in memory for a commit."""

from __future__ import annotations

from milepost_agent.buffer.pending import Pending
from support.stores import DTC, ODOMETER, SPEED, TRIPS, readings


def test_memory_gives_way_by_value() -> None:
    pending = Pending(10)
    for reading in [*readings(4, SPEED), *readings(4, DTC), *readings(4, TRIPS), *readings(4, ODOMETER)]:
        pending.add(reading)
    assert len(pending) == 10
    assert pending.lost == (("series", 4), ("counter", 2))
    taken, lost = pending.take(100)
    assert [reading.signal for reading in taken] == [DTC] * 4 + [ODOMETER] * 4 + [TRIPS] * 2
    assert [reading.value for reading in taken[-2:]] == [2.0, 3.0]
    assert lost == (("series", 4), ("counter", 2))
    assert (len(pending), pending.lost) == (0, ())
