"""The buffer: one SQLite file, one connection, one writer.

Promises: what ``commit`` returned for survives a power cut; a seq is never used twice in an epoch; every seq
between the server's receipt and the next one is a stored sample or part of a gap. Only a receipt deletes
without leaving a gap. Ranges that a receipt names above its seq are kept until it has passed them, so that
a stream in the file never has holes.

Synchronous, and free of clocks, randomness and looks at the disk: those come in as arguments.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from milepost_agent.buffer import blocks, checks, cutting, known, opening, policy, recovery, salvage
from milepost_agent.buffer.eviction import Evictor
from milepost_agent.buffer.files import POSIX
from milepost_agent.buffer.place import Finding, Place
from milepost_agent.buffer.spans import Span, Spans
from milepost_agent.buffer.streams import Stream, Streams
from milepost_agent.errors import StoreDamagedError, StoreDeviceError, StoreFullError, StoreIoError
from milepost_protocol.identity import EPOCH_BYTES, format_epoch
from milepost_protocol.limits import SEQ_MAX
from milepost_protocol.samples import GapReason, TimeTrust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from milepost_agent.buffer.files import Files, Held
    from milepost_agent.clock import ClockReading
    from milepost_agent.readings import Reading
    from milepost_protocol.signals import SignalClass

    Entropy = Callable[[int], bytes]


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
        opened: opening.Opened,
        lock: Held,
        limits: policy.BufferLimits,
        entropy: Entropy,
        *,
        files: Files,
    ) -> None:
        db = opened.db
        self._files = files
        self._path = path
        self._db = db
        self._lock = lock
        self._place = Place(files, path)
        self._corrupt_files = 0
        self._entropy = entropy
        self.is_checked = opened.is_checked
        self._patience = opened.patience
        self._is_checking = False
        self._spans = Spans(db)
        self._evictor = Evictor(path, db, self._spans, limits)
        self._streams = Streams(db)
        self._device = self._streams.device

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
        patience: checks.Patience | None = None,
    ) -> Self:
        """Open the buffer at ``path``, make it where there is none, salvage it where it is damaged.

        ``patience`` is that of earlier openings, with a disk that does not let all of the file be read.

        Raises:
            StoreLockedError: another process has it.
            StoreDeviceError: it holds samples of another device.
            StoreForeignError: it is no buffer, but somebody else's file.
            StoreFullError: there is no room to make it.
            StoreIoError: the disk refuses.
        """
        with contextlib.ExitStack() as undo, opening.guarded(files, path):
            files.make_folder(path.parent)
            lock = files.lock(path)
            undo.callback(lock.release)

            def new_epoch() -> str:
                if not policy.has_inodes(limits, disk):
                    raise StoreFullError(
                        str(path), f"only {disk.free_inodes} inodes are free on its disk; remove some files"
                    )
                return format_epoch(entropy(EPOCH_BYTES))

            opened = opening.open_file(files, path, device, new_epoch, patience or checks.Patience())
            undo.callback(opened.db.close)
            store = cls(path, opened, lock, limits, entropy, files=files)
            if store._device != device:
                raise StoreDeviceError(str(path), store._device, device)
            store.remember(known.find(files, path, device))
            known.forget(files, path)
            undo.pop_all()
            return store

    def hold(self) -> bool:
        """Whether to keep it open after a StoreIoError: closed, its file would be gone if it has no name."""
        return self._place.hold()

    def is_found(self) -> bool:
        """Whether it was held for nothing, and is to be closed and opened again."""
        return self._place.is_found()

    def close(self) -> None:
        """Write the log back, note how far the streams went, and let the file go."""
        try:
            self._db.close()
            with contextlib.suppress(OSError):  # a note that is older than the file does no harm
                known.leave(self._files, self._path, self._device, self.streams)
        finally:
            self._lock.release()

    @property
    def streams(self) -> Sequence[Stream]:
        """The epochs with something in them, oldest first; the last is the current one."""
        return tuple(self._streams.rows.values())

    @property
    def current(self) -> Stream:
        """The epoch that new samples belong to."""
        return self._streams.current

    def state(self) -> dict[str, Any] | None:
        """The edge's counters as of the last commit."""
        with self._guard():
            text = self._streams.state()
        return json.loads(text) if text else None

    def commit(
        self,
        readings: Sequence[Reading],
        state: Mapping[str, Any],
        now: ClockReading,
        disk: policy.DiskFacts,
        lost: blocks.Counts = (),
        *,
        is_graded: bool | None = None,
    ) -> int:
        """Store ``readings`` and the edge's ``state``: when this returns, they survive a power cut.

        ``lost`` are samples that found no room in memory: they become a gap. ``is_graded``: fine series are
        numbered so that they can be thinned; as ``is_filling`` says where it is not given. Returns the last
        seq in use.

        Raises:
            StoreFullError: no room; nothing was stored, the store stays usable.
            StoreIoError, StoreDamagedError: the store must be closed and opened again.
            ProtocolError: a reading that the catalogue does not allow.
        """
        stream = self.current
        first = stream.next_seq + sum(count for _, count in lost)
        is_graded = self.is_filling() if is_graded is None else is_graded
        rows = blocks.stamp(readings, first, now, is_graded=is_graded)
        stored_ms = None if now.trust is TimeTrust.UNTRUSTED else now.wall_ms
        # A clock that nobody keeps may be years ahead, and would make everything old at once.
        aged_at_ms = now.wall_ms if now.trust is TimeTrust.SYNCED else None
        incoming = [
            Span(stream.ordinal, *block[:3], None, stored_ms, now.boot, now.offset_ms, block.payload)
            for block in blocks.pack(self._device, stream.epoch, rows, max(0, now.wall_ms))
        ]
        text = json.dumps(state, separators=(",", ":"))
        with self._transaction():
            self._evictor.drop_aged(aged_at_ms)
            if lost:
                gap = Span(stream.ordinal, stream.next_seq, first - 1, lost, GapReason.DISK_FULL)
                self._spans.insert_gap(gap)
            for span in self._evictor.make_room(incoming, disk):
                self._evictor.insert(span)
            self._streams.save(stream._replace(next_seq=first + len(rows)), text)
        return first + len(rows) - 1

    def is_filling(self) -> bool:
        """Whether so much waits that what is stored now may have to be thinned.

        Raises:
            StoreIoError, StoreDamagedError: the store must be closed and opened again.
        """
        with self._guard():
            return self._evictor.is_filling()

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
        stream = self._streams.rows.get(epoch)
        maker = cutting.Maker(self._device, epoch, now)
        last = last_max if size.is_exact else SEQ_MAX
        while stream:
            with self._guard():
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
        stream = self._streams.rows.get(epoch)
        if stream is None or seq <= stream.receipted:
            return
        seq = min(seq, stream.next_seq - 1)
        with self._transaction(durable=False):
            self._spans.delete_up_to(stream.ordinal, seq)
            self._streams.save(stream._replace(receipted=seq))
            if epoch != self.current.epoch and seq == stream.next_seq - 1:
                self._streams.delete(stream)

    def rewind(self, epoch: str, seq: int) -> None:
        """The server, restored to an older state, has ``epoch`` up to ``seq``: what is gone here is a gap.

        Raises:
            StoreError: the disk refuses; the receipt will come again.
        """
        stream = self._streams.rows.get(epoch)
        if stream is None or seq >= stream.receipted:
            return
        with self._transaction(durable=False):
            recovery.go_back(self._spans, self._streams, stream, seq, GapReason.RESTORED)

    def renew_epoch(self) -> None:
        """Go on under a new epoch, because the server knows seqs of this one that the file never gave out.

        That happens when an older copy of the file was put back: seqs given out again would be taken for
        resends and be lost. What is not receipted moves over and gets new seqs; some of it the server may
        have under the old ones.

        Raises:
            StoreError: the disk refuses.
        """
        with self._transaction():
            recovery.renew(self._spans, self._streams, format_epoch(self._entropy(EPOCH_BYTES)))
            self._evictor.begin_anew()

    def remember(self, streams: Sequence[Stream]) -> None:
        """Tell as lost what an earlier opening of the file had, up to ``streams``, and this one has not.

        An older copy may lie in its place; a log with a rotten block loses what was committed after it
        without a trace; a salvaged file may have lost a stream as a whole. Seqs must not be given out again,
        and the server must hear of the loss.

        Raises:
            StoreError: the disk refuses; remember once it is open again.
        """
        lacking = recovery.lacking(self._streams, streams)
        if not lacking:
            return
        with self._transaction():
            for row in lacking:
                recovery.tell_lost(self._spans, self._streams, row)

    def ranges_with(
        self, epoch: str, signal_class: SignalClass, after_seq: int, limit: int
    ) -> list[tuple[int, int]]:
        """(first, last) seq of the first blocks that hold samples of a class and end behind ``after_seq``.

        Quick for faults, which an index knows; for others it reads as far as it takes to find so many.

        Raises:
            StoreIoError, StoreDamagedError: the store must be closed and opened again.
        """
        stream = self._streams.rows.get(epoch)
        if stream is None:
            return []
        with self._guard():
            return self._spans.ranges_with(stream.ordinal, signal_class, after_seq, limit)

    def holds(self, epoch: str, first: int, count: int) -> list[bool]:
        """For each of ``count`` seqs of ``epoch`` from ``first`` on: whether a commit of it is in the file.

        It is where the seq is a sample, or in a gap that says that it was dropped on purpose.

        Raises:
            StoreIoError, StoreDamagedError: the store must be closed and opened again.
        """
        held = [False] * count
        stream = self._streams.rows.get(epoch)
        if stream is None:
            return held
        with self._guard():
            for span in self._spans.covering(stream.ordinal, first):
                if span.first >= first + count:
                    break
                if span.reason is not GapReason.CORRUPT:
                    start, end = max(span.first - first, 0), min(span.last + 1 - first, count)
                    held[start:end] = [True] * (end - start)
        return held

    def check_all(self) -> None:
        """Check the whole file, once, where ``open`` had to leave that for later; that may take seconds.

        Raises:
            StoreIoError, StoreDamagedError: the store must be closed and opened again, which salvages it.
        """
        if self.is_checked:
            return
        self._is_checking = True
        try:
            with self._guard():
                self.is_checked = checks.check_all(self._path, self._db, self._patience)
        finally:
            self._is_checking = False

    def stop_checking(self) -> None:
        """End a running ``check_all`` before it is done; the one method for other threads."""
        if self._is_checking:
            self._db.interrupt()

    def facts(self) -> BufferFacts:
        """What the buffer holds now.

        Raises:
            StoreIoError, StoreDamagedError: the store must be closed and opened again.
        """
        with self._guard():
            file = self._evictor.file()
            oldest = self._spans.oldest()
        # A folder that cannot be listed is no reason to close the file: it is the count that was seen last.
        with contextlib.suppress(OSError):
            self._corrupt_files = len(salvage.corrupt_files(self._files, self._path))
        current = self.current
        return BufferFacts(
            epoch=current.epoch,
            epochs=len(self.streams),
            stored_seq=current.next_seq - 1,
            receipted_seq=current.receipted,
            waiting=sum(stream.waiting for stream in self.streams),
            waiting_gaps=self._spans.totals.gaps,
            waiting_gap_samples=self._spans.totals.gap_samples,
            oldest_ms=oldest.stored_ms if oldest else None,
            file_bytes=file.pages * file.page_bytes,
            used_bytes=(file.pages - file.free_pages) * file.page_bytes,
            dropped=dict(self._evictor.progress.tally),
            corrupt_files=self._corrupt_files,
        )

    @contextlib.contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[None]:
        """All or nothing, in the file and in memory; ``durable`` waits until it is on flash."""
        with self._guard():
            self._look_at_place()
        before = dict(self._streams.rows), self._spans.totals, self._evictor.progress
        is_done = False
        try:
            with self._guard():
                self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            is_done = True
        finally:
            if not is_done:
                self._streams.rows, self._spans.totals, self._evictor.progress = before
                if self._db.in_transaction:
                    with self._guard():
                        self._db.execute("ROLLBACK")
            with self._guard():
                self._place.left()

    def _guard(self) -> AbstractContextManager[None]:
        return opening.guarded(self._files, self._path)

    def _put_back(self) -> None:
        """Give the open file a name again; where the disk refuses, it stays open with all that it holds.

        Raises:
            StoreFullError: not yet; the store stays usable for what only reads.
            StoreIoError, StoreDamagedError: never; what it holds has to be given up, and told as lost.
        """
        try:
            with self._guard():
                self._place.put_back(self._db)
        except (StoreFullError, StoreIoError) as error:
            if self._place.is_given_up:
                raise
            why = f"was removed or replaced while in use, and cannot be put back yet ({error})"
            raise StoreFullError(str(self._path), why) from error

    def _look_at_place(self) -> None:
        finding = self._place.look()
        if finding is Finding.GONE:
            self._put_back()
            raise StoreIoError(
                str(self._path), "was removed or replaced while in use, and is put back; find out by whom"
            )
        if finding is Finding.HELD:
            raise StoreIoError(str(self._path), "could not be looked at after an error; opening it again")
        if finding is Finding.OVERWRITTEN:
            salvage.start_over(self._files, self._path, self._db)
            raise StoreDamagedError(str(self._path), "was written to by another program while in use")
