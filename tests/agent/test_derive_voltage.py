"""The 12 V battery: the starter's dip where it was seen, and the rest voltage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from milepost_agent import paths
from milepost_agent.derive.voltage import CRANK_S_MAX, Voltage
from milepost_agent.readings import Reading
from milepost_simulator.car import pids
from milepost_simulator.car.recorded import load_drive

if TYPE_CHECKING:
    from pathlib import Path


def feed(voltage: Voltage, *readings: tuple[str, object, float]) -> list[tuple[str, object]]:
    return [
        (out.signal, out.value)
        for signal, value, at_s in readings
        for out in voltage.feed(Reading(signal, value, at_s))
    ]


def start(voltage: Voltage, *volts: float) -> list[tuple[str, object]]:
    """Half a second between readings, then the engine runs."""
    found = feed(voltage, (paths.RPM, 0.0, 0.0))
    found += feed(voltage, *((paths.VOLTAGE, v, 0.5 * n) for n, v in enumerate(volts)))
    return found + feed(voltage, (paths.RPM, 900.0, 0.5 * len(volts)))


def test_the_lowest_voltage_before_the_engine_runs_is_the_cranking_minimum() -> None:
    assert start(Voltage(), 12.5, 10.1, 9.8, 11.0) == [(paths.CRANKING_MINIMUM, 9.8)]


def test_a_dip_between_two_readings_is_missed_and_counted() -> None:
    voltage = Voltage()
    assert start(voltage, 12.5, 12.3, 12.0) == []
    assert voltage.missed == 1


@pytest.mark.parametrize(
    "volts",
    [
        (12.2, 12.2, 14.3, 14.4),  # the converter takes over before the engine is turned
        (14.4, 14.4, 13.2, 13.3),  # the converter regulates
    ],
)
def test_a_start_with_the_converter_on_misses_nothing(volts: tuple[float, ...]) -> None:
    voltage = Voltage()
    assert start(voltage, *volts) == []
    assert voltage.missed == 0


def test_an_engine_that_the_traction_battery_turns_has_no_dip_to_miss() -> None:
    voltage = Voltage()
    feed(voltage, (paths.TRACTION_BATTERY_HEALTH, 93.0, -1.0))
    assert start(voltage, 12.4, 12.3, 12.4) == []
    again = Voltage()
    again.restore(json.loads(json.dumps(voltage.state())))
    assert start(again, 12.4, 12.3, 12.4) == []
    assert voltage.missed == again.missed == 0


def test_a_battery_that_was_just_charged_is_no_converter() -> None:
    voltage = Voltage()
    assert start(voltage, 13.2, 13.1, 13.0) == []
    assert voltage.missed == 1


@pytest.mark.parametrize("volts", [(14.4, 14.3, 10.9), (11.9, 12.5, 11.0, 11.8), (12.2, 11.9, 11.3, 14.2)])
def test_a_fall_below_what_the_battery_had_is_a_dip_whatever_comes_around_it(
    volts: tuple[float, ...],
) -> None:
    assert start(Voltage(), *volts) == [(paths.CRANKING_MINIMUM, min(volts))]


def test_a_dip_long_before_the_start_belongs_to_something_else() -> None:
    voltage = Voltage()
    feed(voltage, (paths.RPM, 0.0, 0.0), (paths.VOLTAGE, 9.8, 1.0), (paths.VOLTAGE, 12.5, 20.0))
    assert feed(voltage, (paths.RPM, 900.0, 2.0 + CRANK_S_MAX)) == []


def test_an_engine_found_running_says_nothing_of_its_start() -> None:
    voltage = Voltage()
    assert (
        feed(voltage, (paths.VOLTAGE, 12.5, 0.0), (paths.VOLTAGE, 10.0, 1.0), (paths.RPM, 900.0, 2.0)) == []
    )
    assert voltage.missed == 0


def test_the_dip_that_the_adapter_saw_with_the_car_asleep_counts() -> None:
    found = feed(
        Voltage(),
        (paths.SYSTEM_STATE, "OFF", 0.0),
        (paths.VOLTAGE, 12.4, 100.0),
        (paths.VOLTAGE, 10.3, 101.0),
        (paths.SYSTEM_STATE, "ON", 102.0),
        (paths.RPM, 900.0, 102.5),
    )
    assert found == [(paths.CRANKING_MINIMUM, 10.3)]


def test_rest_voltage_comes_after_the_rest_and_stops_with_the_engine() -> None:
    voltage = Voltage(rest_s=1800)
    off = (paths.SYSTEM_STATE, "OFF", 0.0)
    early, late = (paths.VOLTAGE, 12.9, 1799.0), (paths.VOLTAGE, 12.55, 1800.0)
    assert feed(voltage, off, early, late) == [(paths.REST_VOLTAGE, 12.55)]
    assert feed(voltage, (paths.SYSTEM_STATE, "OFF", 2000.0), (paths.VOLTAGE, 12.5, 2001.0)) == [
        (paths.REST_VOLTAGE, 12.5)
    ]
    running = (paths.RPM, 900.0, 2010.0)
    assert feed(voltage, running, (paths.VOLTAGE, 14.1, 9000.0)) == []


def test_a_restart_begins_the_rest_anew() -> None:
    voltage = Voltage(rest_s=100)
    feed(voltage, (paths.SYSTEM_STATE, "OFF", 0.0))
    again = Voltage(rest_s=100)
    again.restore(json.loads(json.dumps(voltage.state())))
    assert feed(again, (paths.VOLTAGE, 12.5, 500.0)) == []


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "minimum_v"),
    [
        ("drive5", 9.882),
        ("idle1", 10.605),
        ("live11", 10.703),
        ("live12", 10.917),
        ("long3", 10.312),
        ("drive1", None),
    ],
)
def test_real_starts_show_their_dip_or_none(data: Path, name: str, minimum_v: float | None) -> None:
    recorded = load_drive(data / "drives" / f"{name}.csv")
    voltage = Voltage()
    found = [
        value
        for at_s, row in zip(recorded.times_s, recorded.rows, strict=True)
        for _, value in feed(
            voltage, (paths.VOLTAGE, row[pids.VOLTAGE], at_s), (paths.RPM, row[pids.ENGINE_SPEED], at_s)
        )
    ]
    assert found == ([] if minimum_v is None else [minimum_v])
    assert voltage.missed == (minimum_v is None)
