"""The budget of a link: bytes a day, an even pace, quiet hours, and clocks that nobody should trust."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_agent.clock import BUILT_MS
from milepost_agent.uplink.budget import DAY_S, EVERYTHING, Budget, BudgetLimits, QuietHours, message_bytes
from milepost_agent.uplink.mqtt import packets
from milepost_agent.uplink.session import Kind
from milepost_protocol.samples import TimeTrust
from support.stores import FakeClock

MIDNIGHT = FakeClock(wall_ms=BUILT_MS // 86_400_000 * 86_400_000 + 30 * 86_400_000, mono_s=500_000.0)
LOST = FakeClock(wall_ms=0, mono_s=500_000.0, trust=TimeTrust.UNTRUSTED)
LIMIT = 1_000_000
NIGHT = QuietHours(22 * 3600, 6 * 3600)


def allowed(budget: Budget, clock: FakeClock) -> set[Kind]:
    allowance = budget.allowed(clock.read())
    kinds = {kind for kind in Kind if kind in allowance}
    assert bool(allowance.why) == (kinds != set(Kind)), "what is held back has a reason"
    return kinds


ALL = set(Kind)
FAULTS = {Kind.FAULT}


def test_without_limits_everything_goes() -> None:
    budget = Budget(BudgetLimits())
    budget.spend(1 << 40, MIDNIGHT.read())
    assert budget.allowed(MIDNIGHT.read()) == EVERYTHING
    assert budget.state() == {}, "nothing to commit"


def test_when_the_day_is_used_up_faults_have_a_reserve_and_the_next_day_begins_anew() -> None:
    budget = Budget(BudgetLimits(LIMIT))
    noon = MIDNIGHT.later(12 * 3600)
    budget.spend(LIMIT - 5_000, noon.read())
    assert allowed(budget, noon) == ALL
    assert budget.allowed(noon.read()).bytes_max == 5_000
    budget.spend(5_000, noon.read())
    assert allowed(budget, noon) == FAULTS
    budget.spend(LIMIT // 4, noon.read())
    assert allowed(budget, noon) == set()
    assert allowed(budget, MIDNIGHT.later(DAY_S - 1)) == set()
    assert allowed(budget, MIDNIGHT.later(DAY_S)) == ALL
    assert budget.used_bytes == 0


def test_on_a_metered_link_the_backlog_keeps_to_an_even_pace() -> None:
    budget = Budget(BudgetLimits(LIMIT, is_metered=True))
    morning, evening = MIDNIGHT.later(6 * 3600), MIDNIGHT.later(18 * 3600)
    budget.spend(LIMIT // 2, morning.read())
    assert allowed(budget, morning) == {Kind.FAULT, Kind.FRESH}
    assert allowed(budget, evening) == ALL
    budget.spend(LIMIT // 2, evening.read())
    assert allowed(budget, evening) == FAULTS


@pytest.mark.parametrize(
    ("hour", "quiet"), [(21.9, False), (22.0, True), (23.9, True), (0.0, True), (5.9, True), (6.0, False)]
)
def test_in_quiet_hours_only_faults_go(hour: float, quiet: bool) -> None:
    budget = Budget(BudgetLimits(quiet=NIGHT))
    assert allowed(budget, MIDNIGHT.later(hour * 3600)) == (FAULTS if quiet else ALL)
    by_day = Budget(BudgetLimits(quiet=QuietHours(6 * 3600, 22 * 3600)))
    assert allowed(by_day, MIDNIGHT.later(hour * 3600)) == (ALL if quiet else FAULTS)


def test_a_clock_that_is_not_trusted_knows_no_quiet_hours_and_a_day_of_its_own() -> None:
    budget = Budget(BudgetLimits(LIMIT, is_metered=True, quiet=NIGHT))
    assert allowed(budget, LOST.later(1)) == {Kind.FAULT, Kind.FRESH}
    assert allowed(budget, LOST.later(3600)) == ALL
    budget.spend(LIMIT, LOST.later(7_200).read())
    assert allowed(budget, LOST.later(DAY_S)) == FAULTS
    assert allowed(budget, LOST.later(DAY_S + 1)) == {Kind.FAULT, Kind.FRESH}, "24 hours after the first look"


def test_a_clock_that_becomes_trusted_or_goes_back_gives_no_second_budget() -> None:
    budget = Budget(BudgetLimits(LIMIT))
    budget.spend(LIMIT, LOST.read())
    assert allowed(budget, MIDNIGHT.later(60)) == FAULTS
    assert allowed(budget, MIDNIGHT.later(-3600)) == FAULTS
    assert allowed(budget, MIDNIGHT.later(3600)) == FAULTS
    assert allowed(budget, MIDNIGHT.later(DAY_S)) == ALL


def test_a_clock_that_was_years_ahead_does_not_block_the_days_before() -> None:
    budget = Budget(BudgetLimits(LIMIT))
    budget.spend(LIMIT, MIDNIGHT.later(1_000 * DAY_S).read())
    assert allowed(budget, MIDNIGHT) == ALL


def test_the_days_count_survives_a_restart() -> None:
    before, after = Budget(BudgetLimits(LIMIT)), Budget(BudgetLimits(LIMIT))
    before.spend(LIMIT, MIDNIGHT.read())
    after.restore(before.state())
    assert allowed(after, MIDNIGHT.later(3600)) == FAULTS
    later = Budget(BudgetLimits(LIMIT))
    later.restore(before.state())
    assert allowed(later, MIDNIGHT.later(DAY_S)) == ALL


@pytest.mark.parametrize("state", [{}, {"day": "x", "bytes": []}, {"day": None, "bytes": -5}])
def test_a_saved_count_that_is_none_counts_as_nothing(state: dict[str, object]) -> None:
    budget = Budget(BudgetLimits(LIMIT))
    budget.restore(state)
    assert allowed(budget, MIDNIGHT) == ALL
    assert budget.used_bytes == 0


@pytest.mark.parametrize("text", ["", "22-6", "24:00-06:00", "22:00-22:00", "22:60-06:00", "22:00 - 06:00"])
def test_what_are_no_quiet_hours(text: str) -> None:
    assert QuietHours.parse(text) is None


def test_quiet_hours_are_read() -> None:
    assert QuietHours.parse("22:00-06:30") == (22 * 3600, 6 * 3600 + 1800)


@given(st.text("abc/", min_size=1, max_size=90), st.sampled_from([0, 1, 100, 200, 16_000, 70_000]))
def test_a_message_is_counted_as_it_goes_over_the_link(topic: str, size: int) -> None:
    for qos, packet_id in ((0, None), (1, 7)):
        packet = packets.publish(packets.V311, packets.Publish(topic, bytes(size), False, packet_id))
        acknowledgement = packets.puback(7) if qos else b""
        assert message_bytes(topic, bytes(size), qos) == len(packet) + len(acknowledgement)
