"""The columns that readiness may ask about, of the vehicles that are owned on a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.truth.tenures import Owned, owned_on
from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, Ints, interpolate, last_rows
from milepost_server.signals.value.columns import Owned as Ownership
from milepost_server.signals.value.columns import columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_server.evaluation.truth.derive import DerivedPart
    from milepost_server.evaluation.truth.files import Part

RECENT_D, BEFORE_D = 91.0, 365.0
"""A change of usage: the last three months against the year before them."""
LOYAL_D = 730.5


@dataclass(frozen=True, slots=True)
class Asked:
    """T owned vehicles on a day."""

    owned: Owned
    columns: Mapping[str, Floats]  # (T) each, by name; NaN is what is not known


def asked(part: Part, derived: DerivedPart) -> Asked:
    """The columns of all vehicles that somebody owns on the day of ``derived``, on what was known by then."""
    owned, as_of_d = owned_on(part, derived.as_of_d), derived.as_of_d
    ownership = Ownership(derived.inputs.money.since_d, derived.inputs.registered_d)
    found = {
        **columns(derived.results.money, ownership, as_of_d),
        **_from_services(part, as_of_d, owned),
        "usage_change": _usage_change(derived),
    }
    return Asked(owned, {name: column[owned.vehicle] for name, column in found.items()})


def _from_services(part: Part, as_of_d: float, owned: Owned) -> dict[str, Floats]:
    """Known visits of today's owners: months since the last one, and days with any within two years."""
    services = part.observed["services"]
    since = np.full(part.vehicles, np.inf)
    since[owned.vehicle] = part.observed["tenures"]["owned_since_day"][owned.tenure]
    known = (services["known_day"] < as_of_d) & (services["done_day"] < as_of_d)
    known &= services["done_day"] >= since[services["vehicle"]]
    vehicle, day = services["vehicle"][known], services["done_day"][known].astype(np.float64)
    last = np.full(part.vehicles, -np.inf)
    np.maximum.at(last, vehicle, day)
    months = np.where(np.isfinite(last), (as_of_d - last) / DAYS_PER_MONTH, np.nan)
    visits = np.unique(np.stack([vehicle, day.astype(np.int64)], axis=1)[day >= as_of_d - LOYAL_D], axis=0)
    count = np.bincount(visits[:, 0], minlength=part.vehicles).astype(np.float64)
    return {"months_since_service": months, "services_2y": count}


def _usage_change(derived: DerivedPart) -> Floats:
    """Log of the recent distance a day over that of the year before (V); NaN where readings do not tell."""
    history = derived.results.driven.history
    vehicles = len(history.offsets) - 1
    last = np.append(history.time_d, np.nan)[last_rows(history.offsets)]
    everyone: Ints = np.arange(vehicles, dtype=np.int64)

    def odometer_m(ago_d: float) -> Floats:
        return interpolate(history.offsets, history.time_d, history.odometer_m, everyone, last - ago_d)

    recent = (odometer_m(0.0) - odometer_m(RECENT_D)) / RECENT_D
    before = (odometer_m(RECENT_D) - odometer_m(RECENT_D + BEFORE_D)) / BEFORE_D
    usable = (recent > 0) & (before > 0)
    return np.where(usable, np.log(np.where(usable, recent, 1.0) / np.where(usable, before, 1.0)), np.nan)
