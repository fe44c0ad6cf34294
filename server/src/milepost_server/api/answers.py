"""What the registry answers with: read from the store's rows by their attributes."""

from __future__ import annotations

import datetime as dt
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from milepost_server.store.schema import Powertrain, Role

T = TypeVar("T")


class Answer(BaseModel):
    """An answer is made from a row of the store."""

    model_config = ConfigDict(from_attributes=True)


class Items(BaseModel, Generic[T]):
    """A list; ``next`` is the ``after`` of the following page, absent on the last one."""

    items: list[T]
    next: int | str | None = None


class SessionAnswer(Answer):
    """A token for the header ``Authorization: Bearer``; it is said once."""

    token: str
    expires_at: dt.datetime


class PersonAnswer(Answer):
    """Who holds the session."""

    name: str
    email: str
    role: Role
    dealer_name: str


class OwnerAnswer(Answer):
    """One owner."""

    id: int
    name: str
    email: str | None
    phone: str | None
    external_id: str | None


class VehicleAnswer(Answer):
    """One vehicle."""

    id: int
    vin: str
    plate: str | None
    make: str
    model: str
    model_year: int
    powertrain: Powertrain
    first_registered_on: dt.date | None


class OwnershipAnswer(Answer):
    """One owner's time with one vehicle; ``end_on`` is the first day on which it is over."""

    id: int
    owner_id: int
    vehicle_id: int
    start_on: dt.date
    end_on: dt.date | None


class DeviceAnswer(Answer):
    """One device."""

    id: str
    registered_at: dt.datetime
    revoked_at: dt.datetime | None


class NewDeviceAnswer(Answer):
    """A device that was registered just now, and the secret that it logs in with; it is said once."""

    id: str
    secret: str


class InstallationAnswer(Answer):
    """One device's time in one vehicle."""

    id: int
    device_id: str
    vehicle_id: int
    start_at: dt.datetime
    end_at: dt.datetime | None


class ServiceRecordAnswer(Answer):
    """One item of one vehicle, renewed on one day."""

    id: int
    vehicle_id: int
    item: str
    done_on: dt.date
    odometer_m: int | None
    source: str
