"""A damaged buffer file: set aside, what is readable copied into a new one, what is not reported as a gap.

The steps survive a kill at any point, because the damaged file first gets a name that says that its content
is still to be taken over::

    buffer.db            -> buffer.db.salvage      the damaged file waits (with its log)
    buffer.db.new        -> buffer.db              a new file with all that was readable, moved there whole
    buffer.db.salvage    -> buffer.db.corrupt-<n>  kept for people to look at
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sqlite3
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from milepost_agent.buffer import blocks
from milepost_agent.buffer.schema import NEXT_SEQ_MAX, ORDINAL_MAX, create, prepare, split_key
from milepost_agent.buffer.spans import GAP_RUN_MAX, Span, Spans, counts_of
from milepost_protocol.errors import ProtocolError
from milepost_protocol.frame import read_header
from milepost_protocol.identity import DEVICE_ID_PATTERN, EPOCH_PATTERN
from milepost_protocol.samples import UNKNOWN_CLASS, GapReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from milepost_agent.buffer.checks import Patience
    from milepost_agent.buffer.files import Files
    from milepost_protocol.frame import Header
    from milepost_protocol.samples import Sample

CORRUPT_FILES_MAX: Final = 4
"""Damaged files that are kept; beyond that the oldest goes, and the log says so."""

_LOG = logging.getLogger(__name__)
_SPAN_QUERY: Final = "SELECT key, last, counts, reason, stored_ms, boot, offset_ms, payload FROM span "
_KEYS_FROM_BEHIND: Final = "SELECT key FROM span WHERE key > ? ORDER BY key DESC"


class OldStream(NamedTuple):
    """What a damaged file says of one of its epochs."""

    ordinal: int
    epoch: str
    device: str
    next_seq: int
    receipted: int
    state: str | None


def waiting_name(path: Path) -> Path:
    """Where a damaged buffer waits until its content is taken over."""
    return path.with_name(f"{path.name}.salvage")


def corrupt_files(files: Files, path: Path) -> list[Path]:
    """The damaged files that were set aside, oldest first."""
    found = files.beside(path, f"{path.name}.corrupt-")
    numbered = [file for file in found if file.name.rpartition("-")[2].isdigit()]
    return sorted(numbered, key=lambda file: int(file.name.rpartition("-")[2]))


def set_aside(files: Files, path: Path, why: str) -> None:
    """Give the damaged file its waiting name, its log after it."""
    _LOG.error("%s; taking over what can be read", why)
    files.rename(path, waiting_name(path))
    _move_log(files, path, waiting_name(path))
    files.sync_folder(path)


def take_over(
    files: Files, path: Path, new_epoch: Callable[[], str], device: str, patience: Patience
) -> None:
    """Make a buffer at ``path`` of a new epoch, with all that a waiting file still tells.

    Raises:
        sqlite3.Error, OSError: the disk refuses; what it does not let be read is lost once ``patience`` ends.
    """
    waiting = waiting_name(path)
    is_waiting = files.exists(waiting)
    # Without a waiting file this log has lost its buffer; with one, a kill came between its two renames.
    _move_log(files, path, waiting if is_waiting else _next_corrupt_name(files, path))

    fresh = OldStream(1, new_epoch(), device, 1, 0, None)

    def fill(new: sqlite3.Connection) -> None:
        if not is_waiting:
            _insert_stream(new, fresh)
            return
        with contextlib.closing(files.connect(waiting)) as old:
            try:
                prepare(old)
            except sqlite3.Error as error:  # it may not even have a sound first page
                patience.let_go(error)
            _Old(old, patience).copy(new, fresh, new_epoch)

    create(files, path, fill)


def put_away(files: Files, path: Path) -> None:
    """Give the waiting file its final name ``*.corrupt-<n>``; the oldest of too many is removed."""
    final = _next_corrupt_name(files, path)
    waiting = waiting_name(path)
    _move_log(files, waiting, final)
    files.rename(waiting, final)
    files.sync_folder(path)
    _LOG.error("what could be read of the buffer was taken over, the file is kept as %s", final.name)
    _remove_oldest(files, path)


def start_over(files: Files, path: Path, db: sqlite3.Connection) -> None:
    """Have the buffer at ``path`` salvaged, which others have written to while ``db`` had it open; closes it.

    Raises:
        sqlite3.Error, OSError: the disk refuses.
    """
    set_aside(files, path, f"buffer {path}: another program wrote to it while in use; find out which")
    # Closing writes the log back, into the file that is salvaged then.
    db.close()


def set_foreign_aside(files: Files, path: Path) -> None:
    """Keep a file that somebody put in the place of the open buffer; nothing is taken over from it."""
    final = _next_corrupt_name(files, path)
    files.rename(path, final)
    _LOG.error("another file was put in the place of the buffer; it is kept as %s", final.name)
    _remove_oldest(files, path)


def _remove_oldest(files: Files, path: Path) -> None:
    for oldest in corrupt_files(files, path)[:-CORRUPT_FILES_MAX]:
        _LOG.warning("more than %d damaged buffers: removing %s", CORRUPT_FILES_MAX, oldest.name)
        files.remove(oldest)
        files.remove(oldest.with_name(f"{oldest.name}-wal"))


def _next_corrupt_name(files: Files, path: Path) -> Path:
    kept = corrupt_files(files, path)
    number = int(kept[-1].name.rpartition("-")[2]) + 1 if kept else 1
    return path.with_name(f"{path.name}.corrupt-{number}")


def _move_log(files: Files, path: Path, to: Path) -> None:
    """The write-ahead log belongs to its file: beside another one it would overwrite that."""
    with contextlib.suppress(FileNotFoundError):
        files.rename(path.with_name(f"{path.name}-wal"), to.with_name(f"{to.name}-wal"))


class _Old:
    """What can be read of the damaged file."""

    def __init__(self, db: sqlite3.Connection, patience: Patience) -> None:
        self._db = db
        self._patience = patience

    def copy(self, new: sqlite3.Connection, fresh: OldStream, new_epoch: Callable[[], str]) -> None:
        """Take over all streams into ``new``, and begin the ``fresh`` one behind them."""
        streams = self._streams()
        spans = Spans(new)
        tilers: dict[int, _Tiler] = {
            stream.ordinal: _Tiler(spans, stream.ordinal, stream.receipted + 1) for stream in streams.values()
        }
        for span in self._spans():
            if span.ordinal not in streams:
                if not (header := _header(span)):
                    continue
                # What moved to a new epoch bears the old name with other seqs; the server has its own.
                known = {row.epoch for row in streams.values()}
                is_its_own = header.first == span.first and header.epoch not in known
                epoch = header.epoch if is_its_own else new_epoch()
                streams[span.ordinal] = OldStream(span.ordinal, epoch, fresh.device, 0, span.first - 1, None)
                tilers[span.ordinal] = _Tiler(spans, span.ordinal, span.first)
            tilers[span.ordinal].add(span)
        for ordinal, stream in streams.items():
            tilers[ordinal].close(stream.next_seq)
            if tilers[ordinal].next_seq > stream.receipted + 1:
                _insert_stream(new, stream._replace(next_seq=tilers[ordinal].next_seq, state=None))
        newest = max(streams, default=0)
        before = streams[newest] if newest else fresh
        _insert_stream(new, fresh._replace(ordinal=newest + 1, device=before.device, state=before.state))

    def _streams(self) -> dict[int, OldStream]:
        query = "SELECT ordinal, epoch, device, next_seq, receipted, state FROM stream"
        try:
            rows = [OldStream(*row) for row in self._db.execute(query)]
        except sqlite3.Error as error:
            self._patience.let_go(error)
            return {}
        return {row.ordinal: row._replace(state=_sound_state(row.state)) for row in rows if _is_sound(row)}

    def _spans(self) -> Iterator[Span]:
        """All sound spans, ascending: from the front up to the damage, then those behind it."""
        last_key = -1
        try:
            for row in self._db.execute(_SPAN_QUERY + "ORDER BY key"):
                last_key = row[0] if isinstance(row[0], int) else last_key
                yield from _sound_span(row)
        except sqlite3.Error as error:
            self._patience.let_go(error)
            yield from self._spans_from_behind(last_key)

    def _spans_from_behind(self, after_key: int) -> Iterator[Span]:
        keys: list[int] = []
        try:
            for (key,) in self._db.execute(_KEYS_FROM_BEHIND, (after_key,)):
                keys.append(key)
        except sqlite3.Error as error:
            self._patience.let_go(error)
        for key in reversed(keys):
            try:
                row = self._db.execute(_SPAN_QUERY + "WHERE key = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                self._patience.let_go(error)
            else:
                yield from _sound_span(row)


class _Tiler:
    """Writes the spans of one stream without holes: what is missing between them becomes a gap."""

    def __init__(self, spans: Spans, ordinal: int, next_seq: int) -> None:
        self._spans = spans
        self._ordinal = ordinal
        self._is_empty = True
        self.next_seq = next_seq

    def add(self, span: Span) -> None:
        if span.last < self.next_seq or (span.first < self.next_seq and not self._is_empty):
            return  # an index that lies: these seqs are already told
        self.close(span.first)
        self._spans.insert(span)
        self._is_empty = False
        self.next_seq = span.last + 1

    def close(self, until: int) -> None:
        """Tell that all from the last span to before ``until`` is lost."""
        if until > self.next_seq:
            self._spans.insert_lost(self._ordinal, self.next_seq, until)
            self._is_empty = False
            self.next_seq = until


def _insert_stream(db: sqlite3.Connection, stream: OldStream) -> None:
    db.execute("INSERT INTO stream VALUES (?, ?, ?, ?, ?, ?)", stream)


def _is_sound(row: OldStream) -> bool:
    return (
        all(isinstance(number, int) for number in (row.ordinal, row.next_seq, row.receipted))
        and all(isinstance(name, str) for name in (row.device, row.epoch))
        and re.fullmatch(DEVICE_ID_PATTERN, row.device) is not None
        and re.fullmatch(EPOCH_PATTERN, row.epoch) is not None
        and 1 <= row.ordinal <= ORDINAL_MAX
        and 0 <= row.receipted < row.next_seq <= NEXT_SEQ_MAX
    )


def _sound_state(state: Any) -> str | None:
    try:
        return state if isinstance(json.loads(state), dict) else None
    except (TypeError, ValueError):
        return None


def _sound_span(row: tuple[Any, ...] | None) -> Iterator[Span]:
    """The span of ``row``; a gap where only its range is sound; nothing where not even that is."""
    if row is None:
        return
    key, last, counts, reason, stored_ms, boot, offset_ms, payload = row
    if not (isinstance(key, int) and isinstance(last, int) and key > 0):
        return
    ordinal, first = split_key(key)
    if not 1 <= first <= last < min(NEXT_SEQ_MAX, first + GAP_RUN_MAX):
        return
    if not (
        isinstance(stored_ms, int | None)
        and isinstance(boot, str | None)
        and isinstance(offset_ms, int | None)
    ):
        stored_ms = boot = offset_ms = None  # nobody knows by which clock
    known = _sound_counts(counts, last - first + 1)
    span = Span(
        ordinal, first, last, known, _reason(reason), stored_ms, boot or "", offset_ms or 0, payload or b""
    )
    samples = [] if span.reason else _samples(span)
    if samples and known == _unknown(span.seqs):
        span = span._replace(counts=blocks.count_classes(row.signal for row in samples))
    elif not samples:
        reason = span.reason or GapReason.CORRUPT
        span = Span(ordinal, first, last, blocks.by_class(known), reason)
    yield span


def _unknown(seqs: int) -> blocks.Counts:
    return ((UNKNOWN_CLASS, seqs),)


def _sound_counts(counts: Any, seqs: int) -> blocks.Counts:
    try:
        return counts_of(counts, seqs)
    except sqlite3.DataError:
        return _unknown(seqs)


def _reason(reason: Any) -> GapReason | None:
    if reason is None:
        return None
    return GapReason(reason) if reason in set(GapReason) else GapReason.CORRUPT


def _samples(span: Span) -> list[Sample]:
    """The samples of a block, none where it is damaged."""
    try:
        samples = blocks.unpack(span.payload, span.first)
    except (ProtocolError, TypeError):
        return []
    return samples if len(samples) == span.seqs else []


def _header(span: Span) -> Header | None:
    try:
        return read_header(span.payload) if span.payload else None
    except ProtocolError:
        return None
