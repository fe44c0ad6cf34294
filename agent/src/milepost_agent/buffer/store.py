"""The buffer: one SQLite file, one connection, one writer.

Promises: what ``commit`` returned for survives a power cut; a seq is never used twice in an epoch; every seq
between the server's receipt and the next one is a stored sample or part of a gap. Only a receipt deletes
without leaving a gap. Ranges that a receipt names above its seq are kept until it has passed them, so that
a stream in the file never has holes.

Synchronous, and free of clocks, randomness and looks at the disk: those come in as arguments.
"""

from __future__ import annotations

import contextlib
import functools
import json
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from milepost_agent.buffer import blocks, cutting, place, policy, salvage, schema
from milepost_agent.buffer.eviction import Evictor
from milepost_agent.buffer.files import POSIX
from milepost_agent.buffer.spans import Span, Spans
from milepost_agent.errors import StoreDamagedError, StoreDeviceError, StoreFullError, StoreIoError
from milepost_protocol.identity import EPOCH_BYTES, format_epoch
from milepost_protocol.limits import SEQ_MAX
from milepost_protocol.samples import UNKNOWN_CLASS, GapReason, TimeTrust

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from milepost_agent.buffer.files import Files, Held
    from milepost_agent.clock import ClockReading
    from milepost_agent.readings import Reading

    Entropy = Callable[[int], bytes]


class Stream(NamedTuple):
    """One epoch in the file: ``next_seq`` is not used yet, up to ``receipted`` the server has all."""

    ordinal: int
    epoch: str
    next_seq: int
    receipted: int

    @property
    def waiting(self) -> int:
        return self.next_seq - 1 - self.receipted


class BufferFacts(NamedTuple):
    """What ``milepost-agent status`` shows of the buffer."""

    epoch: str
    epochs: int
    stored_seq: int
    receipted_seq: int
    waiting: int
    waiting_gaps: int
    waiting_gap_samples: int
    oldest_ms: int | None
    file_bytes: int
    used_bytes: int
    dropped: dict[str, int]
    corrupt_files: int


class BufferStore:
    """The open buffer. ``open`` makes one; all methods belong to the thread that called it."""

    def __init__(
        self,
        path: Path,
        db: sqlite3.Connection,
        lock: Held,
        limits: policy.BufferLimits,
        entropy: Entropy,
        *,
        files: Files,
    ) -> None:
        self._files = files
        self._path = path
        self._db = db
        self._lock = lock
        self._file = files.identity(path)
        self._entropy = entropy
        self._spans = Spans(db)
        self._evictor = Evictor(path, db, self._spans, limits)
        self._streams = self._read_streams()
        self._device: str = db.execute("SELECT device FROM stream ORDER BY ordinal DESC").fetchone()[0]

    @classmethod
    def open(
        cls,
        path: Path,
        device: str,
        limits: policy.BufferLimits,
        entropy: Entropy,
        disk: policy.DiskFacts,
        *,
        files: Files = POSIX,
    ) -> Self:
        """Open the buffer at ``path``, make it where there is none, salvage it where it is damaged.

        Raises:
            StoreLockedError: another process has it.
            StoreDeviceError: it holds samples of another device.
            StoreFullError: there is no room to make it.
            StoreIoError: the disk refuses.
        """
        with contextlib.ExitStack() as undo, schema.translated(path):
            files.make_folder(path.parent)
            lock = files.lock(path)
            undo.callback(lock.release)
            db = _prepare(files, path, device, entropy, functools.partial(_check_inodes, path, limits, disk))
            undo.callback(db.close)
            store = cls(path, db, lock, limits, entropy, files=files)
            if store._device != device:
                raise StoreDeviceError(str(path), store._device, device)
            undo.pop_all()
            return store

    def close(self) -> None:
        """Write the log back and let the file go."""
        try:
            self._db.close()
        finally:
            self._lock.release()

    @property
    def streams(self) -> Sequence[Stream]:
        """The epochs with something in them, oldest first; the last is the current one."""
        return tuple(self._streams.values())

    @property
    def current(self) -> Stream:
        """The epoch that new samples belong to."""
        return next(reversed(self._streams.values()))

    def state(self) -> dict[str, Any] | None:
        """The edge's counters as of the last commit."""
        with schema.translated(self._path):
            (text,) = self._db.execute("SELECT state FROM stream ORDER BY ordinal DESC LIMIT 1").fetchone()
        return json.loads(text) if text else None

    def commit(
        self,
        readings: Sequence[Reading],
        state: Mapping[str, Any],
        now: ClockReading,
        disk: policy.DiskFacts,
        lost: blocks.Counts = (),
    ) -> int:
        """Store ``readings`` and the edge's ``state``: when this returns, they survive a power cut.

        ``lost`` are samples that found no room in memory: they become a gap. Returns the last seq in use.

        Raises:
            StoreFullError: no room; nothing was stored, the store stays usable.
            StoreIoError, StoreDamagedError: the store must be closed and opened again.
            ProtocolError: a reading that the catalogue does not allow.
        """
        stream = self.current
        first = stream.next_seq + sum(count for _, count in lost)
        samples = blocks.stamp(readings, first, now)
        stored_ms = None if now.trust is TimeTrust.UNTRUSTED else now.wall_ms
        # A clock that nobody keeps may be years ahead, and would make everything old at once.
        aged_at_ms = now.wall_ms if now.trust is TimeTrust.SYNCED else None
        incoming = [
            Span(stream.ordinal, *block[:3], None, stored_ms, now.boot, now.offset_ms, block.payload)
            for block in blocks.pack(self._device, stream.epoch, samples, max(0, now.wall_ms))
        ]
        text = json.dumps(state, separators=(",", ":"))
        with self._transaction():
            self._evictor.drop_aged(aged_at_ms)
            if lost:
                gap = Span(stream.ordinal, stream.next_seq, first - 1, lost, GapReason.DISK_FULL)
                self._spans.insert_gap(gap)
            for span in self._evictor.make_room(incoming, disk):
                self._evictor.insert(span)
            self._save(stream._replace(next_seq=first + len(samples)), text)
        return first + len(samples) - 1

    def cut(
        self,
        epoch: str,
        first: int,
        last_max: int,
        now: ClockReading,
        size: cutting.Size = cutting.FULL_SIZE,
    ) -> cutting.Cut | None:
        """A batch that begins at ``first``, or with the gap that holds it, up to ``last_max``.

        It goes beyond ``last_max`` to the end of a single span, unless ``size`` says exact. None if the epoch
        has nothing there. A block that cannot be read becomes a gap.

        Raises:
            StoreIoError, StoreDamagedError: the store must be closed and opened again.
        """
        stream = self._streams.get(epoch)
        maker = cutting.Maker(self._device, epoch, now)
        last = last_max if size.is_exact else SEQ_MAX
        while stream:
            with schema.translated(self._path):
                spans = cutting.choose(self._spans.covering(stream.ordinal, first), last_max, size)
            if not spans:
                return None
            try:
                return maker.cut(spans, first, last, size.bytes_max)
            except cutting.DamagedSpanError as damage:
                if damage.span.reason:
                    raise StoreDamagedError(str(self._path), str(damage)) from damage
                with self._transaction():
                    self._evictor.drop_damaged(damage.span)
        return None

    def receive(self, epoch: str, seq: int) -> None:
        """Delete what the server has: all of ``epoch``, if the file has it, up to ``seq``.

        An older epoch of which nothing is left goes, too.

        Raises:
            StoreError: the disk refuses; the receipt will come again.
        """
        stream = self._streams.get(epoch)
        if stream is None or seq <= stream.receipted:
            return
        seq = min(seq, stream.next_seq - 1)
        with self._transaction(durable=False):
            self._spans.delete_up_to(stream.ordinal, seq)
            self._save(stream._replace(receipted=seq))
            if epoch != self.current.epoch and seq == stream.next_seq - 1:
                self._db.execute("DELETE FROM stream WHERE ordinal = ?", (stream.ordinal,))
                del self._streams[epoch]

    def rewind(self, epoch: str, seq: int) -> None:
        """The server, restored to an older state, has ``epoch`` up to ``seq``: what is gone here is a gap.

        Raises:
            StoreError: the disk refuses; the receipt will come again.
        """
        stream = self._streams.get(epoch)
        if stream is None or seq >= stream.receipted:
            return
        with self._transaction(durable=False):
            held = next(self._spans.covering(stream.ordinal, 1), None)
            last = held.first - 1 if held else stream.next_seq - 1
            if last > seq:
                counts = ((UNKNOWN_CLASS, last - seq),)
                self._spans.insert_gap(Span(stream.ordinal, seq + 1, last, counts, GapReason.RESTORED))
            self._save(stream._replace(receipted=seq))

    def renew_epoch(self) -> None:
        """Go on under a new epoch, because the server knows seqs of this one that the file never gave out.

        That happens when an older copy of the file was put back: seqs given out again would be taken for
        resends and be lost. What is not receipted moves over and gets new seqs; some of it the server may
        have under the old ones.

        Raises:
            StoreError: the disk refuses.
        """
        old = self.current
        with self._transaction():
            (state,) = self._db.execute(
                "SELECT state FROM stream WHERE ordinal = ?", (old.ordinal,)
            ).fetchone()
            held = next(self._spans.covering(old.ordinal, 1), None)
            base = held.first - 1 if held else old.next_seq - 1
            new = Stream(old.ordinal + 1, self._new_epoch(), old.next_seq - base, 0)
            shift = schema.span_key(new.ordinal, 0) - schema.span_key(old.ordinal, base)
            self._db.execute(
                "UPDATE span SET key = key + ?, last = last - ? WHERE key > ?",
                (shift, base, schema.span_key(old.ordinal, 0)),
            )
            self._db.execute("DELETE FROM stream WHERE ordinal = ?", (old.ordinal,))
            self._db.execute(
                "INSERT INTO stream VALUES (?, ?, ?, ?, ?, ?)",
                (new.ordinal, new.epoch, self._device, new.next_seq, new.receipted, state),
            )
            del self._streams[old.epoch]
            self._streams[new.epoch] = new

    def facts(self) -> BufferFacts:
        """What the buffer holds now.

        Raises:
            StoreIoError, StoreDamagedError: the store must be closed and opened again.
        """
        with schema.translated(self._path):
            file = self._evictor.file()
            oldest = self._spans.oldest()
        current = self.current
        return BufferFacts(
            epoch=current.epoch,
            epochs=len(self._streams),
            stored_seq=current.next_seq - 1,
            receipted_seq=current.receipted,
            waiting=sum(stream.waiting for stream in self._streams.values()),
            waiting_gaps=self._spans.totals.gaps,
            waiting_gap_samples=self._spans.totals.gap_samples,
            oldest_ms=oldest.stored_ms if oldest else None,
            file_bytes=file.pages * file.page_bytes,
            used_bytes=(file.pages - file.free_pages) * file.page_bytes,
            dropped=dict(self._evictor.tally),
            corrupt_files=len(salvage.corrupt_files(self._files, self._path)),
        )

    @contextlib.contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[None]:
        """All or nothing, in the file and in memory; ``durable`` waits until it is on flash."""
        before = dict(self._streams), self._spans.totals, self._evictor.tally
        is_done = False
        try:
            with schema.translated(self._path):
                self._look_at_place()
                self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            is_done = True
        finally:
            if not is_done:
                self._streams, self._spans.totals, self._evictor.tally = before
                if self._db.in_transaction:
                    with schema.translated(self._path):
                        self._db.execute("ROLLBACK")

    def _look_at_place(self) -> None:
        if self._files.identity(self._path) == self._file:
            return
        place.put_back(self._files, self._path, self._db)
        raise StoreIoError(
            str(self._path), "was removed or replaced while in use, and is put back; find out by whom"
        )

    def _save(self, stream: Stream, state: str | None = None) -> None:
        self._db.execute(
            "UPDATE stream SET next_seq = ?, receipted = ?, state = coalesce(?, state) WHERE ordinal = ?",
            (stream.next_seq, stream.receipted, state, stream.ordinal),
        )
        self._streams[stream.epoch] = stream

    def _read_streams(self) -> dict[str, Stream]:
        query = "SELECT ordinal, epoch, next_seq, receipted FROM stream ORDER BY ordinal"
        return {row[1]: Stream(*row) for row in self._db.execute(query)}

    def _new_epoch(self) -> str:
        return format_epoch(self._entropy(EPOCH_BYTES))


def _prepare(
    files: Files, path: Path, device: str, entropy: Entropy, before_making: Callable[[], None]
) -> sqlite3.Connection:
    """A connection to a sound buffer at ``path``."""
    waiting = salvage.waiting_name(path)
    if files.exists(path) and not files.exists(waiting):
        try:
            return _connect_checked(files, path)
        except StoreDamagedError as damage:
            salvage.set_aside(files, path, str(damage))
    if not files.exists(path):
        before_making()
        salvage.take_over(files, path, format_epoch(entropy(EPOCH_BYTES)), device)
    if files.exists(waiting):
        salvage.put_away(files, path)
    return _connect_checked(files, path)


def _check_inodes(path: Path, limits: policy.BufferLimits, disk: policy.DiskFacts) -> None:
    if not policy.has_inodes(limits, disk):
        raise StoreFullError(
            str(path), f"only {disk.free_inodes} inodes are free on its disk; remove some files"
        )


def _connect_checked(files: Files, path: Path) -> sqlite3.Connection:
    with schema.translated(path), contextlib.ExitStack() as undo:
        db = schema.connect(files, path)
        undo.callback(db.close)
        schema.check(path, db)
        undo.pop_all()
        return db
