"""An older copy of the buffer, put in its place while the agent is down: noticed, its lack told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from milepost_agent.buffer import known
from milepost_agent.buffer.files import POSIX
from milepost_agent.buffer.streams import Stream
from milepost_protocol.samples import Gap, GapReason
from support.stores import DEVICE, Entropy, all_batches, commit, crash_image, open_store, readings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "buffer.db"


def copied_and_gone_on(path: Path) -> bytes:
    """What the file was with 30 samples; it has 70 now, of which the server has 50."""
    store = open_store(path)
    commit(store, readings(30))
    store.close()
    copy = path.read_bytes()
    store = open_store(path)
    commit(store, readings(40, start=30))
    store.receive(store.current.epoch, 50)
    store.close()
    return copy


def test_seqs_of_an_older_copy_are_not_given_out_again_and_what_it_lacks_is_a_gap(path: Path) -> None:
    copy = copied_and_gone_on(path)
    path.write_bytes(copy)
    store = open_store(path)
    assert (store.current.next_seq, store.current.receipted) == (71, 0)
    assert commit(store, readings(1, start=70)) == 71
    (batch,) = all_batches(store, store.current.epoch)
    assert batch.gaps == [Gap(31, 70, GapReason.CORRUPT, (("unknown", 40),))]
    assert {row.seq: row.value for row in batch.samples()} == {seq: seq - 1 for seq in (*range(1, 31), 71)}
    store.close()
    store = open_store(path)
    assert store.facts().waiting_gap_samples == 40
    store.close()


def test_a_buffer_that_somebody_removed_is_accounted_for(path: Path) -> None:
    copied_and_gone_on(path)
    entropy = Entropy()
    entropy(8)
    path.unlink()
    store = open_store(path, entropy=entropy)
    old, new = store.streams
    (batch,) = all_batches(store, old.epoch)
    assert batch.gaps == [Gap(51, 70, GapReason.CORRUPT, (("unknown", 20),))]
    assert (new.next_seq, commit(store, readings(1))) == (1, 1)
    store.receive(old.epoch, 70)
    assert [stream.epoch for stream in store.streams] == [new.epoch]
    store.close()


def test_after_a_kill_there_is_no_note_that_is_older_than_the_file(path: Path, tmp_path: Path) -> None:
    copied_and_gone_on(path)
    store = open_store(path)
    commit(store, readings(5, start=70))
    killed = crash_image(path, tmp_path / "killed")
    store.close()
    store = open_store(killed)
    assert (store.current.next_seq, store.facts().waiting_gaps) == (76, 0)
    store.close()


@pytest.mark.parametrize("is_renewed", [True, False])
def test_streams_that_ended_well_before_a_kill_are_not_told_as_lost(
    path: Path, tmp_path: Path, is_renewed: bool
) -> None:
    copied_and_gone_on(path)
    store = open_store(path)
    old = store.current
    store.renew_epoch()
    if not is_renewed:  # but drained, as an older epoch is after a salvage
        store.remember([old])
        store.close()
        store = open_store(path)
        store.receive(old.epoch, old.next_seq - 1)
    commit(store, readings(5, start=70))
    before = [stream.epoch for stream in store.streams]
    killed = crash_image(path, tmp_path / "killed")
    store.close()
    store = open_store(killed)
    assert ([stream.epoch for stream in store.streams], store.facts().waiting_gaps) == (before, 0)
    store.close()


@pytest.mark.parametrize("ordinal", [1, 2, 3, 9])
def test_a_note_of_another_line_of_copies_finds_room_for_what_is_lost(path: Path, ordinal: int) -> None:
    old, lost = Stream(1, "a" * 16, 11, 0), Stream(ordinal, "b" * 16, 8, 2)
    store = open_store(path)
    store.remember([old])
    commit(store, readings(5))
    current = store.current
    store.close()
    known.leave(POSIX, path, DEVICE, [lost])
    store = open_store(path)
    assert {stream.epoch: stream.waiting for stream in store.streams} == {
        old.epoch: 10,
        lost.epoch: 5,
        current.epoch: 5,
    }
    assert store.current.epoch == current.epoch
    assert [gap.first for batch in all_batches(store, lost.epoch) for gap in batch.gaps] == [3]
    assert [row.value for batch in all_batches(store, current.epoch) for row in batch.samples()] == [
        *range(5)
    ]
    store.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        json.dumps({"device": "gw-000017", "streams": [[1, "no epoch", 9, 0]]}),
        json.dumps({"device": "gw-000017", "streams": [[1, "0" * 16, 9]]}),
        json.dumps({"device": "gw-000017", "streams": [[1, "0" * 16, 3, 7]]}),
        json.dumps({"device": "gw-000017", "streams": [[2**40, "0" * 16, 9, 0]]}),
        json.dumps({"device": "another", "streams": [[1, "0" * 16, 9, 0]]}),
    ],
)
def test_a_note_that_makes_no_sense_or_is_of_another_device_is_passed_over(path: Path, text: str) -> None:
    store = open_store(path)
    commit(store, readings(5))
    store.close()
    known.note(path).write_text(text)
    store = open_store(path)
    assert (len(store.streams), store.facts().waiting_gaps) == (1, 0)
    store.close()
