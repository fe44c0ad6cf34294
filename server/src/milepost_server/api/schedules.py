"""Schedules of service items: those that the dealer puts before the ones that come with the product."""

from __future__ import annotations

from fastapi import APIRouter

from milepost_server.api import dealer_files
from milepost_server.api.answers import Items
from milepost_server.api.bodies import FileBody
from milepost_server.api.dealer_files import FileAnswer, FileName
from milepost_server.api.services import Parts, Planner, Viewer
from milepost_server.derivation.dealer_files import SCHEDULES

router = APIRouter(tags=["schedules"])


@router.get("/schedules")
async def list_schedules(who: Viewer, parts: Parts) -> Items[FileAnswer]:
    """The dealer's own schedules that hold, by name."""
    return await dealer_files.every(parts, who, SCHEDULES)


@router.get("/schedules/{schedule_name}")
async def one_schedule(schedule_name: FileName, who: Viewer, parts: Parts) -> FileAnswer:
    """The dealer's own schedule of that name."""
    return await dealer_files.one(parts, who, SCHEDULES, schedule_name)


@router.put("/schedules/{schedule_name}", status_code=204)
async def set_schedule(schedule_name: FileName, body: FileBody, who: Planner, parts: Parts) -> None:
    """Set a schedule; all of the dealer's vehicles are derived anew with it in minutes."""
    await dealer_files.put(parts, who, SCHEDULES, schedule_name, body.text)


@router.delete("/schedules/{schedule_name}", status_code=204)
async def reset_schedule(schedule_name: FileName, who: Planner, parts: Parts) -> None:
    """Take a schedule back: the ones that come with the product hold again."""
    await dealer_files.put(parts, who, SCHEDULES, schedule_name, None)
