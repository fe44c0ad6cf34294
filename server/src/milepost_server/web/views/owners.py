"""The owners list as a tool: its state in the URL, its rows in words."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from milepost_server.store.schema import DueState, Urgency
from milepost_server.store.work_list import STATE_ORDER, Sort, WorkListQuery
from milepost_server.web import words
from milepost_server.web.views import freshness, items, life_cycle, lists, owner_question
from milepost_server.web.views.faults import ASKS, URGENCY_BADGES
from milepost_server.web.views.vehicle import vehicle_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_server.store.owner_questions import OwnerQuestion
    from milepost_server.store.vehicle_health import ActiveFault
    from milepost_server.store.work_list import ItemRow, WorkListRow

SEARCH_CHARS_MAX = 100
PATH = "/owners"
ASK_OWNER = "owner"
QUESTIONS = (("", "All"), (ASK_OWNER, owner_question.MARK))
# What a column sorts by, and its words; two do not sort.
HEADS = (
    (Sort.NAME, "Owner"),
    (Sort.CAR, "Car"),
    (Sort.URGENCY, "State"),
    (None, "What and why"),
    (Sort.DUE, "When"),
    (None, "Last word"),
)
_FAULT_WORDS = (
    (True, "confirmed fault", "confirmed faults"),
    (False, "fault seen in one drive", "faults seen in one drive"),
)
_AT_REST = (DueState.OK, DueState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class ListState:
    """All that the URL says of the list; ``as_of`` None is today."""

    state: DueState | None = None
    item: str = ""
    search: str = ""
    asks_for_owner: bool = False
    sort: Sort = Sort.URGENCY
    descending: bool = False
    page: int = 1
    as_of: dt.date | None = None

    def among(self, titles: Mapping[str, str]) -> ListState:
        """The same without an item that ``titles`` do not have."""
        return self if self.item in titles else replace(self, item="")

    def url(self) -> str:
        """The address of this very list; what is usual is left out."""
        pairs = {
            "state": self.state.value if self.state else "",
            "item": self.item,
            "q": self.search,
            "ask": ASK_OWNER if self.asks_for_owner else "",
            "sort": "" if self._is_usual_order else ("-" if self.descending else "") + self.sort.value,
            "page": str(self.page) if self.page > 1 else "",
            "as_of": self.as_of.isoformat() if self.as_of else "",
        }
        return lists.address(PATH, pairs)

    @property
    def _is_usual_order(self) -> bool:
        return self.sort is Sort.URGENCY and not self.descending

    def query(self, today: dt.date) -> WorkListQuery:
        """What the store is asked for."""
        return WorkListQuery(
            as_of=self.as_of or today,
            state=self.state,
            item=self.item or None,
            search=self.search,
            asks_for_owner=self.asks_for_owner,
            sort=self.sort,
            descending=self.descending,
        )


class Fault(NamedTuple):
    """A fault that one of an owner's cars has."""

    vehicle_id: int
    code: str
    urgency: Urgency
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class OtherItem:
    """Another item of the same owner that needs attention."""

    title: str
    badge: items.Badge
    when: str


@dataclass(frozen=True, slots=True)
class Row:
    """One owner of the list, ready to be read."""

    url: str
    name: str
    phone: str | None
    email: str | None
    car: str
    plate: str | None
    odometer_m: float | None
    badge: items.Badge
    title: str
    why: str
    when: str
    likely: str
    heard: str
    is_stale: bool
    faults: str
    urgency: items.Badge | None  # of the worst fault
    fault_leads: bool  # whether it is why the owner stands here
    asks: Sequence[str]  # who drives a car now
    stands: str
    handling: life_cycle.Handling | None
    others: Sequence[OtherItem]


def tabs(state: ListState, counts: Mapping[DueState, int]) -> list[lists.Tab]:
    """All, then each state in the order of its urgency."""
    every = lists.Tab("All", sum(counts.values()), _filtered(state, None).url(), state.state is None)
    return [every] + [
        lists.Tab(items.STATE_WORDS[one], counts[one], _filtered(state, one).url(), state.state is one)
        for one in STATE_ORDER
    ]


def heads(state: ListState) -> list[lists.Head]:
    """The columns; the one that the list is sorted by turns it around."""
    return lists.heads(
        HEADS,
        state.sort,
        descending=state.descending,
        url=lambda sort, turned: replace(state, sort=Sort(sort), descending=turned, page=1).url(),
    )


def headline(counts: Mapping[DueState, int], title: str | None) -> str:
    """How many to call, in a sentence; ``title`` is that of the item that the list is about."""
    if not sum(counts.values()):
        return ""
    which = f" for {items.within(title)}" if title else ""
    overdue, due = counts[DueState.OVERDUE], counts[DueState.DUE]
    if not overdue and not due:
        return words.sentence(f"nobody is overdue or due within 30 days{which}")
    parts = []
    if overdue:
        parts.append(f"{words.count(overdue, 'owner is', 'owners are')} overdue{which}")
    if due:
        tail = "more " if overdue else ""
        parts.append(f"{words.number(due)} {tail}{'is' if due == 1 else 'are'} due within 30 days")
        if not overdue:
            parts[-1] = f"{words.count(due, 'owner is', 'owners are')} due within 30 days{which}"
    return words.sentence(words.listed(parts))


def pager(state: ListState, total: int) -> lists.Pager:
    """Where in the list one is."""
    return lists.pager(state.page, total, lambda page: replace(state, page=page).url())


def empty_words(state: ListState, total: int, following: WorkListRow | None, as_of: dt.date) -> list[str]:
    """What an empty list says: why, and what comes next."""
    if state.search:
        return [
            f"No owner matches “{state.search}”.",
            "Look for a part of a name, plate, VIN, model or number.",
        ]
    if not total and state.asks_for_owner:
        return ["No car's use has changed so much that somebody else may be driving it."]
    if not total and not state.item:
        return ["There are no owners yet.", "They appear here when they are added through the API."]
    said = {
        DueState.OVERDUE: "No owner is overdue.",
        DueState.DUE: "No owner is due in the next 30 days.",
        DueState.UPCOMING: "No owner is due in the next 31 to 90 days.",
        DueState.OK: "No owner's car is in order in everything.",
        DueState.UNKNOWN: "Every owner's car has a date.",
    }
    first = said[state.state] if state.state else "No owner has a car with this item."
    if following is None or following.p50_on is None:
        return [first]
    return [first, f"The next is {following.name} on {words.day_near(following.p50_on, as_of)}."]


def rows(
    found: Sequence[WorkListRow],
    attention: Sequence[ItemRow],
    *,
    odometers: Mapping[int, tuple[int, float]],
    last_words: Mapping[int, int],
    faults: Mapping[int, Sequence[Fault]],
    asked: Sequence[OwnerQuestion],
    timezone: str,
    state: ListState,
    as_of: dt.date,
) -> list[Row]:
    """The rows in words."""
    others: dict[int, list[ItemRow]] = {}
    for item in attention:
        others.setdefault(item.owner_id, []).append(item)
    return [
        _row(
            row,
            as_of,
            url=f"{PATH}/{row.owner_id}" + (f"?as_of={state.as_of}" if state.as_of else ""),
            odometer_m=odometers.get(row.vehicle_id or 0, (0, None))[1],
            last_on=_day(row, last_words, timezone),
            faults=faults.get(row.owner_id, ()),
            asked=[one for one in asked if one.owner_id == row.owner_id],
            others=others.get(row.owner_id, []),
            back=state.url(),
        )
        for row in found
    ]


def _day(row: WorkListRow, last_words: Mapping[int, int], timezone: str) -> dt.date | None:
    time_ms = last_words.get(row.vehicle_id) if row.vehicle_id is not None else None
    return None if time_ms is None else words.day_of_ms(time_ms, timezone)


def _row(
    row: WorkListRow,
    as_of: dt.date,
    *,
    url: str,
    odometer_m: float | None,
    last_on: dt.date | None,
    faults: Sequence[Fault],
    asked: Sequence[OwnerQuestion],
    others: Sequence[ItemRow],
    back: str,
) -> Row:
    when, likely = _dates(row, as_of)
    has_car = row.vehicle_id is not None
    return Row(
        url=url,
        name=row.name,
        phone=row.phone,
        email=row.email,
        car=vehicle_name(row.make or "", row.model or "", row.model_year) if has_car else "No car at present",
        plate=row.plate,
        odometer_m=odometer_m,
        badge=items.badge(row.state, row.rests_on, row.p50_on, as_of),
        title=row.title or "",
        why=_why(row),
        when=when,
        likely=likely,
        heard=freshness.heard(last_on, as_of) if has_car else "",
        is_stale=has_car and freshness.is_stale(last_on, as_of),
        faults=_faults(faults, row.vehicle_id),
        urgency=URGENCY_BADGES[faults[0].urgency] if faults else None,
        fault_leads=bool(faults) and _leads(faults[0].urgency, row.state),
        asks=[owner_question.mark(one, as_of, row.vehicle_id) for one in asked],
        stands=life_cycle.stands_short(row.life_cycle, row.life_cycle_since, row.life_cycle_until, as_of),
        handling=_handling(row, back),
        others=[
            OtherItem(
                item.title,
                items.badge(item.state, item.rests_on, item.p50_on, as_of),
                items.when(item.state, (item.p10_on, item.p50_on, item.p90_on), as_of, item.rests_on),
            )
            for item in others
            if (item.vehicle_id, item.item) != (row.vehicle_id, row.item)
        ],
    )


def _handling(row: WorkListRow, back: str) -> life_cycle.Handling | None:
    if row.vehicle_id is None or row.item is None or not life_cycle.wants_handling(row.state, row.life_cycle):
        return None
    return life_cycle.handling_of(row.vehicle_id, row.item, row.title or "", back)


def faults_by_owner(
    owned: Mapping[int, Sequence[int]], faults: Mapping[int, Sequence[ActiveFault]]
) -> dict[int, list[Fault]]:
    """The faults of all cars of each owner, the most urgent first: any of them may be why to call."""
    found = {
        owner_id: [Fault(car, *fault) for car in cars for fault in faults.get(car, ())]
        for owner_id, cars in owned.items()
    }
    return {owner_id: sorted(some, key=lambda one: one.urgency) for owner_id, some in found.items()}


def _leads(worst: Urgency, state: DueState) -> bool:
    """Whether an owner's worst fault, and not the item that comes first, is why the owner stands here."""
    return worst in ASKS or (worst is Urgency.P2 and state in _AT_REST)


def _faults(faults: Sequence[Fault], shown: int | None) -> str:
    """Those of the car that the row shows, then those of the owner's other cars; confirmed ones first."""
    said = []
    for is_here, where in ((True, ""), (False, " on another car")):
        for is_confirmed, one, many in _FAULT_WORDS:
            codes = [
                fault.code
                for fault in faults
                if (fault.vehicle_id == shown, fault.is_confirmed) == (is_here, is_confirmed)
            ]
            if codes:
                said.append(f"{words.count(len(codes), one, many)}{where}: {words.listed(codes)}.")
    return " ".join(said)


def _why(row: WorkListRow) -> str:
    return "" if row.limit_short is None else words.sentence(row.limit_short)


def _dates(row: WorkListRow, as_of: dt.date) -> tuple[str, str]:
    """The interval, short; and the most likely day, where it is not the same."""
    if row.p10_on is None or row.p50_on is None or row.p90_on is None:
        return "", ""
    if row.state is DueState.OVERDUE:
        return f"since {words.short_day(row.p50_on, as_of)}", ""
    if row.p50_on <= as_of:
        asked = items.question(row.state, row.rests_on, row.p50_on, as_of)
        dates = (row.p10_on, row.p50_on, row.p90_on)
        return items.when(row.state, dates, as_of, row.rests_on) if asked else "now", ""
    if (row.p10_on - as_of).days > items.FAR_DAYS:
        return f"not before {row.p10_on.year}", ""
    if row.p10_on == row.p90_on:
        return words.short_day(row.p50_on, as_of), ""
    return (
        words.short_range(max(row.p10_on, as_of), row.p90_on, as_of),
        f"most likely {words.short_day(row.p50_on, as_of)}",
    )


def _filtered(state: ListState, wanted: DueState | None) -> ListState:
    return replace(state, state=wanted, page=1)
