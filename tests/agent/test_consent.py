"""Consent to a profile: by which clock it begins and ends."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from milepost_agent import settings
from milepost_agent.consent import ConsentGate, consent_of, time_text
from milepost_protocol.desired import Consent
from milepost_protocol.samples import TimeTrust
from support.stores import CLOCK, DAY_MS, FakeClock

BEGIN_MS, END_MS = CLOCK.wall_ms - 1000, CLOCK.wall_ms + 60_000


def gate() -> ConsentGate:
    return ConsentGate(Consent("owner-42", BEGIN_MS, END_MS))


def look(at: ConsentGate, clock: FakeClock) -> tuple[str, float]:
    until_s = at.look(clock.read())
    return at.state, until_s


def test_a_profile_runs_until_the_consent_ends() -> None:
    assert look(gate(), CLOCK) == ("running", CLOCK.mono_s + 60)
    assert look(gate(), CLOCK.later(59)) == ("running", CLOCK.mono_s + 60)
    assert look(gate(), CLOCK.later(60)) == ("ended", -math.inf)
    assert look(gate(), CLOCK.later(-2)) == ("waiting", -math.inf)


def test_by_a_clock_that_nobody_trusts_nothing_runs() -> None:
    one = gate()
    lost = replace(CLOCK, trust=TimeTrust.UNTRUSTED)
    assert look(one, lost) == ("waiting", -math.inf)
    assert look(one, CLOCK)[0] == "running", "the network has told the time"


@pytest.mark.parametrize(
    ("trust", "later"), [(TimeTrust.SYNCED, "ended"), (TimeTrust.RTC, "running")], ids=["synced", "rtc"]
)
def test_what_a_kept_clock_has_ended_stays_ended(trust: TimeTrust, later: str) -> None:
    one = gate()
    ahead = replace(CLOCK, wall_ms=CLOCK.wall_ms + 5 * 365 * DAY_MS, trust=trust)
    assert look(one, ahead)[0] == "ended"
    assert look(one, CLOCK)[0] == later, "set back: an unkept clock was wrong, a kept one is not believed"


def test_times_are_read_as_they_are_written() -> None:
    section = settings.Consent(
        owner="owner-42", granted_at=time_text(BEGIN_MS + 123), expires_at=time_text(END_MS)
    )
    assert consent_of(section) == Consent("owner-42", BEGIN_MS + 123, END_MS)
