"""What list routes share: one or many bodies in, pages out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import Query

from milepost_server.api.answers import Items
from milepost_server.api.bodies import ID_MAX
from milepost_server.api.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PAGE_ITEMS = 100
PAGE_ITEMS_MAX = 500

B = TypeVar("B")
A = TypeVar("A")

After = Annotated[int, Query(ge=0, le=ID_MAX, description="The `next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_ITEMS_MAX)]


async def store_all(
    body: B | list[B], store_one: Callable[[B], Awaitable[A]], key: Callable[[B], str] | None = None
) -> A | Items[A]:
    """Store one body or each of a list, and answer in kind.

    Raises:
        InvalidError: ``store_one`` refused one, or two bodies of the list have the same ``key``.
    """
    if not isinstance(body, list):
        return await store_one(body)
    if key is not None:
        _check_distinct([key(one) for one in body])
    answers = []
    for position, one in enumerate(body):
        try:
            answers.append(await store_one(one))
        except InvalidError as error:
            raise InvalidError(str(error), field=f"{position}.{error.field}") from error
    return Items(items=answers)


def page_of(rows: list[A], limit: int, key: Callable[[A], int | str]) -> Items[A]:
    """A page; a full one points to the next, which may turn out empty."""
    return Items(items=rows, next=key(rows[-1]) if len(rows) == limit else None)


def _check_distinct(keys: list[str]) -> None:
    seen: set[str] = set()
    for position, key in enumerate(keys):
        if key in seen:
            raise InvalidError(f"{key} stands twice in the list; send it once.", field=str(position))
        seen.add(key)
