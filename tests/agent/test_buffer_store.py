"""The buffer: what is stored stays, each seq is a sample or a gap, only receipts delete."""

from __future__ import annotations

import errno
import random
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from milepost_agent.buffer.cutting import Size
from milepost_agent.buffer.files import COPY_BYTES, POSIX, PosixFiles
from milepost_agent.buffer.policy import DiskFacts
from milepost_agent.buffer.spans import GAP_RUN_MAX
from milepost_agent.buffer.store import BufferStore
from milepost_agent.errors import StoreDeviceError, StoreFullError, StoreIoError, StoreLockedError
from milepost_agent.readings import Reading
from milepost_protocol.codec import decode_batch
from milepost_protocol.errors import UnknownSignalError
from milepost_protocol.samples import Gap, GapReason, TimeTrust
from support.stores import (
    CLOCK,
    DEVICE,
    DISK,
    DTC,
    LIMITS,
    ODOMETER,
    SPEED,
    Entropy,
    FakeClock,
    all_batches,
    commit,
    crash_image,
    open_store,
    readings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from milepost_agent.buffer.store import BufferStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "buffer.db"


@pytest.fixture
def store(path: Path) -> Iterator[BufferStore]:
    store = open_store(path)
    yield store
    store.close()


def test_what_was_committed_is_there_after_a_crash(store: BufferStore, path: Path, tmp_path: Path) -> None:
    assert commit(store, readings(3)) == 3
    assert (
        store.commit(
            readings(2, start=3), {"odometer": {"total_m": 7}}, CLOCK.read(), DiskFacts(1 << 40, None)
        )
        == 5
    )
    again = open_store(crash_image(path, tmp_path / "crash"))
    assert again.current == store.current
    assert again.state() == {"odometer": {"total_m": 7}}
    (batch,) = all_batches(again, again.current.epoch)
    assert [(row.seq, row.value) for row in batch.samples()] == [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)]
    again.close()


def test_seqs_go_on_after_everything_was_receipted_and_reopened(path: Path) -> None:
    store = open_store(path)
    commit(store, readings(10))
    epoch = store.current.epoch
    store.receive(epoch, 10)
    assert store.facts().waiting == 0
    store.close()
    store = open_store(path)
    assert store.current.epoch == epoch
    assert commit(store, readings(1)) == 11
    store.close()


def test_samples_get_the_wall_time_of_their_reading(store: BufferStore) -> None:
    now = CLOCK.later(60)
    commit(
        store, [Reading(ODOMETER, 1.0, CLOCK.mono_s), Reading(ODOMETER, 2.0, CLOCK.mono_s + 59.5)], clock=now
    )
    (batch,) = all_batches(store, store.current.epoch)
    assert [row.time_ms for row in batch.samples()] == [CLOCK.wall_ms, CLOCK.wall_ms + 59_500]
    assert {row.trust for row in batch.samples()} == {TimeTrust.SYNCED}


def test_small_blocks_are_merged_up_to_the_limit(store: BufferStore) -> None:
    for start in range(0, 50, 10):
        commit(store, readings(10, start=start))
    cut = store.cut(store.current.epoch, 1, 2**60, CLOCK.read(), Size(samples_max=35))
    assert cut is not None
    assert (cut.first, cut.last, cut.samples) == (1, 30, 30)
    cut = store.cut(store.current.epoch, 31, 40, CLOCK.read())
    assert cut is not None
    assert (cut.first, cut.last) == (31, 40)


def test_a_receipt_inside_a_block_keeps_the_block(store: BufferStore) -> None:
    commit(store, readings(10))
    store.receive(store.current.epoch, 4)
    assert store.current.receipted == 4
    cut = store.cut(store.current.epoch, 5, 2**60, CLOCK.read())
    assert cut is not None
    assert (cut.first, cut.last) == (5, 10)
    store.receive(store.current.epoch, 10)
    assert store.cut(store.current.epoch, 5, 2**60, CLOCK.read()) is None


def test_an_exact_cut_ends_inside_a_block_and_others_do_not(store: BufferStore) -> None:
    commit(store, readings(10))
    for size, last in ((Size(is_exact=True), 6), (Size(), 10)):
        cut = store.cut(store.current.epoch, 4, 6, CLOCK.read(), size)
        assert cut is not None
        assert (cut.first, cut.last) == (4, last)
        assert [row.seq for row in decode_batch(cut.payload).samples()] == list(range(4, last + 1))


@pytest.mark.parametrize("bytes_max", [1, 150, 300])
def test_a_block_that_is_too_large_for_a_batch_goes_in_parts(store: BufferStore, bytes_max: int) -> None:
    commit(store, [Reading(ODOMETER, float(n * n % 7919), CLOCK.mono_s + n) for n in range(200)])
    commit(store, readings(5, start=200))
    first, parts = 1, 0
    while cut := store.cut(store.current.epoch, first, 2**60, CLOCK.read(), Size(bytes_max)):
        assert len(cut.payload) <= bytes_max or cut.samples == 1
        assert cut.first == first
        first, parts = cut.last + 1, parts + 1
    assert first == 206
    assert parts >= 2


def test_a_receipt_of_an_unknown_epoch_changes_nothing(store: BufferStore) -> None:
    commit(store, readings(10))
    store.receive("f" * 16, 10)
    assert store.facts().waiting == 10


def test_a_restored_server_gets_what_is_left_and_a_gap_for_the_rest(store: BufferStore) -> None:
    for start in range(0, 40, 10):
        commit(store, readings(10, start=start))
    epoch = store.current.epoch
    store.receive(epoch, 30)
    store.rewind(epoch, 5)
    assert store.current.receipted == 5
    (batch,) = all_batches(store, epoch, first=6)
    assert batch.gaps == [Gap(6, 30, GapReason.RESTORED, (("unknown", 25),))]
    assert [row.seq for row in batch.samples()] == list(range(31, 41))


def test_a_server_that_is_ahead_makes_a_new_epoch(store: BufferStore, path: Path) -> None:
    for start in range(0, 30, 10):
        commit(store, readings(10, start=start))
    old = store.current
    store.receive(old.epoch, 10)
    store.renew_epoch()
    assert store.current.epoch != old.epoch
    assert [stream.epoch for stream in store.streams] == [store.current.epoch]
    (batch,) = all_batches(store, store.current.epoch)
    assert [(row.seq, row.value) for row in batch.samples()] == [(n, n + 9) for n in range(1, 21)]
    assert commit(store, readings(1)) == 21


def test_however_often_the_server_is_ahead_there_is_room_for_another_epoch(store: BufferStore) -> None:
    before = store.current
    for _ in range(3):
        commit(store, readings(2))
        store.renew_epoch()
    assert store.current.ordinal == before.ordinal
    assert store.current.next_seq == 7


def test_within_a_commit_seqs_go_by_class_and_then_by_time(store: BufferStore) -> None:
    mixed = [
        reading
        for trio in zip(readings(3, DTC), readings(3, SPEED), readings(3), strict=True)
        for reading in trio
    ]
    commit(store, mixed)
    (batch,) = all_batches(store, store.current.epoch)
    assert [(row.signal, row.value) for row in batch.samples()] == [
        *((SPEED, n) for n in range(3)),
        *((ODOMETER, n) for n in range(3)),
        *((DTC, f"P{n:04d} pending") for n in range(3)),
    ]


def test_on_a_full_disk_nothing_is_stored_and_the_store_lives_on(store: BufferStore) -> None:
    commit(store, readings(10))
    full = DiskFacts(free_bytes=0, free_inodes=None)
    before = store.facts()
    # An eviction frees pages of its own; when even those are too few the commit is refused as a whole.
    with pytest.raises(StoreFullError, match="free_bytes_min"):
        commit(store, readings(4000, DTC), disk=full)
    assert store.facts() == before
    assert commit(store, readings(1)) == 11


def test_what_was_lost_in_memory_becomes_a_gap(store: BufferStore) -> None:
    commit(store, readings(2))
    store.commit(
        readings(1), {}, CLOCK.read(), DiskFacts(1 << 40, None), lost=(("series", 5), ("counter", 2))
    )
    (batch,) = all_batches(store, store.current.epoch)
    assert batch.gaps == [Gap(3, 9, GapReason.DISK_FULL, (("series", 5), ("counter", 2)))]
    assert [row.seq for row in batch.samples()] == [1, 2, 10]


def test_untrusted_times_are_repaired_once_the_clock_is_right_in_the_same_boot(store: BufferStore) -> None:
    lost_clock = FakeClock(wall_ms=5_000, mono_s=1_000.0, trust=TimeTrust.UNTRUSTED)
    commit(store, readings(1), clock=lost_clock)
    (batch,) = all_batches(store, store.current.epoch, clock=lost_clock.later(60))
    assert [(row.time_ms, row.trust) for row in batch.samples()] == [(5_000, TimeTrust.UNTRUSTED)]
    synced = FakeClock(mono_s=1_100.0)
    (batch,) = all_batches(store, store.current.epoch, clock=synced)
    assert [(row.time_ms, row.trust) for row in batch.samples()] == [
        (synced.wall_ms - 100_000, TimeTrust.REPAIRED)
    ]
    (batch,) = all_batches(store, store.current.epoch, clock=FakeClock(boot="boot-2"))
    assert [row.trust for row in batch.samples()] == [TimeTrust.UNTRUSTED]


def test_times_moved_by_a_clock_that_nobody_keeps_are_believed_no_more_than_it(store: BufferStore) -> None:
    commit(store, readings(1), clock=FakeClock(wall_ms=5_000, mono_s=1_000.0, trust=TimeTrust.UNTRUSTED))
    rtc = FakeClock(mono_s=1_100.0, trust=TimeTrust.RTC)
    (batch,) = all_batches(store, store.current.epoch, clock=rtc)
    assert [(row.time_ms, row.trust) for row in batch.samples()] == [(rtc.wall_ms - 100_000, TimeTrust.RTC)]


def test_a_reading_that_the_catalogue_refuses_stores_nothing(store: BufferStore) -> None:
    with pytest.raises(UnknownSignalError):
        commit(store, readings(1), [Reading("Vehicle.NoSuchThing", 1.0, 0.0)])
    assert store.facts().stored_seq == 0


def test_a_second_process_is_refused_with_the_first_one_named(store: BufferStore, path: Path) -> None:
    code = (
        "import sys; sys.path[:0] = ['tests']\n"
        "from pathlib import Path\n"
        "from support.stores import open_store\n"
        f"open_store(Path({str(path)!r}))"
    )
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "StoreLockedError" in second.stderr
    assert "stop that one" in second.stderr
    with pytest.raises(StoreLockedError, match=r"process \d+"):
        open_store(path)


def test_a_buffer_of_another_device_is_refused_and_untouched(path: Path) -> None:
    store = open_store(path)
    commit(store, readings(3))
    store.close()
    with pytest.raises(StoreDeviceError, match="another"):
        open_store(path, device="another")
    store = open_store(path)
    assert store.facts().waiting == 3
    store.close()


def test_without_inodes_no_file_is_made(path: Path) -> None:
    with pytest.raises(StoreFullError, match="inodes"):
        open_store(path, disk=DiskFacts(1 << 40, 3))
    assert not path.exists()


class Watched(PosixFiles):
    """Notes which folders are synced, and how large each file was that was written over itself."""

    def __init__(self) -> None:
        self.synced: list[Path] = []
        self.rewritten: dict[str, int] = {}

    def rewrite(self, path: Path) -> None:
        self.rewritten[path.name] = path.stat().st_size
        super().rewrite(path)

    def sync_folder(self, path: Path) -> None:
        self.synced.append(path)
        super().sync_folder(path)


def test_what_an_earlier_life_left_in_the_log_is_brought_to_the_disk(
    store: BufferStore, path: Path, tmp_path: Path
) -> None:
    # A sync that failed leaves pages in the kernel's cache that it never writes again; the name of a log
    # whose maker was killed may never have been synced.
    commit(store, readings(5))
    image = crash_image(path, tmp_path / "image")
    log = image.with_name(f"{image.name}-wal")
    size = log.stat().st_size
    assert size > 0
    files = Watched()
    again = BufferStore.open(image, DEVICE, LIMITS, Entropy(), DISK, files=files)
    assert files.rewritten == {log.name: size}, "before the log was written back"
    assert log.stat().st_size == 0
    assert image in files.synced
    assert again.facts().stored_seq == 5
    again.close()


def test_a_server_that_begins_from_nothing_after_years_gets_gaps_that_a_batch_can_carry(path: Path) -> None:
    store = open_store(path)
    years = 10 * GAP_RUN_MAX // 4  # 40 samples a second for four years
    store.remember([store.current._replace(next_seq=years)])
    commit(store, readings(5))
    epoch = store.current.epoch
    store.receive(epoch, years + 2)
    store.rewind(epoch, 0)
    batches = all_batches(store, epoch)
    assert sum(gap.samples for batch in batches for gap in batch.gaps) == years - 1
    assert [row.value for batch in batches for row in batch.samples()] == [*range(5)]
    store.close()


@pytest.mark.parametrize("size", [0, 1, COPY_BYTES, 3 * COPY_BYTES + 5])
def test_a_file_that_is_written_over_itself_stays_what_it_is(tmp_path: Path, size: int) -> None:
    file = tmp_path / "log"
    content = random.Random(size).randbytes(size)
    file.write_bytes(content)
    POSIX.rewrite(file)
    assert file.read_bytes() == content


@dataclass
class Unwritable(PosixFiles):
    """A disk on which no file is written over itself."""

    error: int

    def rewrite(self, path: Path) -> None:
        raise OSError(self.error, "refused", str(path))


def test_on_a_full_disk_that_needs_room_for_a_log_it_is_read_nevertheless(
    store: BufferStore, path: Path, tmp_path: Path
) -> None:
    commit(store, readings(5))
    image = crash_image(path, tmp_path / "image")
    with pytest.raises(StoreIoError):
        open_store(image, files=Unwritable(errno.EIO))
    again = open_store(image, files=Unwritable(errno.ENOSPC))
    assert again.facts().stored_seq == 5
    again.close()


@dataclass
class Unlisted(PosixFiles):
    """A disk whose folder can be read once."""

    lists: int = 1

    def beside(self, path: Path, prefix: str) -> list[Path]:
        self.lists -= 1
        if self.lists < 0:
            raise OSError(errno.EIO, "Input/output error", str(path.parent / prefix))
        return super().beside(path, prefix)


def test_a_folder_that_cannot_be_read_hides_no_damaged_file_and_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "buffer.db"
    open_store(path).close()
    path.with_name("buffer.db.corrupt-1").touch()
    store = open_store(path, files=Unlisted())
    assert store.facts().corrupt_files == 1
    assert store.facts().corrupt_files == 1
    store.close()
