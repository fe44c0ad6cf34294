"""A profile's file as a profile: its tables checked against what there is and what may be asked."""

from __future__ import annotations

import math
import tomllib
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import ProfileError
from milepost_agent.sources.obd.addresses import (
    FUNCTIONAL,
    OBD_EXTENDED,
    OBD_STANDARD,
    STANDARD_MAX,
    CanId,
    can_id,
)
from milepost_agent.vehicles.profile import (
    Conversion,
    Example,
    ExtendedRecord,
    Field,
    Listen,
    Read,
    Slice,
    Standing,
    Unit,
    VehicleProfile,
)
from milepost_agent.vehicles.tables import Table
from milepost_agent.vehicles.units import scale, units_of
from milepost_protocol.signals import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from milepost_protocol.signals import Signal

UNITS_MAX: Final = 32
READS_MAX: Final = 128
FIELDS_MAX: Final = 64
LISTENS_MAX: Final = 256
EXAMPLES_MAX: Final = 32
DID_BYTES_MAX: Final = 4_092
"""The longest ISO-TP message, without service and identifier."""
NUMBER_BYTES_MAX: Final = 8
DIAGNOSTIC_IDS: Final = range(0x600, STANDARD_MAX + 1)
"""11-bit identifiers below serve the car itself: nothing is sent there, whatever a profile says."""
READ_S_MIN: Final = 5
READ_S_MAX: Final = 604_800
LISTEN_S_MAX: Final = 86_400.0


def parse_profile(name: str, text: str, beside: Callable[[str], str]) -> VehicleProfile:
    """The profile in the ``text`` of a file.

    Args:
        name: of the profile, for errors too.
        text: what the file holds.
        beside: gives the text of a file beside it.

    Raises:
        ProfileError: it cannot be used; the message says where and why.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProfileError(name, "", f"is not TOML: {error}") from error
    whole = Table(name, "", document)
    head = whole.table("profile")
    if head is None:
        raise whole.error("profile", "is missing; a file begins with [profile]")
    all_units = tuple(_unit(table) for table in whole.tables("unit", UNITS_MAX))
    units = {unit.name: unit for unit in all_units}
    dbc_name = head.text("dbc", "")
    if "/" in dbc_name:
        raise head.error("dbc", f"is {dbc_name!r}; it must be the name of a file beside the profile")
    profile = VehicleProfile(
        name=name,
        title=head.text("title"),
        standing=_standing(head),
        source=head.text("source"),
        vins=tuple(_vin_pattern(head, pattern) for pattern in head.texts("vins")),
        units=all_units,
        reads=tuple(_read(table, units) for table in whole.tables("read", READS_MAX)),
        listens=tuple(_listen(table) for table in whole.tables("listen", LISTENS_MAX)),
        dbc=beside(dbc_name) if dbc_name else "",
    )
    head.end()
    whole.end()
    return profile


def _standing(head: Table) -> Standing:
    text = head.text("standing")
    if text not in tuple(Standing):
        raise head.error("standing", f"is {text!r}; it must be one of {', '.join(Standing)}")
    return Standing(text)


def _vin_pattern(head: Table, pattern: str) -> str:
    if len(pattern) < 3 or not pattern[:3].isalnum() or not pattern[:3].isupper():
        raise head.error("vins", f"has {pattern!r}; a pattern begins with the three characters of a maker")
    return pattern


def _unit(table: Table) -> Unit:
    request, response = _id(table, "request"), _id(table, "response")
    if request.is_extended != response.is_extended or request == response:
        raise table.error("response", f"is {response}, which cannot answer {request}")
    if request.is_extended and OBD_EXTENDED.get(response) != request:
        raise table.error("request", f"is {request}; with 29 bits it is 18DAxxF1, and the response 18DAF1xx")
    if request == FUNCTIONAL or request in OBD_STANDARD:
        raise table.error("request", f"is {request}, on which no single unit is asked")
    unit = Unit(
        name=table.text("name"),
        request=request,
        response=response,
        trouble_codes=table.flag("trouble_codes"),
        occurrences=_record(table, "occurrences"),
        ageing=_record(table, "ageing"),
    )
    table.end()
    return unit


def _id(table: Table, key: str) -> CanId:
    found = can_id(table.whole(key, 0, 0x1FFF_FFFF))
    if not found.is_extended and found.number not in DIAGNOSTIC_IDS:
        low, high = DIAGNOSTIC_IDS[0], DIAGNOSTIC_IDS[-1]
        raise table.error(key, f"is {found}; diagnostics with 11 bits are from {low:X} to {high:X}")
    return found


def _record(table: Table, key: str) -> ExtendedRecord | None:
    inner = table.table(key)
    if inner is None:
        return None
    record = ExtendedRecord(inner.whole("record", 0x01, 0xEF), inner.whole("byte", 0, 63))
    inner.end()
    return record


def _read(table: Table, units: Mapping[str, Unit]) -> Read:
    name = table.text("unit")
    if name not in units:
        raise table.error("unit", f"is {name!r}; there are {', '.join(units) or 'none'}")
    length = table.whole("bytes", 1, DID_BYTES_MAX)
    fields = tuple(_field(row, length) for row in table.tables("field", FIELDS_MAX))
    if not fields:
        raise table.error("field", "is missing; a read has at least one [[read.field]]")
    read = Read(
        unit=units[name],
        did=table.whole("did", 0, 0xFFFF),
        interval_s=float(table.whole("interval_s", READ_S_MIN, READ_S_MAX)),
        bytes=length,
        fields=fields,
        examples=tuple(_example(row) for row in table.tables("example", EXAMPLES_MAX)),
    )
    table.end()
    return read


def _field(table: Table, length: int) -> Field:
    signal = _signal(table, "signal")
    is_text = table.flag("text")
    start = table.whole("start", 0, length - 1)
    size = table.whole("length", 1, length - start if is_text else min(NUMBER_BYTES_MAX, length - start), 1)
    order = table.text("byte_order", "big")
    if order not in ("big", "little"):
        raise table.error("byte_order", f"is {order!r}; it must be big or little")
    mask = table.whole("mask", 1, 256**size - 1) if table.has("mask") else None
    place = Slice(
        start=start,
        length=size,
        little_endian=order == "little",
        signed=table.flag("signed"),
        mask=mask,
        shift=table.whole("shift", 0, 8 * size - 1, 0),
        text=is_text,
    )
    conversion = Conversion(signal.path) if is_text else _conversion(table, signal)
    if signal.is_text and not is_text and not conversion.values:
        raise table.error("signal", f"{signal.path} is a text: set text = true, or give values")
    table.end()
    return Field(place, conversion)


def _signal(table: Table, key: str) -> Signal:
    path = table.text(key)
    if path not in catalogue():
        raise table.error(key, f"{path} is not in the catalogue; paths are those of docs/protocol")
    return catalogue()[path]


def _conversion(table: Table, signal: Signal) -> Conversion:
    unit = table.text("unit", signal.unit)
    found = scale(unit, signal.unit)
    if found is None:
        raise table.error("unit", f"is {unit!r}; {signal.path} takes {', '.join(units_of(signal.unit))}")
    divide = table.number("divide", 1.0)
    if divide == 0.0:
        raise table.error("divide", "is 0")
    values = {_raw(table, raw): value for raw, value in table.mapping("values").items()}
    minimum, maximum = table.number("minimum", signal.minimum), table.number("maximum", signal.maximum)
    if not signal.minimum <= minimum < maximum <= signal.maximum:
        bounds = f"{signal.minimum:g} to {signal.maximum:g} {signal.unit}".rstrip()
        raise table.error("minimum", f"and maximum must lie in order, within {bounds}")
    is_number = not signal.is_text and signal.datatype != "boolean"
    if is_number and not values and not (math.isfinite(minimum) and math.isfinite(maximum)):
        raise table.error("minimum", f"and maximum must be given: {signal.path} has no bounds of its own")
    return Conversion(
        signal=signal.path,
        multiply=table.number("multiply", 1.0),
        divide=divide,
        offset=table.number("offset", 0.0),
        scale=found,
        invalid=frozenset(table.numbers("invalid")),
        minimum=minimum,
        maximum=maximum,
        values=values,
    )


def _raw(table: Table, raw: str) -> int:
    try:
        return int(raw, 0)
    except ValueError:
        raise table.error("values", f"has {raw!r}; a key is the number on the bus, in quotes") from None


def _example(table: Table) -> Example:
    example = Example(
        request="".join(table.text("request", "").split()).upper(),
        response=_bytes(table, "response"),
        values=table.mapping("values"),
    )
    table.end()
    return example


def _bytes(table: Table, key: str) -> bytes:
    try:
        return bytes.fromhex(table.text(key))
    except ValueError as error:
        raise table.error(key, f"must be pairs of hex digits: {error}") from error


def _listen(table: Table) -> Listen:
    signal = _signal(table, "path")
    interval_s = table.number("interval_s", 0.2)
    if not 0.0 <= interval_s <= LISTEN_S_MAX:
        raise table.error("interval_s", f"is {interval_s:g}; it must be from 0 to {LISTEN_S_MAX:g}")
    conversion = _conversion(table, signal)
    if signal.is_text and not conversion.values:
        raise table.error("path", f"{signal.path} is a text: give values")
    listen = Listen(
        frame=table.text("frame"),
        signal=table.text("signal"),
        conversion=conversion,
        interval_s=interval_s,
        examples=tuple(_example(row) for row in table.tables("example", EXAMPLES_MAX)),
    )
    table.end()
    return listen
