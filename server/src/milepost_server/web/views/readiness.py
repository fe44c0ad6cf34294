"""How ready an owner is to replace a car, in words: the points, what each rests on, what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from milepost_server.web import words
from milepost_server.web.views import items

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from milepost_server.store.readiness import ReadinessRow

MINUS = "\N{MINUS SIGN}"
PRIOR = "These points are published figures, not yet learned from what owners did."
LEARNED = "These points were learned from what owners really did."


@dataclass(frozen=True, slots=True)
class ReasonView:
    """One reason: its points, and where it can be looked up."""

    points: str
    words: str
    change: str
    evidence: Sequence[tuple[str, str]]  # words, address


@dataclass(frozen=True, slots=True)
class ReadinessView:
    """Readiness to replace one car, ready to be read."""

    score: int
    says: str
    reasons: Sequence[ReasonView]
    basis: str
    is_prior: bool
    model: str


def readiness_view(
    row: ReadinessRow, titles: Mapping[str, str], as_of: dt.date, *, is_past: bool
) -> ReadinessView:
    """The score with all of its reasons, the base last; their points add up to the score.

    ``titles`` are those of the vehicle's items, by key.
    """
    query = f"?as_of={as_of}" if is_past else ""
    return ReadinessView(
        score=row.score,
        says=chance_words(row.p_90d, row.p_180d),
        reasons=[_reason(reason, row.vehicle_id, titles, query) for reason in row.reasons],
        basis=basis_words(row.is_prior),
        is_prior=row.is_prior,
        model=row.model_version,
    )


def basis_words(is_prior: bool) -> str:
    """Where the points come from."""
    return PRIOR if is_prior else LEARNED


def chance_words(p_90d: float, p_180d: float) -> str:
    """``12 of 100 owners like this one replaced their car within 90 days, 21 within 180.``"""
    soon, later = of_hundred(p_90d), _of(p_180d)
    return f"{soon} owners like this one replaced their car within 90 days, {later} within 180."


def of_hundred(share: float) -> str:
    """A probability as people say it: ``12 of 100``, ``Fewer than 1 of 100``."""
    said = _of(share)
    return f"{said[:1].upper()}{said[1:]} of 100"


def _of(share: float) -> str:
    """Out of 100; nobody is said to be certain."""
    percent = round(share * 100)
    if percent < 1:
        return "fewer than 1"
    return "more than 99" if percent > 99 else str(percent)


def points_words(points: int) -> str:
    """``+21``, ``0``, or with a minus sign: so that a sum can be followed."""
    return f"+{points}" if points > 0 else f"{MINUS}{-points}" if points < 0 else "0"


def _reason(reason: Mapping[str, Any], vehicle_id: int, titles: Mapping[str, str], query: str) -> ReasonView:
    return ReasonView(
        points=points_words(int(reason["points"])),
        words=words.sentence(str(reason["words"])),
        change=words.sentence(str(reason["change"])) if reason.get("change") else "",
        evidence=_evidence(reason.get("evidence") or {}, vehicle_id, titles, query),
    )


def _evidence(
    evidence: Mapping[str, Sequence[Any]], vehicle_id: int, titles: Mapping[str, str], query: str
) -> list[tuple[str, str]]:
    """Where what a reason rests on is shown in full."""
    links = []
    if evidence.get("contracts"):
        links.append(("The contract", f"#vehicle-{vehicle_id}-contracts"))
    if evidence.get("readings"):
        links.append(("The odometer", f"/vehicles/{vehicle_id}/odometer{query}"))
    if evidence.get("service_records"):
        links.append(("The services", f"#vehicle-{vehicle_id}-services"))
    if evidence.get("faults"):
        links.append(("The faults", f"#vehicle-{vehicle_id}-faults"))
    for key in evidence.get("items", ()):
        dates = f"The dates of {items.within(items.title_of(key, titles))}"
        links.append((dates, f"/vehicles/{vehicle_id}/items/{key}{query}"))
    return links
