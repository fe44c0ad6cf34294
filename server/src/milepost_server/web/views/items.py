"""An item's state, dates and wear in words."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from milepost_server.store.schema import DueState, RestsOn
from milepost_server.web import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_server.signals.items.item import Item
    from milepost_server.signals.schedules.book import Plan
    from milepost_server.store.condition import DueRow

# What can be due but never overdue, because nobody has noted or measured it, is no claim but a question.
QUESTIONS = MappingProxyType({RestsOn.REGISTRATION: "Ask", RestsOn.USUAL: "Look"})
ASKS = MappingProxyType(
    {
        "Ask": "Ask when it was last done: counted from new, it was due on {day}.",
        "Look": "Time for a look: nothing measures it, and most cars are due by this distance.",
    }
)
STATE_WORDS = MappingProxyType(
    {
        DueState.OVERDUE: "Overdue",
        DueState.DUE: "Due",
        DueState.UPCOMING: "Upcoming",
        DueState.OK: "In order",
        DueState.UNKNOWN: "Not known",
    }
)
FIRST_WORDS = MappingProxyType(
    {
        "distance": "the distance comes first",
        "time": "the time comes first",
        "wear": "by its wear",
        "engine_hours": "by engine hours",
        "revolutions": "by engine revolutions",
        "countdown": "by the car's own countdown",
    }
)
# The derivation foretells no further than twenty years; what it puts there is "not in this car's life".
FAR_DAYS = 15 * 365


@dataclass(frozen=True, slots=True)
class Badge:
    """A shape and colour by name, and the word in it."""

    kind: str
    words: str


def item_of(key: str, plan: Plan) -> Item | None:
    """The item as the car's own schedule has it; None where it no longer does."""
    return next((item for item in plan.items if item.key == key), None)


def title_of(key: str, titles: Mapping[str, str]) -> str:
    """What ``titles`` call the item; where they no longer do, the words of its key."""
    return titles.get(key) or key.replace("-", " ").capitalize()


def within(title: str) -> str:
    """A title as a sentence goes on with it: ``engine oil and filter``, ``12 V battery``, ``AdBlue``."""
    first = title.split(" ", maxsplit=1)[0]
    return title[:1].lower() + title[1:] if first[1:].islower() else title


def choices(titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """(key, title) of every item, by title."""
    return sorted(titles.items(), key=lambda pair: pair[1].lower())


def question(state: DueState, rests_on: RestsOn | None, p50_on: dt.date | None, as_of: dt.date) -> str:
    """``Ask`` or ``Look`` for an item whose date has come but rests on nothing sure; else empty."""
    has_come = state is DueState.DUE and p50_on is not None and p50_on <= as_of
    return QUESTIONS.get(rests_on, "") if has_come and rests_on is not None else ""


def badge(state: DueState, rests_on: RestsOn | None, p50_on: dt.date | None, as_of: dt.date) -> Badge:
    """An item's state as its badge shows it."""
    asks = question(state, rests_on, p50_on, as_of)
    return Badge("unknown", asks) if asks else Badge(state.value, STATE_WORDS[state])


def when(state: DueState, dates: Dates, as_of: dt.date, rests_on: RestsOn | None = RestsOn.RECORD) -> str:
    """When an item is due, as a part of a sentence: ``between 14 March and 2 May, most likely 4 April``."""
    p10, p50, p90 = dates
    if p10 is None or p50 is None or p90 is None:
        return "no date yet"
    if state is DueState.OVERDUE:
        return f"overdue since {words.day_near(p50, as_of)}"
    if p50 <= as_of:
        asks = question(state, rests_on, p50, as_of)
        return {"Ask": "ask when it was last done", "Look": "time for a look"}.get(asks, "due now")
    if (p10 - as_of).days > FAR_DAYS:
        return f"not before {p10.year}"
    return _interval(p10, p50, p90, as_of)


def _interval(p10: dt.date, p50: dt.date, p90: dt.date, as_of: dt.date) -> str:
    middle = words.day_near(p50, as_of)
    if p10 == p90:
        return f"on {middle}"
    if (p90 - as_of).days > FAR_DAYS:
        return f"not before {words.day_near(p10, as_of)}, most likely {middle}"
    if p10 <= as_of:
        return f"any day until {words.day_near(p90, as_of)}, most likely {middle}"
    return f"{words.days_between(p10, p90, as_of)}, most likely {middle}"


def says(row: DueRow, as_of: dt.date, odometer_m: float | None) -> str:
    """The whole sentence about an item's date, with the distance from now where one is known."""
    dates = (row.p10_on, row.p50_on, row.p90_on)
    if row.state is DueState.UNKNOWN or row.p50_on is None:
        return "No date: no service is on record. Ask when it was last done, and enter it."
    asks = question(row.state, row.rests_on, row.p50_on, as_of)
    if asks:
        return ASKS[asks].format(day=words.day_near(row.p50_on, as_of))
    sentence = when(row.state, dates, as_of)
    if odometer_m is None or row.p50_odometer_m is None or (row.p50_on - as_of).days > FAR_DAYS:
        return words.sentence(sentence)
    left_m = row.p50_odometer_m - odometer_m
    if left_m > 0 and row.p50_on > as_of:
        sentence += f" ({words.about_km(left_m)} from now)"
    elif left_m < 0 and row.state is DueState.OVERDUE:
        sentence += f" ({words.about_km(-left_m)} ago)"
    return words.sentence(sentence)


def why(row: DueRow) -> str:
    """The limit that decides, in words: ``15,000 km or 12 months, whichever comes first``."""
    first = FIRST_WORDS.get(row.basis)
    if first is None or row.state is DueState.UNKNOWN or "whichever" not in row.limit_text:
        return words.sentence(row.limit_text)
    return words.sentence(f"{row.limit_text.rstrip('.')}; here {first}")


Dates = tuple[dt.date | None, dt.date | None, dt.date | None]
