"""The limits of an item in words, with what they are counted from."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from milepost_server.derivation.loading import Service
    from milepost_server.derivation.steps import ItemResult
    from milepost_server.signals.items import Wear


def limit_text(result: ItemResult, row: int, registered_on: dt.date | None) -> str:
    """What makes the item due, for example ``15,000 km or 12 months, whichever comes first, since ...``."""
    item, band = result.item, int(result.limits.band[row])
    service = result.service[row]
    measured = result.wear is not None and bool(result.wear.limit.measured[row])
    parts = []
    if item.wear is not None and (measured or band < 0 or item.interval[band].distance_km is None):
        parts.append(_wear_words(item.wear, result, row, measured=measured))
    if band >= 0:
        parts.append(item.interval[band].words)
    if result.limits.forgotten[row] and not measured:
        return f"{'; '.join(parts)}. {_forgotten(registered_on)}"
    counts_from_start = band >= 0 or not measured
    return "; ".join(parts) + (f", {_since(service, registered_on)}" if counts_from_start else "")


def _wear_words(wear: Wear, result: ItemResult, row: int, *, measured: bool) -> str:
    if measured and result.wear is not None:
        worn = float(np.clip(result.wear.limit.worn[row], 0.0, 9.99))
        return f"{wear.words}: measured, {worn:.0%} of the way"
    near, far = wear.usual_km
    return f"{wear.words}: not measured, usually after {near:,.0f} to {far:,.0f} km"


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
