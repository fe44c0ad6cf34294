"""What the registry answers with: read from the store's rows by their attributes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from milepost_server.store.schema import Powertrain, Role

if TYPE_CHECKING:
    from milepost_server.store.device_facts import DeviceFacts

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
    engine: str | None
    duty: str | None
    list_price: int | None


class OwnershipAnswer(Answer):
    """One owner's time with one vehicle; ``end_on`` is the first day on which it is over."""

    id: int
    owner_id: int
    vehicle_id: int
    start_on: dt.date
    end_on: dt.date | None
    confirmed_on: dt.date | None


class OwnerQuestionAnswer(Answer):
    """Whether a vehicle still is its owner's, since its use has changed; rates are metres a day.

    The change most likely came between ``changed_from_on`` and ``changed_to_on``.
    """

    ownership_id: int
    owner_id: int
    vehicle_id: int
    changed_on: dt.date
    changed_from_on: dt.date
    changed_to_on: dt.date
    before_m_per_d: float
    after_m_per_d: float
    change_reason: str
    as_of: dt.date


class DeviceAnswer(Answer):
    """One device."""

    id: str
    registered_at: dt.datetime
    revoked_at: dt.datetime | None


class DeviceConditionAnswer(DeviceAnswer):
    """One device with the last that it said of itself; documents are those of the device contract.

    ``desired_revision`` is what is desired of it, ``revision`` what it says is in force; ``lags`` while it
    has neither taken nor refused what is desired.
    """

    online: bool | None
    since: dt.datetime | None
    reason: str | None
    birth: dict[str, Any] | None
    birth_at: dt.datetime | None
    reported: dict[str, Any] | None
    reported_at: dt.datetime | None
    last_batch_at: dt.datetime | None
    revision: int | None
    desired_revision: int | None
    lags: bool

    @classmethod
    def of(cls, facts: DeviceFacts) -> DeviceConditionAnswer:
        """The answer that tells ``facts``; fields of a device that has said nothing are null."""
        state = facts.state
        return cls(
            id=facts.device.id,
            registered_at=facts.device.registered_at,
            revoked_at=facts.device.revoked_at,
            online=state and state.online,
            since=state and state.since,
            reason=state and state.reason,
            birth=state and state.birth,
            birth_at=state and state.birth_at,
            reported=state and state.reported,
            reported_at=state and state.reported_at,
            last_batch_at=facts.last_batch_at,
            revision=facts.revision,
            desired_revision=facts.desired and facts.desired.revision,
            lags=facts.lags,
        )


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
