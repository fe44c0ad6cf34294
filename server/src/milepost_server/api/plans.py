"""Subscription plans: what a year costs in each, and how many kilometres that pays for."""

from __future__ import annotations

from fastapi import APIRouter

from milepost_server.api import dealer_files
from milepost_server.api.answers import Items
from milepost_server.api.bodies import FileBody
from milepost_server.api.dealer_files import FileAnswer, FileName
from milepost_server.api.services import Forecaster, Parts, Pricer
from milepost_server.derivation.dealer_files import PLANS

router = APIRouter(tags=["plans"])


@router.get("/plans")
async def list_plans(who: Forecaster, parts: Parts) -> Items[FileAnswer]:
    """The dealer's lists of plans that hold, by name."""
    return await dealer_files.every(parts, who, PLANS)


@router.get("/plans/{plan_list_name}")
async def one_plan_list(plan_list_name: FileName, who: Forecaster, parts: Parts) -> FileAnswer:
    """The dealer's list of plans of that name."""
    return await dealer_files.one(parts, who, PLANS, plan_list_name)


@router.put("/plans/{plan_list_name}", status_code=204)
async def set_plans(plan_list_name: FileName, body: FileBody, who: Pricer, parts: Parts) -> None:
    """Set a list of plans; how they fit each of the dealer's vehicles is derived anew in minutes."""
    await dealer_files.put(parts, who, PLANS, plan_list_name, body.text)


@router.delete("/plans/{plan_list_name}", status_code=204)
async def reset_plans(plan_list_name: FileName, who: Pricer, parts: Parts) -> None:
    """Take a list of plans back."""
    await dealer_files.put(parts, who, PLANS, plan_list_name, None)
