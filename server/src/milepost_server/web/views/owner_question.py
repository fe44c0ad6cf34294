"""Whether a car still is its owner's, in words: how its use has changed, since when, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_server.signals.flat import DAYS_PER_MONTH
from milepost_server.signals.usage.regimes import Change
from milepost_server.web import words

if TYPE_CHECKING:
    import datetime as dt

    from milepost_server.store.owner_questions import OwnerQuestion

CONFIRMED = "owner"
"""The word in the URL after somebody has confirmed an owner."""
CONFIRMED_WORDS = "Noted: the car still is this owner's. It is asked again when its use changes once more."
MARK = "Ask who drives now"
MARK_OTHER = "Ask who drives the owner's other car now"
IF_NOT = (
    "If somebody else has it, enter the new ownership in your own system or by the API. The car then leaves"
    " this page, and nothing that was agreed here goes with it. Ask the new owner for consent, too."
)
_STOOD_M_PER_D = 500.0  # less is no use that one would put a number on


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One question, ready to be read."""

    asks: str
    evidence: str
    if_not: str
    action: str
    back: str


def question_view(found: OwnerQuestion | None, as_of: dt.date, back: str) -> QuestionView | None:
    """The question in words; ``back`` is the page that it stands on."""
    if found is None:
        return None
    return QuestionView(
        asks=f"{MARK}: this car {Change[found.change_reason.upper()].words}.",
        evidence=_evidence(found, as_of),
        if_not=IF_NOT,
        action=f"/vehicles/{found.vehicle_id}/owner",
        back=back,
    )


def said_words(said: str) -> str:
    """What a page says once an owner was confirmed; empty for anything else."""
    return CONFIRMED_WORDS if said == CONFIRMED else ""


def mark(found: OwnerQuestion, as_of: dt.date, shown_id: int | None) -> str:
    """As short as a list needs it: ``Ask who drives now: about 2,100 km a month since about 5 July.``

    ``shown_id`` is the vehicle that the list shows of the owner.
    """
    asks = MARK if found.vehicle_id == shown_id else MARK_OTHER
    since = words.day_near(found.changed_on, as_of)
    return f"{asks}: {_month(found.after_m_per_d)} since about {since}."


def _evidence(found: OwnerQuestion, as_of: dt.date) -> str:
    first, likely, last = (
        words.day_near(on, as_of)
        for on in (found.changed_from_on, found.changed_on, min(found.changed_to_on, as_of))
    )
    return (
        f"Before: {_month(found.before_m_per_d)}. Since: {_month(found.after_m_per_d)}."
        f" The change came between {first} and {last}, most likely about {likely}."
    )


def _month(rate_m_per_d: float) -> str:
    if rate_m_per_d < _STOOD_M_PER_D:
        return "next to nothing"
    return f"about {words.about_km(rate_m_per_d * DAYS_PER_MONTH)} a month"
