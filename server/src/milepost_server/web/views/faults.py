"""Trouble codes in words: how soon to act and why, since when, and whether they come back."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from milepost_server.signals.faults import FaultStatus
from milepost_server.store.schema import Urgency
from milepost_server.web import words
from milepost_server.web.views.items import Badge

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from milepost_server.store.vehicle_health import FaultRow

STATUS_WORDS = MappingProxyType(
    {
        FaultStatus.CONFIRMED: "confirmed",
        FaultStatus.PERMANENT: "confirmed, and stays until the car itself has seen it mended",
        FaultStatus.PENDING: "seen in one drive, not yet confirmed",
        FaultStatus.CLEARED: "cleared",
    }
)
URGENCY_BADGES = MappingProxyType(
    {
        Urgency.P0: Badge("overdue", "P0: stop driving"),
        Urgency.P1: Badge("due", "P1: this week"),
        Urgency.P2: Badge("upcoming", "P2: next visit"),
        Urgency.P3: Badge("ok", "P3: keep an eye on it"),
    }
)
# What a fault that cannot wait for the next visit asks for.
ASKS = MappingProxyType({Urgency.P0: "do not drive on", Urgency.P1: "see to it this week"})
CLEARED_BADGE = Badge("unknown", "Cleared")
RETURN_TIMES = MappingProxyType({1: "once", 2: "twice"})


@dataclass(frozen=True, slots=True)
class FaultView:
    """One trouble code as it stands."""

    code: str
    title: str
    badge: Badge
    reason: str
    says: str
    is_active: bool


def is_active(fault: FaultRow) -> bool:
    """Whether the car still has the code."""
    return fault.status != FaultStatus.CLEARED


def is_confirmed(fault: FaultRow) -> bool:
    """Whether the car still has the code, and has seen it in more than one drive."""
    return is_active(fault) and fault.status != FaultStatus.PENDING


def fault_views(faults: Sequence[FaultRow], timezone: str, as_of: dt.date) -> list[FaultView]:
    """Each fault with its sentences: active ones first, in the order given."""
    return [
        FaultView(
            code=fault.code,
            title=fault.title,
            badge=URGENCY_BADGES[fault.urgency] if is_active(fault) else CLEARED_BADGE,
            reason=words.sentence(fault.reason) if is_active(fault) else "",
            says=_says(fault, timezone, as_of),
            is_active=is_active(fault),
        )
        for fault in sorted(faults, key=lambda fault: not is_active(fault))
    ]


def headline(faults: Sequence[FaultRow]) -> str:
    """What a finding says of the faults: the most urgent one first; empty where the car has none."""
    confirmed = [fault for fault in faults if is_confirmed(fault)]
    if not confirmed:
        return ""
    counted = words.count(len(confirmed), "confirmed fault", "confirmed faults")
    worst = min(confirmed, key=lambda fault: fault.urgency)
    asks = ASKS.get(worst.urgency)
    return f"{counted}, {worst.code}: {asks}" if asks else counted


def _says(fault: FaultRow, timezone: str, as_of: dt.date) -> str:
    return " ".join(words.sentence(part) for part in (_since(fault, timezone, as_of), *_history(fault)))


def _since(fault: FaultRow, timezone: str, as_of: dt.date) -> str:
    status = STATUS_WORDS[FaultStatus(fault.status)]
    first, last = (
        None if at is None else words.day_near(words.local_day(at, timezone), as_of)
        for at in (fault.first_seen_at, fault.last_seen_at)
    )
    if not is_active(fault):
        return status if last is None else f"{status} on {last}"
    if first is None:
        return f"{status}; the car's clock was not to be trusted, so the day is not known"
    if last is None or last == first:
        return f"{status}; seen on {first}"
    return f"{status}; first seen on {first}, last on {last}"


def _history(fault: FaultRow) -> list[str]:
    """What a mechanic would like to know beside: whether it comes back, and who cleared it before."""
    said = []
    if fault.recurrences:
        times = RETURN_TIMES.get(fault.recurrences, f"{fault.recurrences} times")
        said.append(f"it has come back {times} after it was cleared")
    if fault.cleared_before_visit:
        said.append("the codes were cleared shortly before a visit: ask what was done")
    return said
