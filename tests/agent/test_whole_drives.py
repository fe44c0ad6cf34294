"""Trip after trip, read through the diagnostic port: what was derived against what the car knows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from milepost_agent import paths
from milepost_agent.edge import Edge, EdgeConfig
from milepost_protocol.signals import SignalClass, catalogue
from support.cars import START_S
from support.drives import ODOMETER_M, Truth, live, read_car, shuttle_car

if TYPE_CHECKING:
    from milepost_agent.readings import Reading

DRIVEN_S = 2_400.0
ANCHOR_SIGMA_M = 10.0
TOLD_APART_S = 600.0
FINE = {paths.SPEED, paths.RPM, paths.COOLANT, paths.OIL_TEMPERATURE, paths.VOLTAGE, paths.RUN_TIME}
GROWS_WITH_THE_WAY = {
    paths.ODOMETER,
    paths.DISTANCE,
    paths.ENGINE_HOURS,
    paths.IDLE_HOURS,
    paths.REVOLUTIONS,
    paths.OIL_WEIGHTED_REVOLUTIONS,
    paths.BRAKE_ENERGY,
}


@dataclass
class Drive:
    """What was read, what of it leaves the car, the counters at the end, and the truth."""

    readings: list[Reading]
    samples: list[Reading]
    derived: dict[str, float]
    truth: Truth


@pytest.fixture(scope="module", params=[(1, True), (2, False)], ids=["odometer", "no-odometer"])
def drive(request: pytest.FixtureRequest) -> Drive:
    """Trips with the default configuration, in a car with or without PID A6."""
    seed, has_odometer_pid = request.param
    car = shuttle_car(seed, has_odometer_pid=has_odometer_pid)
    readings = asyncio.run(read_car(car, DRIVEN_S))
    edge = Edge(EdgeConfig(ODOMETER_M, "2026-05-28", ANCHOR_SIGMA_M, mass_kg=car.model.mass_kg))
    derived: dict[str, float] = {}
    samples: list[Reading] = []
    for reading in readings:
        samples += edge.feed(reading)
    state = edge.state()
    for part in ("distance", "engine", "starts", "brakes", "trips"):
        counters = state[part]
        assert isinstance(counters, dict)
        derived |= {key: value for key, value in counters.items() if isinstance(value, int | float)}
    # A car of the same seed lives the same life, however often it is looked at.
    truth = live(shuttle_car(seed, has_odometer_pid=has_odometer_pid), readings[-1].mono_s - START_S)
    return Drive(readings, samples, derived, truth)


def values(drive: Drive, signal: str) -> list[float]:
    return [float(sample.value) for sample in drive.samples if sample.signal == signal]


def test_distance_and_engine_follow_the_car_within_a_few_thousandths(drive: Drive) -> None:
    truth, derived = drive.truth, drive.derived
    assert truth.driven_m > 20_000, "too short to prove anything"
    assert derived["integrated_m"] == pytest.approx(truth.driven_m, rel=0.005)
    assert derived["running_s"] == pytest.approx(truth.running_s, rel=0.005)
    assert derived["idle_s"] == pytest.approx(truth.idle_s, rel=0.03)
    assert derived["revolutions"] == pytest.approx(truth.car.revolutions, rel=0.005)
    assert derived["weighted"] == pytest.approx(truth.weighted_revolutions, rel=0.01)


def test_every_start_and_trip_is_counted_once(drive: Drive) -> None:
    assert drive.derived["starts"] == drive.truth.car.starts > 5
    assert drive.derived["cold_starts"] == 1
    assert drive.derived["count"] == drive.truth.car.trips


def test_brake_energy_follows_the_car_within_a_twentieth(drive: Drive) -> None:
    assert drive.derived["energy_j"] / 3.6e6 == pytest.approx(drive.truth.car.brake_energy_kwh, rel=0.05)


def test_a_cranking_minimum_is_never_below_the_truth_and_at_most_half_a_volt_above(drive: Drive) -> None:
    heard = values(drive, paths.CRANKING_MINIMUM)
    truth = drive.truth.cranking_minimums_v
    assert len(truth) * 0.8 < len(heard) <= len(truth)
    adapter_rounds_v = 0.05
    assert min(truth) - adapter_rounds_v <= min(heard)
    assert max(heard) <= max(truth) + 0.5


def test_the_odometer_is_the_truth_within_two_sigma_also_where_the_car_tells_none(drive: Drive) -> None:
    has_word = any(reading.signal == paths.ODOMETER for reading in drive.readings)
    sources = [sample.value for sample in drive.samples if sample.signal == paths.ODOMETER_SOURCE]
    assert sources == ["car" if has_word else "anchored"]
    # The last sample is up to ten minutes old: the trip's end before it was the last to tell all.
    ended_s = max(s.mono_s for s in drive.samples if s.signal == paths.TRIP_COUNT)
    told_m = [float(s.value) for s in drive.samples if s.signal == paths.ODOMETER and s.mono_s <= ended_s][-1]
    at_end = live(shuttle_car(1 if has_word else 2, has_odometer_pid=has_word), ended_s - START_S)
    sigma_m = 50.0 if has_word else values(drive, paths.ODOMETER_UNCERTAINTY)[-1]
    assert abs(told_m - at_end.car.odometer_m) <= 2 * sigma_m
    assert sigma_m < 0.05 * at_end.driven_m, "so wide that it says nothing"


def test_nothing_leaves_that_is_a_fine_series_or_tells_a_place(drive: Drive) -> None:
    assert {reading.signal for reading in drive.readings} >= FINE, "the car was read in full"
    sent = {sample.signal for sample in drive.samples}
    assert not sent & FINE
    assert SignalClass.SERIES not in {catalogue()[signal].signal_class for signal in sent}
    assert not [s for s in sent if any(word in s.lower() for word in ("location", "latitude", "heading"))]


def test_what_grows_with_the_way_is_told_too_rarely_to_trace_a_speed(drive: Drive) -> None:
    trips = sum(sample.signal == paths.TRIP_COUNT for sample in drive.samples)
    for signal in GROWS_WITH_THE_WAY:
        times_s = [sample.mono_s for sample in drive.samples if sample.signal == signal]
        # Once in ten minutes, and at a trip's end what was held back, with the time at which it was read.
        assert 1 <= len(times_s) <= 1 + DRIVEN_S / TOLD_APART_S + trips, signal
