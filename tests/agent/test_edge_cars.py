"""An agent that is moved to another car, and odometers that jump, fall, are tenfold or wrap."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from milepost_agent import paths
from milepost_agent.edge import CARS_MAX, Edge, EdgeConfig
from milepost_agent.errors import EdgeStateError
from milepost_agent.readings import Reading

if TYPE_CHECKING:
    from collections.abc import Iterable

CAR_A, CAR_B, CAR_C = "WVWZZZ1JZXW000001", "WVWZZZ1JZXW000002", "1M8GDM9AXKP042788"
ANCHOR = EdgeConfig(anchor_odometer_m=5e6, anchor_at="2026-03-01")


def drive(edge: Edge, seconds: int, begin_s: float) -> list[Reading]:
    """An engine start, then 72 km/h; the ignition goes off at the end."""
    samples = edge.feed(Reading(paths.RPM, 0.0, begin_s))
    for second in range(1, seconds + 1):
        samples += edge.feed(Reading(paths.RPM, 2000.0, begin_s + second))
        samples += edge.feed(Reading(paths.SPEED, 72.0, begin_s + second))
    return samples + edge.feed(Reading(paths.SYSTEM_STATE, "OFF", begin_s + seconds))


def part(edge: Edge, name: str) -> dict[str, Any]:
    found = edge.state()[name]
    assert isinstance(found, dict)
    return found


def tell(edge: Edge, vin: str, at_s: float) -> list[Reading]:
    return edge.feed(Reading(paths.VIN, vin, at_s))


def restarted(edge: Edge, config: EdgeConfig | None = None) -> Edge:
    again = Edge(config)
    again.restore(json.loads(json.dumps(edge.state())))
    again.begin(0.0)
    return again


def values(samples: Iterable[Reading], signal: str) -> list[object]:
    return [sample.value for sample in samples if sample.signal == signal]


def test_counters_of_two_cars_are_never_mixed() -> None:
    edge = Edge()
    tell(edge, CAR_A, 0.0)
    drive(edge, 1_001, 1.0)
    edge.feed(Reading(paths.DTC_CONFIRMED, "P0301", 1_100.0))
    in_a = edge.state()
    assert [s.value for s in tell(edge, CAR_B, 2_000.0)] == [CAR_B]
    samples = drive(edge, 101, 2_001.0)
    assert values(samples, paths.DISTANCE)[-1] == pytest.approx(2_000)
    assert values(samples, paths.STARTS) == values(samples, paths.TRIP_COUNT) == [1]
    assert edge.feed(Reading(paths.DTC_CONFIRMED, "", 2_200.0)) == [], "P0301 is the other car's"
    assert tell(edge, CAR_A, 3_000.0)[-1].value == CAR_A
    for name in ("engine", "starts", "brakes", "voltage", "faults", "trips"):
        assert part(edge, name) == in_a[name], name
    assert part(edge, "distance")["integrated_m"] == pytest.approx(20_000)
    drive(edge, 101, 3_001.0)
    assert part(edge, "distance")["integrated_m"] == pytest.approx(22_000)


def test_a_car_is_told_in_full_after_another_had_its_place() -> None:
    edge = Edge()
    tell(edge, CAR_A, 0.0)
    edge.feed(Reading("Vehicle.Milepost.Diagnostics.IsMilOn", False, 1.0))
    tell(edge, CAR_B, 2.0)
    assert edge.feed(Reading("Vehicle.Milepost.Diagnostics.IsMilOn", False, 3.0)) != []


def test_what_was_held_back_of_a_car_goes_out_before_the_next_one_is_named() -> None:
    edge = Edge()
    tell(edge, CAR_A, 0.0)
    for second in range(100):
        edge.feed(Reading(paths.SPEED, 72.0, float(second)))
    signals = [(sample.signal, sample.value) for sample in tell(edge, CAR_B, 100.0)]
    assert signals[-1] == (paths.VIN, CAR_B)
    assert (paths.DISTANCE, pytest.approx(1_980)) in signals[:-1]


def test_one_cars_entered_odometer_is_not_carried_on_in_another_not_after_a_restart_either() -> None:
    edge = Edge(ANCHOR)
    tell(edge, CAR_A, 0.0)
    assert edge.odometer is not None
    tell(edge, CAR_B, 1.0)
    assert edge.odometer is None
    edge = restarted(edge, ANCHOR)
    assert edge.odometer is None
    assert values(drive(edge, 3_000, 2.0), paths.ODOMETER) == []
    tell(edge, CAR_A, 9_000.0)
    assert edge.odometer is not None
    assert edge.odometer.odometer_m == 5e6


def test_whoever_moves_a_device_and_enters_the_new_car_gets_its_odometer() -> None:
    edge = restarted(Edge(ANCHOR), ANCHOR)
    tell(edge, CAR_A, 0.0)
    drive(edge, 1_001, 1.0)
    moved = EdgeConfig(vin=CAR_B, anchor_odometer_m=9e6, anchor_at="2026-06-01")
    edge = restarted(edge, moved)
    assert edge.odometer is not None
    assert edge.odometer.odometer_m == 9e6
    tell(edge, CAR_A, 0.0)
    assert edge.odometer.odometer_m == pytest.approx(5_020_000), "it went back into the first car"


def test_the_car_corrects_a_vin_that_was_entered_and_keeps_its_counters() -> None:
    edge = restarted(Edge(EdgeConfig(vin=CAR_B)), EdgeConfig(vin=CAR_B))
    drive(edge, 101, 1.0)
    tell(edge, CAR_A, 200.0)
    assert part(edge, "distance")["integrated_m"] == pytest.approx(2_000)
    assert edge.state()["others"] == {}


def test_no_number_of_cars_fills_the_memory() -> None:
    edge = Edge()
    for number in range(3 * CARS_MAX):
        tell(edge, f"WVWZZZ1JZXW{number:06d}", float(number))
    others = edge.state()["others"]
    assert isinstance(others, dict)
    assert list(others) == [f"WVWZZZ1JZXW{number:06d}" for number in range(2 * CARS_MAX, 3 * CARS_MAX - 1)]
    assert len(json.dumps(edge.state())) < 8_192


def test_broken_counters_of_another_car_are_refused_with_the_rest() -> None:
    edge = Edge()
    tell(edge, CAR_A, 0.0)
    tell(edge, CAR_B, 1.0)
    state = json.loads(json.dumps(edge.state()))
    state["others"][CAR_A]["engine"]["running_s"] = -1
    with pytest.raises(EdgeStateError, match="engine"):
        Edge().restore(state)


@pytest.mark.parametrize(
    "odometer_m",
    [
        pytest.param(1_000_000_000, id="jumps"),
        pytest.param(100_000, id="falls"),
        pytest.param(501_000_000, id="tenfold"),
        pytest.param(0, id="wraps"),
    ],
)
def test_an_odometer_that_errs_is_told_as_it_is_and_disturbs_no_counter(odometer_m: int) -> None:
    """Which readings of an odometer are true, the server judges, which has all of them."""
    sound, erring = Edge(), Edge()
    for edge, read_m in ((sound, 50_100_000), (erring, odometer_m)):
        edge.feed(Reading(paths.ODOMETER, 50_000_000, 0.0))
        drive(edge, 100, 1.0)
        told = edge.feed(Reading(paths.ODOMETER, read_m, 700.0))
        assert values(told, paths.ODOMETER) == [read_m]
        drive(edge, 100, 701.0)
    for name in ("engine", "starts", "brakes", "trips"):
        assert part(erring, name) == part(sound, name)
    assert part(erring, "distance")["integrated_m"] == part(sound, "distance")["integrated_m"] > 0


def test_one_slip_of_the_odometer_is_gone_with_the_next_reading() -> None:
    edge = Edge()
    for at_s, read_m in ((0.0, 50_000_000), (700.0, 500_000_000), (1_400.0, 50_010_000)):
        edge.feed(Reading(paths.ODOMETER, read_m, at_s))
    found = values(drive(edge, 300, 1_401.0), paths.ODOMETER)
    assert edge.odometer is not None
    assert edge.odometer.odometer_m == pytest.approx(50_010_000 + 5_980)
    assert all(int(str(value)) < 51_000_000 for value in found)


def test_an_odometer_beyond_what_one_can_show_moves_nothing() -> None:
    edge = Edge()
    edge.feed(Reading(paths.ODOMETER, 50_000_000, 0.0))
    assert edge.feed(Reading(paths.ODOMETER, 0xFFFFFFFF * 100, 10.0)) == []
    assert edge.odometer is not None
    assert edge.odometer.odometer_m == 50_000_000


def test_a_flickering_vin_loses_nothing() -> None:
    edge = Edge()
    begin_s = itertools.count(0.0, 1_000.0)
    for vin in (CAR_A, CAR_C, CAR_A, CAR_C, CAR_A):
        at_s = next(begin_s)
        tell(edge, vin, at_s)
        drive(edge, 101, at_s + 1)
    assert part(edge, "distance")["integrated_m"] == pytest.approx(3 * 2_000)
    assert part(edge, "trips")["count"] == 3
