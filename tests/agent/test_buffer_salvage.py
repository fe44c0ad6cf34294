"""Damaged buffer files: set aside, salvaged, reported; never a crash loop, never a silent delete."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from milepost_agent.buffer import checks, known, salvage, schema
from milepost_agent.buffer.files import POSIX, PosixFiles
from milepost_agent.errors import StoreDamagedError, StoreForeignError, StoreIoError
from milepost_protocol.samples import Gap, GapReason
from support.stores import (
    CLOCK,
    DAY_MS,
    DTC,
    LIMITS,
    SPEED,
    Entropy,
    all_batches,
    commit,
    crash_image,
    open_store,
    readings,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from milepost_agent.buffer.store import BufferStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "buffer.db"


@pytest.fixture
def entropy() -> Entropy:
    return Entropy()


def filled(path: Path, entropy: Entropy) -> str:
    """A closed buffer with 50 commits of 100 fault events, the first 1,000 receipted; its epoch."""
    store = open_store(path, entropy=entropy)
    for start in range(0, 5000, 100):
        commit(store, readings(100, DTC, start=start))
    store.receive(store.current.epoch, 1000)
    store.close()
    return store.current.epoch


def overwrite(path: Path, at: int, count: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * count)


def waiting(store: BufferStore, epoch: str) -> tuple[dict[int, object], list[Gap]]:
    batches = all_batches(store, epoch)
    return (
        {row.seq: row.value for batch in batches for row in batch.samples()},
        [gap for batch in batches for gap in batch.gaps],
    )


def check_whole_account(store: BufferStore, epoch: str, last: int = 5000) -> int:
    """All of an old epoch after its receipt is a right sample or in a gap; the number of samples."""
    samples, gaps = waiting(store, epoch)
    assert all(value == f"P{seq - 1:04d} pending" for seq, value in samples.items())
    assert {gap.reason for gap in gaps} <= {GapReason.CORRUPT}
    told = sorted([*samples, *(seq for gap in gaps for seq in range(gap.first, gap.last + 1))])
    assert told == list(range(1001, last + 1))
    return len(samples)


def test_pages_in_the_middle_cost_their_samples_only(path: Path, entropy: Entropy) -> None:
    old = filled(path, entropy)
    size = path.stat().st_size
    overwrite(path, size // 2 // 4096 * 4096, 2 * 4096)
    store = open_store(path, entropy=entropy)
    assert store.current.epoch != old
    assert [stream.epoch for stream in store.streams] == [old, store.current.epoch]
    assert 1000 < check_whole_account(store, old) < 4000
    assert commit(store, readings(1)) == 1
    assert store.facts().corrupt_files == 1
    store.close()


@pytest.mark.parametrize("seed", range(12))
def test_damage_anywhere_is_survived_and_told(path: Path, entropy: Entropy, seed: int) -> None:
    old = filled(path, entropy)
    pages = path.stat().st_size // 4096
    overwrite(path, 4096 * (seed * pages // 12), 4096)
    store = open_store(path, entropy=entropy)
    if any(stream.epoch == old for stream in store.streams):
        # Where the stream's row is lost, nobody knows how far it went: what is left is told all the same.
        last = next(stream for stream in store.streams if stream.epoch == old).next_seq - 1
        check_whole_account(store, old, last)
    store.close()
    store = open_store(path, entropy=entropy)
    assert store.facts().corrupt_files <= 1
    store.close()


def test_counters_survive_the_salvage(path: Path, entropy: Entropy) -> None:
    store = open_store(path, entropy=entropy)
    store.close()
    filled(path, entropy)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE stream SET state = '{\"odometer\": 7}'")
        db.commit()
    overwrite(path, path.stat().st_size - 3 * 4096, 4096)
    store = open_store(path, entropy=entropy)
    assert len(store.streams) == 2
    assert store.state() == {"odometer": 7}
    store.close()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"\xa5\0garbage" * 1000), id="garbage"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:6000]), id="truncated"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-4096]), id="cut short"),
    ],
)
def test_a_file_that_is_no_buffer_is_kept_and_replaced(
    path: Path, entropy: Entropy, spoil: Callable[[Path], None]
) -> None:
    filled(path, entropy)
    spoil(path)
    spoiled = path.read_bytes()
    store = open_store(path, entropy=entropy)
    assert commit(store, readings(1)) == 1
    (kept,) = salvage.corrupt_files(POSIX, path)
    assert kept.stat().st_size == len(spoiled)
    store.close()


def database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE songs (title TEXT)")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(database, id="database"),
        pytest.param(lambda path: path.write_text("[device]\nid = 'é'\n" * 9000), id="text"),
        pytest.param(lambda path: path.write_text("é" * 40_000 + "x"), id="text cut in a character"),
        pytest.param(lambda path: path.write_text("x" + "é" * 40_000), id="text cut in another"),
    ],
)
def test_a_file_of_somebody_else_is_refused_and_not_touched(
    path: Path, entropy: Entropy, make: Callable[[Path], None]
) -> None:
    make(path)
    content = path.read_bytes()
    with pytest.raises(StoreForeignError, match="name another"):
        open_store(path, entropy=entropy)
    assert path.read_bytes() == content
    assert {file.name for file in path.parent.iterdir()} == {"buffer.db", "buffer.db.lock"}


@pytest.mark.parametrize("byte", [0, 0xFF, 0xA5])
def test_a_buffer_that_a_power_cut_has_blanked_is_never_refused(
    path: Path, entropy: Entropy, byte: int
) -> None:
    path.write_bytes(bytes([byte]) * 65_536)
    store = open_store(path, entropy=entropy)
    assert store.facts().corrupt_files == 1
    store.close()


@pytest.mark.parametrize("page", [7, 8])
def test_a_large_file_is_opened_at_a_glance_and_checked_when_there_is_time(
    path: Path, entropy: Entropy, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(checks, "CHECK_BYTES_AT_OPEN", 8192)
    old = filled(path, entropy)
    overwrite(path, page * 4096, 4096)
    store = open_store(path, entropy=entropy)
    assert not store.is_checked
    assert commit(store, readings(1)) == 5001
    with pytest.raises(StoreDamagedError):
        store.check_all()
    store.close()
    # What is known to be damaged is not opened at a glance again.
    store = open_store(path, entropy=entropy)
    assert [stream.epoch for stream in store.streams] == [old, store.current.epoch]
    assert store.facts().corrupt_files == 1
    samples, gaps = waiting(store, old)
    assert len(samples) + sum(gap.samples for gap in gaps) == 4001
    store.close()
    assert {file.suffix for file in path.parent.iterdir()} == {
        ".db",
        ".lock",
        ".known",
        ".corrupt-1",
    }


def test_a_file_of_a_newer_schema_is_taken_over_as_far_as_it_can_be_read(
    path: Path, entropy: Entropy
) -> None:
    old = filled(path, entropy)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    store = open_store(path, entropy=entropy)
    assert check_whole_account(store, old) == 4000
    store.close()


def test_a_block_that_cannot_be_read_becomes_a_gap_with_its_counts(path: Path, entropy: Entropy) -> None:
    store = open_store(path, entropy=entropy)
    commit(store, readings(10))
    commit(store, readings(7, DTC))
    store.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE span SET payload = zeroblob(60) WHERE key & 255 = 11")
        db.commit()
    store = open_store(path, entropy=entropy)
    samples, gaps = waiting(store, store.current.epoch)
    assert len(samples) == 10
    assert gaps == [Gap(11, 17, GapReason.CORRUPT, (("fault", 7),))]
    assert store.facts().dropped == {"fault": 7}
    store.close()


class Refusing(sqlite3.Connection):
    """A damaged file of which the disk refuses a part, so many times."""

    query: ClassVar[str] = ""
    refusals: ClassVar[int] = 0

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql.startswith(Refusing.query) and Refusing.refusals:
            Refusing.refusals -= 1
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
            raise error
        return super().execute(sql, parameters)


class RefusingFiles(PosixFiles):
    """A disk with such a file."""

    def connect(self, path: Path) -> sqlite3.Connection:
        if path.suffix != ".salvage":
            return super().connect(path)
        return sqlite3.connect(path, isolation_level=None, factory=Refusing)


@pytest.mark.parametrize("query", ["PRAGMA", "SELECT ordinal", "SELECT key, last", "SELECT key FROM"])
@pytest.mark.parametrize("refusals", [1, checks.UNREAD_MAX])
def test_what_the_disk_refuses_to_a_salvage_is_lost_only_when_it_is_gone_for_good(
    path: Path, entropy: Entropy, tmp_path: Path, query: str, refusals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = filled(path, entropy)
    overwrite(path, path.stat().st_size // 2 // 4096 * 4096, 2 * 4096)
    twin = tmp_path / "twin.db"
    twin.write_bytes(path.read_bytes())
    store = open_store(twin, entropy=entropy)
    readable = check_whole_account(store, old)
    store.close()
    monkeypatch.setattr(Refusing, "query", query)
    monkeypatch.setattr(Refusing, "refusals", refusals)
    files, patience = RefusingFiles(), checks.Patience()
    for _ in range(min(refusals, checks.UNREAD_MAX - 1)):
        with pytest.raises(StoreIoError, match="disk I/O error"):
            open_store(path, entropy=entropy, files=files, patience=patience)
    store = open_store(path, entropy=entropy, files=files, patience=patience)
    assert Refusing.refusals == 0
    assert store.facts().corrupt_files == 1
    if refusals == 1:
        assert check_whole_account(store, old) == readable
    store.close()


def test_a_kill_in_the_middle_of_the_salvage_loses_nothing(
    path: Path, entropy: Entropy, tmp_path: Path
) -> None:
    old = filled(path, entropy)
    live = open_store(path, entropy=entropy)
    commit(live, readings(100, DTC, start=5000))
    crashed = crash_image(path, tmp_path / "crash")
    live.close()
    assert crashed.with_name("buffer.db-wal").exists()
    # The kill came after the file was renamed, before its log was.
    crashed.rename(salvage.waiting_name(crashed))
    store = open_store(crashed, entropy=entropy)
    assert check_whole_account(store, old, last=5100) == 4100
    store.close()
    # The kill came when the new file was in place, before the old one had its final name.
    salvage.corrupt_files(POSIX, crashed)[0].rename(salvage.waiting_name(crashed))
    store = open_store(crashed, entropy=entropy)
    assert check_whole_account(store, old, last=5100) == 4100
    assert len(salvage.corrupt_files(POSIX, crashed)) == 1
    store.close()


def test_a_log_without_its_file_is_not_mixed_into_a_new_one(
    path: Path, entropy: Entropy, tmp_path: Path
) -> None:
    live = open_store(path, entropy=entropy)
    commit(live, readings(100, DTC))
    crashed = crash_image(path, tmp_path / "crash")
    live.close()
    crashed.unlink()
    store = open_store(crashed, entropy=entropy)
    assert store.facts().stored_seq == 0
    assert store.current.epoch != live.current.epoch
    assert crashed.with_name("buffer.db.corrupt-1-wal").exists()
    store.close()


def test_only_so_many_damaged_files_are_kept(path: Path, entropy: Entropy) -> None:
    for number in range(7):
        path.write_bytes(b"\xa5spoiled %d" % number)
        open_store(path, entropy=entropy).close()
    kept = [file.read_bytes() for file in salvage.corrupt_files(POSIX, path)]
    assert kept == [b"\xa5spoiled %d" % number for number in (3, 4, 5, 6)]


def test_an_old_epoch_goes_when_its_last_sample_is_receipted(path: Path, entropy: Entropy) -> None:
    old = filled(path, entropy)
    overwrite(path, path.stat().st_size - 3 * 4096, 4096)
    store = open_store(path, entropy=entropy)
    commit(store, readings(5))
    store.receive(old, 5000)
    assert [stream.epoch for stream in store.streams] == [store.current.epoch]
    assert store.facts().waiting == 5
    store.close()


@pytest.mark.parametrize("is_thinned", [False, True])
def test_what_moved_to_a_new_epoch_never_goes_back_under_its_old_name(
    path: Path, entropy: Entropy, is_thinned: bool
) -> None:
    # There its seqs are others' by now: the server would take the samples for resends, and drop them.
    store = open_store(path, replace(LIMITS, age_ms_max=4 * DAY_MS), entropy=entropy)
    for start in (0, 10, 20):
        commit(store, readings(10, DTC, start=start), readings(10, SPEED))
    old = store.current.epoch
    store.receive(old, 20)
    store.renew_epoch()
    if is_thinned:
        commit(store, [], clock=CLOCK.later(2 * DAY_MS / 1000))
        assert store.facts().dropped == {"series": 20}
    store.close()
    known.note(path).unlink()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE stream SET epoch = 'lost'")
    store = open_store(path, entropy=entropy)
    assert old not in {stream.epoch for stream in store.streams}
    values = {
        row.value
        for stream in store.streams
        for batch in all_batches(store, stream.epoch)
        for row in batch.samples()
    }
    assert {f"P{n:04d} pending" for n in range(10, 30)} <= values
    store.close()


def test_what_a_nameless_stream_lost_at_its_beginning_is_told_by_who_knows_how_far_it_went(
    path: Path, entropy: Entropy
) -> None:
    old = filled(path, entropy)
    store = open_store(path, entropy=entropy)
    streams = store.streams
    store.close()
    known.note(path).unlink()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM span WHERE last <= 2000")
        db.execute("UPDATE stream SET epoch = 'lost'")
    store = open_store(path, entropy=entropy)
    assert store.streams[0].receipted == 2000
    store.remember(streams)
    assert check_whole_account(store, old) == 3000
    store.close()
