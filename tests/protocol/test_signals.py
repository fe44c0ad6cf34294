"""The catalogue: against VSS, against its own words, and what it refuses."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from milepost_protocol.errors import UnknownSignalError, ValueRefusedError
from milepost_protocol.signals import SignalClass, catalogue

PADS = "Vehicle.Chassis.Axle.Row1.Wheel.Left.Brake.PadWear"


@pytest.mark.data
def test_names_types_and_units_are_those_of_vss(data: Path) -> None:
    with (data / "vss" / "vss-6.csv").open(encoding="utf-8") as file:
        leaves = {row["path"]: (row["datatype"], row["unit"]) for row in csv.DictReader(file)}
    ours = [signal for signal in catalogue().signals.values() if not signal.is_overlay]
    assert len(ours) > 20
    assert {signal.path: (signal.datatype, signal.unit) for signal in ours} == {
        signal.path: leaves[signal.path] for signal in ours
    }


@pytest.mark.data
def test_the_overlay_repeats_nothing_that_vss_has(data: Path) -> None:
    paths = (data / "vss" / "vss-6.csv").read_text(encoding="utf-8")
    assert not [
        path for path in catalogue().signals if path.startswith("Vehicle.Milepost") and f"{path}," in paths
    ]


def test_no_signal_tells_a_place() -> None:
    words = ("latitude", "longitude", "location", "position", "heading", "destination")
    assert not [path for path in catalogue().signals if any(word in path.lower() for word in words)]


def test_every_class_is_used_and_odometer_outlives_series() -> None:
    assert {signal.signal_class for signal in catalogue().signals.values()} == set(SignalClass)
    worth = list(SignalClass)
    assert worth[0] is SignalClass.SERIES
    assert worth[-2:] == [SignalClass.ODOMETER, SignalClass.FAULT]


def test_an_unknown_signal_is_named() -> None:
    with pytest.raises(UnknownSignalError, match=r"Vehicle\.Sped"):
        catalogue()["Vehicle.Sped"]


@pytest.mark.parametrize("value", [-1, 101, 12.5, "12", math.nan, math.inf])
def test_a_value_that_cannot_be_is_refused(value: object) -> None:
    with pytest.raises(ValueRefusedError, match="PadWear"):
        catalogue()[PADS].check(value)  # type: ignore[arg-type]


def test_values_take_the_type_of_their_signal() -> None:
    assert catalogue()[PADS].check(12.0) == 12
    assert isinstance(catalogue()[PADS].check(12.0), int)
    assert catalogue()["Vehicle.Milepost.Diagnostics.IsMilOn"].check(1) is True
    assert isinstance(catalogue()["Vehicle.Speed"].check(50), float)
    with pytest.raises(ValueRefusedError, match="longer than"):
        catalogue()["Vehicle.Milepost.Diagnostics.Dtc"].check("x" * 257)
    with pytest.raises(ValueRefusedError, match="not a string"):
        catalogue()["Vehicle.Milepost.Diagnostics.Dtc"].check(5)
