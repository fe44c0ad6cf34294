"""The sending of one epoch: a state machine without I/O.

Events go in (``connected``, ``disconnected``, ``stored``, ``published``, ``acknowledged``, ``receipt``), with
the monotonic time where it matters. ``wanted`` says what of a kind to publish now, ``wake_at_s`` when to ask
again. Which kind goes first, and how much at once, is the schedule's matter.

A broker's PUBACK only frees its place in the window. A batch is done when a receipt covers it; without one it
is sent again: the oldest first, alone, with growing pauses, until the server answers. Before the PUBACK it is
never sent again: the link is reliable, and whatever it still holds would only wait behind itself.

After an outage the newest samples go first, then the backlog from the bottom; faults before both. Each start
in the middle opens a range above the server's watermark, and of those there are few: beyond
``OPEN_RANGES_MAX`` everything goes in order.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.uplink import ranges
from milepost_protocol.limits import RECEIPT_RANGES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_agent.uplink.ranges import Range
    from milepost_protocol.receipt import Receipt

OPEN_RANGES_MAX: Final = 12
"""Ranges above the watermark that sending out of order may open: fewer than a receipt has room for."""
FRESH_SEQS_MAX: Final = 1_024
"""So many of the newest seqs go before the backlog after a connection."""
URGENT_RANGES_MAX: Final = 64
"""Ranges that hold faults and are remembered at a time; those after them are asked for later."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What may be under way.

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


class Kind(enum.IntEnum):
    """Why something is sent; the lower, the sooner."""

    FAULT = 0
    FRESH = 1
    BACKLOG = 2


class Want(NamedTuple):
    """Publish a batch that begins at seq ``first`` and ends at ``last_max`` or before.

    It may go on to the end of the block that holds ``last_max``, except for a fault, which goes alone.
    """

    first: int
    last_max: int
    kind: Kind


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
    """The server knows seqs that this file never gave out: the store has to go past them."""
    OTHER_EPOCH = "other_epoch"
    """Of an epoch that is not being sent: ignored."""


@dataclass(slots=True)
class _Flight:
    first: int
    last: int
    size_bytes: int
    kind: Kind
    acknowledged_s: float = math.inf


class Session:
    """The sending of one epoch, from the store's receipt on to what is stored.

    Args:
        is_current: new samples get seqs of this epoch; an older one has a backlog only.
    """

    def __init__(self, epoch: str, receipted: int, limits: SessionLimits, *, is_current: bool = True) -> None:
        self.epoch = epoch
        self.receipted = receipted
        self.sent = receipted
        """The highest seq that was handed to the broker, in this connection or an earlier one."""
        self.resends = 0
        self.searched = receipted
        """Up to this seq the store was asked for faults."""
        self.is_current = is_current
        self._limits = limits
        self._is_connected = False
        self._stored = receipted
        self._fresh_first = receipted + 1
        self._waiting_since_s = -math.inf
        self._is_hasty = False
        self._flights: list[_Flight] = []
        self._above: tuple[Range, ...] = ()
        self._doubted_s = math.inf
        self._urgent: list[Range] = []
        self._resend_not_before_s = -math.inf
        self._resend_pause_s = limits.receipt_timeout_s

    @property
    def stored_seq(self) -> int:
        return self._stored

    @property
    def unreceipted_batches(self) -> int:
        return len(self._flights)

    @property
    def unreceipted_bytes(self) -> int:
        return sum(flight.size_bytes for flight in self._flights)

    @property
    def open_ranges(self) -> int:
        """Ranges above the watermark that the server has, or will have if all that is under way arrives."""
        return ranges.apart_above(self.receipted, self._taken())

    def connected(self) -> None:
        """The broker listens, and receipts are subscribed: all that has no receipt is sent (again)."""
        self._is_connected = True
        self._fresh_first = max(self.receipted, self._stored - FRESH_SEQS_MAX) + 1
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
            self._waiting_since_s = min(self._waiting_since_s, -math.inf if self._is_hasty else now_s)
            self._is_hasty = False

    def hasten(self) -> None:
        """What ``stored`` tells next waits for no company."""
        self._is_hasty = True

    @property
    def urgent_room(self) -> int:
        """How many more ranges ``hurry`` takes."""
        return URGENT_RANGES_MAX - len(self._urgent)

    def hurry(self, found: Iterable[Range], searched: int) -> None:
        """These stored ranges hold faults; up to seq ``searched`` there are no others."""
        self._urgent += list(found)[: self.urgent_room]
        self.searched = searched

    def wanted(self, kind: Kind, now_s: float) -> Want | None:
        """What of this kind to publish for the first time, None if there is nothing."""
        if not self._is_connected:
            return None
        if kind is Kind.FAULT:
            return self._fault()
        return self._fresh(now_s) if kind is Kind.FRESH else self._backlog()

    def overdue(self, now_s: float) -> Want | None:
        """What to publish again, None if nothing waits too long for its receipt."""
        if not self._is_connected or now_s < self._resend_not_before_s:
            return None
        # The same sum as in wake_at_s: another one could round to a moment before its own alarm.
        timeout_s = self._limits.receipt_timeout_s
        late = (flight for flight in self._flights if flight.acknowledged_s + timeout_s <= now_s)
        flight = next(late, None)
        return Want(flight.first, flight.last, flight.kind) if flight else None

    def _fault(self) -> Want | None:
        for low, high in self._urgent:
            missing = self._missing(low, high)
            if missing and self._may_open(missing):
                return Want(*missing, Kind.FAULT)
        return None

    def _fresh(self, now_s: float) -> Want | None:
        missing = self._missing(self._fresh_first, self._stored) if self.is_current else None
        if missing is None or not self._may_open((missing[0], missing[0])):
            return None
        is_few = missing[1] - missing[0] + 1 < self._limits.batch_samples_min
        if is_few and now_s < self._waiting_since_s + self._limits.batch_wait_s:
            return None
        return Want(*missing, Kind.FRESH)

    def _backlog(self) -> Want | None:
        last = self._fresh_first - 1 if self.is_current else self._stored
        missing = self._missing(self.receipted + 1, min(last, self._stored))
        return Want(*missing, Kind.BACKLOG) if missing else None

    def _missing(self, low: int, high: int) -> Range | None:
        """The first range from ``low`` to ``high`` that is neither under way nor known to be committed.

        Found anew each time, so that whatever a restored server forgot is sent again by itself.
        """
        return ranges.first_missing(max(low, self.receipted + 1), high, self._taken())

    def _taken(self) -> list[Range]:
        return [*self._above, *((flight.first, flight.last) for flight in self._flights)]

    def _may_open(self, new: Range) -> bool:
        after = ranges.apart_above(self.receipted, [*self._taken(), new])
        return after <= max(OPEN_RANGES_MAX, self.open_ranges)

    def published(self, first: int, last: int, size_bytes: int, kind: Kind, now_s: float) -> None:
        """Seqs ``first`` to ``last`` were handed to the link; first or again."""
        # A gap that grew since the store was last followed takes a batch beyond what it had then.
        self._stored = max(self._stored, last)
        if ranges.holds(((0, self.receipted), *self._above), first, last):
            return  # receipted while it was made
        again = [flight for flight in self._flights if flight.first <= last and first <= flight.last]
        if again:
            self.resends += 1
            self._resend_not_before_s = now_s + self._resend_pause_s
            self._resend_pause_s = min(2 * self._resend_pause_s, self._limits.resend_s_max)
        # Cut anew, a batch may end before it did the first time: then the rest stays under way.
        for flight in again:
            flight.first = max(flight.first, last + 1)
        self._flights = [flight for flight in self._flights if flight.first <= flight.last]
        self._flights.append(_Flight(first, last, size_bytes, kind))
        self._flights.sort(key=lambda flight: flight.first)
        self.sent = max(self.sent, last)
        if self._missing(self._fresh_first, self._stored) is None:
            self._waiting_since_s = math.inf

    def acknowledged(self, first: int, last: int, now_s: float) -> None:
        """The broker has taken responsibility for a batch, whatever that is worth."""
        for flight in self._flights:
            if first <= flight.first and flight.last <= last:
                flight.acknowledged_s = min(flight.acknowledged_s, now_s)

    def receipt(self, receipt: Receipt, now_s: float) -> Verdict:
        """Take in the server's word; the verdict says what the store has to do."""
        if receipt.epoch != self.epoch:
            return Verdict.OTHER_EPOCH
        if receipt.highest > self._stored:
            return Verdict.AHEAD
        is_news = receipt.seq > self.receipted or self._tells_more(receipt)
        if receipt.seq < self.receipted:
            is_later = is_news and not self._is_doubtful(now_s)
            return self._lower(receipt, now_s) if is_later else Verdict.STALE
        verdict = Verdict.ADVANCED if receipt.seq > self.receipted else Verdict.UNCHANGED
        if is_news:
            self._accept(receipt)
            self._answered(now_s)
        return verdict

    def _lower(self, receipt: Receipt, now_s: float) -> Verdict:
        """A receipt below the watermark that tells more: of a server that was restored.

        Receipts carry no time, but each transaction of the server adds a range. One that holds a range which
        the highest receipt did not know was made after it.
        """
        self._accept(receipt)
        self._flights.clear()
        self._waiting_since_s = -math.inf
        self._answered(now_s)
        return Verdict.RESTORED

    def _is_doubtful(self, now_s: float) -> bool:
        """Whether a range that the highest receipt did not know may be older than it all the same.

        It may where that receipt had no room for more. What a resend is answered then tells.
        """
        if len(self._above) < RECEIPT_RANGES_MAX:
            return False
        self._doubted_s = min(self._doubted_s, now_s)
        return now_s < self._doubted_s + self._limits.receipt_timeout_s

    def _tells_more(self, receipt: Receipt) -> bool:
        known = (*self._above, (0, self.receipted))
        return any(not ranges.holds(known, *span) for span in receipt.above)

    def _accept(self, receipt: Receipt) -> None:
        self.receipted = receipt.seq
        self._above = receipt.above
        self._doubted_s = math.inf
        covered = ((0, receipt.seq), *receipt.above)
        for flight in self._flights:
            flight.first = max(flight.first, min(flight.last, receipt.seq + 1))
        self._flights = [
            flight for flight in self._flights if not ranges.holds(covered, flight.first, flight.last)
        ]
        self._urgent = [span for span in self._urgent if not ranges.holds(covered, *span)]

    def _answered(self, now_s: float) -> None:
        self._resend_pause_s = self._limits.receipt_timeout_s
        self._resend_not_before_s = now_s

    def wake_at_s(self, now_s: float) -> float:
        """When time alone may change an answer after ``now_s``; infinite if never."""
        if not self._is_connected:
            return math.inf
        timeout_s = self._limits.receipt_timeout_s
        resends_s = (
            max(flight.acknowledged_s + timeout_s, self._resend_not_before_s) for flight in self._flights
        )
        company_s = self._waiting_since_s + self._limits.batch_wait_s
        return min((at_s for at_s in (*resends_s, company_s) if at_s > now_s), default=math.inf)
