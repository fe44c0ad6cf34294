"""What to publish next for one epoch: a state machine without I/O.

Events go in (``connected``, ``disconnected``, ``stored``, ``published``, ``acknowledged``, ``receipt``), with
the monotonic time where it matters. ``wanted`` says what to publish now, ``wake_at_s`` when to ask again.

A broker's PUBACK only frees its place in the window. A batch is done when a receipt covers it; without one it
is sent again: the oldest first, alone, with growing pauses, until the server answers.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from milepost_protocol.receipt import Receipt


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one session may have under way.

    Attributes:
        window_batches: batches that the broker has not acknowledged.
        unreceipted_batches_max, unreceipted_bytes_max: batches that the server has not receipted.
        batch_samples_min: fewer new samples than this wait for company, at most ``batch_wait_s``.
        receipt_timeout_s: after this a batch without a receipt is sent again.
        resend_s_max: the longest pause between two resends while the server does not answer.
    """

    window_batches: int
    unreceipted_batches_max: int
    unreceipted_bytes_max: int
    batch_samples_min: int
    batch_wait_s: float
    receipt_timeout_s: float
    resend_s_max: float


class Want(NamedTuple):
    """Publish a batch that begins at seq ``first`` and ends at ``last_max`` or before, if stored so."""

    first: int
    last_max: int


class Verdict(enum.Enum):
    """What a receipt turned out to be."""

    ADVANCED = "advanced"
    """The store may delete up to its seq."""
    UNCHANGED = "unchanged"
    """Nothing below the watermark that was not known; ranges above it may be new."""
    STALE = "stale"
    """Older than one that came before: ignored."""
    RESTORED = "restored"
    """The server has gone back in time: the store must report what it no longer has."""
    AHEAD = "ahead"
    """The server knows seqs that this file never gave out: the store needs a new epoch."""
    OTHER_EPOCH = "other_epoch"
    """Of an epoch that is not the one being sent: ignored."""


@dataclass(slots=True)
class _Flight:
    first: int
    last: int
    size_bytes: int
    sent_s: float
    is_acknowledged: bool = False


class Session:
    """The sending of one epoch, from the store's receipt on to what is stored."""

    def __init__(self, epoch: str, receipted: int, limits: SessionLimits) -> None:
        self.epoch = epoch
        self.receipted = receipted
        self.sent = receipted
        """The highest seq that was handed to the broker, in this connection or an earlier one."""
        self.resends = 0
        self._limits = limits
        self._is_connected = False
        self._stored = receipted
        self._waiting_since_s = -math.inf
        self._flights: list[_Flight] = []
        self._above: tuple[tuple[int, int], ...] = ()
        self._resend_not_before_s = -math.inf
        self._resend_pause_s = limits.receipt_timeout_s

    @property
    def stored_seq(self) -> int:
        return self._stored

    @property
    def unreceipted_batches(self) -> int:
        return len(self._flights)

    def connected(self) -> None:
        """The broker listens, and receipts are subscribed: all that has no receipt is sent (again)."""
        self._is_connected = True
        self._restart()

    def disconnected(self) -> None:
        """Nothing can be sent; what was under way is unknown."""
        self._is_connected = False
        self._restart()

    def _restart(self) -> None:
        self._flights.clear()
        self._waiting_since_s = -math.inf
        self._resend_not_before_s = -math.inf
        self._resend_pause_s = self._limits.receipt_timeout_s

    def stored(self, seq: int, now_s: float) -> None:
        """All up to ``seq`` is durable in the store."""
        if seq > self._stored:
            self._stored = seq
            self._waiting_since_s = min(self._waiting_since_s, now_s)

    def wanted(self, now_s: float) -> Want | None:
        """What to publish now; None if there is nothing, or no room in the window."""
        if not self._is_connected:
            return None
        return self._overdue(now_s) or self._fresh(now_s)

    def _overdue(self, now_s: float) -> Want | None:
        flight = self._oldest_silent(now_s)
        if flight is None or now_s < self._resend_not_before_s:
            return None
        return Want(flight.first, flight.last)

    def _oldest_silent(self, now_s: float) -> _Flight | None:
        # The same sum as in wake_at_s: another one could round to a moment before its own alarm.
        timeout_s = self._limits.receipt_timeout_s
        return next((flight for flight in self._flights if flight.sent_s + timeout_s <= now_s), None)

    def _fresh(self, now_s: float) -> Want | None:
        first, last = self._unsent()
        if first > last or not self._has_room():
            return None
        is_few = last - first + 1 < self._limits.batch_samples_min
        if is_few and now_s < self._waiting_since_s + self._limits.batch_wait_s:
            return None
        return Want(first, last)

    def _unsent(self) -> tuple[int, int]:
        """The first range that is neither under way nor known to be committed; empty if first > last.

        Found anew each time, so that whatever a restored server forgot is sent again by itself.
        """
        taken = sorted([*self._above, *((flight.first, flight.last) for flight in self._flights)])
        first = self.receipted + 1
        for low, high in taken:
            if first < low:
                return first, min(self._stored, low - 1)
            first = max(first, high + 1)
        return first, self._stored

    def _has_room(self) -> bool:
        unacknowledged = sum(not flight.is_acknowledged for flight in self._flights)
        return (
            unacknowledged < self._limits.window_batches
            and len(self._flights) < self._limits.unreceipted_batches_max
            and sum(flight.size_bytes for flight in self._flights) < self._limits.unreceipted_bytes_max
        )

    def published(self, first: int, last: int, size_bytes: int, now_s: float) -> None:
        """Seqs ``first`` to ``last`` were handed to the client; first or again."""
        again = [flight for flight in self._flights if flight.first <= last and first <= flight.last]
        if again:
            self.resends += 1
            self._resend_not_before_s = now_s + self._resend_pause_s
            self._resend_pause_s = min(2 * self._resend_pause_s, self._limits.resend_s_max)
        # Cut anew, a batch may end before it did the first time: then the rest stays under way.
        for flight in again:
            flight.first = max(flight.first, last + 1)
        self._flights = [flight for flight in self._flights if flight.first <= flight.last]
        self._flights.append(_Flight(first, last, size_bytes, now_s))
        self._flights.sort(key=lambda flight: flight.first)
        self.sent = max(self.sent, last)
        unsent_first, unsent_last = self._unsent()
        if unsent_first > unsent_last:
            self._waiting_since_s = math.inf

    def acknowledged(self, first: int, last: int) -> None:
        """The broker has taken responsibility for a batch, whatever that is worth."""
        for flight in self._flights:
            if first <= flight.first and flight.last <= last:
                flight.is_acknowledged = True

    def receipt(self, receipt: Receipt, now_s: float) -> Verdict:
        """Take in the server's word; the verdict says what the store has to do."""
        if receipt.epoch != self.epoch:
            return Verdict.OTHER_EPOCH
        highest = max((receipt.seq, *(last for _, last in receipt.above)))
        if highest > self._stored:
            return Verdict.AHEAD
        if receipt.seq < self.receipted:
            return self._lower(receipt, now_s)
        is_news = receipt.seq > self.receipted or self._tells_more(receipt)
        verdict = Verdict.ADVANCED if receipt.seq > self.receipted else Verdict.UNCHANGED
        self._accept(receipt)
        if is_news:
            self._answered(now_s)
        return verdict

    def _lower(self, receipt: Receipt, now_s: float) -> Verdict:
        """A receipt below the watermark: late on its way, or from a server that was restored.

        Receipts carry no time, but each transaction of the server adds a range. One that holds a range which
        the highest receipt did not know was made after it.
        """
        if not self._tells_more(receipt):
            return Verdict.STALE
        self._accept(receipt)
        self._flights.clear()
        self._waiting_since_s = -math.inf
        self._answered(now_s)
        return Verdict.RESTORED

    def _tells_more(self, receipt: Receipt) -> bool:
        known = (*self._above, (0, self.receipted))
        return any(
            not any(low <= first and last <= high for low, high in known) for first, last in receipt.above
        )

    def _accept(self, receipt: Receipt) -> None:
        self.receipted = receipt.seq
        self._above = receipt.above
        covered = ((0, receipt.seq), *receipt.above)
        for flight in self._flights:
            flight.first = max(flight.first, min(flight.last, receipt.seq + 1))
        self._flights = [
            flight
            for flight in self._flights
            if not any(low <= flight.first and flight.last <= high for low, high in covered)
        ]

    def _answered(self, now_s: float) -> None:
        self._resend_pause_s = self._limits.receipt_timeout_s
        self._resend_not_before_s = now_s

    def wake_at_s(self) -> float:
        """When ``wanted`` may change its answer without an event; infinite if never."""
        if not self._is_connected:
            return math.inf
        times_s = [math.inf]
        if self._flights:
            oldest_s = min(flight.sent_s for flight in self._flights)
            times_s.append(max(oldest_s + self._limits.receipt_timeout_s, self._resend_not_before_s))
        first, last = self._unsent()
        if first <= last and self._has_room():
            times_s.append(self._waiting_since_s + self._limits.batch_wait_s)
        return min(times_s)
