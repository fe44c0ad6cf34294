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


class ContractKind(enum.StrEnum):
    """What binds an owner to a car, or a maker to an owner."""

    LEASE = "lease"
    FINANCE = "finance"
    WARRANTY = "warranty"
    SUBSCRIPTION = "subscription"


class OutcomeKind(enum.StrEnum):
    """What an owner did in the end; the first four say that a car was replaced, or another came."""

    REPLACED = "replaced"  # by what, and where, is not known
    SALE = "sale"
    LEASE = "lease"
    SUBSCRIPTION = "subscription"
    SERVICE = "service"


class DealerFileKind(enum.StrEnum):
    """What a file that a dealer gives is about."""

    SCHEDULE = "schedule"
    PLANS = "plans"


class ItemActionKind(enum.StrEnum):
    """What staff did about an item."""

    ACKNOWLEDGED = "acknowledged"
    BOOKED = "booked"
    DONE = "done"
    SNOOZED = "snoozed"
    REOPENED = "reopened"


class LifeCycle(enum.StrEnum):
    """How far the work on an item that needs attention has come."""

    NONE = "none"  # it needs no attention
    OPEN = "open"
    REMINDED = "reminded"
    ACKNOWLEDGED = "acknowledged"
    BOOKED = "booked"
    SNOOZED = "snoozed"
    DONE = "done"  # staff said so; the record of the service is still to come
    CLEARED = "cleared"  # by itself: the car no longer says that it needs anything


class Urgency(enum.StrEnum):
    """How soon a fault wants somebody."""

    P0 = "P0"  # now: do not drive on
    P1 = "P1"  # this week
    P2 = "P2"  # at the next visit
    P3 = "P3"  # keep an eye on it


class BatteryWord(enum.StrEnum):
    """How a 12 V battery is."""

    UNKNOWN = "unknown"
    GOOD = "good"
    WEAK = "weak"
    REPLACE = "replace"


class BatteryMeasure(enum.StrEnum):
    """What a 12 V battery is judged by: volts, volts, percent."""

    CRANKING_MINIMUM = "cranking_minimum"
    REST_VOLTAGE = "rest_voltage"
    STATE_OF_HEALTH = "state_of_health"


class PackWord(enum.StrEnum):
    """What becomes of the warranty of a traction battery."""

    UNKNOWN = "unknown"
    HOLDS = "holds"
    POSSIBLE = "possible"
    LIKELY = "likely"
    CLAIM = "claim"
    ENDED = "ended"


class Fitted(enum.StrEnum):
    """Where the points of a readiness model come from."""

    PRIOR = "prior"
    LEARNED = "learned"
