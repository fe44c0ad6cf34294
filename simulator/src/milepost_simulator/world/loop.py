"""An asyncio event loop in virtual time: it never waits, its clock jumps to whatever happens next."""

from __future__ import annotations

import asyncio
import itertools
import math
import selectors
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple

from milepost_simulator.errors import WorldStuckError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Mapping
    from concurrent.futures import Executor
    from contextvars import Context

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START_S: Final = 1_000.0
"""What the virtual clock shows first; not 0, which code may take for "never"."""


class _NumberedTask(asyncio.Task[Any]):
    """A task whose hash is its number: a set of tasks then has one order, whatever their addresses are."""

    def __init__(
        self, number: int, coro: Generator[Any, None, Any] | Coroutine[Any, Any, Any], **kwargs: Any
    ) -> None:
        self._number = number
        super().__init__(coro, **kwargs)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class _Clockwork(selectors.BaseSelector):
    """Stands in for the wait on sockets: where the loop would sleep, time passes at once."""

    def __init__(self) -> None:
        self.now_s = START_S
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self._keys:  # the first one is the loop's own way to wake itself
            raise WorldStuckError("something waits for a real file or socket; nothing real exists in a world")
        key = selectors.SelectorKey(fileobj, 0, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise WorldStuckError("nothing will ever happen again: everybody waits for somebody else")
        # A step more than asked for: late in a long history asyncio's own tolerance is less than one step.
        self.now_s = math.nextafter(self.now_s + max(0.0, timeout), math.inf)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs as fast as its callbacks do; ``time`` are virtual seconds.

    A job for an executor runs in the loop's own thread, ``job_delay_s()`` virtual seconds later, so that all
    else happens in between; the jobs of one executor follow one another, as in a pool of one thread.
    """

    def __init__(self, job_delay_s: Callable[[], float]) -> None:
        self._clockwork = _Clockwork()
        super().__init__(self._clockwork)
        self._job_delay_s = job_delay_s
        self._busy_until_s: dict[Executor | None, float] = {}
        self._numbers = itertools.count()
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        """Virtual seconds."""
        return self._clockwork.now_s

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run ``func`` in this thread, a moment later."""
        done: asyncio.Future[T] = self.create_future()
        at_s = max(self.time(), self._busy_until_s.get(executor, 0.0)) + self._job_delay_s()
        self._busy_until_s[executor] = at_s
        self.call_at(at_s, _run_job, done, lambda: func(*args))
        return done

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        return _NumberedTask(next(self._numbers), coro, loop=loop, context=context)


def _run_job(done: asyncio.Future[T], job: Callable[[], T]) -> None:
    # A waiter that was cancelled does not stop a thread: the job is done nevertheless.
    try:
        result = job()
    except Exception as error:  # noqa: BLE001  (it belongs to whoever waits)
        if not done.cancelled():
            done.set_exception(error)
        return
    if not done.cancelled():
        done.set_result(result)
