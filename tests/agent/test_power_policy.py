"""The power policy in a time that the test makes: what ends the rest of a car, and what must not."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost_agent import paths
from milepost_agent.power.asking import HINT_S, HINTS_MAX, PROBE_OPEN_S_MAX, PROBE_S_MIN
from milepost_agent.power.limits import PowerLimits
from milepost_agent.power.permit import Permits
from milepost_agent.power.stance import Stance
from milepost_agent.readings import Reading
from support.power import DAY_S, HOUR_S, Parking, coarse

AWAKE, RESTING, SAVING, ASLEEP = Stance.AWAKE, Stance.RESTING, Stance.SAVING, Stance.ASLEEP
NEVER_LONG = replace(PowerLimits(), rest_s_max=0.0)


def parked(volts: float | None = 12.6, limits: PowerLimits = NEVER_LONG, for_s: float = 0.0) -> Parking:
    """A car that was driven, and then turned off and left at ``volts``."""
    parking = Parking(coarse(limits), volts=volts)
    parking.drive(60.0)
    parking.park()
    parking.live(for_s)
    return parking


def test_a_running_engine_keeps_it_awake_and_a_silent_bus_ends_it_at_once() -> None:
    parking = Parking()
    parking.drive(1000.0)
    assert (parking.stance, parking.policy.reason) == (AWAKE, "the engine runs")
    parking.park()
    assert (parking.stance, parking.policy.reason) == (RESTING, "nobody answers")
    assert not parking.permit.may_ask
    assert parking.permit.is_open


@pytest.mark.parametrize(("volts", "stance"), [(12.6, RESTING), (12.1, SAVING), (11.6, ASLEEP)])
def test_under_other_limits_a_parked_car_is_left_where_it_was(volts: float, stance: Stance) -> None:
    before = parked(volts, for_s=2 * HOUR_S)
    assert before.stance is stance
    after = Parking(replace(coarse(), standing_s_max=600.0), volts=volts, now_s=before.now_s)
    standing = before.policy.standing()
    after.permits.tell(after.now_s, lambda policy, at_s: policy.go_on(standing, at_s))
    assert (after.stance, after.policy.reason) == (stance, before.policy.reason)
    after.live(HOUR_S)
    assert (after.stance, after.probes) == (stance, [])
    after.volts = volts + 0.5
    after.answers = True
    after.live(HOUR_S)
    assert after.changes[1][1] is AWAKE, "a step of the voltage is a hint as ever"


def test_under_other_limits_a_car_in_use_is_in_use() -> None:
    before = Parking()
    before.drive(60.0)
    after = Parking(now_s=before.now_s)
    standing = before.policy.standing()
    after.permits.tell(after.now_s, lambda policy, at_s: policy.go_on(standing, at_s))
    assert after.stance is AWAKE
    assert after.permit.may_ask


@pytest.mark.parametrize("signal", [paths.RPM, paths.SPEED])
def test_a_car_that_answers_but_stands_is_asked_no_longer_than_the_limit(signal: str) -> None:
    parking = Parking(volts=12.6)
    parking.permit.answered(0.0)
    while parking.permit.may_ask:
        parking.read(signal, 0.0)
        parking.now_s += 1.0
    assert parking.now_s == pytest.approx(parking.limits.standing_s_max, abs=2)
    assert parking.stance is RESTING


def test_a_run_time_that_grows_keeps_awake_and_one_that_stands_does_not() -> None:
    parking = Parking()
    parking.permit.answered(0.0)
    for second in range(1000):
        parking.now_s = float(second)
        parking.read(paths.RUN_TIME, float(min(second, 600)))
    assert parking.changes[-1] == (pytest.approx(900.0, abs=2), RESTING)


def test_a_converter_that_charges_because_the_car_is_asked_does_not_keep_it_awake() -> None:
    parking = Parking()
    parking.permit.answered(0.0)
    while parking.permit.may_ask:
        parking.read(paths.SPEED, 0.0)
        parking.read(paths.VOLTAGE, 14.0)
        parking.now_s += 1.0
        assert parking.now_s < 400.0


def test_where_nothing_tells_of_engine_and_wheels_charging_counts() -> None:
    parking = Parking(volts=14.0, answers=True)
    parking.live(2000.0)
    assert parking.stance is AWAKE


@pytest.mark.parametrize("step", [0.5, -0.8, 1.4])
def test_a_step_or_a_rise_asks_the_bus_at_once(step: float) -> None:
    parking = parked(12.4, for_s=HOUR_S)
    before = len(parking.probes)
    parking.live(120.0, lambda _: 12.4 + step)
    assert len(parking.probes) == before + 1
    parking.answers = True
    parking.live(120.0, lambda _: 12.4)
    parking.live(120.0, lambda _: 12.4 + step)
    assert parking.stance is AWAKE


def test_a_resting_car_is_not_asked_for_as_long_as_nothing_hints() -> None:
    parking = parked(12.6)
    parking.live(30 * DAY_S, lambda t_s: 12.7 - 0.01 * t_s / DAY_S)
    assert parking.probes == []
    assert parking.stance is RESTING


def test_below_the_first_threshold_at_rest_it_saves_and_below_the_second_it_sleeps() -> None:
    parking = parked(12.6)
    parking.live(20 * DAY_S, lambda t_s: 12.6 - 0.05 * t_s / DAY_S)
    times = dict(parking.changes and [(stance, at_s) for at_s, stance in parking.changes])
    assert [stance for _, stance in parking.changes] == [AWAKE, RESTING, SAVING, ASLEEP]
    assert times[SAVING] == pytest.approx(8 * DAY_S, abs=0.2 * DAY_S)
    assert times[ASLEEP] == pytest.approx(16 * DAY_S, abs=0.2 * DAY_S)
    assert "V at rest, below 11.8 V" in parking.policy.reason
    assert parking.probes == []
    assert parking.policy.rest_v == pytest.approx(11.7, abs=0.1)


def test_closed_it_opens_only_for_a_look_now_and_then() -> None:
    parking = parked(12.1, for_s=2 * HOUR_S)
    assert parking.stance is SAVING
    looks: list[float] = []
    begin_s = parking.now_s
    while parking.now_s < begin_s + 2 * HOUR_S:
        parking.live(1.0)
        if parking.permit.is_open:
            looks.append(parking.now_s)
    gaps = [b - a for a, b in itertools.pairwise(looks)]
    assert sum(gap > 10 for gap in gaps) == pytest.approx(2 * HOUR_S / 900.0, abs=1)
    assert len(looks) < 60, "open for seconds of each quarter of an hour"


@pytest.mark.parametrize(
    ("name", "volts"),
    [
        ("a cranking dip", lambda t: 9.0 if 100 <= t < 102 else 12.5),
        ("an open contact", lambda t: 0.0 if int(t) % 7 == 0 else 12.5),
        ("half a reading", lambda t: 6.0 if int(t) % 5 == 0 else 12.5),
        ("lamps for ten minutes", lambda t: 11.6 if 4000 <= t < 4590 else 12.5),
        ("a noisy contact", lambda t: 12.5 - 0.9 * (int(t) % 3 == 0)),
    ],
)
def test_what_is_no_empty_battery_does_not_pass_for_one(name: str, volts: object) -> None:
    parking = Parking(NEVER_LONG)
    parking.drive(60.0)
    parking.park()
    parking.live(3 * HOUR_S, volts)
    assert {stance for _, stance in parking.changes} <= {AWAKE, RESTING}, name


def test_surface_charge_only_delays_and_a_load_before_the_settling_does_not_count() -> None:
    parking = parked(limits=NEVER_LONG)
    parking.live(1790.0, lambda _: 11.5)
    assert parking.stance is RESTING
    parking.live(HOUR_S, lambda _: 12.5)
    assert parking.stance is RESTING


@pytest.mark.parametrize("ignition_on", [False, True])
def test_a_critical_voltage_ends_all_of_it_within_two_minutes(ignition_on: bool) -> None:
    parking = Parking()
    parking.policy.ignition(is_on=ignition_on, at_s=0.0)
    parking.live(120.0, lambda _: 10.8)
    assert parking.stance is ASLEEP
    parking.policy.ignition(is_on=ignition_on, at_s=parking.now_s)
    parking.live(10.0)
    assert parking.stance is ASLEEP
    parking.policy.ignition(is_on=False, at_s=parking.now_s)
    parking.permits.tell(parking.now_s, lambda policy, at_s: policy.ignition(is_on=True, at_s=at_s))
    assert parking.stance is AWAKE


def test_an_engine_that_runs_with_a_dead_generator_is_still_read() -> None:
    parking = Parking()
    parking.drive(HOUR_S, volts=10.5)
    assert parking.stance is AWAKE


def test_a_battery_that_recovers_a_little_stays_as_deep_and_one_that_is_charged_rises() -> None:
    parking = parked(11.7, for_s=3 * HOUR_S)
    assert parking.stance is ASLEEP
    parking.live(5 * HOUR_S, lambda _: 12.05)
    assert parking.stance is ASLEEP
    parking.live(HOUR_S, lambda _: 12.45)
    assert (parking.stance, parking.policy.reason) == (RESTING, "12.4 V at rest again")


def test_one_reading_alone_ends_no_saving() -> None:
    parking = parked(12.1, for_s=2 * HOUR_S)
    assert parking.stance is SAVING
    for volts in (12.1, 12.1, 13.4, 12.1):
        parking.read(paths.VOLTAGE, volts)
        parking.permit.silent(parking.now_s)
    assert parking.stance is SAVING


def test_what_the_battery_shows_while_the_ignition_is_on_is_no_rest() -> None:
    parking = parked(12.6, for_s=2 * HOUR_S)
    for second in range(3600):
        parking.permits.tell(parking.now_s, lambda policy, at_s: policy.ignition(is_on=True, at_s=at_s))
        parking.read(paths.VOLTAGE, 11.9)
        parking.now_s += 1.0
        assert parking.stance is AWAKE, second
    parking.permits.tell(parking.now_s, lambda policy, at_s: policy.ignition(is_on=False, at_s=at_s))
    parking.live(600.0, lambda _: 12.0)
    assert parking.stance is RESTING
    parking.live(HOUR_S)
    assert parking.stance is SAVING


def test_no_voltage_around_a_threshold_makes_it_flap() -> None:
    parking = parked(12.6)
    parking.live(10 * DAY_S, lambda t_s: 12.2 + (0.15 if int(t_s / 900) % 2 else -0.15))
    assert len(parking.changes) <= 3


def test_a_charger_leaves_it_resting_and_asks_ever_more_rarely() -> None:
    parking = parked(12.6, PowerLimits())
    parking.live(7 * DAY_S, lambda _: 13.8)
    assert {stance for _, stance in parking.changes} == {AWAKE, RESTING}
    gaps = [b - a for a, b in itertools.pairwise(parking.probes)]
    assert gaps[-1] == pytest.approx(parking.limits.probe_s_max, rel=0.1)


def test_a_car_on_a_charger_that_always_answers_is_not_kept_awake() -> None:
    parking = parked(12.6, PowerLimits())
    parking.answers = True
    parking.read(paths.SPEED, 0.0)
    parking.live(2 * HOUR_S, lambda _: 13.8)
    begin_s, awake_s = parking.now_s, 0.0
    while parking.now_s < begin_s + 10 * HOUR_S:
        awake_s += 10.0 * (parking.stance is AWAKE)
        if parking.stance is AWAKE:
            parking.read(paths.SPEED, 0.0)
            assert not parking.policy.is_proven
        parking.live(10.0)
    assert awake_s / (10 * HOUR_S) < 0.15


def test_a_loose_contact_may_wake_the_bus_only_so_often() -> None:
    parking = parked(12.6, PowerLimits())
    parking.live(DAY_S, lambda t_s: 12.6 if int(t_s / 60) % 2 else 11.9)
    assert len(parking.probes) <= HINTS_MAX + DAY_S / HINT_S + 1


def test_a_solar_panel_under_clouds_may_wake_the_bus_only_so_often() -> None:
    parking = parked(12.6, PowerLimits())
    parking.live(DAY_S, lambda t_s: 13.9 if int(t_s / 300) % 2 else 12.7)
    assert len(parking.probes) <= HINTS_MAX + DAY_S / HINT_S + DAY_S / 900 + 5


def test_an_adapter_that_cannot_tell_is_asked_ever_more_rarely() -> None:
    parking = parked(None)
    parking.now_s += 3 * HOUR_S
    parking.live(DAY_S)
    gaps = [b - a for a, b in itertools.pairwise(parking.probes)]
    assert gaps[0] == pytest.approx(600.0, abs=120)
    assert max(gaps) == pytest.approx(3600.0, abs=120)
    assert parking.stance is RESTING


def test_a_car_parked_for_long_is_looked_at_more_rarely_however_full_its_battery() -> None:
    parking = parked(12.7, PowerLimits())
    parking.live(4 * DAY_S)
    assert parking.changes[-1] == (pytest.approx(3 * DAY_S, rel=0.01), SAVING)
    assert parking.policy.reason == "parked for 72 h"
    parking.answers = True
    parking.live(1000.0, lambda _: 14.1)
    assert AWAKE in [stance for at_s, stance in parking.changes if at_s > 3.5 * DAY_S]


def test_a_truck_of_24_volts_has_thresholds_of_its_own() -> None:
    limits = replace(coarse(NEVER_LONG), rest_look_s=60.0).scaled(24)
    parking = Parking(limits)
    parking.drive(60.0, volts=28.2)
    parking.park()
    parking.live(2 * HOUR_S, lambda _: 25.2)
    assert parking.stance is RESTING
    parking.live(2 * HOUR_S, lambda _: 24.2)
    assert parking.stance is SAVING
    parking.live(2 * HOUR_S, lambda _: 23.4)
    assert parking.stance is ASLEEP


@pytest.mark.parametrize(("system_v", "volts"), [(12, 25.2), (24, 12.6)])
def test_a_system_voltage_that_is_wrong_counts_as_no_voltage(system_v: int, volts: float) -> None:
    parking = Parking(coarse(NEVER_LONG).scaled(system_v), volts=volts)
    parking.park()
    parking.live(DAY_S)
    assert parking.stance is RESTING
    assert parking.policy.counts()["implausible_voltages"] > 100


def test_the_ignition_line_wakes_at_once_and_ends_soon() -> None:
    parking = parked(11.7, for_s=3 * HOUR_S)
    parking.permits.tell(parking.now_s, lambda policy, at_s: policy.ignition(is_on=False, at_s=at_s))
    parking.permits.tell(parking.now_s, lambda policy, at_s: policy.ignition(is_on=True, at_s=at_s))
    assert parking.stance is AWAKE
    assert parking.permit.may_ask
    assert parking.permit.is_open
    parking.answers = True
    parking.live(5.0)
    parking.permits.tell(parking.now_s, lambda policy, at_s: policy.ignition(is_on=False, at_s=at_s))
    parking.now_s += 20.0
    parking.permits.tell(parking.now_s, lambda policy, at_s: None)
    assert parking.stance is ASLEEP, "nothing was charged: it goes back to where it was"


def test_a_wake_up_of_the_machine_asks_once_and_goes_back_where_nobody_answers() -> None:
    parking = parked(11.7, for_s=3 * HOUR_S)
    assert parking.stance is ASLEEP
    parking.permits.tell(parking.now_s, lambda policy, at_s: policy.resumed(at_s))
    assert (parking.stance, parking.policy.is_proven) == (AWAKE, True)
    before = len(parking.probes)
    parking.live(10.0)
    assert len(parking.probes) == before + 1
    assert parking.stance is ASLEEP


def test_a_probe_whose_outcome_is_not_heard_of_ends() -> None:
    parking = parked(12.1, for_s=2 * HOUR_S)
    parking.policy._asking["elm327"].hint(parking.now_s)
    assert parking.permit.is_open
    parking.now_s += PROBE_OPEN_S_MAX + 1
    parking.permits.tell(parking.now_s, lambda policy, at_s: None)
    assert not parking.permit.may_ask


def test_two_sources_are_silent_before_the_car_is() -> None:
    permits = Permits(PowerLimits(), 0.0)
    one, other = permits.permit("can"), permits.permit("elm327")
    one.answered(0.0)
    other.silent(1.0)
    assert permits.policy.stance is AWAKE
    for second in range(2, 300):
        one.feed(Reading(paths.RPM, 900.0, float(second)))
    assert other.may_ask, "asked again beside a bus that answers"
    assert permits.policy.counts()["probes"] == 1
    other.silent(300.0)
    one.silent(301.0)
    assert permits.policy.stance is RESTING


def test_the_highest_of_two_voltmeters_counts() -> None:
    permits = Permits(NEVER_LONG, 0.0)
    low, high = permits.permit("can"), permits.permit("elm327")
    low.silent(0.0)
    high.silent(0.0)
    for minute in range(600):
        low.feed(Reading(paths.VOLTAGE, 11.6, minute * 60.0))
        high.feed(Reading(paths.VOLTAGE, 12.4, minute * 60.0))
    assert permits.policy.stance is RESTING
    assert permits.policy.rest_v == 12.4


def test_a_bus_that_wakes_by_itself_is_asked_once_and_not_kept_awake() -> None:
    parking = parked(12.6, for_s=HOUR_S)
    parking.permit.traffic(parking.now_s)
    assert parking.permit.may_ask
    parking.park()
    for _ in range(200):
        parking.now_s += 1.0
        parking.permit.traffic(parking.now_s)
        assert not parking.permit.may_ask
    parking.now_s += 60.0
    parking.permit.traffic(parking.now_s)
    assert parking.permit.may_ask


def test_a_source_that_never_asks_is_awake_while_it_tells_anything_but_a_voltage() -> None:
    permits = Permits(PowerLimits(), 0.0)
    for second in range(1000):
        permits.feed("replay", Reading("Vehicle.Milepost.Trip.Count", second, float(second)))
    assert permits.policy.stance is AWAKE
    for second in range(1000, 1400):
        permits.feed("replay", Reading(paths.VOLTAGE, 12.6, float(second)))
    assert permits.policy.stance is RESTING


def test_switched_off_it_is_always_awake() -> None:
    parking = Parking(replace(PowerLimits(), is_enabled=False, rest_look_s=60.0), volts=11.0)
    parking.park()
    parking.live(2 * DAY_S)
    assert parking.changes == [(0.0, AWAKE)]
    gaps = [b - a for a, b in itertools.pairwise(parking.probes)]
    assert gaps[0] >= PROBE_S_MIN


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.0, 1000.0), st.one_of(st.none(), st.floats(0.0, 30.0))),
        min_size=1,
        max_size=200,
    )
)
def test_whatever_a_voltmeter_shows_a_silent_bus_is_asked_a_bounded_number_of_times(
    readings: list[tuple[float, float | None]],
) -> None:
    parking = Parking()
    parking.park()
    asked = 0
    for pause_s, volts in readings:
        parking.now_s += pause_s
        if volts is None:
            parking.permit.no_voltage(parking.now_s)
        else:
            parking.read(paths.VOLTAGE, volts)
        if parking.permit.may_ask:
            asked += 1
            parking.park()
        assert parking.stance is not AWAKE
    assert asked <= HINTS_MAX + parking.now_s / HINT_S + parking.now_s / PROBE_S_MIN
