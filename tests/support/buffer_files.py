"""One buffer with a bit of everything: written once by each released schema, and opened by all later code.

``python tests/support/buffer_files.py`` writes ``tests/agent/buffers/schema-<n>.db`` for the schema of this
checkout. Once released, such a file is never written again.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from milepost_agent.buffer.schema import SCHEMA_VERSION
from milepost_protocol.samples import TimeTrust
from support.stores import (
    CLOCK,
    DAY_MS,
    DISK,
    DTC,
    LIMITS,
    ODOMETER,
    SPEED,
    TRIPS,
    Entropy,
    FakeClock,
    commit,
    open_store,
    readings,
)

if TYPE_CHECKING:
    from milepost_agent.buffer.store import BufferStore

FOLDER: Final = Path(__file__).parents[1] / "agent" / "buffers"
STATE: Final = {"odometer": {"total_m": 7}}
AGED: Final = replace(LIMITS, age_ms_max=100 * DAY_MS)


def write(path: Path) -> None:
    """A buffer with an older epoch and a current one; with blocks of all kinds, and gaps of three reasons."""
    entropy = Entropy()
    store = open_store(path, AGED, entropy=entropy)
    commit(store, readings(20, SPEED), readings(10, TRIPS), readings(5, ODOMETER))
    # The series is too old by now, and becomes a gap; the receipt ends inside of it.
    late = CLOCK.later(30 * 86_400)
    commit(store, readings(3, DTC), clock=late)
    store.receive(store.current.epoch, 12)
    store.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    # A schema that nobody knows: the content is taken over, and goes on under a new epoch.
    store = open_store(path, AGED, entropy=entropy)
    _go_on(store, late)
    store.close()


def _go_on(store: BufferStore, late: FakeClock) -> None:
    lost = (("series", 5), ("counter", 2))
    store.commit(readings(3, start=5), STATE, late.read(), DISK, lost)
    unknown = FakeClock(wall_ms=5_000, mono_s=1_000.0, trust=TimeTrust.UNTRUSTED, boot="boot-2")
    store.commit(readings(40, SPEED) + readings(2, DTC, start=3), STATE, unknown.read(), DISK)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "buffer.db"
        write(made)
        FOLDER.mkdir(exist_ok=True)
        shutil.copy(made, FOLDER / f"schema-{SCHEMA_VERSION}.db")
