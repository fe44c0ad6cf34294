"""The buffer's file removed, moved away or replaced while it is open: noticed, put back, nothing lost."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from milepost_agent.buffer.files import POSIX
from milepost_agent.buffer.salvage import corrupt_files
from milepost_agent.errors import StoreDamagedError, StoreIoError
from support.stores import DTC, Entropy, all_batches, commit, crash_image, open_store, readings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
