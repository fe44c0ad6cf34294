"""From the event loop to the buffer: samples gather here, and one thread commits them.

The thread is the only one that touches the store, so that an fsync never holds up the loop. A store that the
disk has failed is closed; the next call opens it again, which salvages it where that is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from milepost_agent.buffer.attempt import Attempt
from milepost_agent.buffer.pending import Pending
from milepost_agent.credit import Credit
from milepost_agent.errors import StoreDamagedError, StoreError, StoreIoError
from milepost_agent.pulse import BUFFER_S_MAX, Pulse
from milepost_protocol.errors import ProtocolError
from milepost_protocol.signals import SignalClass, catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from milepost_agent.buffer.policy import DiskFacts
    from milepost_agent.buffer.store import BufferStore
    from milepost_agent.buffer.streams import Stream
    from milepost_agent.clock import ClockReading
    from milepost_agent.readings import Reading

URGENT_MAX: Final = 3
"""Commits for faults in a row, beside those that the interval makes: what an engine shows when it fails."""
URGENT_S: Final = 30.0
"""After that one in so many seconds: a code that comes and goes each second would cost a commit each time."""

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecorderLimits:
    """When to commit, and how much may wait in memory while the disk refuses."""

    commit_interval_s: float
    commit_samples_max: int
    memory_samples_max: int


class Surroundings(NamedTuple):
    """Where the recorder looks.

    Attributes:
        state: the edge's counters.
        clock: all clocks at one moment.
        disk: what is free on it.
        stretch: how many times ``commit_interval_s`` goes by from one commit to the next, 1 or more.
    """

    state: Callable[[], Mapping[str, Any]]
    clock: Callable[[], ClockReading]
    disk: Callable[[], DiskFacts]
    stretch: Callable[[], float] = lambda: 1.0


class Recorder:
    """Collects readings and commits them; all other work on the store goes through ``ask``."""

    def __init__(
        self, open_store: Callable[[], BufferStore], surroundings: Surroundings, limits: RecorderLimits
    ) -> None:
        self._open_store = open_store
        self._around = surroundings
        self._limits = limits
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="buffer")
        self._store: BufferStore | None = None
        self._known: Sequence[Stream] = ()
        self._pending = Pending(limits.memory_samples_max)
        self._saved_state: Mapping[str, Any] | None = None
        self._attempt: Attempt | None = None
        self._wake = asyncio.Event()
        self._is_due = False
        self._is_urgent = False
        self._is_fresh = True
        self._urgent = Credit(URGENT_MAX, URGENT_S)
        self._waiting: list[asyncio.Future[None]] = []
        self.pulse = Pulse(limits.commit_interval_s + BUFFER_S_MAX)
        self.on_stored: Callable[[], None] = lambda: None
        """Called in the loop after each commit."""
        self.epoch = ""
        """Of the store when it was last asked, "" before."""
        self.sampled = 0
        self.stored = 0
        self.commits = 0
        self.refused: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.last_refusal = ""
        self.last_error = ""

    @property
    def pending(self) -> int:
        """Samples in memory, not stored."""
        return len(self._pending) + (len(self._attempt.readings) if self._attempt else 0)

    async def ask(self, question: Callable[[BufferStore], T]) -> T:
        """Run ``question`` on the store, in its thread.

        Raises:
            StoreError: the store cannot be opened, or has failed; ask again later.
        """
        return await self._in_executor(lambda: self._in_thread(question))

    async def _in_executor(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    def _in_thread(self, question: Callable[[BufferStore], T]) -> T:
        if self._store is not None and self._store.is_found():
            self._drop_store()
        if self._store is None:
            self._store = self._open_store()
            self._catch_up(self._store)
        store = self._store
        try:
            return question(store)
        except StoreIoError:
            if not store.hold():
                self._drop_store()
            raise
        except StoreDamagedError:
            self._drop_store()
            raise
        finally:
            self._known = store.streams
            self.epoch = store.current.epoch

    def _catch_up(self, store: BufferStore) -> None:
        """Before all else with a store that was opened again: what has it lost, has it what failed?"""
        try:
            store.remember(self._known)
            if self._attempt is not None:
                self._attempt.settle(store)
        except StoreError:
            self._drop_store()
            raise

    def _drop_store(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            with contextlib.suppress(StoreError):
                store.close()

    def add(self, readings: Iterable[Reading]) -> None:
        """Queue what is to be stored. A reading that the catalogue does not allow is refused and counted.

        Faults are committed at once (see ``URGENT_MAX``), and so is the first sample after a start or
        ``refresh``.
        """
        known = catalogue()
        for reading in readings:
            try:
                known[reading.signal].check(reading.value)
            except ProtocolError as error:
                self.refused[error.reason] += 1
                self.last_refusal = str(error)
                continue
            self._pending.add(reading)
            self.sampled += 1
            if self._is_fresh:
                self._is_fresh = False
                self.flush_soon()
            elif known[reading.signal].signal_class is SignalClass.FAULT:
                self._is_urgent = True
                self._wake.set()
        if len(self._pending) >= self._limits.commit_samples_max:
            self.flush_soon()

    def refresh(self) -> None:
        """Commit the next sample at once: after a wake-up its place on the disk is what people look for."""
        self._is_fresh = True

    def flush_soon(self) -> None:
        """Commit what has gathered now, and not only after ``commit_interval_s``."""
        self._is_due = True
        self._wake.set()

    async def until_stored(self) -> None:
        """Return when all that was added so far is stored: it survives a power cut from then on.

        Raises:
            StoreError: the disk refuses; what was added waits in memory and will be tried again.
        """
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self.flush_soon()
        await waiting

    async def run(self) -> None:
        """Commit every ``commit_interval_s``, or earlier when enough has gathered, until cancelled."""
        with self.pulse.turning():
            while True:
                await self._wait()
                await self._flush()
                await self._check_file()
                self.pulse.beat()

    async def _wait(self) -> None:
        """Until the next commit is due: after the interval, for a fault, or because somebody wants it."""
        loop, interval_s = asyncio.get_running_loop(), self._limits.commit_interval_s
        begun_s = now_s = loop.time()
        while not self._is_due:
            due_s = begun_s + interval_s * self._around.stretch()
            if self._is_urgent:
                due_s = min(due_s, self._urgent.next_s(now_s))
            if due_s <= now_s:
                break
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(due_s, now_s + interval_s)):
                    await self._wake.wait()
            self.pulse.beat()
            now_s = loop.time()
        if self._is_urgent:
            self._urgent.take(now_s)
        self._is_due = self._is_urgent = False

    async def finish(self) -> None:
        """A last commit after ``run`` was cancelled; then close the store and end its thread."""
        if self._store is not None:
            self._store.stop_checking()
        # Before the first sample the counters may be those of a car that was never taken up: zeros.
        if self.sampled or self.commits:
            await self._flush(is_last=True)
        if self.pending:
            _LOG.error("stopping with %d samples that the disk did not take", self.pending)
        await self._in_executor(self._drop_store)
        self._thread.shutdown()

    async def _check_file(self) -> None:
        """Once the first samples are safe there is time for what opening a large file has left out."""
        if self.commits and self._store is not None and not self._store.is_checked:
            try:
                await self.ask(lambda store: store.check_all())
            except StoreError as error:
                _LOG.error("%s", error)

    async def _flush(self, *, is_last: bool = False) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            while await self._commit_some() or (self._pending and (waiting or is_last)):
                pass
        except StoreError as error:
            for one in waiting:
                if not one.done():
                    one.set_exception(error)
            if str(error) != self.last_error:
                _LOG.error("%s", error)
            self.last_error = str(error)
            # What gathers meanwhile must not make the loop spin on a disk that refuses; who waits is told.
            self._is_due, self._is_urgent = bool(self._waiting), False
        else:
            if self.last_error:
                _LOG.info("the disk takes samples again; those that waited in memory are stored")
            self.last_error = ""
            for one in waiting:
                if not one.done():
                    one.set_result(None)

    async def _commit_some(self) -> bool:
        """Commit up to ``commit_samples_max`` samples; whether there is more to be committed now."""
        was_left = self._attempt is not None
        if self._attempt is None:
            self._attempt = self._next_attempt()
        attempt = self._attempt
        if attempt is None:
            return False
        samples, lost = len(attempt.readings), dict(attempt.lost)
        await self.ask(lambda store: attempt.commit(store, self._around.clock(), self._around.disk()))
        self._attempt = None
        self._saved_state = attempt.state
        self.commits += 1
        self.stored += samples
        self.lost.update(lost)
        self.on_stored()
        # Behind an attempt that was interrupted, or refused at first, others have waited for their turn.
        return len(self._pending) >= (1 if was_left else self._limits.commit_samples_max)

    def _next_attempt(self) -> Attempt | None:
        state = self._around.state()
        readings, lost = self._pending.take(self._limits.commit_samples_max)
        if not readings and not lost and state == self._saved_state:
            return None
        return Attempt(readings, lost, state)
