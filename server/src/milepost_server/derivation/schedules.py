"""The schedules that hold for a dealer: those that come with the product, with the dealer's own on top."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from milepost_server.signals.errors import ScheduleError
from milepost_server.signals.schedules.book import Kind, Plan, ScheduleBook
from milepost_server.signals.schedules.parsing import parse_layer
from milepost_server.signals.schedules.shipped import shipped_book
from milepost_server.store import dealer_files
from milepost_server.store.schema import DealerFileKind

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.fleet import Vehicle
    from milepost_server.store.vehicles import VehicleRow

BOOKS_CACHED_MAX = 64


@lru_cache(maxsize=BOOKS_CACHED_MAX)
def book_with(own: tuple[tuple[str, str], ...]) -> ScheduleBook:
    """The shipped schedules with a dealer's ``own`` (name, text) on top.

    Raises:
        ScheduleError: a text is no schedule of a dealer, or two are for the same cars.
    """
    if not own:
        return shipped_book()
    return shipped_book().with_layers({name: parse_layer(text, name) for name, text in own})


@lru_cache(maxsize=BOOKS_CACHED_MAX)
def usable_with(own: tuple[tuple[str, str], ...]) -> tuple[ScheduleBook, dict[str, str]]:
    """The same with what can be used of ``own``, and why the others (by name) cannot.

    A schedule is checked when it is set; but with a new version of the product, the shipped ones may take
    its place or no longer have its items, and a dealer's list must not stop for that.
    """
    book, problems = shipped_book(), {}
    for name, text in own:
        try:
            book = book.with_layers({name: parse_layer(text, name)})
        except ScheduleError as error:
            problems[name] = str(error)
    return book, problems


async def book_of(connection: AsyncConnection, dealer_id: int, at: dt.datetime | None = None) -> ScheduleBook:
    """The schedules that hold for a dealer now, or held at the moment ``at``."""
    rows = await dealer_files.current(connection, dealer_id, DealerFileKind.SCHEDULE, at)
    return usable_with(tuple((row.name, row.text) for row in rows))[0]


async def titles_of(connection: AsyncConnection, dealer_id: int, at: dt.datetime) -> Mapping[str, str]:
    """What the items of the dealer's schedules of the moment ``at`` are called, by key."""
    return (await book_of(connection, dealer_id, at)).titles


def kind_of(vehicle: Vehicle | VehicleRow) -> Kind:
    """What schedules may depend on, of a vehicle."""
    return Kind(vehicle.powertrain, vehicle.make, vehicle.model, vehicle.engine or "", vehicle.duty or "")


async def plan_of(
    connection: AsyncConnection, dealer_id: int, vehicle: VehicleRow, at: dt.datetime | None = None
) -> Plan:
    """The items that a vehicle has by the dealer's schedules of now, or of the moment ``at``."""
    return (await book_of(connection, dealer_id, at)).plan(kind_of(vehicle))
