"""How far the work on an item has come, in words, and what staff can do about it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from milepost_server.store.schema import DueState, ItemActionKind, LifeCycle
from milepost_server.web import words

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from milepost_server.store.condition import DueRow
    from milepost_server.store.item_actions import ItemActionRow

CHOICES = (
    (ItemActionKind.ACKNOWLEDGED, "Seen: I take care of it"),
    (ItemActionKind.BOOKED, "Booked for the day below"),
    (ItemActionKind.DONE, "Done on the day below"),
    (ItemActionKind.SNOOZED, "Not before the day below"),
    (ItemActionKind.REOPENED, "Open again"),
)
DONE_WORDS = MappingProxyType(
    {
        ItemActionKind.ACKNOWLEDGED: "Noted: you take care of it.",
        ItemActionKind.BOOKED: "Noted: it is booked.",
        ItemActionKind.DONE: "Noted: it is done.",
        ItemActionKind.SNOOZED: "Noted: it may rest until then.",
        ItemActionKind.REOPENED: "Noted: it is open again.",
    }
)
HANDLED = frozenset({LifeCycle.ACKNOWLEDGED, LifeCycle.BOOKED, LifeCycle.SNOOZED, LifeCycle.DONE})
PRESSING = frozenset({DueState.OVERDUE, DueState.DUE})
REMINDER_TIMES = MappingProxyType({1: "once", 2: "twice"})
# (before the day on which it was said, before the day that it names)
SHORT_WORDS = MappingProxyType(
    {
        LifeCycle.ACKNOWLEDGED: ("In hand since", ""),
        LifeCycle.BOOKED: ("Booked on", "Booked for"),
        LifeCycle.SNOOZED: ("Put off on", "Not before"),
        LifeCycle.DONE: ("Noted as done on", ""),
        LifeCycle.REMINDED: ("Came up again on", ""),
    }
)
SOON = "Lists and dates follow within seconds."


@dataclass(frozen=True, slots=True)
class Handling:
    """The form to act on an item, as it is filled in, and the way back."""

    action: str  # where it is sent to
    key: str  # unlike any other on the page
    title: str
    back: str
    chosen: str = ""
    on: str = ""
    note: str = ""
    error: str = ""
    field: str = ""


def stands(row: DueRow, last: ItemActionRow | None, as_of: dt.date) -> str:
    """Where the work on an item stands, as a sentence; empty where it needs nobody."""
    if last is not None and row.life_cycle in HANDLED:
        return words.sentence(acted(last, as_of))
    since = None if row.life_cycle_since is None else words.day_near(row.life_cycle_since, as_of)
    if row.life_cycle is LifeCycle.CLEARED:
        on = "" if since is None else f" on {since}"
        return f"Settled{on} without anybody's doing: the car no longer says that it needs this."
    waits = row.life_cycle in (LifeCycle.OPEN, LifeCycle.REMINDED) and row.state in PRESSING
    if not waits or since is None:
        return ""
    said = "it came up today" if row.life_cycle_since == as_of else f"nobody has acted on it since {since}"
    if row.reminders:
        times = REMINDER_TIMES.get(row.reminders, f"{row.reminders} times")
        said += f", and it has come up again {times}"
    elif row.remind_on is not None and row.remind_on > as_of:
        said += f"; it comes up again on {words.day_near(row.remind_on, as_of)}"
    return words.sentence(said)


def stands_short(life_cycle: LifeCycle, since: dt.date | None, until: dt.date | None, as_of: dt.date) -> str:
    """How far the work has come, as a list says it: ``Booked for 4 Apr``; empty where nobody has acted."""
    said = SHORT_WORDS.get(life_cycle)
    if said is None:
        return ""
    with_since, with_until = said
    if with_until and until is not None:
        return f"{with_until} {words.short_day(until, as_of)}"
    return "" if since is None else f"{with_since} {words.short_day(since, as_of)}"


def acted(action: ItemActionRow, as_of: dt.date) -> str:
    """What somebody did, in words: ``booked for 4 April by Ulrike Sommer``."""
    who = action.staff_name
    on, until = (
        None if day is None else words.day_near(day, as_of) for day in (action.for_on, action.until_on)
    )
    said = {
        ItemActionKind.ACKNOWLEDGED: f"{who} takes care of it",
        ItemActionKind.BOOKED: f"booked for {on} by {who}",
        ItemActionKind.DONE: f"done{'' if on is None else f' on {on}'}, says {who}",
        ItemActionKind.SNOOZED: f"not before {until}, says {who}",
        ItemActionKind.REOPENED: f"opened again by {who}",
    }[action.action]
    return f"{said}: {action.note}" if action.note else said


def latest_by_item(actions: Sequence[ItemActionRow]) -> Mapping[str, ItemActionRow]:
    """The last action on each item; ``actions`` have the latest first."""
    found: dict[str, ItemActionRow] = {}
    for action in actions:
        found.setdefault(action.item, action)
    return found


def wants_handling(state: DueState, life_cycle: LifeCycle) -> bool:
    """Whether a form to act on the item belongs beside it."""
    return state not in (DueState.OK, DueState.UNKNOWN) or life_cycle in HANDLED


def handling_of(vehicle_id: int, item: str, title: str, back: str) -> Handling:
    """An empty form about an item of that title, on the page ``back``."""
    address = f"/vehicles/{vehicle_id}/items/{item}"
    return Handling(action=address, key=f"{item}-{vehicle_id}", title=title, back=back)


def form_choices() -> list[tuple[str, str]]:
    """What the form offers: (value, words)."""
    return [(kind.value, said) for kind, said in CHOICES]


def said_words(said: str) -> str:
    """What a page says once an action of the kind ``said`` was taken; empty for anything else."""
    return f"{DONE_WORDS[ItemActionKind(said)]} {SOON}" if said in tuple(ItemActionKind) else ""
