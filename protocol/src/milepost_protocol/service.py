"""A service that a person entered at the car, as one text: ``engine-oil 123456700 at home``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from milepost_protocol.errors import ValueRefusedError

SIGNAL: Final = "Vehicle.Milepost.Service.Entry"
ITEM_PATTERN: Final = r"[a-z0-9]+(-[a-z0-9]+)*"
ITEM_CHARACTERS_MAX: Final = 64
ODOMETER_M_MAX: Final = 4_294_967_295
NOTE_BYTES_MAX: Final = 120
UNKNOWN: Final = "-"
"""Stands for an odometer that nobody read."""

_ITEM = re.compile(ITEM_PATTERN)


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """What was renewed or done. The day on which it was done is the time of the sample.

    ``item`` is a key of the dealer's schedule, such as ``engine-oil``; ``odometer_m`` what the instrument
    showed, in metres, ``None`` where nobody looked; ``note`` one line of text.

    Raises:
        ValueRefusedError: an item, an odometer or a note that cannot be one.
    """

    item: str
    odometer_m: int | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if len(self.item) > ITEM_CHARACTERS_MAX or not _ITEM.fullmatch(self.item):
            raise ValueRefusedError(SIGNAL, self.item, "is no item; items are named as in engine-oil")
        if self.odometer_m is not None and not 0 <= self.odometer_m <= ODOMETER_M_MAX:
            raise ValueRefusedError(SIGNAL, self.odometer_m, f"is outside 0 to {ODOMETER_M_MAX} m")
        if not self.note.isprintable() or len(self.note.encode()) > NOTE_BYTES_MAX:
            raise ValueRefusedError(
                SIGNAL, self.note, f"is not one line of at most {NOTE_BYTES_MAX} bytes that print"
            )

    def text(self) -> str:
        """The value of the sample."""
        odometer = UNKNOWN if self.odometer_m is None else str(self.odometer_m)
        return " ".join([self.item, odometer, self.note]).rstrip()


def parse(text: str) -> ServiceEntry:
    """The entry whose ``text`` this is.

    Raises:
        ValueRefusedError: it is none.
    """
    item, _, rest = text.partition(" ")
    odometer, _, note = rest.partition(" ")
    if odometer == UNKNOWN:
        return ServiceEntry(item, None, note)
    if not (odometer.isascii() and odometer.isdigit()):
        raise ValueRefusedError(SIGNAL, text, "is not 'ITEM ODOMETER_M NOTE', with - for no odometer")
    return ServiceEntry(item, int(odometer[: len(str(ODOMETER_M_MAX)) + 1]), note)
