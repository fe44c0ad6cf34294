"""What a list of a past day is, in words: there as it was made, made later, or that of another day."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from milepost_server.web import words

if TYPE_CHECKING:
    import datetime as dt


class Doubt(NamedTuple):
    """Why what stands on a page is not the list of its day; a title and what to do."""

    says: str
    more: str
    is_empty: bool = False  # whether nothing stands there, as there was no list up to the day


def doubt(day: dt.date, today: dt.date, *, listed_on: dt.date | None, was_made: bool) -> Doubt | None:
    """What to say of the list of ``day``; None where it is what that day's was.

    ``listed_on`` is the newest day up to it of which there is a list, ``was_made`` whether that day's list
    was made on the day.
    """
    if day >= today:
        return None
    if listed_on != day:
        here = "" if listed_on is None else f"What stands here is of {words.day(listed_on)}. "
        again = f"Whoever runs the server can make it again: milepost-server derive --as-of {day}."
        return Doubt(f"There is no list of {words.day(day)}.", here + again, is_empty=not here)
    if not was_made:
        return Doubt(
            f"No list was made on {words.day(day)}.",
            "This one was made later: it shows what would have stood there.",
        )
    return None
