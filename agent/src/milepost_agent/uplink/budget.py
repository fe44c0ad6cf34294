"""What may be sent at all: bytes a day, an even pace on a metered link, and quiet hours. Pure.

Counted are the messages of MQTT in both directions with topic and framing; not TCP, TLS and pings. A day is
that of UTC, and so are quiet hours. While the clock is not trusted, a day is 24 hours since the count began,
and quiet hours do not apply: nobody knows when they are.

Faults pass in quiet hours, and after the day's bytes are used up as far as a reserve beyond them goes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.uplink.session import Kind
from milepost_protocol.samples import TimeTrust

if TYPE_CHECKING:
    from milepost_agent.clock import ClockReading

DAY_S: Final = 86_400
FAULT_RESERVE_SHARE: Final = 0.25
"""Of the day's bytes, beyond them: for faults alone."""
BATCH_BYTES_MIN: Final = 1024
"""With less than this left, the day's bytes count as used up."""
LOOK_AGAIN_S: Final = 60.0
"""While something is held back, time is looked at this often."""
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class QuietHours(NamedTuple):
    """From ``start_s`` to before ``end_s``, seconds since midnight UTC; over midnight if it ends earlier."""

    start_s: int
    end_s: int

    @classmethod
    def parse(cls, text: str) -> QuietHours | None:
        """Read ``22:00-06:00``; None if it is something else, or no time at all."""
        match = _HOURS.fullmatch(text)
        if match is None:
            return None
        hour, minute, end_hour, end_minute = map(int, match.groups())
        made = cls(hour * 3600 + minute * 60, end_hour * 3600 + end_minute * 60)
        return made if made.start_s != made.end_s else None

    def holds(self, day_s: float) -> bool:
        """Whether it is quiet ``day_s`` after midnight."""
        if self.start_s < self.end_s:
            return self.start_s <= day_s < self.end_s
        return day_s >= self.start_s or day_s < self.end_s


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """What the operator allows.

    Attributes:
        bytes_per_day_max: 0 for no limit.
        is_metered: the backlog keeps to an even pace over the day; it needs a limit.
        quiet: only faults are sent then.
    """

    bytes_per_day_max: int = 0
    is_metered: bool = False
    quiet: QuietHours | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be sent now, as in ``Kind.FRESH in allowance``.

    Attributes:
        last: this kind and those before it; None for nothing.
        bytes_max: what the next batch may take of the day.
        why: what holds the others back.
    """

    last: Kind | None
    bytes_max: int
    why: str = ""

    def __contains__(self, kind: Kind) -> bool:
        return self.last is not None and kind <= self.last


EVERYTHING: Final = Allowance(Kind.BACKLOG, 2**63)


class Budget:
    """The day's count, and what it allows."""

    def __init__(self, limits: BudgetLimits) -> None:
        self._limits = limits
        self._day: int | None = None
        """Days since 1970, None while the clock is not trusted."""
        self._began_s: float | None = None
        self.used_bytes = 0

    def spend(self, size_bytes: int, now: ClockReading) -> None:
        """So many bytes were sent or received."""
        self._turn(now)
        self.used_bytes += size_bytes

    def _turn(self, now: ClockReading) -> None:
        """Begin the count anew when a day is over."""
        day = now.wall_ms // (DAY_S * 1000) if now.trust is not TimeTrust.UNTRUSTED else None
        if self._began_s is None:
            self._began_s = now.mono_s
        is_over = now.mono_s - self._began_s >= DAY_S
        if day is not None and self._day is not None:
            # A clock that is set back does not make a new day: it would give a second budget.
            is_over = day > self._day or self._day - day > 1
        elif day is not None:
            # The clock has become trusted: the count goes on, as of that day.
            self._day = day
        if is_over:
            self._day, self._began_s, self.used_bytes = day, now.mono_s, 0

    def allowed(self, now: ClockReading) -> Allowance:
        """What may be sent now."""
        self._turn(now)
        limit = self._limits.bytes_per_day_max
        with_reserve = round(limit * (1 + FAULT_RESERVE_SHARE))
        if limit and with_reserve - self.used_bytes < BATCH_BYTES_MIN:
            return Allowance(None, 0, "the day's bytes and their reserve for faults are used up")
        for_faults = with_reserve - self.used_bytes if limit else EVERYTHING.bytes_max
        if self._is_quiet(now):
            return Allowance(Kind.FAULT, for_faults, "quiet hours: only faults are sent")
        if not limit:
            return EVERYTHING
        left = limit - self.used_bytes
        if left < BATCH_BYTES_MIN:
            return Allowance(Kind.FAULT, for_faults, "the day's bytes are used up: only faults are sent")
        if self._limits.is_metered and self._paced(now) - self.used_bytes < BATCH_BYTES_MIN:
            return Allowance(Kind.FRESH, left, "metered: the backlog keeps to an even pace over the day")
        return Allowance(Kind.BACKLOG, left)

    def _is_quiet(self, now: ClockReading) -> bool:
        quiet = self._limits.quiet
        if quiet is None or now.trust is TimeTrust.UNTRUSTED:
            return False
        return quiet.holds(now.wall_ms / 1000 % DAY_S)

    def _paced(self, now: ClockReading) -> float:
        """What the backlog may have used of the day so far."""
        is_known = now.trust is not TimeTrust.UNTRUSTED
        began_s = now.mono_s if self._began_s is None else self._began_s
        elapsed_s = now.wall_ms / 1000 % DAY_S if is_known else now.mono_s - began_s
        return self._limits.bytes_per_day_max * elapsed_s / DAY_S

    def state(self) -> dict[str, object]:
        """The day's count, to be saved; nothing where there is no limit, so that it costs no commits."""
        if not self._limits.bytes_per_day_max:
            return {}
        return {"day": self._day, "bytes": self.used_bytes}

    def restore(self, state: object) -> None:
        """Take up what ``state`` gave; anything else counts as nothing used."""
        saved = state if isinstance(state, dict) else {}
        day, used = saved.get("day"), saved.get("bytes")
        self._day = day if isinstance(day, int) else None
        self.used_bytes = max(0, used) if isinstance(used, int) else 0


def message_bytes(topic: str, payload: bytes, qos: int) -> int:
    """What a message takes with its framing in MQTT, its acknowledgement included."""
    length = 2 + len(topic.encode()) + (2 if qos else 0) + len(payload)
    length_bytes = 1 + sum(length >= bound for bound in (1 << 7, 1 << 14, 1 << 21))
    return 1 + length_bytes + length + (4 if qos else 0)
