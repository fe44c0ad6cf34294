"""What cleaning may say of an odometer reading: kept, kept at another value, or rejected, and why."""

from __future__ import annotations

import enum

REJECTED_FROM = 20
"""Verdicts below this number keep the reading."""


class Verdict(enum.IntEnum):
    """Why a reading is kept (below ``REJECTED_FROM``) or rejected. The words are stored: never renamed."""

    KEPT = 0
    LEVELLED = 1
    """Kept at the value before it: it fell by less than its tolerance."""
    TENFOLD = 2
    """Kept at a tenth of its value: it came unscaled."""
    TENTH = 3
    """Kept at ten times its value."""
    IN_MILES = 4
    """Kept at 1.609 times its value: miles that came as kilometres."""
    IN_KILOMETRES = 5
    """Kept at its value over 1.609: kilometres that came as miles."""
    ONE_DIGIT = 6
    """Kept with one digit changed."""
    TRANSPOSED = 7
    """Kept with two neighbouring digits exchanged."""
    DROPPED_DIGIT = 8
    """Kept with one digit more."""
    EXTRA_DIGIT = 9
    """Kept with one digit less."""
    CLUSTER_SWAP = 10
    """Kept, and the first of another instrument cluster."""
    ROLLED_BACK = 11
    """Kept, and the first after the odometer was set back, but not to zero."""
    STAFF_KEPT = 12
    """Kept because staff say so."""

    BACKWARD = 20
    """Lower than readings before it that others confirm."""
    JUMP = 21
    """Higher than the car can have come, or than readings after it allow."""
    ISOLATED = 22
    """Too few readings to prove an instrument cluster that all later ones contradict."""
    UNTRUSTED_TIME = 23
    FUTURE_TIME = 24
    IMPOSSIBLE_TIME = 25
    """Before there was any device: a clock that stood at 1970."""
    COPIED = 26
    """The value of the reading before it, which later ones contradict."""
    PLACEHOLDER = 27
    """A value that stands for none: zero, 999999, 123456."""
    SAME_DAY = 28
    """Another reading of that day contradicts it and fits better."""
    OTHER_VEHICLE = 29
    """One of a series that is consistent in itself and contradicts this vehicle's."""
    WRONG_DATE = 30
    """It would fit exactly one year earlier or later."""
    OUT_OF_LINE = 31
    """Between its neighbours, but far from where both sides would have it."""
    STAFF_REJECTED = 32
    """Rejected because staff say so."""
    NO_VALUE = 33
    """Not a number, negative, or more than any car has gone."""

    @property
    def kept(self) -> bool:
        """Whether the reading counts, at its own value or a corrected one."""
        return self < REJECTED_FROM

    @property
    def word(self) -> str:
        """As stored and shown, for example ``untrusted-time``."""
        return self.name.lower().replace("_", "-")
