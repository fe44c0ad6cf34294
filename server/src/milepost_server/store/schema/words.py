"""Words that columns hold, as enumerations."""

from __future__ import annotations

import enum


class Role(enum.StrEnum):
    """What a member of staff may do; a manager may do all of it."""

    SERVICE = "service"
    SALES = "sales"
    MARKETING = "marketing"
    MANAGER = "manager"


class Powertrain(enum.StrEnum):
    """Which set of service items a vehicle has."""

    COMBUSTION = "combustion"
    HYBRID = "hybrid"
    EV = "ev"


class QuarantineState(enum.StrEnum):
    """What people have done with a payload that could not be understood."""

    HELD = "held"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class RestsOn(enum.StrEnum):
    """What an item's dates rest on, the surest first: one does not call an owner for a guess."""

    MEASURED = "measured"  # the car's own readings of wear
    RECORD = "record"  # the last service on record
    REGISTRATION = "registration"  # no service on record: counted from when the car was new
    USUAL = "usual"  # what is usual for such parts
    NOTHING = "nothing"  # no date: one asks


class DueState(enum.StrEnum):
    """Where an item stands on the way to its due date."""

    UNKNOWN = "unknown"
    OK = "ok"
    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
