"""One line of JSON as an entry. Pure: the clock comes in, and whatever the line holds, it is read or refused.

A moment may be a day (``2026-11-20``) or a time with its offset (``2026-11-20T08:30:00+01:00``; without one
it is UTC). Today, and the last ``NOW_S_MAX``, mean now. A day of the past is stamped with its noon in UTC,
which is the same day nearly everywhere.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from milepost_agent.errors import EntryError
from milepost_protocol.errors import ValueRefusedError
from milepost_protocol.samples import TimeTrust
from milepost_protocol.service import ServiceEntry

if TYPE_CHECKING:
    from milepost_agent.clock import ClockReading

LINE_BYTES_MAX: Final = 4_096
ODOMETER_KM_MAX: Final = 4_000_000.0
"""More than any car has driven; the signal ends at 4,294,967 km."""
SIGMA_M: Final = 300.0
"""An instrument that shows whole kilometres is off by up to one, evenly spread."""
SIGMA_M_MAX: Final = 1e6
NOW_S_MAX: Final = 900.0
FUTURE_S_MAX: Final = 300.0
EARLIEST: Final = dt.date(2020, 1, 1)
"""The server believes no time before it."""
NOON: Final = dt.time(12, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class OdometerEntry:
    """What the instrument shows, or showed ``at_ms`` (``None``: now); ``force``: whatever else is known."""

    odometer_m: float
    sigma_m: float
    at_ms: int | None
    force: bool


@dataclass(frozen=True, slots=True)
class ServiceDone:
    """A service, done at ``at_ms``; ``None`` means now."""

    service: ServiceEntry
    at_ms: int | None
    force: bool


def read_entry(line: bytes, now: ClockReading) -> OdometerEntry | ServiceDone:
    """The entry that ``line`` holds.

    Raises:
        EntryError: it is no entry; the message says what to write instead.
    """
    fields = _fields(line)
    at_ms = _moment(fields.pop("at", None), now)
    force = _typed(fields.pop("force", False), bool, "force", "true or false")
    odometer_m = _odometer_m(fields.pop("odometer_km", None))
    if "service" in fields:
        item = _typed(fields.pop("service"), str, "service", "the key of an item, such as engine-oil")
        note = _typed(fields.pop("note", ""), str, "note", "one line of text")
        _refuse_rest(fields, "service, odometer_km, at, note and force")
        metres = None if odometer_m is None else round(odometer_m)
        try:
            return ServiceDone(ServiceEntry(item, metres, note.strip()), at_ms, force)
        except ValueRefusedError as error:
            raise EntryError("value", str(error)) from error
    sigma_m = _number(fields.pop("sigma_m", SIGMA_M), "sigma_m", SIGMA_M_MAX, "m")
    _refuse_rest(fields, "odometer_km, at, sigma_m and force")
    if odometer_m is None:
        raise EntryError("syntax", 'there is neither "odometer_km" nor "service" in the entry')
    return OdometerEntry(odometer_m, sigma_m, at_ms, force)


def _fields(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise EntryError("syntax", f"the entry is not one line of JSON: {error}") from error
    if not isinstance(fields, dict):
        raise EntryError("syntax", 'the entry must be an object, such as {"odometer_km": 123456}')
    return fields


def _refuse_rest(fields: dict[str, Any], known: str) -> None:
    for name in fields:
        raise EntryError("syntax", f"{name[:64]!r} is nothing that this entry has; there are {known}")


def _typed(value: Any, wanted: type, name: str, words: str) -> Any:
    if not isinstance(value, wanted):
        raise EntryError("value", f"{name} is {str(value)[:64]!r}; it must be {words}")
    return value


def _number(value: Any, name: str, high: float, unit: str) -> float:
    # Whole numbers of JSON have no end, but each compares with a float; what is no number (NaN) never does.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= high:
        raise EntryError("value", f"{name} is {str(value)[:64]!r}; it must be from 0 to {high:,.0f} {unit}")
    return float(value)


def _odometer_m(value: Any) -> float | None:
    return None if value is None else 1000 * _number(value, "odometer_km", ODOMETER_KM_MAX, "km")


def _moment(value: Any, now: ClockReading) -> int | None:
    """Milliseconds since 1970; ``None``: now."""
    if value is None:
        return None
    text = _typed(value, str, "at", "a day such as 2026-11-20, or a time")
    if now.trust is TimeTrust.UNTRUSTED:
        raise EntryError(
            "time", "the agent's clock is not set, so it cannot tell when that was; leave the time out"
        )
    today = dt.datetime.fromtimestamp(now.wall_ms / 1000, dt.UTC).date()
    day = _day(text)
    if day is not None:
        # East of Greenwich, today may be tomorrow in UTC.
        if today <= day <= today + dt.timedelta(days=1):
            return None
        at = dt.datetime.combine(day, NOON)
    else:
        at = _time(text)
    return _past_ms(at, text, now)


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _time(text: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise EntryError("time", f"{text[:64]!r} is neither a day such as 2026-11-20 nor a time") from error
    return at.replace(tzinfo=at.tzinfo or dt.UTC)


def _past_ms(at: dt.datetime, text: str, now: ClockReading) -> int | None:
    if at.date() < EARLIEST:
        raise EntryError("time", f"{text!r} is before {EARLIEST}; nothing is made of entries that old")
    at_ms = round(at.timestamp() * 1000)
    age_s = (now.wall_ms - at_ms) / 1000
    if age_s < -FUTURE_S_MAX:
        raise EntryError("time", f"{text!r} lies in the future")
    return None if age_s <= NOW_S_MAX else at_ms
