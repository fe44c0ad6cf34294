"""Devices, and which vehicle they sit in."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query

from milepost_server.api.answers import (
    DeviceAnswer,
    DeviceConditionAnswer,
    InstallationAnswer,
    Items,
    NewDeviceAnswer,
)
from milepost_server.api.bodies import DeviceBody, InstallationBody, OneOrMany
from milepost_server.api.lists import PAGE_ITEMS, After, Limit, page_of, store_all
from milepost_server.api.services import Parts, Registrar, Viewer
from milepost_server.broker import credentials
from milepost_server.store import device_facts, devices, installations

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

router = APIRouter(tags=["devices"])


@router.post("/devices", status_code=201)
async def register_devices(
    body: OneOrMany[DeviceBody], who: Registrar, parts: Parts
) -> NewDeviceAnswer | Items[NewDeviceAnswer]:
    """Register a device or a list of them. The answer is the only place where the secrets ever stand."""

    async def register(device: DeviceBody) -> NewDeviceAnswer:
        secret = credentials.new_secret()
        credential = credentials.credential(secret)
        await devices.add(connection, who.dealer_id, device.id, credential=credential, now=parts.now())
        return NewDeviceAnswer(id=device.id, secret=secret)

    async with parts.store.write() as connection:
        return await store_all(body, register, key=lambda device: device.id)


@router.get("/devices")
async def list_devices(
    who: Viewer, parts: Parts, after: Annotated[str, Query(max_length=64)] = "", limit: Limit = PAGE_ITEMS
) -> Items[DeviceAnswer]:
    """The dealer's devices by id, a page at a time."""
    async with parts.store.read() as connection:
        rows = await devices.page(connection, who.dealer_id, after_id=after, limit=limit)
    return page_of([DeviceAnswer.model_validate(row) for row in rows], limit, lambda row: row.id)


@router.get("/devices/{device_id}")
async def show_device(device_id: str, who: Viewer, parts: Parts) -> DeviceConditionAnswer:
    """One device: whether it is there, what it says of itself, and which configuration is in force."""
    async with parts.store.read() as connection:
        facts = await device_facts.of(connection, who.dealer_id, device_id)
    return DeviceConditionAnswer.of(facts)


@router.delete("/devices/{device_id}", status_code=204)
async def revoke_device(device_id: str, who: Registrar, parts: Parts) -> None:
    """Let a device in no more; what it has sent stays."""
    async with parts.store.write() as connection:
        await devices.revoke(connection, who.dealer_id, device_id, now=parts.now())


@router.post("/installations")
async def install_devices(
    body: OneOrMany[InstallationBody], who: Registrar, parts: Parts
) -> InstallationAnswer | Items[InstallationAnswer]:
    """Say which device sits in which vehicle from when; it ends what was there before."""

    async def install(installation: InstallationBody) -> InstallationAnswer:
        return await _install(connection, who.dealer_id, installation)

    async with parts.store.write() as connection:
        return await store_all(body, install)


@router.get("/installations")
async def list_installations(
    who: Viewer, parts: Parts, after: After = 0, limit: Limit = PAGE_ITEMS
) -> Items[InstallationAnswer]:
    """All installations by id, those that are over too, a page at a time."""
    async with parts.store.read() as connection:
        rows = await installations.page(connection, who.dealer_id, after_id=after, limit=limit)
    return page_of([InstallationAnswer.model_validate(row) for row in rows], limit, lambda row: row.id)


async def _install(connection: AsyncConnection, dealer_id: int, body: InstallationBody) -> InstallationAnswer:
    known = await installations.starting(connection, dealer_id, **body.model_dump())
    if known is not None:
        return InstallationAnswer.model_validate(known)
    key = await devices.install(connection, dealer_id, **body.model_dump())
    return InstallationAnswer(
        id=key,
        device_id=body.device_id,
        vehicle_id=body.vehicle_id,
        start_at=body.start_at.astimezone(dt.UTC),
        end_at=None,
    )
