"""Schedules of service items: those that the dealer puts before the ones that come with the product."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path

from milepost_server.api.answers import Answer, Items
from milepost_server.api.bodies import ScheduleBody
from milepost_server.api.errors import InvalidError
from milepost_server.api.services import Parts, Planner, Services, Viewer
from milepost_server.derivation.schedules import book_with, usable_with
from milepost_server.errors import NotFoundError
from milepost_server.people.sessions import Principal
from milepost_server.signals.errors import ScheduleError
from milepost_server.store import dealer_schedules

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

router = APIRouter(tags=["schedules"])
ScheduleName = Annotated[str, Path(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]


class ScheduleAnswer(Answer):
    """A schedule of the dealer's own, and who set it; null: at the command line.

    ``problem`` says why it no longer holds, where a new version of the product cannot use it any more.
    """

    name: str
    text: str
    version: str
    staff_name: str | None
    at: dt.datetime
    problem: str | None = None


@router.get("/schedules")
async def list_schedules(who: Viewer, parts: Parts) -> Items[ScheduleAnswer]:
    """The dealer's own schedules that hold, by name."""
    async with parts.store.read() as connection:
        return Items(items=await _all(connection, who.dealer_id))


@router.get("/schedules/{schedule_name}")
async def one_schedule(schedule_name: ScheduleName, who: Viewer, parts: Parts) -> ScheduleAnswer:
    """The dealer's own schedule of that name."""
    async with parts.store.read() as connection:
        for answer in await _all(connection, who.dealer_id):
            if answer.name == schedule_name:
                return answer
    raise NotFoundError("schedule", schedule_name)


@router.put("/schedules/{schedule_name}", status_code=204)
async def set_schedule(schedule_name: ScheduleName, body: ScheduleBody, who: Planner, parts: Parts) -> None:
    """Set a schedule; all of the dealer's vehicles are derived anew with it in minutes."""
    await put_schedule(parts, who, schedule_name, body.text)


@router.delete("/schedules/{schedule_name}", status_code=204)
async def reset_schedule(schedule_name: ScheduleName, who: Planner, parts: Parts) -> None:
    """Take a schedule back: the ones that come with the product hold again."""
    await put_schedule(parts, who, schedule_name, None)


async def put_schedule(parts: Services, who: Principal, name: str, text: str | None) -> None:
    """Set the dealer's schedule of that name, or (None) take it back.

    Raises:
        InvalidError: the text is no schedule; the message says which item and field.
        NotFoundError: there is none to take back.
    """
    async with parts.store.write() as connection:
        rows = await dealer_schedules.current(connection, who.dealer_id)
        own = {row.name: row.text for row in rows}
        if text is None and own.pop(name, None) is None:
            raise NotFoundError("schedule", name)
        if text is not None:
            _check(own, name, text)
        await dealer_schedules.put(
            connection, who.dealer_id, name=name, text=text, staff_id=who.staff_id, now=parts.now()
        )


async def _all(connection: AsyncConnection, dealer_id: int) -> list[ScheduleAnswer]:
    rows = await dealer_schedules.current(connection, dealer_id)
    _, problems = usable_with(tuple((row.name, row.text) for row in rows))
    answers = [ScheduleAnswer.model_validate(row) for row in rows]
    return [answer.model_copy(update={"problem": problems.get(answer.name)}) for answer in answers]


def _check(own: dict[str, str], name: str, text: str) -> None:
    """Raise an `InvalidError` where ``text`` cannot stand under ``name`` beside the dealer's ``own``."""
    try:
        book_with(tuple({**own, name: text}.items()))
    except ScheduleError as error:
        raise InvalidError(str(error), field="text") from error
