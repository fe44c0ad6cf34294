"""What a cut leaves of a disk whose writes were recorded, on logs made by hand."""

from __future__ import annotations

import struct
from random import Random
from typing import TYPE_CHECKING

import pytest

from support.write_log import DISCARD, FLUSH, FUA, MAGIC, after_cut

if TYPE_CHECKING:
    from pathlib import Path

    from support.power_cut import Way

SECTOR = 512
PAGE = 4096


def entry(sector: int, data: bytes = b"", flags: int = 0) -> bytes:
    """One entry as QEMU writes it."""
    fields = struct.pack("<QQQQ", sector, len(data) // SECTOR, flags, 0)
    return fields.ljust(SECTOR, b"\0") + data


def log_of(*entries: bytes) -> bytes:
    """A log whose number of entries was not brought up to date before the cut."""
    return struct.pack("<QQQI", MAGIC, 1, 0, SECTOR).ljust(SECTOR, b"\0") + b"".join(entries)


@pytest.fixture
def left(tmp_path: Path) -> object:
    """The image after a cut, of a disk of four pages of dots."""

    def cut(log: bytes, way: Way, seed: int = 1) -> bytes:
        before, file, into = (tmp_path / name for name in ("before", "log", "into"))
        before.write_bytes(b"." * 4 * PAGE)
        file.write_bytes(log)
        after_cut(before, file, into, way, Random(seed))
        return into.read_bytes()

    return cut


def test_what_was_flushed_stays_and_what_was_not_goes(left: object) -> None:
    log = log_of(entry(0, b"a" * PAGE), entry(0, flags=FLUSH), entry(8, b"b" * PAGE))
    assert left(log, "dropped") == b"a" * PAGE + b"." * 3 * PAGE
    assert left(log, "kept") == b"a" * PAGE + b"b" * PAGE + b"." * 2 * PAGE


def test_what_was_written_through_stays_without_a_flush(left: object) -> None:
    log = log_of(entry(0, b"a" * PAGE, FUA), entry(8, b"b" * PAGE))
    assert left(log, "dropped") == b"a" * PAGE + b"." * 3 * PAGE


def test_a_request_in_the_cache_is_torn_between_its_blocks(left: object) -> None:
    log = log_of(entry(0, b"a" * 4 * PAGE))
    images = {left(log, "pages", seed) for seed in range(40)}
    assert len(images) > 4
    for image in images:
        assert {image[at : at + PAGE] for at in range(0, 4 * PAGE, PAGE)} <= {b"a" * PAGE, b"." * PAGE}


def test_a_prefix_keeps_the_order(left: object) -> None:
    log = log_of(*(entry(8 * page, b"%d" % page * PAGE) for page in range(4)))
    images = {left(log, "prefix", seed)[::PAGE] for seed in range(60)}
    assert images == {b"....", b"0...", b"01..", b"012.", b"0123"}


def test_a_log_that_the_cut_left_half_written_is_read_up_to_there(left: object) -> None:
    whole = log_of(entry(0, b"a" * PAGE), entry(16, flags=DISCARD), entry(8, b"b" * PAGE))
    assert left(whole[:-1], "kept") == b"a" * PAGE + b"." * 3 * PAGE
    assert left(whole + bytes(PAGE), "kept") == b"a" * PAGE + b"b" * PAGE + b"." * 2 * PAGE


def test_what_is_no_log_is_refused(left: object) -> None:
    with pytest.raises(AssertionError, match="no log of writes"):
        left(bytes(PAGE), "kept")
