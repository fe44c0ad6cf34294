"""The buffer's file removed, moved away or replaced while it is open: noticed, put back, nothing lost."""

from __future__ import annotations

import errno
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from milepost_agent.buffer import place
from milepost_agent.buffer.attempt import Attempt
from milepost_agent.buffer.files import POSIX, PosixFiles
from milepost_agent.buffer.place import TRY_EACH
from milepost_agent.buffer.salvage import corrupt_files
from milepost_agent.errors import StoreDamagedError, StoreFullError, StoreIoError
from support.stores import CLOCK, DISK, DTC, Entropy, all_batches, commit, crash_image, open_store, readings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from milepost_agent.buffer.files import Identity, Stamp


def remove(path: Path) -> None:
    path.unlink()


def remove_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def move_away(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replace_by_garbage(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"\xa5" * 8192)
    other.replace(path)


@pytest.mark.parametrize("happens", [remove, remove_folder, move_away, replace_by_garbage])
@pytest.mark.parametrize("is_killed", [False, True])
def test_what_was_stored_is_put_back_and_goes_on(
    tmp_path: Path, happens: Callable[[Path], None], is_killed: bool
) -> None:
    path = tmp_path / "buffer" / "buffer.db"
    store = open_store(path)
    epoch = store.current.epoch
    commit(store, readings(100, DTC))
    happens(path)
    with pytest.raises(StoreIoError, match="removed or replaced"):
        commit(store, readings(100, DTC, start=100))
    if is_killed:
        path = crash_image(path, tmp_path / "killed")
    else:
        store.close()
    again = open_store(path)
    assert commit(again, readings(100, DTC, start=100)) == 200
    samples = [row for batch in all_batches(again, epoch) for row in batch.samples()]
    assert [row.value for row in samples] == [f"P{n:04d} pending" for n in range(200)]
    again.close()


def test_a_file_that_is_overwritten_in_place_is_noticed_salvaged_and_accounted_for(tmp_path: Path) -> None:
    path = tmp_path / "buffer.db"
    store = open_store(path)
    commit(store, readings(100, DTC))
    store.close()
    older = path.read_bytes()
    entropy = Entropy()
    entropy(8)
    store = open_store(path, entropy=entropy)
    epoch = store.current.epoch
    for start in range(100, 5000, 100):
        commit(store, readings(100, DTC, start=start))
    # As by `cp backup buffer.db`: the same file, an older content.
    with path.open("r+b") as file:
        file.write(older)
        file.truncate()
    with pytest.raises(StoreDamagedError, match="written to by another program"):
        commit(store, readings(100, DTC, start=5000))
    store.close()
    known = store.streams
    store = open_store(path, entropy=entropy)
    store.remember(known)
    assert store.facts().corrupt_files == 1
    assert [stream.next_seq for stream in store.streams] == [5001, 1]
    assert store.current.epoch != epoch
    batches = all_batches(store, epoch)
    values = {row.seq: row.value for batch in batches for row in batch.samples()}
    told = [*values, *(n for batch in batches for gap in batch.gaps for n in range(gap.first, gap.last + 1))]
    assert sorted(told) == list(range(1, 5001))
    assert len(values) >= 100
    assert all(value == f"P{seq - 1:04d} pending" for seq, value in values.items())
    assert commit(store, readings(1)) == 1
    store.close()


def test_a_file_that_is_overwritten_by_garbage_is_accounted_for(tmp_path: Path) -> None:
    path = tmp_path / "buffer.db"
    entropy = Entropy()
    store = open_store(path, entropy=entropy)
    commit(store, readings(700))
    epoch = store.current.epoch
    with path.open("r+b") as file:
        file.write(b"\xa5" * path.stat().st_size)
    with pytest.raises(StoreDamagedError):
        commit(store, readings(1))
    store.close()
    known = store.streams
    store = open_store(path, entropy=entropy)
    store.remember(known)
    assert [stream.epoch for stream in store.streams] == [epoch, store.current.epoch]
    assert commit(store, readings(2)) == 2
    batches = all_batches(store, epoch)
    kept = sum(len(batch.order) for batch in batches)
    lost = sum(gap.samples for batch in batches for gap in batch.gaps)
    assert kept + lost == 700
    store.close()


def test_the_other_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "buffer.db"
    store = open_store(path)
    replace_by_garbage(path)
    with pytest.raises(StoreIoError):
        commit(store, readings(1, DTC))
    store.close()
    assert [file.read_bytes() for file in corrupt_files(POSIX, path)] == [b"\xa5" * 8192]


@dataclass
class RefusingFiles(PosixFiles):
    """A disk on which no new file can be made, or be moved to its place, while ``refuses`` names that."""

    refuses: str = ""
    error: int = errno.EIO
    refusals: int = 0

    def identity(self, path: Path) -> Identity | None:
        self._check("identity", path)
        return super().identity(path)

    def make(self, path: Path) -> None:
        self._check("make", path)
        super().make(path)

    def rename(self, path: Path, to: Path) -> None:
        self._check("rename", path)
        super().rename(path, to)

    def sync_folder(self, path: Path) -> None:
        self._check("sync_folder", path)
        super().sync_folder(path)

    def _check(self, call: str, path: Path) -> None:
        if call == self.refuses:
            self.refusals += 1
            raise OSError(self.error, "refused", str(path))


@pytest.mark.parametrize("refused", ["make", "rename", "sync_folder"])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_while_it_cannot_be_put_back_it_stays_open_with_all_that_it_holds(
    tmp_path: Path, refused: str, error: int
) -> None:
    path = tmp_path / "buffer.db"
    files = RefusingFiles()
    store = open_store(path, files=files)
    epoch = store.current.epoch
    commit(store, readings(100, DTC))
    replace_by_garbage(path)
    files.refuses, files.error = refused, error
    for _ in range(4 * TRY_EACH):
        with pytest.raises(StoreFullError, match="cannot be put back yet"):
            commit(store, readings(100, DTC, start=100))
    with pytest.raises(StoreFullError, match="cannot be put back yet"):
        store.receive(epoch, 50)
    assert store.facts().stored_seq == 100
    assert files.refusals < 4 + TRY_EACH, "a full copy for each commit would wear the flash"
    files.refuses = ""
    for _ in range(TRY_EACH - 2):
        with pytest.raises(StoreFullError):
            commit(store, readings(100, DTC, start=100))
    with pytest.raises(StoreIoError, match="is put back"):
        commit(store, readings(100, DTC, start=100))
    store.close()
    assert [file.read_bytes() for file in corrupt_files(POSIX, path)] == [b"\xa5" * 8192]
    again = open_store(path)
    assert commit(again, readings(100, DTC, start=100)) == 200
    samples = [row for batch in all_batches(again, epoch) for row in batch.samples()]
    assert [row.value for row in samples] == [f"P{n:04d} pending" for n in range(200)]
    again.close()


def test_a_file_that_can_never_be_put_back_is_given_up_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "TRIES_MAX", 2)
    path = tmp_path / "buffer.db"
    files = RefusingFiles()
    entropy = Entropy()
    store = open_store(path, files=files, entropy=entropy)
    epoch = store.current.epoch
    commit(store, readings(100, DTC))
    remove(path)
    files.refuses = "make"
    for expected in (StoreFullError, StoreIoError):
        with pytest.raises(expected):
            commit(store, readings(1))
    known = store.streams
    files.refuses = ""
    store.close()
    again = open_store(path, entropy=entropy)
    again.remember(known)
    ((gap,),) = [batch.gaps for batch in all_batches(again, epoch)]
    assert (gap.first, gap.last) == (1, 100)
    again.close()


def test_a_file_without_a_name_is_held_open_whatever_else_fails_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "TRIES_MAX", 5)
    path = tmp_path / "buffer.db"
    files = RefusingFiles()
    store = open_store(path, files=files)
    commit(store, readings(10, DTC))
    assert not store.hold(), "a file that has its name can be opened again"
    remove(path)
    files.refuses = "make"
    with pytest.raises(StoreFullError, match="cannot be put back yet"):
        commit(store, readings(1))
    assert [store.hold() for _ in range(5)] == [True] * 4 + [False]
    files.refuses = ""
    with pytest.raises(StoreIoError, match="is put back"):
        commit(store, readings(1))
    assert not store.hold(), "the one with the name is to be opened"
    store.close()


def test_a_file_that_nobody_can_look_at_is_held_open_for_it_may_have_no_name(tmp_path: Path) -> None:
    path = tmp_path / "buffer.db"
    files = RefusingFiles()
    store = open_store(path, files=files)
    epoch = store.current.epoch
    commit(store, readings(100, DTC))
    remove(path)
    files.refuses = "identity"
    with pytest.raises(StoreIoError, match="the file system refuses"):
        commit(store, readings(100, DTC, start=100))
    assert store.hold()
    files.refuses = ""
    with pytest.raises(StoreIoError, match="is put back"):
        commit(store, readings(100, DTC, start=100))
    assert not store.hold()
    store.close()
    again = open_store(path)
    assert commit(again, readings(100, DTC, start=100)) == 200
    samples = [row for batch in all_batches(again, epoch) for row in batch.samples()]
    assert [row.value for row in samples] == [f"P{n:04d} pending" for n in range(200)]
    again.close()


def test_a_file_that_nobody_could_look_at_and_has_its_name_is_opened_again_before_it_is_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "buffer.db"
    files = RefusingFiles()
    store = open_store(path, files=files)
    commit(store, readings(100, DTC))
    files.refuses = "identity"
    with pytest.raises(StoreIoError, match="the file system refuses"):
        commit(store, readings(1))
    assert store.hold()
    files.refuses = ""
    with pytest.raises(StoreIoError, match="opening it again"):
        commit(store, readings(1))
    assert not store.hold()
    assert store.facts().stored_seq == 100
    store.close()


@dataclass
class FadingFiles(PosixFiles):
    """A disk that does its work while ``fades``, and answers nothing any more once a commit is done."""

    fades: bool = False
    is_faded: bool = False
    is_looked_at: bool = False

    def identity(self, path: Path) -> Identity | None:
        self.is_looked_at = True
        self._check(path)
        return super().identity(path)

    def stamp(self, path: Path) -> Stamp | None:
        # Before a commit it is asked which file it is, after it only what was written.
        self.is_faded |= self.fades and not self.is_looked_at
        self.is_looked_at = False
        self._check(path)
        return super().stamp(path)

    def _check(self, path: Path) -> None:
        if self.is_faded:
            raise OSError(errno.EIO, "refused", str(path))


@pytest.mark.parametrize("happens", [None, remove])
def test_a_commit_that_was_done_before_the_file_was_held_open_is_not_done_again(
    tmp_path: Path, happens: Callable[[Path], None] | None
) -> None:
    path = tmp_path / "buffer.db"
    files = FadingFiles()
    store = open_store(path, files=files)
    attempt = Attempt(readings(100, DTC), (), {})
    files.fades = True
    with pytest.raises(StoreIoError, match="the file system refuses"):
        attempt.commit(store, CLOCK.read(), DISK)
    assert store.hold()
    if happens:
        happens(path)
    files.fades = files.is_faded = False
    attempt.commit(store, CLOCK.read(), DISK)
    assert attempt.is_done
    with pytest.raises(StoreIoError, match="is put back" if happens else "opening it again"):
        commit(store, readings(1))
    assert not store.hold()
    store.close()
    again = open_store(path)
    assert again.current.next_seq == 101
    again.close()
