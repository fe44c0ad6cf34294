"""What goes next over one connection: the sessions of all epochs in the buffer, and one window. Pure.

The order: what waits too long for its receipt, then faults, then what is fresh, then the backlog of the
oldest epoch. An old epoch never holds up the current one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from milepost_agent.uplink.budget import EVERYTHING, Allowance
from milepost_agent.uplink.link import Granted
from milepost_agent.uplink.session import URGENT_RANGES_MAX, Kind, Session, SessionLimits, Verdict, Want
from milepost_agent.uplink.window import Crossing, Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_agent.buffer.streams import Stream
    from milepost_agent.uplink.ranges import Range
    from milepost_protocol.receipt import Receipt


class Order(NamedTuple):
    """Publish this of ``epoch``, in at most ``bytes_max`` bytes where more than one sample is left to cut."""

    epoch: str
    want: Want
    bytes_max: int


class Search(NamedTuple):
    """Look for faults behind seq ``after``, for at most ``limit`` ranges."""

    after: int = 0
    limit: int = URGENT_RANGES_MAX


class Word(NamedTuple):
    """The server's word on an epoch: it has all up to ``seq``."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class Dispatch:
    """A batch that was handed to the link."""

    epoch: str
    first: int
    last: int
    crossing: Crossing


class Schedule:
    """Sessions by epoch, the oldest first; the last is the current one."""

    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self._sessions: dict[str, Session] = {}
        self._is_connected = False
        self.window = self._window(Granted())
        self._ended_resends = 0

    def _window(self, granted: Granted) -> Window:
        return Window(self._limits.window_batches, self._limits.unreceipted_bytes_max, granted)

    @property
    def current(self) -> Session | None:
        """The session that new samples belong to, None before the store was first asked."""
        return next(reversed(self._sessions.values()), None)

    @property
    def sessions(self) -> Sequence[Session]:
        return tuple(self._sessions.values())

    @property
    def words(self) -> Sequence[Word]:
        """What the store must be brought to."""
        return [Word(session.epoch, session.receipted) for session in self._sessions.values()]

    @property
    def unreceipted_batches(self) -> int:
        return sum(session.unreceipted_batches for session in self._sessions.values())

    @property
    def resends(self) -> int:
        """Batches that were sent again since the start."""
        return self._ended_resends + sum(session.resends for session in self._sessions.values())

    @property
    def rate_bytes_s(self) -> int | None:
        """What the link was last seen to carry, None where no PUBACK has come."""
        rate = self.window.rate_bytes_s
        return None if rate is None else round(rate)

    def follow(self, streams: Sequence[Stream], now_s: float) -> None:
        """The store holds these epochs, the oldest first; the last is the current one."""
        before, self._sessions = self._sessions, {}
        for stream in streams:
            is_current = stream is streams[-1]
            session = before.get(stream.epoch)
            if session is None:
                session = Session(stream.epoch, stream.receipted, self._limits)
            session.is_current = is_current
            session.stored(stream.next_seq - 1, now_s)
            if self._is_connected and stream.epoch not in before:
                session.connected()
            self._sessions[stream.epoch] = session
        ended = before.keys() - self._sessions.keys()
        self._ended_resends += sum(before[epoch].resends for epoch in ended)

    def connected(self, granted: Granted) -> None:
        """A link is open. The store was followed up to now, so that what is fresh is known."""
        self._is_connected = True
        self.window = self._window(granted)
        for session in self._sessions.values():
            session.connected()

    def disconnected(self) -> None:
        """The link is gone, and with it all that was under way."""
        self._is_connected = False
        for session in self._sessions.values():
            session.disconnected()

    @property
    def searches(self) -> Mapping[str, Search]:
        """Where to look for faults, by epoch; in one that is not here from the beginning."""
        sessions = self._sessions.values()
        return {session.epoch: Search(session.searched, session.urgent_room) for session in sessions}

    def hurry(self, epoch: str, found: Sequence[Range], searched: int) -> None:
        """These ranges of an epoch hold faults; up to seq ``searched`` there are no others."""
        if epoch in self._sessions:
            self._sessions[epoch].hurry(found, searched)

    def wanted(self, now_s: float, allowance: Allowance = EVERYTHING) -> Order | None:
        """What to publish now of what is allowed; None if nothing, or no room."""
        if not self._is_connected or not self.window.has_room():
            return None
        bytes_max = min(self.window.batch_bytes_max, allowance.bytes_max)
        for session in self._sessions.values():
            want = session.overdue(now_s)
            if want is not None and want.kind in allowance:
                return Order(session.epoch, want, bytes_max)
        return self._first_time(now_s, allowance, bytes_max) if self._may_send_new() else None

    def _first_time(self, now_s: float, allowance: Allowance, bytes_max: int) -> Order | None:
        for kind in Kind:
            oldest_first = tuple(self._sessions.values())
            for session in oldest_first if kind is Kind.BACKLOG else reversed(oldest_first):
                want = session.wanted(kind, now_s) if kind in allowance else None
                if want is not None:
                    return Order(session.epoch, want, bytes_max)
        return None

    def _may_send_new(self) -> bool:
        under_way_bytes = sum(session.unreceipted_bytes for session in self._sessions.values())
        return (
            self.unreceipted_batches < self._limits.unreceipted_batches_max
            and under_way_bytes < self._limits.unreceipted_bytes_max
        )

    def published(self, order: Order, first: int, last: int, size_bytes: int, now_s: float) -> Dispatch:
        """The batch that was cut for ``order`` was handed to the link."""
        self._sessions[order.epoch].published(first, last, size_bytes, order.want.kind, now_s)
        return Dispatch(order.epoch, first, last, self.window.sent(size_bytes, now_s))

    def acknowledged(self, dispatch: Dispatch, now_s: float) -> None:
        """The broker has taken it."""
        self.window.acknowledged(dispatch.crossing, now_s)
        session = self._sessions.get(dispatch.epoch)
        if session is not None:
            session.acknowledged(dispatch.first, dispatch.last, now_s)

    def receipt(self, receipt: Receipt, now_s: float) -> Verdict:
        """Take in the server's word."""
        session = self._sessions.get(receipt.epoch)
        return session.receipt(receipt, now_s) if session else Verdict.OTHER_EPOCH

    def wake_at_s(self, now_s: float) -> float:
        """When time alone may change what is wanted, infinite if never."""
        return min((session.wake_at_s(now_s) for session in self._sessions.values()), default=math.inf)
