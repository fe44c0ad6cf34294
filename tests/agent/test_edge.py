"""The edge as a whole: what leaves a car that is driven, and that a restart changes nothing."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost_agent import paths
from milepost_agent.edge import Edge, EdgeConfig
from milepost_agent.errors import EdgeStateError
from milepost_agent.readings import Reading
from milepost_agent.sampler import Rule
from milepost_protocol.signals import SignalClass, catalogue
from milepost_simulator.car import pids
from milepost_simulator.car.recorded import load_drive

if TYPE_CHECKING:
    from pathlib import Path

ENTERED_VIN, TOLD_VIN, OTHER_VIN = "1M8GDM9AXKP042788", "WVWZZZ1JZXW000001", "WVWZZZ1JZXW000002"
COUNTERS = (paths.DISTANCE, paths.ENGINE_HOURS, paths.REVOLUTIONS, paths.OIL_WEIGHTED_REVOLUTIONS)


def drive(edge: Edge, minutes: int, begin_s: float = 0.0) -> list[Reading]:
    """A drive at 60 km/h from a cold start, with the ignition off at its end."""
    samples = []
    for second in range(minutes * 60):
        at_s = begin_s + second
        rpm, kmh = (0.0, 0.0) if second < 3 else (2000.0, 60.0 if second > 10 else 0.0)
        for signal, value in (
            (paths.VOLTAGE, 10.0 if second == 2 else 12.6 if second < 3 else 14.2),
            (paths.RPM, rpm),
            (paths.SPEED, kmh),
            (paths.COOLANT, min(90.0, 20 + second / 6)),
        ):
            samples += edge.feed(Reading(signal, value, at_s))
        samples += edge.tick(at_s)
    return samples + edge.feed(Reading(paths.SYSTEM_STATE, "OFF", begin_s + minutes * 60))


def last(samples: list[Reading]) -> dict[str, object]:
    return {sample.signal: sample.value for sample in samples}


def test_a_drive_leaves_counters_and_events_and_no_series() -> None:
    samples = drive(Edge(), 30)
    classes = {catalogue()[sample.signal].signal_class for sample in samples}
    assert SignalClass.SERIES not in classes
    found = last(samples)
    assert found[paths.DISTANCE] == pytest.approx(29_800, abs=30)
    assert found[paths.ENGINE_HOURS] == pytest.approx(0.499, abs=0.001)
    assert found[paths.STARTS] == found[paths.COLD_STARTS] == found[paths.TRIP_COUNT] == 1
    assert found[paths.CRANKING_MINIMUM] == 10.0
    assert found[paths.TRIP_IS_ONGOING] is False
    assert len(samples) < 150, "half an hour of driving should not cost many samples"


def test_the_end_of_a_trip_brings_the_last_metres() -> None:
    edge = Edge()
    found = last(drive(edge, 5))
    state = edge.state()["distance"]
    assert isinstance(state, dict)
    assert found[paths.DISTANCE] == pytest.approx(state["integrated_m"], abs=0.01)


def test_a_profile_lets_out_what_it_names_and_nothing_else() -> None:
    edge = Edge(EdgeConfig(profile={paths.COOLANT: Rule(deadband=5, interval_s_min=10)}))
    edge.allow_profile(math.inf)
    series = {s.signal for s in drive(edge, 5) if catalogue()[s.signal].signal_class is SignalClass.SERIES}
    assert series == {paths.COOLANT}
    assert edge.withheld > 0


def test_the_cars_odometer_goes_out_once_with_its_source() -> None:
    edge = Edge(EdgeConfig(anchor_odometer_m=5e6, anchor_at="2026-01-01"))
    samples = edge.feed(Reading(paths.ODOMETER, 123_456_700, 0.0))
    assert [(s.signal, s.value) for s in samples] == [
        (paths.ODOMETER_SOURCE, "car"),
        (paths.ODOMETER_UNCERTAINTY, 0.0),
        (paths.ODOMETER, 123_456_700),
    ]


def test_an_anchor_makes_an_odometer_where_the_car_has_none() -> None:
    found = last(
        drive(Edge(EdgeConfig(anchor_odometer_m=5e6, anchor_at="2026-01-01", anchor_sigma_m=100)), 30)
    )
    assert found[paths.ODOMETER] == pytest.approx(5_029_800, abs=30)
    assert found[paths.ODOMETER_SOURCE] == "anchored"
    assert 500 < float(str(found[paths.ODOMETER_UNCERTAINTY])) < 700


def distance_m(edge: Edge) -> float:
    distance = edge.state()["distance"]
    assert isinstance(distance, dict)
    return float(distance["integrated_m"])


def restarted(edge: Edge, config: EdgeConfig) -> Edge:
    again = Edge(config)
    again.restore(json.loads(json.dumps(edge.state())))
    return again


def test_an_entered_vin_is_told_once_and_another_one_again() -> None:
    edge = Edge(EdgeConfig(vin=ENTERED_VIN))
    assert [sample.value for sample in edge.begin(0.0)] == [ENTERED_VIN]
    edge = restarted(edge, EdgeConfig(vin=ENTERED_VIN))
    assert edge.begin(0.0) == []
    edge = restarted(edge, EdgeConfig(vin=OTHER_VIN))
    assert [sample.value for sample in edge.begin(0.0)] == [OTHER_VIN]
    assert Edge().begin(0.0) == []


def test_the_cars_own_vin_overrules_the_entered_one_for_good() -> None:
    config = EdgeConfig(vin=ENTERED_VIN, anchor_odometer_m=5e6, anchor_at="2026-03-01")
    edge = Edge(config)
    edge.begin(0.0)
    assert [sample.value for sample in edge.feed(Reading(paths.VIN, TOLD_VIN, 1.0))] == [TOLD_VIN]
    edge.feed(Reading(paths.ODOMETER, 5_000_000, 2.0))
    edge.feed(Reading(paths.DTC_CONFIRMED, "P0301", 3.0))
    before = edge.state()
    for _ in range(3):
        edge = restarted(edge, config)
        assert edge.begin(0.0) == []
        assert edge.feed(Reading(paths.VIN, TOLD_VIN, 1.0)) == []
        assert (edge.state()["distance"], edge.state()["faults"]) == (before["distance"], before["faults"])
    edge = restarted(edge, EdgeConfig(vin=OTHER_VIN))
    assert [sample.value for sample in edge.begin(0.0)] == [OTHER_VIN], "somebody entered another car's"


def test_values_that_no_car_has_are_refused_and_counted() -> None:
    edge = Edge()
    assert edge.feed(Reading(paths.ODOMETER, 0xFFFFFFFF * 100, 0.0)) == []
    assert edge.feed(Reading(paths.SPEED, math.nan, 0.0)) == edge.feed(Reading(paths.SPEED, 1e9, 1.0)) == []
    assert edge.feed(Reading(paths.VIN, "NO VIN AT ALL", 0.0)) == []
    assert edge.refused == {paths.ODOMETER: 1, paths.SPEED: 2, paths.VIN: 1}
    drive(edge, 5)
    assert edge.odometer is None, "nothing is carried on from what was refused"
    assert distance_m(edge) == pytest.approx(4_800, abs=30)


def test_faults_come_out_as_events() -> None:
    edge = Edge()
    samples = edge.feed(Reading(paths.DTC_CONFIRMED, "P0301 P0420", 0.0))
    assert [s.value for s in samples] == ["P0301 confirmed", "P0420 confirmed"]
    assert edge.feed(Reading(paths.DTC_CONFIRMED, "P0420", 60.0)) == []
    assert [s.value for s in edge.feed(Reading(paths.DTC_CONFIRMED, "P0420", 120.0))] == ["P0301 cleared"]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 590))
def test_a_restart_at_any_moment_loses_a_few_seconds_at_most(stop_s: int) -> None:
    readings = [
        Reading(signal, value, float(second))
        for second in range(600)
        for signal, value in ((paths.RPM, 2000.0), (paths.SPEED, 72.0), (paths.OIL_TEMPERATURE, 90.0))
    ]
    whole, first, second = Edge(), Edge(), Edge()
    for reading in readings:
        whole.feed(reading)
    for reading in readings[: stop_s * 3]:
        first.feed(reading)
    second.restore(json.loads(json.dumps(first.state())))
    for reading in readings[stop_s * 3 :]:
        second.feed(reading)
    full, cut = whole.state(), second.state()
    assert isinstance(full["distance"], dict)
    assert isinstance(cut["distance"], dict)
    assert 0 <= full["distance"]["integrated_m"] - cut["distance"]["integrated_m"] <= 20.1
    assert isinstance(full["engine"], dict)
    assert isinstance(cut["engine"], dict)
    assert 0 <= full["engine"]["revolutions"] - cut["engine"]["revolutions"] <= 33.5


def test_state_is_small_json_that_restores_to_itself() -> None:
    edge = Edge()
    drive(edge, 30)
    edge.feed(Reading(paths.SPEED, 0.0, 1801.0))
    edge.feed(Reading(paths.DTC_CONFIRMED, "P0301", 1802.0))
    text = json.dumps(edge.state())
    assert len(text) < 4_096
    again = Edge()
    again.restore(json.loads(text))
    assert json.dumps(again.state()) == text


@pytest.mark.parametrize(
    "broken",
    [{}, {"version": 2}, {"version": 1, "engine": 5}, {"version": 1, "engine": {"running_s": float("nan")}}],
)
def test_a_state_that_is_not_ours_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(EdgeStateError):
        Edge().restore(broken)


def test_parts_that_an_older_state_does_not_know_begin_at_nothing() -> None:
    edge = Edge()
    edge.restore({"version": 1, "engine": {"running_s": 3600.0}})
    engine = edge.state()["engine"]
    assert isinstance(engine, dict)
    assert engine["running_s"] == 3600.0
    assert engine["revolutions"] == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted([*catalogue().signals, *paths.INNER])),
            st.one_of(st.floats(-1e9, 1e9), st.integers(-(2**40), 2**40), st.booleans()),
            st.floats(0, 1e6),
        ),
        max_size=40,
    )
)
def test_whatever_numbers_come_in_only_sound_samples_come_out(
    readings: list[tuple[str, object, float]],
) -> None:
    edge = Edge()
    for signal, value, at_s in readings:
        text = signal in paths.INNER or catalogue()[signal].is_text
        for sample in [*edge.feed(Reading(signal, str(value) if text else value, at_s)), *edge.tick(at_s)]:
            assert catalogue()[sample.signal].check(sample.value) == sample.value
            assert catalogue()[sample.signal].signal_class is not SignalClass.SERIES
    json.dumps(edge.state(), allow_nan=False)


@pytest.mark.data
def test_a_real_drive_becomes_some_dozens_of_samples(data: Path) -> None:
    recorded = load_drive(data / "drives" / "long3.csv")
    edge, samples = Edge(), []
    for at_s, row in zip(recorded.times_s, recorded.rows, strict=True):
        for signal, pid in (
            (paths.RPM, pids.ENGINE_SPEED),
            (paths.SPEED, pids.SPEED),
            (paths.VOLTAGE, pids.VOLTAGE),
            (paths.COOLANT, pids.COOLANT),
            (paths.RUN_TIME, pids.RUN_TIME),
        ):
            samples += edge.feed(Reading(signal, row[pid], at_s))
        samples += edge.tick(at_s)
    samples += edge.feed(Reading(paths.SYSTEM_STATE, "OFF", recorded.duration_s + 1))
    found = last(samples)
    assert found[paths.DISTANCE] == pytest.approx(recorded.distance_m(), rel=0.01)
    assert found[paths.ENGINE_HOURS] == pytest.approx(1986 / 3600, rel=0.01)
    assert found[paths.CRANKING_MINIMUM] == 10.312
    assert found[paths.COLD_STARTS] == 1
    assert len(samples) < 100
    assert {catalogue()[s.signal].signal_class for s in samples} <= {
        SignalClass.COUNTER,
        SignalClass.WEAR,
        SignalClass.EVENT,
    }
