"""What may be sent: one thing or a bounded list of them. pydantic is the schema and makes the OpenAPI."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, TypeVar

from fastapi import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
)

from milepost_protocol.errors import ProtocolError
from milepost_protocol.identity import check_device_id, check_vin
from milepost_server.store.schema import ContractKind, ItemActionKind, OutcomeKind, Powertrain

BULK_ITEMS_MAX = 500
ODOMETER_M_MAX = 4_294_967_295
ID_MAX = 2**63 - 1
SEQ_MAX = 2**63 - 1
MONEY_MAX = 10**12  # minor units: ten billions of the currency
FILE_CHARS_MAX = 200_000
NOTE_CHARS_MAX = 500
# Wide enough for every car and its future, and far from where calendars and time zones overflow.
DAY_MIN = dt.date(1950, 1, 1)
DAY_MAX = dt.date(2199, 12, 31)
MOMENT_MIN = dt.datetime(1950, 1, 1, tzinfo=dt.UTC)
MOMENT_MAX = dt.datetime(2199, 12, 31, tzinfo=dt.UTC)
NUL = "\0"


T = TypeVar("T")


def _vin(value: str) -> str:
    try:
        return check_vin(value)
    except ProtocolError as error:
        raise ValueError(str(error)) from None


def _device_id(value: str) -> str:
    try:
        return check_device_id(value)
    except ProtocolError as error:
        raise ValueError(str(error)) from None


def without_nul(value: T) -> T:
    """Return ``value``; a NUL, which PostgreSQL does not keep in a text, is a mistake."""
    if isinstance(value, str) and NUL in value:
        raise ValueError("has a NUL character; leave it out")
    return value


def _many_or_one(value: Any) -> str:
    return "many" if isinstance(value, list) else "one"


# The thing itself, or a list of them. The tags keep the places in error messages short: ``3.vin``.
OneOrMany = Annotated[
    Annotated[T, Tag("one")] | Annotated[list[T], Field(max_length=BULK_ITEMS_MAX), Tag("many")],
    Discriminator(_many_or_one),
]
Vin = Annotated[str, AfterValidator(_vin), Field(max_length=64, examples=["WVWZZZ1JZXW000001"])]
DeviceId = Annotated[str, AfterValidator(_device_id), Field(max_length=256, examples=["car-0001"])]
Id = Annotated[int, Field(ge=1, le=ID_MAX)]
PathId = Annotated[int, Path(ge=1, le=ID_MAX)]
Day = Annotated[dt.date, Field(ge=DAY_MIN, le=DAY_MAX)]
Moment = Annotated[AwareDatetime, Field(ge=MOMENT_MIN, le=MOMENT_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Word = Annotated[str, Field(min_length=1, max_length=64)]


Metres = Annotated[int, Field(ge=0, le=ODOMETER_M_MAX)]
Money = Annotated[int, Field(ge=0, le=MONEY_MAX)]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["EUR"])]
SenderId = Annotated[str, Field(min_length=1, max_length=64)]
Source = Annotated[str, Field(min_length=1, max_length=32)]


class Body(BaseModel):
    """A typo in a field's name is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    _no_nul = field_validator("*")(without_nul)


class LoginBody(Body):
    """Mail and password of a member of staff."""

    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(max_length=256)]


class OwnerBody(Body):
    """An owner. Sent again with the same ``external_id``, it is the same owner, brought up to date."""

    name: Name
    email: Annotated[str | None, Field(max_length=254)] = None
    phone: Annotated[str | None, Field(max_length=32)] = None
    external_id: Annotated[str | None, Field(min_length=1, max_length=64)] = None


class VehicleBody(Body):
    """A vehicle. Sent again with the same VIN, it is the same vehicle, brought up to date."""

    vin: Vin
    make: Word
    model: Word
    model_year: Annotated[int, Field(ge=1950, le=2100)]
    powertrain: Powertrain
    plate: Annotated[str | None, Field(max_length=16)] = None
    first_registered_on: Day | None = None
    engine: Word | None = None
    duty: Annotated[str | None, Field(min_length=1, max_length=32)] = None
    list_price: Money | None = None


class OwnershipBody(Body):
    """Who owns which vehicle from when; without ``end_on`` until further notice."""

    owner_id: Id
    vehicle_id: Id
    start_on: Day
    end_on: Day | None = None


class DeviceBody(Body):
    """A device; the answer to its first registration holds its secret, once."""

    id: DeviceId


class InstallationBody(Body):
    """Which device sits in which vehicle from when, until either is installed anew."""

    device_id: DeviceId
    vehicle_id: Id
    start_at: Moment


class ServiceRecordBody(Body):
    """A service that was done; it may arrive late."""

    vehicle_id: Id
    item: Word
    done_on: Day
    odometer_m: Annotated[int | None, Field(ge=0, le=ODOMETER_M_MAX)] = None
    source: Annotated[str, Field(min_length=1, max_length=32)] = "api"


class ContractBody(Body):
    """A contract; money in minor units (cents). Sent again with the same ``sender_id``, it is the same one.

    A lease or a subscription pays for ``allowance_m`` over its whole term. A warranty ends at ``end_on`` or
    at ``end_odometer_m``, whichever comes first. ``end_on`` is the first day on which it is over.
    """

    vehicle_id: Id
    kind: ContractKind
    start_on: Day
    end_on: Day | None = None
    owner_id: Id | None = None
    start_odometer_m: Metres | None = None
    allowance_m: Metres | None = None
    end_odometer_m: Metres | None = None
    excess_fee_per_km: Annotated[float | None, Field(ge=0, le=MONEY_MAX, allow_inf_nan=False)] = None
    list_price: Money | None = None
    principal: Money | None = None
    payment_per_month: Money | None = None
    annual_interest: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None
    balloon: Money | None = None
    currency: Currency | None = None
    sender_id: SenderId | None = None
    source: Source = "api"


class OutcomeBody(Body):
    """What an owner did; it may arrive late. Sent again with the same ``sender_id``, it is the same one."""

    owner_id: Id
    kind: OutcomeKind
    happened_on: Day
    sender_id: SenderId
    vehicle_id: Id | None = None
    amount: Money | None = None
    currency: Currency | None = None
    source: Source = "api"


class ItemActionBody(Body):
    """What somebody did about an item.

    ``booked`` names the day of the appointment in ``for_on``, ``done`` may name the day of the work there;
    ``snoozed`` names in ``until_on`` the day on which the item comes back.
    """

    action: ItemActionKind
    for_on: Day | None = None
    until_on: Day | None = None
    note: Annotated[str, Field(max_length=NOTE_CHARS_MAX)] = ""


class OverruleBody(Body):
    """Whether a reading of the odometer counts, whatever cleaning makes of it."""

    keep: bool
    note: Annotated[str, Field(max_length=NOTE_CHARS_MAX)] = ""


class FileBody(Body):
    """A file of the dealer's own, as TOML."""

    text: Annotated[str, Field(min_length=1, max_length=FILE_CHARS_MAX)]
