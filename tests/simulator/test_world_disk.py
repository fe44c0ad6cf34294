"""The simulated disk: what a kill and a power cut leave, and real SQLite on it."""

from __future__ import annotations

import errno
import itertools
import sqlite3
from pathlib import Path
from random import Random

import pytest

from milepost_simulator.world.disk import BLOCK_BYTES, Disk
from milepost_simulator.world.files import WorldFiles
from milepost_simulator.world.mount import Call, End, Mount, Trouble
from milepost_simulator.world.sqlite_vfs import world_vfs

PATH = Path("/disk/some.db")
ROWS = 12
SEEDS = 40


def plain(_: Path) -> type[sqlite3.Connection]:
    return sqlite3.Connection


class Box:
    """A disk with one mount at a time."""

    def __init__(self, seed: int = 0, bytes_max: int = 1 << 20, inodes_max: int = 10) -> None:
        self.random = Random(seed)
        self.disk = Disk(self.random, bytes_max, inodes_max)
        self.trouble = Trouble()
        self.ends: list[End] = []
        self.mount = self.remount()

    def remount(self) -> Mount:
        self.mount = Mount(self.disk, self.trouble, self.random, self.ends.append, lambda: None)
        return self.mount

    @property
    def files(self) -> WorldFiles:
        return WorldFiles(self.mount, plain)


def content(box: Box, path: str) -> bytes | None:
    inode = box.disk.names.get(path)
    return bytes(inode.data) if inode else None


# --- Files and names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_was_synced_survives_and_of_the_rest_each_sector_is_old_or_new(seed: int) -> None:
    box = Box(seed)
    inode = box.mount.create("a")
    box.mount.write(inode, 0, b"o" * 3 * BLOCK_BYTES)
    box.mount.sync(inode)
    box.mount.sync_folder("a")
    box.mount.write(inode, BLOCK_BYTES, b"n" * BLOCK_BYTES)
    box.mount.end(End.POWER_CUT)
    left = content(box, "a")
    assert left is not None
    assert left[:BLOCK_BYTES] == left[2 * BLOCK_BYTES :] == b"o" * BLOCK_BYTES
    middle = left[BLOCK_BYTES : 2 * BLOCK_BYTES]
    assert all(len(set(middle[start : start + 512])) == 1 for start in range(0, BLOCK_BYTES, 512))


def test_power_cuts_lose_keep_and_tear() -> None:
    seen = set()
    for seed in range(SEEDS):
        box = Box(seed)
        inode = box.mount.create("a")
        box.mount.write(inode, 0, b"o" * BLOCK_BYTES)
        box.mount.sync(inode)
        box.mount.sync_folder("a")
        box.mount.write(inode, 0, b"n" * BLOCK_BYTES)
        box.mount.end(End.POWER_CUT)
        seen.add(frozenset(content(box, "a") or b""))
    assert seen == {frozenset(b"o"), frozenset(b"n"), frozenset(b"on")}


def test_a_kill_leaves_everything_that_was_written() -> None:
    box = Box()
    box.mount.write(box.mount.create("a"), 0, b"abc")
    box.mount.end(End.KILL)
    assert content(box, "a") == b"abc"
    assert box.ends == [End.KILL]


def test_after_its_end_a_life_has_no_effect_any_more() -> None:
    box = Box()
    mount = box.mount
    inode = mount.create("a")
    mount.end(End.KILL)
    with pytest.raises(OSError, match="Input/output error"):
        mount.write(inode, 0, b"late")
    assert content(box, "a") == b""


def test_a_rename_that_was_not_synced_lasts_as_a_whole_or_not_at_all() -> None:
    seen = set()
    for seed in range(SEEDS):
        box = Box(seed)
        for name, text in (("old", b"1"), ("new", b"2")):
            inode = box.mount.create(name)
            box.mount.write(inode, 0, text)
            box.mount.sync(inode)
        box.mount.sync_folder("old")
        box.mount.rename("new", "old")
        box.mount.end(End.POWER_CUT)
        seen.add((content(box, "old"), content(box, "new")))
    assert seen == {(b"1", b"2"), (b"2", None)}


def test_a_file_is_cut_as_a_whole_or_not_at_all() -> None:
    seen = set()
    for seed in range(SEEDS):
        box = Box(seed)
        inode = box.mount.create("a")
        box.mount.write(inode, 0, b"o" * 3 * BLOCK_BYTES)
        box.mount.sync(inode)
        box.mount.sync_folder("a")
        box.mount.resize(inode, 0)
        if seed % 2:
            box.mount.write(inode, 0, b"n" * BLOCK_BYTES)
        box.mount.end(End.POWER_CUT)
        left = content(box, "a") or b""
        seen.add((len(left), frozenset(left) <= frozenset(b"n\0")))
    assert seen == {(3 * BLOCK_BYTES, False), (0, True), (BLOCK_BYTES, True)}


def test_a_sync_that_failed_is_not_made_up_for_by_the_next_one() -> None:
    lost = 0
    for seed in range(SEEDS):
        box = Box(seed)
        inode = box.mount.create("a")
        box.mount.sync_folder("a")
        box.mount.write(inode, 0, b"n" * BLOCK_BYTES)
        box.trouble.errors[Call.SYNC] = (0, 1)
        with pytest.raises(OSError, match="Input/output error"):
            box.mount.sync(inode)
        box.mount.sync(inode)
        assert content(box, "a") == b"n" * BLOCK_BYTES
        box.mount.end(End.POWER_CUT)
        lost += content(box, "a") != b"n" * BLOCK_BYTES
    assert 0 < lost < SEEDS


def test_room_and_names_run_out() -> None:
    box = Box(bytes_max=2 * BLOCK_BYTES, inodes_max=1)
    inode = box.mount.create("a")
    box.mount.write(inode, 0, b"x" * 2 * BLOCK_BYTES)
    for call in (lambda: box.mount.write(inode, 2 * BLOCK_BYTES, b"x"), lambda: box.mount.create("b")):
        with pytest.raises(OSError, match="No space left") as caught:
            call()
        assert caught.value.errno == errno.ENOSPC
    box.trouble.is_read_only = True
    with pytest.raises(OSError, match="Read-only"):
        box.mount.write(inode, 0, b"x")


# --- SQLite -------------------------------------------------------------------------------------------------


def make(box: Box) -> None:
    box.files.make(PATH)
    db = box.files.connect(PATH)
    db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)")
    db.close()
    box.files.sync_folder(PATH)


def insert(box: Box, synchronous: str) -> int:
    """Insert rows, one a commit, until the life ends; how many commits returned."""
    done = 0
    try:
        db = box.files.connect(PATH)
    except sqlite3.Error:
        return done
    try:
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "wal_autocheckpoint = 4"):
            db.execute(f"PRAGMA {pragma}")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        for n in range(ROWS):
            db.execute("INSERT INTO t VALUES (?, ?)", (n, "x" * 500))
            done += 1
    except sqlite3.Error:
        assert box.mount.is_dead
    db.close()
    return done


def rows(box: Box) -> int:
    box.remount()
    db = box.files.connect(PATH)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    found = [n for (n,) in db.execute("SELECT n FROM t ORDER BY n")]
    db.close()
    assert found == list(range(len(found)))
    return len(found)


def cut_everywhere(synchronous: str, end: End) -> list[tuple[int, int]]:
    """(commits that returned, rows found) for a life that ends at its first, second, ... call."""
    outcomes = []
    for calls in itertools.count(1):
        box = Box(seed=calls)
        make(box)
        mount = box.remount()
        mount.end_after(calls, end)
        outcomes.append((insert(box, synchronous), 0))
        if not mount.is_dead:
            break
        outcomes[-1] = (outcomes[-1][0], rows(box))
    assert not world_vfs().unexpected
    return outcomes[:-1]


@pytest.mark.parametrize("end", End)
def test_what_a_full_commit_returned_for_is_there_wherever_the_end_comes(end: End) -> None:
    outcomes = cut_everywhere("FULL", end)
    assert len(outcomes) > 50
    assert all(done <= found <= done + 1 for done, found in outcomes)


def test_without_syncs_commits_are_lost_to_a_power_cut_and_not_to_a_kill() -> None:
    assert any(found < done for done, found in cut_everywhere("NORMAL", End.POWER_CUT))
    assert all(done <= found for done, found in cut_everywhere("OFF", End.KILL))


def test_a_full_disk_reaches_sqlite_as_such() -> None:
    box = Box(bytes_max=8 * BLOCK_BYTES)
    make(box)
    db = box.files.connect(PATH)
    with pytest.raises(sqlite3.OperationalError, match="full") as caught:
        db.executemany("INSERT INTO t VALUES (?, ?)", ((n, "x" * 4000) for n in range(100)))
    assert caught.value.sqlite_errorcode == sqlite3.SQLITE_FULL
    db.close()


def test_no_file_stays_open() -> None:
    assert world_vfs().open_files == 0
