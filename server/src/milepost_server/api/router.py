"""All routes of the API under one prefix; everything but the login itself needs a session."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request

from milepost_server.api import (
    conditions,
    deals,
    devices,
    health,
    items,
    owners,
    plans,
    quarantine,
    readiness,
    schedules,
    sessions,
    status,
    vehicles,
)
from milepost_server.api.services import principal

PREFIX = "/api/v1"


def api_router() -> APIRouter:
    """The routes of version 1."""
    router = APIRouter(prefix=PREFIX)
    router.include_router(sessions.open_router)
    closed = APIRouter(dependencies=[Depends(principal)])
    parts = (sessions, owners, vehicles, devices, conditions, health, items, schedules, plans, deals)
    for part in (*parts, readiness, status, quarantine):
        closed.include_router(part.router)
    closed.add_api_route("/openapi.json", _openapi, include_in_schema=False)
    router.include_router(closed)
    return router


async def _openapi(request: Request) -> dict[str, Any]:
    document: dict[str, Any] = request.app.openapi()
    return document
