"""Between the store's times (milliseconds UTC, dates) and the signals' (float days since 1970).

A dealer's days begin at midnight in its own time zone, so its derivations count days of local time: the
zone's offset at the end of the as-of date is taken for all of the past, which is an hour off in half of it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sqlalchemy import or_, true

from milepost_protocol.samples import TimeTrust
from milepost_server.signals.flat import MS_PER_DAY

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement

    from milepost_server.signals.flat import Floats, Ints

EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_DAY: Final = EPOCH.date().toordinal()


def moment(time_ms: int) -> dt.datetime:
    """The moment of a time in milliseconds since 1970 UTC."""
    return EPOCH + dt.timedelta(milliseconds=time_ms)


def start_d(on: dt.date) -> float:
    """Days since 1970 at which the date begins."""
    return float(on.toordinal() - _EPOCH_DAY)


@dataclass(frozen=True, slots=True)
class AsOf:
    """An as-of date of a dealer, and the axis of local days on which its derivation counts.

    What was stored after ``known_by`` is not looked at, even where it is of an earlier time; None: all that
    is stored counts.
    """

    date: dt.date
    offset_ms: int
    known_by: dt.datetime | None = None

    @classmethod
    def of(cls, date: dt.date, zone: str) -> AsOf:
        """The date in the time zone of that name."""
        midnight = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), ZoneInfo(zone))
        offset = midnight.utcoffset() or dt.timedelta()
        return cls(date, offset // dt.timedelta(milliseconds=1))

    @classmethod
    def at(cls, now: dt.datetime, zone: str) -> AsOf:
        """The date that it is in the time zone of that name."""
        return cls.of(now.astimezone(ZoneInfo(zone)).date(), zone)

    @property
    def end_d(self) -> float:
        """The end of the date, local days since 1970."""
        return start_d(self.date) + 1.0

    @property
    def end_ms(self) -> int:
        """The end of the date, milliseconds since 1970 UTC."""
        return int(self.end_d) * MS_PER_DAY - self.offset_ms

    def knows(self, stored_at: Column[dt.datetime]) -> ColumnElement[bool]:
        """Of rows by the column that says when they were stored: those that count; null counts always."""
        if self.known_by is None:
            return true()
        return or_(stored_at.is_(None), stored_at <= self.known_by)

    def days(self, time_ms: Ints) -> Floats:
        """Local days since 1970 of times in milliseconds since 1970 UTC."""
        days: Floats = (time_ms + self.offset_ms) / MS_PER_DAY
        return days

    def ms(self, day: float) -> int:
        """Milliseconds since 1970 UTC of a time in local days."""
        return round(day * MS_PER_DAY) - self.offset_ms


def date_of(day: float) -> dt.date:
    """The date that holds a time in days since 1970."""
    return dt.date.fromordinal(int(day // 1) + _EPOCH_DAY)


def day_of(at: dt.datetime, as_of: AsOf) -> float:
    """Local days since 1970 of a moment."""
    return (at - EPOCH) / dt.timedelta(days=1) + as_of.offset_ms / MS_PER_DAY


def is_trusted(trust: str) -> bool:
    """Whether a time with this trust flag may be placed on a time axis."""
    return trust != TimeTrust.UNTRUSTED
