"""One life of a buffer on a recording disk, and what it holds after each step; a process of its own.

``python recorded_life.py FOLDER STATES KIND SEED``: works on the buffer in FOLDER as SEED and STATES (a
line of JSON for each step of all lives so far) tell it to, and ends without closing it, as by SIGKILL.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from milepost_agent.buffer.policy import WAL_BYTES_MAX, BufferLimits
from milepost_agent.readings import Reading
from support.buffer_files import FOLDER as RELEASED
from support.stores import CLOCK, DISK, DTC, ODOMETER, RPM, TRIPS, all_batches, open_store

if TYPE_CHECKING:
    from milepost_agent.buffer.store import BufferStore

KINDS: Final = ("ordinary", "salvage", "upgrade")
STEPS: Final = 45
CAP: Final = BufferLimits(
    bytes_max=WAL_BYTES_MAX + 12 * 4096, free_bytes_min=0, free_inodes_min=0, age_ms_max=0
)
PAGE_BYTES: Final = 4096


class SeededEntropy:
    """Bytes for the names of epochs, the same in each run."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def __call__(self, count: int) -> bytes:
        return self._random.randbytes(count)


def told(store: BufferStore) -> dict[str, Any]:
    """All that a buffer tells. An epoch in which nothing was ever stored has no name: salvage chose it."""
    streams = []
    for stream in store.streams:
        batches = all_batches(store, stream.epoch, first=stream.receipted + 1)
        samples = {str(row.seq): [row.signal, row.value] for batch in batches for row in batch.samples()}
        gaps = [[gap.first, gap.last, gap.reason.value] for batch in batches for gap in batch.gaps]
        name = stream.epoch if stream.next_seq > 1 else ""
        streams.append([name, stream.receipted, stream.next_seq, samples, _joined(gaps)])
    return {"streams": streams, "counters": store.state()}


def _joined(gaps: list[list[Any]]) -> list[list[Any]]:
    """Neighbours of one reason as one: where a batch ends is not the buffer's doing."""
    joined: list[list[Any]] = []
    for first, last, reason in gaps:
        if joined and joined[-1][1] + 1 == first and joined[-1][2] == reason:
            joined[-1][1] = last
        else:
            joined.append([first, last, reason])
    return joined


class Life:
    """One process: opens the buffer, works on it, and marks each step once the buffer has answered."""

    def __init__(self, folder: Path, states: Path, kind: str, seed: int) -> None:
        self._path = folder / "buffer.db"
        self._states = states.open("a", encoding="utf-8")
        self._done = len(states.read_text(encoding="utf-8").splitlines())
        self._random = Random(f"{kind}-{seed}-{self._done}")
        self._entropy = SeededEntropy(f"{kind}-{seed}-{self._done}")
        self._kind = kind
        self._number = self._done * 1000
        self._mark = ctypes.CDLL(None).faulty_disk_mark
        if kind == "upgrade" and not self._done:
            self._take_released()
        self._store = self._open()
        self.step("open")

    def _take_released(self) -> None:
        """Put a buffer of an older release there, whole or not at all: the cuts are to hit its upgrade."""
        aside = self._path.with_name("released.db")
        with aside.open("wb") as file:
            file.write((RELEASED / "schema-1.db").read_bytes())
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _open(self) -> BufferStore:
        return open_store(self._path, CAP, entropy=self._entropy)

    def step(self, what: str, *, is_durable: bool = True) -> None:
        """The buffer has answered: what it holds now survives, if ``is_durable``."""
        state = {"what": what, "is_durable": is_durable, **told(self._store)}
        self._states.write(f"{json.dumps(state)}\n")
        self._states.flush()
        self._mark(str(self._done).encode())
        self._done += 1

    def work(self) -> None:
        """Everything that a buffer does."""
        for step in range(STEPS):
            if self._kind == "salvage" and step == STEPS // 2:
                self._damage()
                continue
            ways = [self._commit] * 10 + [self._receive] * 3 + [self._reopen, self._renew, self._rewind]
            self._random.choice(ways)()

    def _commit(self) -> None:
        number = self._random.randrange
        rows = [self._row(DTC, f"P{number(9999):04d} pending") for _ in range(number(2))]
        rows += [self._row(ODOMETER) for _ in range(number(12))]
        rows += [self._row(TRIPS) for _ in range(number(4))]
        rows += [self._row(RPM) for _ in range(number(500))]
        self._store.commit(rows, {"rows": self._number}, CLOCK.read(), DISK)
        self.step("commit")

    def _row(self, signal: str, text: str = "") -> Reading:
        self._number += 1
        return Reading(signal, text or float(self._random.randrange(20_000)), CLOCK.mono_s)

    def _receive(self) -> None:
        stream = self._store.streams[0]
        self._store.receive(stream.epoch, self._random.randint(stream.receipted, stream.next_seq - 1))
        self.step("receive", is_durable=False)

    def _rewind(self) -> None:
        stream = self._store.current
        self._store.rewind(stream.epoch, stream.receipted * 3 // 4)
        self.step("rewind", is_durable=False)

    def _renew(self) -> None:
        self._store.renew_epoch()
        self.step("renew")

    def _reopen(self) -> None:
        self._store.close()
        self._store = self._open()
        # What was closed was written back, receipts and all.
        self.step("reopen")

    def _damage(self) -> None:
        """A page in the middle rots; the next opening salvages what is left."""
        self._store.close()
        pages = self._path.stat().st_size // PAGE_BYTES
        file = os.open(self._path, os.O_RDWR)
        os.pwrite(file, b"\xa5" * PAGE_BYTES, self._random.randrange(pages // 3, pages) * PAGE_BYTES)
        os.fsync(file)
        os.close(file)
        self._store = self._open()
        self.step("salvage")


if __name__ == "__main__":
    folder, states, kind, seed = sys.argv[1:]
    Life(Path(folder), Path(states), kind, int(seed)).work()
    os._exit(0)
