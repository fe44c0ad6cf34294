"""Engine hours, revolutions, the oil's weight, starts, brakes and trips."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_agent import paths
from milepost_agent.derive.accumulator import Step
from milepost_agent.derive.brakes import Brakes, beyond_coasting_j_per_kg, deceleration_mps2
from milepost_agent.derive.engine import GAP_S_MAX, Engine
from milepost_agent.derive.oil import WEIGHT_MAX, WEIGHT_MIN, oil_weight
from milepost_agent.derive.starts import COOLANT_AGE_S_MAX, Starts
from milepost_agent.derive.trips import STANDING_S_MAX, Trips
from milepost_agent.errors import EdgeStateError
from milepost_agent.readings import Reading

if TYPE_CHECKING:
    from milepost_agent.derive.accumulator import Accumulator


def feed(accumulator: Accumulator, *readings: tuple[str, object, float]) -> list[Reading]:
    return [out for signal, value, at_s in readings for out in accumulator.feed(Reading(signal, value, at_s))]


def last(readings: list[Reading]) -> dict[str, object]:
    return {reading.signal: reading.value for reading in readings}


def restarted(accumulator: Accumulator, fresh: Accumulator) -> Accumulator:
    fresh.restore(json.loads(json.dumps(accumulator.state())))
    return fresh


def run(engine: Engine, rpm: float, seconds: int, *others: tuple[str, float]) -> dict[str, object]:
    outs = []
    for second in range(seconds + 1):
        outs += feed(engine, *((signal, value, float(second)) for signal, value in others))
        outs += feed(engine, (paths.RPM, rpm, float(second)))
    return last(outs)


def test_hours_and_revolutions_of_a_steady_hour() -> None:
    found = run(Engine(), 2000.0, 3600, (paths.SPEED, 100.0), (paths.OIL_TEMPERATURE, 90.0))
    assert found[paths.ENGINE_HOURS] == pytest.approx(1.0)
    assert found[paths.IDLE_HOURS] == 0.0
    assert found[paths.REVOLUTIONS] == pytest.approx(120_000)
    assert found[paths.OIL_WEIGHTED_REVOLUTIONS] == pytest.approx(120_000)


def test_standing_with_the_engine_on_is_idling() -> None:
    found = run(Engine(), 800.0, 1800, (paths.SPEED, 0.0))
    assert found[paths.IDLE_HOURS] == found[paths.ENGINE_HOURS] == pytest.approx(0.5)


def test_the_starter_is_no_running_engine() -> None:
    assert run(Engine(), 250.0, 10) == {}


def test_a_gap_counts_for_a_limited_time_only_and_a_switched_off_engine_for_none() -> None:
    engine = Engine()
    found = last(feed(engine, (paths.RPM, 1200.0, 0.0), (paths.RPM, 1200.0, 5000.0)))
    assert found[paths.ENGINE_HOURS] == pytest.approx(GAP_S_MAX / 3600)
    engine = Engine()
    off = (paths.SYSTEM_STATE, "OFF", 1.0)
    assert feed(engine, (paths.RPM, 1200.0, 0.0), off, (paths.RPM, 1200.0, 3.0)) == []


def test_coolant_stands_in_for_oil_and_old_temperatures_for_nothing() -> None:
    oil = run(Engine(), 2000.0, 60, (paths.OIL_TEMPERATURE, 20.0))
    coolant = run(Engine(), 2000.0, 60, (paths.COOLANT, 20.0))
    unknown = run(Engine(), 2000.0, 60)
    assert oil[paths.OIL_WEIGHTED_REVOLUTIONS] == coolant[paths.OIL_WEIGHTED_REVOLUTIONS]
    assert oil[paths.OIL_WEIGHTED_REVOLUTIONS] == pytest.approx(2000 * oil_weight(20.0))
    assert unknown[paths.OIL_WEIGHTED_REVOLUTIONS] == unknown[paths.REVOLUTIONS]


def test_the_oils_weight_is_one_at_ninety_and_grows_to_both_ends() -> None:
    assert oil_weight(90.0) == pytest.approx(1.0)
    assert oil_weight(100.0) == pytest.approx(2.0, rel=0.02)
    assert oil_weight(130.0) > oil_weight(110.0) > oil_weight(90.0)
    assert oil_weight(-20.0) >= oil_weight(20.0) > oil_weight(60.0) > oil_weight(80.0)


@given(st.floats(-300, 1000))
def test_the_oils_weight_is_bounded(temperature_c: float) -> None:
    assert WEIGHT_MIN <= oil_weight(temperature_c) <= WEIGHT_MAX


@given(st.lists(st.tuples(st.floats(0, 8000), st.floats(0, 100)), max_size=40))
def test_totals_never_fall_and_idling_is_part_of_running(steps: list[tuple[float, float]]) -> None:
    engine, now_s = Engine(), 0.0
    totals: dict[str, float] = {}
    for rpm, wait_s in steps:
        now_s += wait_s
        for out in feed(engine, (paths.SPEED, 0.0, now_s), (paths.RPM, rpm, now_s)):
            assert float(out.value) >= totals.get(out.signal, 0.0)
            totals[out.signal] = float(out.value)
    assert totals.get(paths.IDLE_HOURS, 0.0) <= totals.get(paths.ENGINE_HOURS, 0.0) + 1e-12


def test_engine_totals_survive_a_restart() -> None:
    engine = Engine()
    before = run(engine, 2000.0, 600)
    after = run(restarted(engine, Engine()), 2000.0, 600)
    assert after[paths.REVOLUTIONS] == pytest.approx(2 * float(str(before[paths.REVOLUTIONS])))


def test_a_seen_start_is_counted_once_and_judged_by_its_coolant() -> None:
    found = feed(
        Starts(),
        (paths.COOLANT, 20.0, 0.0),
        (paths.RPM, 0.0, 1.0),
        (paths.RPM, 250.0, 2.0),
        (paths.RPM, 900.0, 3.0),
        (paths.RUN_TIME, 1.0, 4.0),
        (paths.RPM, 900.0, 5.0),
    )
    assert [(r.signal, r.value) for r in found] == [(paths.STARTS, 1), (paths.COLD_STARTS, 1)]


def test_a_warm_start_is_none_of_the_cold_ones() -> None:
    found = last(feed(Starts(), (paths.RPM, 0.0, 0.0), (paths.RPM, 900.0, 1.0), (paths.COOLANT, 40.0, 9.0)))
    assert found == {paths.STARTS: 1, paths.COLD_STARTS: 0}


@pytest.mark.parametrize("coolant_s", [-COOLANT_AGE_S_MAX - 1, COOLANT_AGE_S_MAX + 2])
def test_a_coolant_reading_far_from_the_start_says_nothing_of_it(coolant_s: float) -> None:
    events = sorted(
        [(paths.COOLANT, 10.0, coolant_s), (paths.RPM, 0.0, 0.0), (paths.RPM, 900.0, 1.0)], key=lambda e: e[2]
    )
    assert last(feed(Starts(), *events)) == {paths.STARTS: 1}


def test_an_engine_found_running_was_started_if_its_run_time_says_so() -> None:
    assert last(feed(Starts(), (paths.RPM, 900.0, 0.0), (paths.RUN_TIME, 20.0, 1.0))) == {paths.STARTS: 1}
    assert feed(Starts(), (paths.RPM, 900.0, 0.0), (paths.RUN_TIME, 2000.0, 1.0)) == []
    assert feed(Starts(), (paths.RPM, 900.0, 0.0)) == []


@pytest.mark.parametrize(("run_time_s", "starts"), [(130.0, 1), (20.0, 2)])
def test_a_restart_of_the_agent_is_no_start_of_the_engine(run_time_s: float, starts: int) -> None:
    agent = Starts()
    feed(agent, (paths.RPM, 0.0, 0.0), (paths.RPM, 900.0, 1.0), (paths.RUN_TIME, 120.0, 2.0))
    again = restarted(agent, Starts())
    feed(again, (paths.RPM, 900.0, 3.0), (paths.RUN_TIME, run_time_s, 4.0))
    assert again.state()["starts"] == starts


def test_ignition_off_between_two_runs_makes_two_starts() -> None:
    starts = Starts()
    feed(starts, (paths.RPM, 0.0, 0.0), (paths.RPM, 900.0, 1.0))
    found = feed(starts, (paths.SYSTEM_STATE, "OFF", 600.0), (paths.RPM, 900.0, 900.0))
    assert last(found)[paths.STARTS] == 2


def test_a_start_while_nobody_listened_is_told_by_the_run_time() -> None:
    starts = Starts()
    found = feed(starts, (paths.RPM, 0.0, 0.0), (paths.RPM, 800.0, 5.0), (paths.RUN_TIME, 30.0, 35.0))
    found += feed(starts, (paths.RPM, 900.0, 2000.0), (paths.RUN_TIME, 12.0, 2001.0))
    found += feed(starts, (paths.RPM, 900.0, 2002.0), (paths.RUN_TIME, 42.0, 2031.0))
    assert last(found)[paths.STARTS] == 2


def test_the_run_time_of_a_stopped_engine_is_no_start() -> None:
    starts = Starts()
    found = feed(starts, (paths.RPM, 0.0, 0.0), (paths.RPM, 800.0, 5.0), (paths.RUN_TIME, 30.0, 35.0))
    found += feed(starts, (paths.RPM, 0.0, 60.0), (paths.RUN_TIME, 0.0, 61.0), (paths.RPM, 800.0, 70.0))
    assert last(found)[paths.STARTS] == 2


def brake(from_kmh: float, to_kmh: float, seconds: int, mass_kg: float = 1500.0) -> float:
    """Joules taken out by an even deceleration, in whole km/h as a car reports it."""
    brakes = Brakes(mass_kg)
    for second in range(seconds + 1):
        kmh = int(from_kmh + (to_kmh - from_kmh) * second / seconds)
        feed(brakes, (paths.SPEED, kmh, float(second)))
    return taken_out_j(brakes)


def taken_out_j(brakes: Brakes) -> float:
    energy_j = brakes.state()["energy_j"]
    assert isinstance(energy_j, int | float)
    return energy_j


def test_an_emergency_stop_takes_out_nearly_all_kinetic_energy() -> None:
    kinetic_j = 0.5 * 1500 * (100 / 3.6) ** 2
    assert 0.9 * kinetic_j < brake(100, 0, 4) < kinetic_j
    assert brake(100, 0, 4, mass_kg=3000.0) == pytest.approx(2 * brake(100, 0, 4), rel=0.001)


def test_coasting_cruising_and_accelerating_take_out_nothing() -> None:
    assert brake(60, 30, 60) == 0
    assert brake(100, 100, 60) == 0
    assert brake(0, 100, 10) == 0


def even(brakes: Brakes, *kmh: float, begin_s: float = 0.0) -> None:
    """One reading a second."""
    feed(brakes, *((paths.SPEED, value, begin_s + second) for second, value in enumerate(kmh)))


def test_a_pedal_that_goes_down_between_two_readings_is_charged_for_its_part_only() -> None:
    """54 km/h, then 3 m/s2 from half a second before a reading to half a second after another."""
    brakes = Brakes(1000.0)
    even(brakes, 54.0, 54.0, 48.6, 37.8, 27.0, 21.6, 21.6, 21.6)
    by_hand_j = 1000.0 * sum((3.0 - 0.38 - 0.0003 * v**2) * v * 1.0 for v in (13.5, 10.5, 7.5))
    assert taken_out_j(brakes) == pytest.approx(by_hand_j, rel=0.02)


def test_a_fall_that_begins_by_coasting_counts_from_where_braking_does() -> None:
    coasting = [100.0 - 0.5 * second for second in range(20)]
    braking = [coasting[-1] - 8.0 * second for second in range(1, 6)]
    alone, after = Brakes(), Brakes()
    even(alone, coasting[-1], coasting[-1], *braking, braking[-1])
    even(after, *coasting, *braking, braking[-1])
    assert taken_out_j(after) == pytest.approx(taken_out_j(alone), rel=0.03)


def test_coasting_in_whole_kmh_is_hardly_ever_taken_for_braking() -> None:
    mps, speeds = 100 / 3.6, []
    while mps > 30 / 3.6:
        speeds.append(float(int(mps * 3.6)))
        mps -= 0.38 + 0.0003 * mps**2
    brakes = Brakes()
    even(brakes, *speeds)
    assert taken_out_j(brakes) < 0.03 * 750 * ((100 / 3.6) ** 2 - (30 / 3.6) ** 2)


def test_no_tyre_holds_what_a_misread_speed_says() -> None:
    brakes = Brakes()
    even(brakes, 50.0, 50.0, 255.0, 50.0, 50.0)
    assert taken_out_j(brakes) == 0


def test_braking_over_a_gap_is_not_guessed() -> None:
    brakes = Brakes()
    assert feed(brakes, (paths.SPEED, 100.0, 0.0), (paths.SPEED, 0.0, 10.0)) == []


@given(st.floats(0, 70), st.floats(0, 70), st.floats(0.1, 3))
def test_brakes_never_take_out_more_than_there_is(before: float, after: float, seconds: float) -> None:
    kinetic_j = 750 * (before**2 - after**2)
    step = Step(before, after, seconds)
    even_j_per_kg = beyond_coasting_j_per_kg(step, deceleration_mps2(step), deceleration_mps2(step))
    assert 1500 * even_j_per_kg <= kinetic_j + 1e-6
    brakes = Brakes(1500)
    feed(brakes, (paths.SPEED, before * 3.6, 0.0), (paths.SPEED, after * 3.6, seconds))
    assert 0 <= taken_out_j(brakes) <= max(0.0, kinetic_j) + 1


def test_a_trip_begins_with_the_engine_and_ends_with_the_ignition() -> None:
    trips = Trips()
    found = feed(
        trips,
        (paths.RPM, 0.0, 0.0),
        (paths.RPM, 900.0, 1.0),
        (paths.SPEED, 50.0, 2.0),
        (paths.SYSTEM_STATE, "OFF", 3.0),
        (paths.SYSTEM_STATE, "OFF", 4.0),
    )
    assert [(r.signal, r.value) for r in found] == [
        (paths.TRIP_IS_ONGOING, True),
        (paths.TRIP_IS_ONGOING, False),
        (paths.TRIP_COUNT, 1),
    ]


def test_a_stall_is_no_end_and_silence_is_one() -> None:
    trips = Trips()
    feed(trips, (paths.RPM, 900.0, 0.0), (paths.RPM, 0.0, 10.0), (paths.RPM, 900.0, STANDING_S_MAX))
    assert trips.tick(2 * STANDING_S_MAX) == []
    assert last(trips.tick(2 * STANDING_S_MAX + 1))[paths.TRIP_COUNT] == 1
    assert trips.tick(9e9) == []


def test_a_car_that_moves_without_an_engine_makes_a_trip() -> None:
    assert last(feed(Trips(), (paths.SPEED, 0.0, 0.0), (paths.SPEED, 20.0, 1.0))) == {
        paths.TRIP_IS_ONGOING: True
    }


def test_a_trip_goes_on_over_a_restart_of_the_agent() -> None:
    trips = Trips()
    feed(trips, (paths.RPM, 900.0, 100.0))
    again = restarted(trips, Trips())
    assert again.tick(5.0) == []
    assert feed(again, (paths.RPM, 900.0, 6.0)) == []
    assert last(again.tick(6.0 + STANDING_S_MAX + 1)) == {paths.TRIP_IS_ONGOING: False, paths.TRIP_COUNT: 1}


@pytest.mark.parametrize("fresh", [Engine, Starts, Brakes, Trips])
def test_a_broken_state_is_refused(fresh: type[Accumulator]) -> None:
    for key in fresh().state():
        if key not in ("ongoing",):
            with pytest.raises(EdgeStateError):
                fresh().restore({key: "broken"})
