"""The subscription plans that hold for a dealer: those of its own files."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from milepost_server.signals.errors import DataFileError
from milepost_server.signals.value.plans import PriceList, parse_plans, price_list
from milepost_server.store import dealer_files
from milepost_server.store.schema import DealerFileKind

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.ext.asyncio import AsyncConnection

LISTS_CACHED_MAX = 64


@lru_cache(maxsize=LISTS_CACHED_MAX)
def plans_with(own: tuple[tuple[str, str], ...]) -> PriceList:
    """The plans of a dealer's ``own`` files (name, text).

    Raises:
        DataFileError: a text is no file of plans, or two cannot stand beside each other.
    """
    files = {f"plan list {name}": text for name, text in own}
    return price_list({name: parse_plans(text, name) for name, text in files.items()})


@lru_cache(maxsize=LISTS_CACHED_MAX)
def usable_with(own: tuple[tuple[str, str], ...]) -> tuple[PriceList, dict[str, str]]:
    """The same with what can be used of ``own``, and why the others (by name) cannot.

    A file is checked when it is set; but a new version of the product may ask for more, and a dealer's list
    must not stop for that.
    """
    kept: tuple[tuple[str, str], ...] = ()
    problems = {}
    for file in own:
        try:
            plans_with((*kept, file))
        except DataFileError as error:
            problems[file[0]] = str(error)
        else:
            kept = (*kept, file)
    return plans_with(kept), problems


async def plans_of(connection: AsyncConnection, dealer_id: int, at: dt.datetime | None = None) -> PriceList:
    """The dealer's subscription plans of now, or of the moment ``at``."""
    rows = await dealer_files.current(connection, dealer_id, DealerFileKind.PLANS, at)
    return usable_with(tuple((row.name, row.text) for row in rows))[0]
