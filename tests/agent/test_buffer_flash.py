"""What the default configuration writes to flash: a small partition has to last as long as the car."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from milepost_agent import paths
from milepost_agent.edge import Edge
from milepost_agent.readings import Reading
from milepost_agent.settings import settings
from support.stores import CLOCK, DISK, open_store

if TYPE_CHECKING:
    from milepost_agent.buffer.store import BufferStore

IO_FACTS = Path("/proc/self/io")
PARTITION_BYTES = 256 * 1024 * 1024
ERASE_CYCLES = 3_000
LIFE_DAYS = 15 * 365
FLASH_BYTES_A_DAY = PARTITION_BYTES * ERASE_CYCLES / LIFE_DAYS
JOURNAL_BYTES = 3 * 4096
"""What a file system that keeps a journal adds to each fsync: descriptor, inode, commit record."""
HOUR_S = 3_600


@pytest.mark.skipif(not IO_FACTS.exists(), reason="only Linux counts what a process writes")
def test_a_car_that_never_stops_stays_within_half_of_what_flash_bears(tmp_path: Path) -> None:
    (interval_s,) = (setting.default for setting in settings() if setting.key == "buffer.commit_interval_s")
    store = open_store(tmp_path / "buffer.db")
    before = written_bytes()
    commits = drive_an_hour(store, round(interval_s))
    hour_bytes = written_bytes() - before + commits * JOURNAL_BYTES
    store.close()
    assert commits == HOUR_S // round(interval_s), "counters move all the time: each interval is a commit"
    assert hour_bytes * 24 < FLASH_BYTES_A_DAY / 2


def drive_an_hour(store: BufferStore, interval_s: int) -> int:
    """At 72 km/h, one reading of each kind a second, a receipt after each commit; how many commits."""
    edge, samples, commits = Edge(), [], 0
    for second in range(1, HOUR_S + 1):
        for signal, value in ((paths.RPM, 2000.0), (paths.SPEED, 72.0), (paths.VOLTAGE, 14.2)):
            samples += edge.feed(Reading(signal, value, float(second)))
        samples += edge.tick(float(second))
        if second % interval_s == 0:
            store.commit(samples, edge.state(), CLOCK.later(second).read(), DISK)
            store.receive(store.current.epoch, store.current.next_seq - 1)
            samples, commits = [], commits + 1
    return commits


def written_bytes() -> int:
    """What this process has given to write calls so far."""
    facts = dict(line.split(": ") for line in IO_FACTS.read_text().splitlines())
    return int(facts["wchar"])
