"""The recorder: what waits in memory, what a refusing disk does to it, and that nothing is stored twice."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import sqlite3
import time
from contextlib import closing
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from milepost_agent.buffer import checks
from milepost_agent.buffer.files import POSIX, PosixFiles
from milepost_agent.buffer.policy import DiskFacts
from milepost_agent.buffer.recorder import URGENT_MAX, URGENT_S, Recorder, RecorderLimits, Surroundings
from milepost_agent.buffer.salvage import corrupt_files
from milepost_agent.buffer.store import BufferStore
from milepost_agent.errors import StoreIoError, StoreLockedError
from milepost_agent.readings import Reading
from milepost_protocol.samples import GapReason
from support.stores import (
    CLOCK,
    DISK,
    DTC,
    LIMITS,
    ODOMETER,
    SPEED,
    Entropy,
    all_batches,
    crash_image,
    open_store,
    readings,
)
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from milepost_agent.buffer.files import Identity
    from milepost_protocol.batch import Batch

QUICK = RecorderLimits(commit_interval_s=0.02, commit_samples_max=100, memory_samples_max=300)
LARGE = RecorderLimits(commit_interval_s=0.02, commit_samples_max=4_096, memory_samples_max=10_000)
SLOW = RecorderLimits(commit_interval_s=3_600.0, commit_samples_max=100, memory_samples_max=300)
STATE = "Vehicle.Milepost.Power.State"
FULL = DiskFacts(free_bytes=0, free_inodes=None)


class Desk:
    """A recorder over a real store, with a disk and counters that the test sets."""

    def __init__(
        self,
        path: Path,
        open_: Callable[[Path], BufferStore] | None = None,
        limits: RecorderLimits | None = None,
    ) -> None:
        self.entropy = Entropy()
        self.disk = DISK
        self.state: dict[str, Any] = {}
        opener = open_ or (lambda path: open_store(path, entropy=self.entropy))
        around = Surroundings(lambda: dict(self.state), CLOCK.read, lambda: self.disk)
        self.recorder = Recorder(lambda: opener(path), around, limits or QUICK)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Recorder]:
        task = asyncio.create_task(self.recorder.run())
        try:
            yield self.recorder
        finally:
            task.cancel()
            await asyncio.wait([task])
            await self.recorder.finish()


def stored(path: Path) -> list[Batch]:
    store = open_store(path)
    try:
        return all_batches(store, store.current.epoch)
    finally:
        store.close()


def refusing_slowly(path: Path) -> BufferStore:
    time.sleep(0.1)  # in the thread of the store
    raise StoreIoError(str(path), "the disk refuses")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "buffer.db"


async def test_the_interval_and_the_number_both_lead_to_a_commit(path: Path) -> None:
    desk = Desk(path)
    async with desk.running() as recorder:
        recorder.add(readings(3))
        await until(lambda: not recorder.pending, "the commit")
        assert (recorder.commits, (await recorder.ask(lambda store: store.facts())).stored_seq) == (1, 3)
        recorder.add(readings(250))
        await until(lambda: not recorder.pending, "the commits")
        assert recorder.commits == 4


async def test_counters_are_saved_when_they_change_also_without_samples(path: Path) -> None:
    desk = Desk(path)
    async with desk.running() as recorder:
        desk.state["total_m"] = 7
        await until(lambda: recorder.commits, "the commit")
        assert await recorder.ask(lambda store: store.state()) == {"total_m": 7}
        await asyncio.sleep(5 * QUICK.commit_interval_s)
        assert recorder.commits == 1


async def test_readings_that_the_catalogue_refuses_are_counted_and_harm_nobody(path: Path) -> None:
    desk = Desk(path)
    async with desk.running() as recorder:
        recorder.add([Reading("Vehicle.NoSuchThing", 1.0, 0.0), *readings(2), Reading(SPEED, 1e9, 0.0)])
        await until(lambda: recorder.commits, "the commit")
    assert dict(recorder.refused) == {"unknown-signal": 1, "value": 1}
    assert "Vehicle.Speed" in recorder.last_refusal
    assert [row.value for batch in stored(path) for row in batch.samples()] == [0, 1]


async def test_a_disk_that_comes_back_is_told_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    desk = Desk(path)
    async with desk.running() as recorder:
        desk.disk = FULL
        recorder.add(readings(5))
        await until(lambda: recorder.last_error, "the refusal")
        desk.disk = DISK
        for _ in range(2):
            recorder.add(readings(5))
            await until(lambda: recorder.commits and not recorder.pending, "a commit")
    said = [record.message for record in caplog.records if record.name.startswith("milepost_agent")]
    assert len(said) == 2
    assert "must stay free" in said[0]
    assert "takes samples again" in said[1]


async def test_a_full_disk_is_outlived_in_memory_and_what_found_no_room_is_told(path: Path) -> None:
    desk = Desk(path)
    async with desk.running() as recorder:
        recorder.add(readings(5))
        await until(lambda: recorder.commits, "the first commit")
        desk.disk = FULL
        recorder.add(readings(90, start=5))
        await until(lambda: recorder.last_error, "the refusal")
        assert "must stay free" in recorder.last_error
        recorder.add(readings(400, SPEED))
        recorder.add(readings(10, DTC))
        assert (await recorder.ask(lambda store: store.facts())).stored_seq == 5
        desk.disk = DISK
        await until(lambda: not recorder.pending, "the commits")
        assert recorder.last_error == ""
    batches = stored(path)
    gaps = [gap for batch in batches for gap in batch.gaps]
    assert {(gap.reason, gap.counts) for gap in gaps} == {(GapReason.DISK_FULL, (("series", 110),))}
    rows = [(row.signal, row.value) for batch in batches for row in batch.samples()]
    assert [value for signal, value in rows if signal == ODOMETER] == list(range(95))
    assert [value for signal, value in rows if signal == SPEED] == list(range(110, 400))
    assert sum(signal == DTC for signal, _ in rows) == 10


class TreacherousStore(BufferStore):
    """Its disk fails: after a commit reached it (``after``), or before."""

    failures = 0
    after = True

    def commit(self, *args: Any, **kwargs: Any) -> int:
        cls = type(self)
        failing, cls.failures = cls.failures > 0, max(0, cls.failures - 1)
        if failing and not cls.after:
            raise StoreIoError("buffer.db", "EIO")
        last = super().commit(*args, **kwargs)
        if failing:
            raise StoreIoError("buffer.db", "EIO")
        return last


@pytest.mark.parametrize("after", [True, False])
async def test_after_an_io_error_the_store_is_opened_again_and_nothing_is_stored_twice(
    path: Path, after: bool
) -> None:
    entropy = Entropy()
    TreacherousStore.after = after
    desk = Desk(path, lambda path: TreacherousStore.open(path, "gw-000017", LIMITS, entropy, DISK))
    async with desk.running() as recorder:
        for start in range(0, 500, 50):
            TreacherousStore.failures = 2 if start % 100 else 0
            recorder.add(readings(50, start=start))
            await until(lambda: not recorder.pending, "the commit")
    assert [row.value for batch in stored(path) for row in batch.samples()] == list(range(500))


class SpoiltStore(BufferStore):
    """Each third commit reaches the disk, says that it did not, and leaves a file that must be salvaged."""

    commits = 0
    damage = ""

    def commit(self, *args: Any, **kwargs: Any) -> int:
        last = super().commit(*args, **kwargs)
        cls = type(self)
        cls.commits += 1
        if cls.commits % 3 == 2:
            self._db.execute(cls.damage)
            self._db.execute("PRAGMA user_version = 99")
            raise StoreIoError("buffer.db", "EIO")
        return last


@pytest.mark.parametrize(
    "damage", ["SELECT 1", "UPDATE span SET payload = x'00' WHERE (key & 0xFFFF) % 500 = 1"]
)
async def test_what_a_salvaged_file_has_of_a_failed_commit_is_not_stored_again(
    path: Path, damage: str
) -> None:
    entropy, random = Entropy(), Random(1)
    SpoiltStore.commits, SpoiltStore.damage = 0, damage
    desk = Desk(path, lambda path: SpoiltStore.open(path, "gw-000017", LIMITS, entropy, DISK), LARGE)
    texts = [f"{random.randbytes(100).hex()} {n}" for n in range(4_000)]
    async with desk.running() as recorder:
        for start in range(0, 4_000, 500):
            recorder.add(Reading(STATE, text, 0.0) for text in texts[start : start + 500])
            await until(lambda: not recorder.pending, "the commit")
        assert recorder.stored == 4_000
    store = open_store(path)
    batches = [batch for stream in store.streams for batch in all_batches(store, stream.epoch)]
    store.close()
    values = [row.value for batch in batches for row in batch.samples()]
    lost = sum(gap.samples for batch in batches for gap in batch.gaps)
    assert len(store.streams) > 2
    # What was lost of a commit that succeeded stays lost, and is told; of one that failed nothing is.
    assert len(set(values)) == len(values)
    assert len(values) == 4_000 if damage == "SELECT 1" else 4_000 - lost < len(values) < 4_000


async def test_what_a_rotten_log_loses_is_told_and_its_seqs_are_not_given_out_again(
    path: Path, tmp_path: Path
) -> None:
    places, entropy = [path], Entropy()

    def fail(store: BufferStore) -> None:
        raise StoreIoError(str(places[0]), "EIO")

    desk = Desk(path, lambda _: open_store(places[0], entropy=entropy))
    async with desk.running() as recorder:
        for start in range(0, 600, 100):
            recorder.add(readings(100, start=start))
            await until(lambda: not recorder.pending, "the commit")
        places[0] = crash_image(path, tmp_path / "rotten")
        log = places[0].with_name("buffer.db-wal")
        content = bytearray(log.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 4096] = bytes(4096)
        log.write_bytes(content)
        with pytest.raises(StoreIoError):
            await recorder.ask(fail)
        recorder.add(readings(100, start=600))
        await until(lambda: not recorder.pending, "the commit")
    batches = stored(places[0])
    values = {row.seq: row.value for batch in batches for row in batch.samples()}
    lost = [seq for batch in batches for gap in batch.gaps for seq in range(gap.first, gap.last + 1)]
    assert {gap.reason for batch in batches for gap in batch.gaps} == {GapReason.CORRUPT}
    assert sorted([*values, *lost]) == list(range(1, 701))
    assert all(value == seq - 1 for seq, value in values.items())
    assert 100 < len(values) < 700


async def test_faults_and_the_first_sample_do_not_wait_for_the_interval(path: Path) -> None:
    desk = Desk(path, limits=SLOW)
    async with desk.running() as recorder:
        recorder.add(readings(1))
        await until(lambda: recorder.stored == 1, "the first sample")
        recorder.add(readings(1))
        recorder.add(readings(1, DTC))
        await until(lambda: recorder.stored == 3, "the fault")
        recorder.refresh()
        recorder.add(readings(1))
        await until(lambda: recorder.stored == 4, "the first sample after a wake-up")
        recorder.add(readings(1))
        recorder.flush_soon()
        await until(lambda: recorder.stored == 5, "what somebody asked for")
        recorder.add(readings(1))
        await asyncio.sleep(0.05)
        assert (recorder.stored, recorder.commits) == (5, 4)


async def test_a_fault_that_comes_and_goes_is_no_commit_each_time_and_holds_up_nobody(path: Path) -> None:
    desk = Desk(path, limits=SLOW)
    async with desk.running() as recorder:
        recorder.add(readings(1))
        await until(lambda: recorder.commits == 1, "the first sample")
        for fault in range(URGENT_MAX):
            recorder.add(readings(1, DTC))
            await until(lambda fault=fault: recorder.commits == 2 + fault, "a commit for the fault")
        for _ in range(5):
            recorder.add(readings(1, DTC))
            await asyncio.sleep(0.01)
        assert recorder.commits == 1 + URGENT_MAX
        async with asyncio.timeout(URGENT_S / 2):
            await recorder.until_stored()
        assert recorder.stored == 1 + URGENT_MAX + 5


async def test_who_waits_for_a_commit_while_another_fails_is_answered(path: Path) -> None:
    desk = Desk(path, open_=refusing_slowly, limits=SLOW)
    async with desk.running() as recorder:
        first = asyncio.ensure_future(recorder.until_stored())
        recorder.add(readings(1))
        await asyncio.sleep(0.02)
        second = asyncio.ensure_future(recorder.until_stored())
        async with asyncio.timeout(SLOW.commit_interval_s / 100):
            for waiting in (first, second):
                with pytest.raises(StoreIoError):
                    await waiting


async def test_a_stretched_interval_makes_commits_rare(path: Path) -> None:
    looks = 0

    def stretch() -> float:
        nonlocal looks
        looks += 1
        return 5.0

    desk = Desk(path)
    desk.recorder = Recorder(
        lambda: open_store(path), Surroundings(dict, CLOCK.read, lambda: DISK, stretch), QUICK
    )
    async with desk.running() as recorder:
        recorder.add(readings(1))
        await until(lambda: recorder.stored == 1, "the first sample")
        looks = 0
        recorder.add(readings(1))
        await until(lambda: recorder.stored == 2, "the commit")
        assert looks >= 5


async def test_a_file_that_was_opened_at_a_glance_is_checked_after_the_first_commit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(path)
    for start in range(0, 3_000, 100):
        store.commit(readings(100, DTC, start=start), {}, CLOCK.read(), DISK)
    store.close()
    monkeypatch.setattr(checks, "CHECK_BYTES_AT_OPEN", 4096)
    with closing(sqlite3.connect(path)) as db, db:
        # A hole in the middle, which nobody would ever fill.
        db.execute("DELETE FROM span WHERE key & 0xFFFF = 1001")
    desk = Desk(path)
    async with desk.running() as recorder:
        recorder.add(readings(1))
        await until(lambda: recorder.stored == 1, "the commit")
        await until(lambda: corrupt_files(POSIX, path) or recorder.add(readings(1)), "the salvage")
        await until(lambda: not recorder.pending, "the commits")
    store = open_store(path)
    (old, _) = store.streams
    gaps = [gap for batch in all_batches(store, old.epoch) for gap in batch.gaps]
    assert [(gap.first, gap.last, gap.reason) for gap in gaps] == [(1001, 1100, GapReason.CORRUPT)]
    store.close()


async def test_a_stop_in_the_middle_of_a_commit_loses_and_doubles_nothing(path: Path) -> None:
    for start in range(0, 400, 40):
        desk = Desk(path)
        async with desk.running() as recorder:
            recorder.add(readings(40, start=start))
            # Sometimes before the commit, sometimes while it runs in its thread, sometimes after it.
            await asyncio.sleep(QUICK.commit_interval_s * start / 250)
    assert [row.value for batch in stored(path) for row in batch.samples()] == list(range(400))


async def test_a_stop_commits_all_that_waits_not_one_commit_of_it(path: Path) -> None:
    desk = Desk(path, limits=SLOW)
    desk.recorder.add(readings(250))
    await desk.recorder.finish()
    assert desk.recorder.pending == 0
    assert [row.value for batch in stored(path) for row in batch.samples()] == list(range(250))


async def test_a_buffer_in_use_is_told_to_who_asks(path: Path) -> None:
    other = open_store(path)
    desk = Desk(path)
    with pytest.raises(StoreLockedError):
        await desk.recorder.ask(lambda store: store.facts())
    other.close()
    assert (await desk.recorder.ask(lambda store: store.facts())).stored_seq == 0
    await desk.recorder.finish()


async def test_who_stops_before_the_first_sample_leaves_the_saved_counters_alone(tmp_path: Path) -> None:
    before, after = Desk(tmp_path / "buffer.db"), Desk(tmp_path / "buffer.db")
    before.state = {"revolutions": 5_000_000}
    async with before.running() as recorder:
        recorder.add(readings(1))
    after.state = {"revolutions": 0}
    await after.recorder.finish()
    store = open_store(tmp_path / "buffer.db")
    assert store.state() == {"revolutions": 5_000_000}
    store.close()


class Unseen(PosixFiles):
    """A disk on which nobody can look for a file while it is ``dark``."""

    dark = False

    def identity(self, path: Path) -> Identity | None:
        if self.dark:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return super().identity(path)


async def test_a_store_that_was_held_open_for_nothing_is_opened_again_before_the_next_commit(
    path: Path,
) -> None:
    files, openings = Unseen(), 0

    def opened(path: Path) -> BufferStore:
        nonlocal openings
        openings += 1
        return open_store(path, files=files)

    desk = Desk(path, opened, SLOW)
    async with desk.running() as recorder:
        recorder.add(readings(10, DTC))
        await recorder.until_stored()
        files.dark = True
        recorder.add(readings(10, DTC, start=10))
        with pytest.raises(StoreIoError):
            await recorder.until_stored()
        assert await recorder.ask(lambda store: store.facts().stored_seq) == 10
        assert openings == 1
        files.dark = False
    assert (openings, recorder.pending) == (2, 0)
    values = [row.value for batch in stored(path) for row in batch.samples()]
    assert values == [f"P{n:04d} pending" for n in range(20)]
