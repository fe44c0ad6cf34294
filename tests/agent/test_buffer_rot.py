"""Rows of the buffer that rotted into nonsense which SQLite takes: found at the latest when they are read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from milepost_agent.buffer import checks, salvage
from milepost_agent.buffer.files import POSIX, PosixFiles
from milepost_agent.buffer.schema import PAGE_BYTES
from milepost_agent.errors import StoreDamagedError, StoreIoError
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


class Unread(sqlite3.Connection):
    """A file of which the disk refuses a page to the check."""

    verdicts: ClassVar[list[str]] = []

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql.startswith("PRAGMA quick_check") and self.verdicts:
            return super().execute("SELECT ?", (self.verdicts.pop(),))
        return super().execute(sql, parameters)


class UnreadFiles(PosixFiles):
    """A disk with such files."""

    def connect(self, path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, factory=Unread)


REFUSED = [
    "*** in database main ***\nPage 6: unable to get the page. error code=266",
    "*** in database main ***\nTree 2 page 6 cell 0: failed to get page 7",
]


@pytest.mark.parametrize("verdict", REFUSED)
def test_a_page_that_the_disk_refuses_to_the_check_is_no_damage_until_it_is_gone_for_good(
    path: Path, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, entropy, patience = UnreadFiles(), Entropy(), checks.Patience()
    store = open_store(path, entropy=entropy)
    commit(store, readings(100, DTC))
    epoch = store.current.epoch
    store.close()
    for refusals in (checks.UNREAD_MAX - 1, checks.UNREAD_MAX - 1, checks.UNREAD_MAX):
        monkeypatch.setattr(Unread, "verdicts", [verdict] * refusals)
        for _ in range(min(refusals, checks.UNREAD_MAX - 1)):
            with pytest.raises(StoreIoError, match="cannot be read as a whole"):
                open_store(path, entropy=entropy, files=files, patience=patience)
        store = open_store(path, entropy=entropy, files=files, patience=patience)
        is_given_up = refusals == checks.UNREAD_MAX
        assert [stream.epoch for stream in store.streams if stream.waiting] == [epoch]
        assert (store.current.epoch != epoch) == is_given_up
        assert store.facts().corrupt_files == is_given_up
        store.close()


def test_a_page_that_makes_no_sense_is_damage_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(path).close()
    monkeypatch.setattr(Unread, "verdicts", ["Page 6: unable to get the page. error code=11"])
    store = open_store(path, files=UnreadFiles())
    assert store.facts().corrupt_files == 1
    store.close()


def test_an_entry_of_an_index_that_has_rotted_is_salvaged_when_it_is_met(path: Path) -> None:
    entropy = Entropy()
    store = open_store(path, entropy=entropy)
    commit(store, readings(10, DTC))
    epoch = store.current.epoch
    store.close()
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'span_fault'").fetchone()
        (key,) = db.execute("SELECT key FROM span").fetchone()
    content = bytearray(path.read_bytes())
    place = content.rfind(key.to_bytes(8, "big"), 0, root * PAGE_BYTES)
    assert place > (root - 1) * PAGE_BYTES
    content[place + 7] ^= 0x40
    path.write_bytes(content)
    damages = 0
    for store in opened(path, entropy):
        try:
            store.receive(epoch, 10)
        except StoreDamagedError:
            damages += 1
            continue
        assert (damages, store.facts().corrupt_files) == (1, 1)
        store.close()
        break
