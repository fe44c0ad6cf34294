"""The limits of an item in words, with what they are counted from."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from milepost_server.signals.flat import METRES_PER_KM
from milepost_server.signals.items.due import FirstLimit
from milepost_server.signals.items.item import months_words, position_words, worn_words
from milepost_server.store.schema import RestsOn

if TYPE_CHECKING:
    from milepost_server.signals.fleet.results import ItemResult
    from milepost_server.signals.items.item import Band, Item, Wear

ASK = "no service on record: ask when it was last done"
LAPSED = "long overdue by the records, so probably done elsewhere: ask when"
WORN_OUT = "long worn out by what was measured last, so probably renewed elsewhere: ask when"
COUNTED_DOWN = "the car's own countdown to this service"
SINCE_SAID_M_MIN = 1_000_000.0
"""It is said how far a car has gone since a measurement where that is at least so much."""


class Begin(NamedTuple):
    """What an item of one vehicle is counted from: its last service on record, a renewal that the car's
    readings show, or else the first registration."""

    done_on: dt.date | None
    seen_on: dt.date | None
    registered_on: dt.date | None


class Said(NamedTuple):
    """One vehicle's item, to be put into words."""

    result: ItemResult
    row: int
    begin: Begin

    @property
    def item(self) -> Item:
        """As the vehicle's own schedule has it."""
        return self.result.items[int(self.result.which[self.row])]

    @property
    def band(self) -> Band | None:
        """The interval that applies; None where there is none."""
        band = int(self.result.limits.band[self.row])
        return self.item.interval[band] if band >= 0 else None

    @property
    def first(self) -> FirstLimit:
        """The limit that comes first."""
        return FirstLimit(int(self.result.due.first_limit[self.row]))

    @property
    def is_measured(self) -> bool:
        """Whether its wear is."""
        wear = self.result.wear
        return wear is not None and bool(wear.limit.measured[self.row])

    @property
    def is_lapsed(self) -> bool:
        """Whether what is on record lies too far back to say anything."""
        return bool(self.result.limits.forgotten[self.row]) and self.begin.done_on is not None

    @property
    def is_worn_out(self) -> bool:
        """Whether what was measured must have reached its limit so long ago that it says nothing any more."""
        forgotten = bool(self.result.limits.forgotten[self.row])
        return self.is_measured and forgotten and self.first is FirstLimit.NONE


def rests_on(said: Said) -> RestsOn:
    """What the dates of one vehicle's item rest on."""
    if said.first is FirstLimit.NONE:
        return RestsOn.NOTHING
    if said.first is FirstLimit.COUNTDOWN:
        return RestsOn.MEASURED
    if said.first is FirstLimit.WEAR:
        return RestsOn.MEASURED if said.is_measured else RestsOn.USUAL
    if said.begin.done_on is not None:
        return RestsOn.RECORD
    return RestsOn.MEASURED if said.begin.seen_on is not None else RestsOn.REGISTRATION


def limit_short(said: Said) -> str:
    """The limit that decides, as short as it goes: ``12 months since service on 3 Jan 2026``."""
    if said.first is FirstLimit.COUNTDOWN:
        return COUNTED_DOWN
    if said.first is FirstLimit.WEAR and said.item.wear is not None:
        return _wear_short(said.item.wear, said)
    amount = None if said.band is None else _amount(said.band, said.first)
    if amount is None:
        return WORN_OUT if said.is_worn_out else LAPSED if said.is_lapsed else ASK
    return f"{amount}{_begin(said.begin)}"


def _amount(band: Band, first: FirstLimit) -> str | None:
    """What the interval allows of the limit that comes first."""
    if first is FirstLimit.DISTANCE and band.distance_km is not None:
        return f"{band.distance_km:,.0f} km"
    if first is FirstLimit.TIME and band.time_months is not None:
        return months_words(band.time_months)
    if first is FirstLimit.ENGINE_HOURS and band.engine_hours is not None:
        return f"{band.engine_hours:,.0f} engine hours"
    if first is FirstLimit.REVOLUTIONS and band.revolutions is not None:
        return f"{band.revolutions / 1e6:,g} million revolutions"
    return None


def limit_text(said: Said) -> str:
    """What makes the item due, for example ``15,000 km or 12 months, whichever comes first, since ...``."""
    item, band, measured = said.item, said.band, said.is_measured
    parts = [COUNTED_DOWN] if said.first is FirstLimit.COUNTDOWN else []
    if item.wear is not None and (measured or band is None or band.distance_km is None):
        parts.append(_wear_words(item.wear, said))
    if band is not None:
        parts.append(band.words)
    if said.is_worn_out:
        return f"{'; '.join(parts)}. {_WORN_OUT}"
    if said.result.limits.forgotten[said.row] and not measured:
        return f"{'; '.join(parts)}. {_forgotten(said.begin)}"
    counts_from_start = band is not None or not (measured or parts[:1] == [COUNTED_DOWN])
    return "; ".join(parts) + (f", {_since(said.begin)}" if counts_from_start else "")


def _wear_words(wear: Wear, said: Said) -> str:
    if said.is_measured:
        return f"{wear.words}: {_measured(said)}, {_worn(said)} of the way"
    near, far = wear.usual_km
    return f"{wear.words}: not measured, usually after {near:,.0f} to {far:,.0f} km"


def _wear_short(wear: Wear, said: Said) -> str:
    if said.is_measured:
        return f"{_measured(said)}: {_worn(said)} of the way to its limit"
    near, far = wear.usual_km
    return f"not measured; usual after {near:,.0f} to {far:,.0f} km"


def _worn(said: Said) -> str:
    assert said.result.wear is not None, "only said of what is measured"
    return worn_words(float(said.result.wear.limit.worn[said.row]))


def _measured(said: Said) -> str:
    wear = said.result.wear
    assert wear is not None, "only said of what is measured"
    where = position_words(wear.signals[int(wear.position[said.row])])
    measured = f"{where} measured" if where else "measured"
    gone_m = said.result.limits.limits.anchor_m[said.row] - wear.limit.from_m[said.row]
    return f"{measured} {gone_m / METRES_PER_KM:,.0f} km ago" if gone_m >= SINCE_SAID_M_MIN else measured


def _begin(begin: Begin) -> str:
    if begin.done_on is not None:
        return f" since service on {begin.done_on.day} {begin.done_on:%b %Y}"
    if begin.seen_on is not None:
        return f" since it was renewed by {begin.seen_on.day} {begin.seen_on:%b %Y}"
    return f", {_since(begin)}"


def _since(begin: Begin) -> str:
    if begin.done_on is not None:
        return f"since the service on {_day(begin.done_on)}"
    if begin.seen_on is not None:
        return f"since it was renewed: seen in the car's readings of {_day(begin.seen_on)}, not on record"
    if begin.registered_on is not None:
        return f"counted from first registration on {_day(begin.registered_on)}: no service on record"
    return "but neither a service nor the first registration is on record"


_WORN_OUT = (
    "It must have reached its limit so long ago that it has probably been renewed elsewhere since. "
    "Ask the owner when, or measure it"
)


def _forgotten(begin: Begin) -> str:
    if begin.done_on is not None:
        return (
            f"The last service on record is of {_day(begin.done_on)}: so long ago that it has probably been "
            "done elsewhere since. Ask the owner when"
        )
    assert begin.registered_on is not None, "only counted from a registration"
    return (
        f"No service on record since first registration on {_day(begin.registered_on)}: "
        "ask the owner when it was last done"
    )


def _day(on: dt.date) -> str:
    return f"{on.day} {on:%B %Y}"
