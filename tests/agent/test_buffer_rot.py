"""Rows of the buffer that rotted into nonsense which SQLite takes: found at the latest when they are read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from milepost_agent.buffer import checks, salvage
from milepost_agent.buffer.files import POSIX
from milepost_agent.errors import StoreDamagedError
from milepost_protocol.signals import SignalClass
from support.stores import CLOCK, DTC, LIMITS, Entropy, all_batches, commit, open_store, readings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from milepost_agent.buffer.store import BufferStore

OPENINGS_MAX = 3
AGED = replace(LIMITS, age_ms_max=1)
ROT = [
    "UPDATE stream SET state = '[1'",
    "UPDATE stream SET state = '[1]'",
    "UPDATE stream SET state = CAST(x'7b22ff223a317d' AS TEXT)",
    "UPDATE stream SET epoch = 'no such epoch at'",
    "UPDATE stream SET device = 'no device'",
    "UPDATE stream SET receipted = next_seq",
    "UPDATE stream SET receipted = receipted + 0.5",
    "UPDATE span SET counts = 'fault 100'",
    "UPDATE span SET counts = CAST(x'7b22ff223a3130307d' AS TEXT)",
    "UPDATE span SET counts = '{\"fault\":99}'",
    'UPDATE span SET counts = \'{"fault":"100"}\'',
    "UPDATE span SET counts = '{\"fault\":100.0}'",
    'UPDATE span SET counts = \'{"fault":101,"odometer":-1}\'',
    "UPDATE span SET last = 'far' WHERE key = (SELECT max(key) FROM span)",
    "UPDATE span SET last = last + 0.5",
    "UPDATE span SET reason = 'mislaid', payload = NULL WHERE key % 2",
    "UPDATE span SET reason = 'age'",
    "UPDATE span SET reason = x'ff'",
    "UPDATE span SET stored_ms = 'never'",
    "UPDATE span SET boot = 7",
    "UPDATE span SET boot = x'ff'",
    "UPDATE span SET offset_ms = 'late'",
    "UPDATE span SET offset_ms = 0.5",
    "UPDATE span SET payload = 'text'",
    "UPDATE span SET payload = 5",
    "UPDATE span SET payload = NULL",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "buffer.db"


def opened(path: Path, entropy: Entropy) -> Iterator[BufferStore]:
    """The buffer, again and again, as the recorder opens it after an error."""
    for _ in range(OPENINGS_MAX):
        store = open_store(path, AGED, entropy=entropy)
        yield store
        store.close()
    raise AssertionError("it is never salvaged")


def use(store: BufferStore) -> None:
    """All that an agent does with a buffer."""
    assert store.state() in (None, {}, {"\ufffd": 1})
    for stream in store.streams:
        store.ranges_with(stream.epoch, SignalClass.FAULT, 0, 10)
        all_batches(store, stream.epoch)
        store.holds(stream.epoch, 1, 100)
    store.facts()
    commit(store, readings(10, DTC), clock=CLOCK.later(1))
    store.check_all()


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("rot", ROT)
def test_rows_that_make_no_sense_are_salvaged_instead_of_raising_for_ever(
    path: Path, rot: str, is_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    entropy = Entropy()
    store = open_store(path, entropy=entropy)
    for start in range(0, 1000, 100):
        commit(store, readings(100, DTC, start=start))
    store.receive(store.current.epoch, 200)
    store.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(rot)
    if is_large:
        monkeypatch.setattr(checks, "CHECK_BYTES_AT_OPEN", 0)
    for store in opened(path, entropy):
        try:
            use(store)
        except StoreDamagedError:
            continue
        assert len(salvage.corrupt_files(POSIX, path)) <= 1
        store.close()
        break
