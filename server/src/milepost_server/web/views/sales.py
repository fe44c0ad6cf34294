"""The sales list as a tool: its state in the URL, its rows in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from milepost_server.store.sales_list import SalesQuery, SalesSort
from milepost_server.web import words
from milepost_server.web.views import lists, readiness
from milepost_server.web.views.vehicle import vehicle_name

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from milepost_server.store.sales_list import SalesRow

PATH = "/sales"
REASONS_SHOWN = 2
BASE = "base"
HEADS = (
    (SalesSort.NAME, "Owner"),
    (SalesSort.CAR, "Car"),
    (SalesSort.READY, "Ready"),
    (None, "Why"),
    (None, "Within 90 days"),
)


@dataclass(frozen=True, slots=True)
class SalesState:
    """All that the URL says of the list; ``as_of`` None is today."""

    search: str = ""
    sort: SalesSort = SalesSort.READY
    descending: bool = False
    page: int = 1
    as_of: dt.date | None = None

    def url(self) -> str:
        """The address of this very list; what is usual is left out."""
        is_usual = self.sort is SalesSort.READY and not self.descending
        pairs = {
            "q": self.search,
            "sort": "" if is_usual else ("-" if self.descending else "") + self.sort.value,
            "page": str(self.page) if self.page > 1 else "",
            "as_of": self.as_of.isoformat() if self.as_of else "",
        }
        return lists.address(PATH, pairs)

    def query(self, today: dt.date) -> SalesQuery:
        """What the store is asked for."""
        return SalesQuery(self.as_of or today, self.search, self.sort, self.descending)


@dataclass(frozen=True, slots=True)
class SalesRowView:
    """One owner of the list, ready to be read."""

    url: str
    name: str
    phone: str | None
    email: str | None
    car: str
    plate: str | None
    score: int
    reasons: Sequence[tuple[str, str]]  # points, words
    more: int
    chance: str
    later: str
    of_cars: str  # of which cars the chance is, where the owner has several


def heads(state: SalesState) -> list[lists.Head]:
    """The columns; the one that the list is sorted by turns it around."""
    # The readiest first is the list as it is usually read, and falls.
    falls = state.descending is not (state.sort is SalesSort.READY)
    return lists.heads(
        HEADS,
        state.sort,
        descending=falls,
        url=lambda sort, falling: _turned(state, SalesSort(sort), falling=falling).url(),
    )


def _turned(state: SalesState, sort: SalesSort, *, falling: bool) -> SalesState:
    first_time = sort is not state.sort
    descending = falling is not (sort is SalesSort.READY)
    return replace(state, sort=sort, descending=False if first_time else descending, page=1)


def headline(rows: Sequence[SalesRow], total: int, state: SalesState) -> str:
    """What the list comes to, in a sentence; it says what was, never what somebody will do."""
    if not total:
        return ""
    counted = words.count(total, "owner", "owners")
    if not rows or state.sort is not SalesSort.READY or state.descending or state.page > 1:
        return f"{counted}, each with the reasons for the score."
    chance = readiness.of_hundred(rows[0].p_90d).lower()
    return f"{counted}, the readiest first: {chance} like the first one replaced their car within 90 days."


def row_views(rows: Sequence[SalesRow], state: SalesState) -> list[SalesRowView]:
    """Each owner with the reasons that weigh most."""
    return [_row(row, state) for row in rows]


def _row(row: SalesRow, state: SalesState) -> SalesRowView:
    told = [reason for reason in row.reasons if reason["key"] != BASE and reason["points"]]
    told.sort(key=lambda reason: -abs(reason["points"]))
    query = f"?as_of={state.as_of}" if state.as_of else ""
    return SalesRowView(
        url=f"/owners/{row.owner_id}{query}#vehicle-{row.vehicle_id}-readiness",
        name=row.name,
        phone=row.phone,
        email=row.email,
        car=vehicle_name(row.make, row.model, row.model_year),
        plate=row.plate,
        score=row.score,
        reasons=[
            (readiness.points_words(int(reason["points"])), words.sentence(str(reason["words"])))
            for reason in told[:REASONS_SHOWN]
        ],
        more=max(len(told) - REASONS_SHOWN, 0),
        chance=readiness.of_hundred(row.p_90d),
        later=f"{readiness.of_hundred(row.p_180d).lower()} within 180",
        of_cars=f"any of {row.vehicles} cars" if row.vehicles > 1 else "",
    )


def empty_words(state: SalesState) -> list[str]:
    """What a list without rows says."""
    if state.search:
        return ["No owner matches.", "Look for a part of a name, a plate or a model."]
    return [
        "No owner's car could be scored yet.",
        "Scores come with the next derivation of the dealer's cars.",
    ]


def pager(state: SalesState, total: int) -> lists.Pager:
    """Where in the list one is."""
    return lists.pager(state.page, total, lambda page: replace(state, page=page).url())
