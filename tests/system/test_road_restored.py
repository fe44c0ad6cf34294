"""One end of the road is put back to an older state: nothing is papered over or doubled, and it goes on."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_agent.uplink.session import Kind, Session, Verdict
from milepost_protocol.codec import unpack_batch
from milepost_protocol.limits import RECEIPT_RANGES_MAX
from milepost_protocol.samples import GapReason
from milepost_server.ingest.coverage import Coverage
from support.killing import DRIVE_S
from support.road import BUSY_PROFILE, Road, Told, write_busy_drive
from support.sessions import session_limits
from support.waiting import poll

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.road import AgentProcess

EPOCH = "9f3a1c77e0b24d51"
SEED = 20261123
LIMITS = session_limits(batch_wait_s=0.0)
BEFORE = 300
AFTER = 900


# --- The two state machines, without I/O -----------------------------------------------------------------


def session(receipted: int, stored: int) -> Session:
    made = Session(EPOCH, receipted, LIMITS)
    made.connected()
    made.stored(stored, 0.0)
    return made


@given(
    kept=st.sets(st.integers(1, 399), max_size=60).map(sorted),
    first=st.integers(400, 410),
    size=st.integers(1, 20),
)
def test_a_restored_server_is_known_by_its_first_answer(kept: list[int], first: int, size: int) -> None:
    coverage = Coverage()
    for seq in kept:
        coverage = coverage.with_span(seq, seq)
    agent = session(receipted=first - 1, stored=first + size)
    last = first + size - 1
    agent.published(first, last, 100, Kind.FRESH, 0.0)

    coverage = coverage.with_span(first, last)
    verdict = agent.receipt(coverage.receipt(EPOCH, [(first, last)]), 0.1)

    assert verdict is (Verdict.RESTORED if coverage.watermark < first - 1 else Verdict.ADVANCED)
    assert agent.receipted == coverage.watermark


def test_more_ranges_than_a_receipt_has_room_for_hide_no_answer() -> None:
    coverage = Coverage()
    for seq in range(2, 4 * RECEIPT_RANGES_MAX, 2):
        coverage = coverage.with_span(seq, seq)
    coverage = coverage.with_span(101, 110)
    agent = session(receipted=100, stored=110)
    agent.published(101, 110, 100, Kind.FRESH, 0.0)
    assert agent.receipt(coverage.receipt(EPOCH), 0.1) is Verdict.STALE  # as to a batch of somebody else
    assert agent.receipt(coverage.receipt(EPOCH, [(101, 110)]), 0.2) is Verdict.RESTORED
    assert agent.wanted(Kind.BACKLOG, 0.3) is not None, "what the server forgot is sent again"


# --- Real processes --------------------------------------------------------------------------------------


@pytest.fixture
def road(tmp_path: Path) -> Iterator[Road]:
    """A server on SQLite with one agent that stores as fast as it can."""
    drive = tmp_path / "drive.csv"
    write_busy_drive(drive, DRIVE_S, SEED)
    with Road(tmp_path) as made:
        made.register(1)
        (agent,) = made.agents
        agent.source = f'[[source]]\nkind = "replay"\nfile = "{drive}"\nspeed = 20.0\n'
        agent.extra = BUSY_PROFILE
        made.configure()
        agent.start()
        yield made


class Archive:
    """What the server's database says of its one device; opened anew for each look, since it is replaced."""

    def __init__(self, road: Road) -> None:
        self.path = road.server.data_dir / "milepost.db"

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            return db.execute(query).fetchall()

    def receipted(self) -> int:
        """The watermark of the newest epoch."""
        found = self.rows("SELECT watermark FROM streams ORDER BY id DESC LIMIT 1")
        return int(str(found[0][0])) if found else 0

    def samples(self) -> dict[tuple[str, int], set[Told]]:
        found: dict[tuple[str, int], set[Told]] = {}
        for epoch, payload in self.rows(
            "SELECT epoch, payload FROM batches JOIN streams ON streams.id = stream_id"
        ):
            assert isinstance(payload, bytes)
            for sample in unpack_batch(payload).samples():
                told = found.setdefault((str(epoch), sample.seq), set())
                told.add(Told(sample.signal, sample.value))
        return found

    def gap(self, reason: GapReason) -> set[tuple[str, int]]:
        """(epoch, seq) of what was reported dropped for this reason, each seq once."""
        query = "SELECT epoch, first_seq, last_seq, reason FROM gaps JOIN streams ON streams.id = stream_id"
        seqs = [
            (str(epoch), seq)
            for epoch, first, last, why in self.rows(query)
            for seq in range(int(str(first)), int(str(last)) + 1)
            if why == reason.value
        ]
        assert len(seqs) == len(set(seqs)), "a loss was counted twice"
        return set(seqs)


def copied(path: Path, to: Path) -> None:
    """Put a database, with its log, in place of whatever stands at ``to``."""
    for suffix in ("", "-wal", "-shm"):
        to.with_name(to.name + suffix).unlink(missing_ok=True)
        if suffix != "-shm" and path.with_name(path.name + suffix).exists():
            shutil.copy(path.with_name(path.name + suffix), to.with_name(to.name + suffix))


def all_is_told(agent: AgentProcess, archive: Archive) -> None:
    """Each sample that was stored is in the archive as it was, or was reported as forgotten by the server."""
    samples, forgotten = archive.samples(), archive.gap(GapReason.RESTORED)
    assert not forgotten & samples.keys(), "reported dropped, and there"
    for key, told in agent.stored.items():
        assert key in forgotten or samples[key] == {told}, key


@pytest.mark.timeout(180)
def test_a_server_from_an_older_backup_gets_what_is_left_and_is_told_of_the_rest(
    road: Road, tmp_path: Path
) -> None:
    (agent,) = road.agents
    archive = Archive(road)
    poll(lambda: archive.receipted() > BEFORE, "samples before the backup")
    assert road.server.stop() == 0
    backup = tmp_path / "backup.db"
    copied(archive.path, backup)
    before = archive.receipted()

    road.server.start()
    poll(lambda: (agent.receipted() or 0) > before + AFTER, "receipts after the backup")
    agent.kill()
    road.server.kill()
    after = archive.receipted()
    copied(backup, archive.path)
    assert archive.receipted() == before
    agent.start()
    road.server.start()
    road.drain()

    forgotten = archive.gap(GapReason.RESTORED)
    ((epoch, last),) = archive.rows("SELECT epoch, watermark FROM streams")
    # The last receipts were lost with the agent: what they covered is still there to be sent again.
    assert forgotten == {(epoch, seq) for seq in range(before + 1, before + 1 + len(forgotten))}
    assert AFTER <= len(forgotten) <= after - before
    samples = archive.samples()
    assert {seq for _, seq in samples} == set(range(1, int(str(last)) + 1)) - {seq for _, seq in forgotten}
    assert road.verdict().doubled == 0
    all_is_told(agent, archive)


@pytest.mark.timeout(180)
def test_a_device_from_an_older_copy_goes_on_in_a_new_epoch(road: Road, tmp_path: Path) -> None:
    (agent,) = road.agents
    archive = Archive(road)
    poll(lambda: archive.receipted() > BEFORE, "samples before the copy")
    agent.kill()
    copy = tmp_path / "older.db"
    copied(agent.buffer, copy)
    before = archive.receipted()

    agent.start()
    poll(lambda: archive.receipted() > before + AFTER, "samples after the copy")
    agent.kill()
    first_life = dict(agent.stored)
    copied(copy, agent.buffer)
    agent.stored.clear()
    agent.start()
    poll(lambda: len(archive.rows("SELECT id FROM streams")) == 2, "a new epoch")
    road.drain()

    verdict = road.verdict()
    assert (verdict.lost, verdict.doubled, verdict.changed) == (0, 0, 0), verdict
    assert not archive.gap(GapReason.RESTORED)
    samples = archive.samples()
    old = archive.rows("SELECT epoch FROM streams ORDER BY id LIMIT 1")[0][0]
    receipted = archive.rows("SELECT watermark FROM streams ORDER BY id LIMIT 1")[0][0]
    for (epoch, seq), told in first_life.items():
        if seq <= int(str(receipted)):
            assert (epoch, samples[epoch, seq]) == (old, {told})
