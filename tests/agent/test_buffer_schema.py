"""Schemas of the buffer file: files of every released one are opened by this code, and lose nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from milepost_agent.buffer import schema, steps
from milepost_agent.buffer.files import POSIX, PosixFiles
from milepost_agent.buffer.salvage import corrupt_files
from milepost_agent.errors import StoreFullError
from milepost_protocol.samples import GapReason
from milepost_protocol.signals import SignalClass
from support.buffer_files import FOLDER, STATE, write
from support.stores import DTC, ODOMETER, SPEED, TRIPS, Entropy, all_batches, commit, open_store, readings

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = range(1, schema.SCHEMA_VERSION + 1)


def tables(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
        ).fetchall()


@pytest.fixture(params=VERSIONS)
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a file that a released schema has written."""
    path = tmp_path / "buffer.db"
    shutil.copy(FOLDER / f"schema-{request.param}.db", path)
    return path


def test_a_file_of_each_released_schema_keeps_all_that_it_holds(released: Path) -> None:
    store = open_store(released, entropy=Entropy())
    assert corrupt_files(POSIX, released) == []
    older, current = store.streams
    assert (older.next_seq, older.receipted) == (39, 12)
    assert (current.next_seq, current.receipted) == (53, 0)
    assert store.state() == STATE
    (first,), (second,) = all_batches(store, older.epoch), all_batches(store, current.epoch)
    assert [(gap.first, gap.last, gap.reason, gap.counts) for gap in (*first.gaps, *second.gaps)] == [
        (1, 20, GapReason.AGE, (("series", 20),)),
        (1, 7, GapReason.DISK_FULL, (("series", 5), ("counter", 2))),
    ]
    assert [(row.signal, row.value) for row in first.samples()] == [
        *((TRIPS, n) for n in range(10)),
        *((ODOMETER, n) for n in range(5)),
        *((DTC, f"P{n:04d} pending") for n in range(3)),
    ]
    assert [(row.signal, row.value) for row in second.samples()] == [
        *((ODOMETER, n) for n in range(5, 8)),
        *((SPEED, n) for n in range(40)),
        *((DTC, f"P{n:04d} pending") for n in range(3, 5)),
    ]
    assert store.facts().waiting_gap_samples == 27
    assert store.ranges_with(older.epoch, SignalClass.FAULT, 0, 10) == [(36, 38)]
    assert store.ranges_with(current.epoch, SignalClass.FAULT, 0, 10) == [(11, 52)]
    assert store.ranges_with(current.epoch, SignalClass.ODOMETER, 0, 10) == [(8, 10)]
    assert commit(store, readings(1)) == 53
    store.close()


def test_an_old_file_ends_with_the_tables_of_a_new_one(released: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh" / "buffer.db"
    for path in (released, fresh):
        open_store(path).close()
    assert tables(released) == tables(fresh)


def test_the_tables_of_a_schema_do_not_change_once_it_has_a_number(tmp_path: Path) -> None:
    """Where the schema was changed: give it a new number, a step, and a file (support/buffer_files.py)."""
    path = tmp_path / "buffer.db"
    write(path)
    assert tables(path) == tables(FOLDER / f"schema-{schema.SCHEMA_VERSION}.db")
    assert [step.version for step in steps.STEPS] == list(VERSIONS)[:-1]


class FullAtStep(PosixFiles):
    """A disk that is full when a step wants its pages."""

    def connect(self, path: Path) -> sqlite3.Connection:
        db = super().connect(path)
        if path.name == "buffer.db":
            db.execute(f"PRAGMA max_page_count = {path.stat().st_size // 4096}")
        return db


def test_a_step_that_the_disk_refuses_leaves_the_old_schema_whole(tmp_path: Path) -> None:
    path = tmp_path / "buffer.db"
    shutil.copy(FOLDER / "schema-1.db", path)
    before = tables(path)
    with pytest.raises(StoreFullError):
        open_store(path, files=FullAtStep())
    assert tables(path) == before
    store = open_store(path)
    assert (store.facts().waiting, store.facts().corrupt_files) == (26 + 52, 0)
    store.close()
