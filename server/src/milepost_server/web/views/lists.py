"""What every list is made of: heads that sort, tabs that filter, a pager; their state stands in the URL."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from milepost_server.web import words

ROWS_A_PAGE = 25


@dataclass(frozen=True, slots=True)
class Tab:
    """One filter, with the number of its rows; None where it is not counted."""

    words: str
    count: int | None
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column; ``url`` is empty where it does not sort, ``direction`` where it is not sorted."""

    words: str
    url: str
    direction: str


@dataclass(frozen=True, slots=True)
class Pager:
    """Where in the list one is; an URL is empty where there is no such page."""

    says: str
    previous: str
    next: str


def address(path: str, pairs: Mapping[str, str]) -> str:
    """The address of a list in a state; what is empty is left out."""
    query = urlencode({key: value for key, value in pairs.items() if value})
    return f"{path}?{query}" if query else path


def page_among(page: int, total: int) -> int:
    """That page of ``total`` rows, or the last one where there are not so many."""
    return min(page, max(math.ceil(total / ROWS_A_PAGE), 1))


def heads(
    columns: Sequence[tuple[enum.StrEnum | None, str]],
    sorted_by: enum.StrEnum,
    *,
    descending: bool,
    url: Callable[[enum.StrEnum, bool], str],
) -> list[Head]:
    """The columns; the one that the list is sorted by turns it around. ``url`` is told column and turn."""
    made = []
    for sort, label in columns:
        if sort is None:
            made.append(Head(label, "", ""))
            continue
        is_sorted = sort is sorted_by
        direction = ("descending" if descending else "ascending") if is_sorted else ""
        made.append(Head(label, url(sort, is_sorted and not descending), direction))
    return made


def pager(page: int, total: int, url: Callable[[int], str]) -> Pager:
    """``26 to 50 of 112 owners``, and the ways on; ``url`` is told a page."""
    first = (page - 1) * ROWS_A_PAGE + 1
    last = min(page * ROWS_A_PAGE, total)
    many = words.count(total, "owner", "owners")
    says = f"{words.number(first)} to {words.number(last)} of {many}" if total > ROWS_A_PAGE else many
    return Pager(says, url(page - 1) if page > 1 else "", url(page + 1) if last < total else "")
