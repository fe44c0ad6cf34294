"""The limits of an item in words, with what they are counted from."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.due import FirstLimit
from milepost_server.signals.items import months_words, position_words
from milepost_server.store.schema import RestsOn

if TYPE_CHECKING:
    from milepost_server.derivation.loading import Service
    from milepost_server.derivation.steps import ItemResult
    from milepost_server.signals.items import Wear

ASK = "no service on record: ask when it was last done"

WORN_SAID_MAX = 9.99


def rests_on(result: ItemResult, row: int) -> RestsOn:
    """What the dates of one vehicle's item rest on."""
    first = FirstLimit(int(result.due.first_limit[row]))
    if first is FirstLimit.NONE:
        return RestsOn.NOTHING
    if first is FirstLimit.WEAR:
        return RestsOn.MEASURED if _is_measured(result, row) else RestsOn.USUAL
    return RestsOn.RECORD if result.service[row] is not None else RestsOn.REGISTRATION


def limit_short(result: ItemResult, row: int, registered_on: dt.date | None) -> str:
    """The limit that decides, as short as it goes: ``12 months since service on 3 Jan 2026``."""
    item, first = result.item, FirstLimit(int(result.due.first_limit[row]))
    if first is FirstLimit.WEAR and item.wear is not None:
        return _wear_short(item.wear, result, row)
    band = item.interval[int(result.limits.band[row])] if item.interval else None
    if first is FirstLimit.DISTANCE and band is not None and band.distance_km is not None:
        return f"{band.distance_km:,.0f} km{_begin(result.service[row], registered_on)}"
    if first is FirstLimit.TIME and band is not None and band.time_months is not None:
        return f"{months_words(band.time_months)}{_begin(result.service[row], registered_on)}"
    return ASK


def limit_text(result: ItemResult, row: int, registered_on: dt.date | None) -> str:
    """What makes the item due, for example ``15,000 km or 12 months, whichever comes first, since ...``."""
    item, band = result.item, int(result.limits.band[row])
    measured = _is_measured(result, row)
    parts = []
    if item.wear is not None and (measured or band < 0 or item.interval[band].distance_km is None):
        parts.append(_wear_words(item.wear, result, row, measured=measured))
    if band >= 0:
        parts.append(item.interval[band].words)
    if result.limits.forgotten[row] and not measured:
        return f"{'; '.join(parts)}. {_forgotten(registered_on)}"
    counts_from_start = band >= 0 or not measured
    return "; ".join(parts) + (f", {_since(result.service[row], registered_on)}" if counts_from_start else "")


def _is_measured(result: ItemResult, row: int) -> bool:
    return result.wear is not None and bool(result.wear.limit.measured[row])


def _wear_words(wear: Wear, result: ItemResult, row: int, *, measured: bool) -> str:
    if measured and result.wear is not None:
        worn = float(np.clip(result.wear.limit.worn[row], 0.0, WORN_SAID_MAX))
        return f"{wear.words}: {_measured(wear, result, row)}, {worn:.0%} of the way"
    near, far = wear.usual_km
    return f"{wear.words}: not measured, usually after {near:,.0f} to {far:,.0f} km"


def _wear_short(wear: Wear, result: ItemResult, row: int) -> str:
    if result.wear is not None and _is_measured(result, row):
        worn = float(np.clip(result.wear.limit.worn[row], 0.0, WORN_SAID_MAX))
        return f"{_measured(wear, result, row)}: {worn:.0%} of the way to its limit"
    near, far = wear.usual_km
    return f"not measured; usual after {near:,.0f} to {far:,.0f} km"


def _measured(wear: Wear, result: ItemResult, row: int) -> str:
    assert result.wear is not None, "only said of what is measured"
    where = position_words(wear.signals[int(result.wear.position[row])])
    return f"{where} measured" if where else "measured"


def _begin(service: Service | None, registered_on: dt.date | None) -> str:
    if service is not None:
        return f" since service on {service.done_on.day} {service.done_on:%b %Y}"
    return f", {_since(service, registered_on)}"


def _since(service: Service | None, registered_on: dt.date | None) -> str:
    if service is not None:
        return f"since the service on {_day(service.done_on)}"
    if registered_on is not None:
        return f"counted from first registration on {_day(registered_on)}: no service on record"
    return "but neither a service nor the first registration is on record"


def _forgotten(registered_on: dt.date | None) -> str:
    assert registered_on is not None, "only counted from a registration"
    return (
        f"No service on record since first registration on {_day(registered_on)}: "
        "ask the owner when it was last done"
    )


def _day(on: dt.date) -> str:
    return f"{on.day} {on:%B %Y}"
