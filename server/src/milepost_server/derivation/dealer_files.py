"""The files that a dealer gives: how each kind is read, what is wrong with one, what rules they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from milepost_server.derivation import plans, schedules
from milepost_server.errors import NotFoundError
from milepost_server.store import dealer_files
from milepost_server.store.schema import DealerFileKind

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.store.dealer_files import DealerFileRow

NAME_PATTERN = "^[a-z0-9]+(-[a-z0-9]+)*$"
NAME_CHARS_MAX = 64
Own = tuple[tuple[str, str], ...]
"""(name, text) of each file of one kind that holds."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """One kind of files."""

    kind: DealerFileKind
    noun: str
    check: Callable[[Own], object]
    """Raises what is wrong, a `ServerError`, where the files cannot be, or not beside each other."""
    problems: Callable[[Own], Mapping[str, str]]
    """Why files, by name, can no longer be used: a new version of the product may be in their place."""


SCHEDULES = FileKind(
    DealerFileKind.SCHEDULE, "schedule", schedules.book_with, lambda own: schedules.usable_with(own)[1]
)

PLANS = FileKind(DealerFileKind.PLANS, "plan list", plans.plans_with, lambda own: plans.usable_with(own)[1])


async def current(
    connection: AsyncConnection, dealer_id: int, files: FileKind
) -> Sequence[tuple[DealerFileRow, str | None]]:
    """The files that hold, by name, each with why it cannot be used any more, or None."""
    rows = await dealer_files.current(connection, dealer_id, files.kind)
    problems = files.problems(_own(rows))
    return [(row, problems.get(row.name)) for row in rows]


async def put(
    connection: AsyncConnection,
    dealer_id: int,
    files: FileKind,
    *,
    name: str,
    text: str | None,
    staff_id: int | None,
    now: dt.datetime,
) -> None:
    """Set the dealer's file of that name, or (None) take it back; what held before holds on where it fails.

    Raises:
        NotFoundError: there is none to take back.
        ServerError: the text is no such file, or cannot stand beside the dealer's others.
    """
    own = dict(_own(await dealer_files.current(connection, dealer_id, files.kind)))
    if text is not None:
        files.check(tuple({**own, name: text}.items()))
    elif name not in own:
        raise NotFoundError(files.noun, name)
    await dealer_files.put(
        connection, dealer_id, kind=files.kind, name=name, text=text, staff_id=staff_id, now=now
    )


async def configuration_of(
    connection: AsyncConnection, dealer_id: int, base: Configuration, at: dt.datetime | None = None
) -> Configuration:
    """``base`` with what a dealer's files say now, or said at the moment ``at``; it goes into its version."""
    return replace(
        base,
        book=await schedules.book_of(connection, dealer_id, at),
        plans=await plans.plans_of(connection, dealer_id, at),
    )


def _own(rows: Sequence[DealerFileRow]) -> Own:
    return tuple((row.name, row.text) for row in rows)
