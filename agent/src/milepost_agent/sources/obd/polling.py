"""The polling plan: what to ask next, no more often than its signal needs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from milepost_agent.sources.obd.messages import Message
    from milepost_agent.sources.obd.pids import Request
    from milepost_protocol.signals import Value

RETRIES_MAX: Final = 2
"""Failures in a row that a bad line explains; more, and the car does not know the request."""
RETRY_S: Final = 5.0
UNANSWERED_FACTOR: Final = 2.0
UNANSWERED_S_MAX: Final = 600.0
NOT_SUPPORTED: Final = frozenset({0x11, 0x12, 0x31, 0x33, 0x7E, 0x7F})
"""Negative codes after which asking again is of no use: service or sub-function not supported, out of range,
access denied, and both kinds of "not in this session", for no session but the default one is ever opened."""


class Question(Protocol):
    """Something that a car is asked again and again."""

    @property
    def key(self) -> str:
        """Names it in the plan."""
        ...

    @property
    def interval_s(self) -> float:
        """It is asked no more often than that."""
        ...

    @property
    def interval_s_standing(self) -> float:
        """The same while the engine stands."""
        ...

    @property
    def needs_all(self) -> bool:
        """Whether answers of which a part was not understood are worth nothing."""
        ...

    def decode(self, messages: Sequence[Message]) -> list[tuple[str, Value]]:
        """Signals and values in the answers, of which there is at least one.

        Raises:
            ReplyError: an answer does not hold what it should.
        """
        ...


Q = TypeVar("Q", bound=Question)


@dataclass(slots=True)
class _Item(Generic[Q]):
    request: Q
    due_s: float
    unanswered: int = 0

    def interval_s(self, *, standing: bool) -> float:
        interval_s = self.request.interval_s_standing if standing else self.request.interval_s
        if not self.unanswered:
            return interval_s
        if self.unanswered <= RETRIES_MAX:
            return min(interval_s, RETRY_S)
        doublings = min(self.unanswered - RETRIES_MAX, 16)
        return min(RETRY_S * UNANSWERED_FACTOR**doublings, UNANSWERED_S_MAX)


class PollPlan(Generic[Q]):
    """Requests in turn: the most urgent of those that are due, counted from when each was last asked.

    On a slow bus all are asked less often and none is starved. What a car refuses for good is asked no more;
    what it leaves unanswered is asked ever more rarely.
    """

    def __init__(self, requests: Iterable[Q], mono_s: float) -> None:
        self._items = {request.key: _Item(request, mono_s) for request in requests}
        self.dropped: list[str] = []

    def next(self, mono_s: float) -> Q | None:
        """The request that has been due for longest; ``None`` where none is due yet."""
        due = [item for item in self._items.values() if item.due_s <= mono_s]
        return min(due, key=lambda item: item.due_s).request if due else None

    def wait_s(self, mono_s: float) -> float | None:
        """Seconds until something is due; ``None`` where nothing is left to ask."""
        first_s = min((item.due_s for item in self._items.values()), default=None)
        return None if first_s is None else max(0.0, first_s - mono_s)

    def answered(self, request: Q, mono_s: float, *, standing: bool) -> None:
        """Note an answer to ``request``, which was asked at ``mono_s``."""
        item = self._items[request.key]
        item.unanswered = 0
        item.due_s = mono_s + item.interval_s(standing=standing)

    def unanswered(self, request: Q, mono_s: float, *, standing: bool) -> None:
        """Note that ``request``, asked at ``mono_s``, brought nothing of use."""
        item = self._items[request.key]
        item.unanswered += 1
        item.due_s = mono_s + item.interval_s(standing=standing)

    def refused(self, request: Q, code: int, mono_s: float, *, standing: bool) -> None:
        """Note a negative answer with ``code`` to ``request``, asked at ``mono_s``."""
        if code in NOT_SUPPORTED:
            del self._items[request.key]
            self.dropped.append(request.key)
        else:
            self.unanswered(request, mono_s, standing=standing)

    def is_failing(self, key: str) -> bool:
        """Whether ``key`` is asked no more, or is left unanswered more often than a bad line explains."""
        item = self._items.get(key)
        return item is None or item.unanswered > RETRIES_MAX

    def started(self, mono_s: float, *, standing: bool) -> None:
        """Note that the engine started or stopped: what is wanted sooner now is due sooner."""
        for item in self._items.values():
            item.due_s = min(item.due_s, mono_s + item.interval_s(standing=standing))


def wanted(requests: Iterable[Request], supported: frozenset[int], fine_interval_s: float) -> list[Request]:
    """What to ask a car that supports the PIDs ``supported`` of service 01.

    ``fine_interval_s`` is for requests that only a collection profile needs; at 0 they are not asked.
    """
    chosen = []
    for request in requests:
        if request.pid is not None and request.pid not in supported:
            continue
        if request.interval_s:
            chosen.append(request)
        elif fine_interval_s:
            chosen.append(request.every(fine_interval_s))
    return chosen
