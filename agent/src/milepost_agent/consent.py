"""The owner's consent to a collection profile: from when to when, and by which clock. Pure."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

from milepost_agent.errors import ConfigError
from milepost_protocol.desired import Consent, check_name
from milepost_protocol.device_documents import ENDED, RUNNING, WAITING
from milepost_protocol.errors import DocumentError
from milepost_protocol.samples import TimeTrust

if TYPE_CHECKING:
    from milepost_agent import settings
    from milepost_agent.clock import ClockReading


class ConsentGate:
    """Whether a profile may run: in the time that its owner agreed to, and by a clock to be trusted.

    A clock that a time service keeps has the last word: once it has shown the end, no clock that is set back
    opens the gate again.
    """

    def __init__(self, consent: Consent) -> None:
        self.consent = consent
        self.state = WAITING
        self._is_over = False

    def look(self, now: ClockReading) -> float:
        """Until when, by the monotonic clock (s), the profile may run; -inf: it may not."""
        self.state = self._judge(now)
        self._is_over |= self.state == ENDED and now.trust is TimeTrust.SYNCED
        if self.state != RUNNING:
            return -math.inf
        return now.mono_s + (self.consent.expires_ms - now.wall_ms) / 1000

    def _judge(self, now: ClockReading) -> str:
        if self._is_over:
            return ENDED
        if now.trust is TimeTrust.UNTRUSTED or now.wall_ms < self.consent.granted_ms:
            return WAITING
        return RUNNING if now.wall_ms < self.consent.expires_ms else ENDED


def consent_of(section: settings.Consent) -> Consent:
    """What the section ``[consent]`` says.

    Raises:
        ConfigError: something of it is missing, or is no consent.
    """
    for name in ("owner", "granted_at", "expires_at"):
        if not getattr(section, name):
            raise ConfigError(
                f"consent.{name}",
                "is missing; a [profile] needs the owner's consent: owner, granted_at and expires_at",
            )
    try:
        check_name(section.owner, "owner")
        check_name(section.profile, "profile")
        return Consent(section.owner, _time_ms(section, "granted_at"), _time_ms(section, "expires_at"))
    except DocumentError as error:
        raise ConfigError("consent", str(error).removeprefix("consent: ")) from error


def _time_ms(section: settings.Consent, name: str) -> int:
    text = getattr(section, name)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"consent.{name}", f"is {text!r}; write it as 2026-03-01 or 2026-03-01T08:00:00Z"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return round(moment.timestamp() * 1000)


def time_text(time_ms: int) -> str:
    """A time as ``[consent]`` has it; ``consent_of`` reads the same time from it."""
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).isoformat(timespec="milliseconds")
