"""The contract that each vehicle profile keeps, and what is said of one that does not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_agent.errors import ProfileError, ReplyError
from milepost_agent.sources.can.gate import Gate, flow_control, single_frame
from milepost_agent.sources.can.listening import open_listener
from milepost_agent.sources.obd.messages import Framing, Message
from milepost_agent.vehicles import AUTO, load_profile, open_library, shipped_names
from milepost_agent.vehicles.contract import check_profile
from milepost_agent.vehicles.library import FOLDER
from milepost_agent.vehicles.parsing import parse_profile
from milepost_agent.vehicles.profile import Conversion, Standing
from milepost_agent.vehicles.units import CONVERSIONS, scale
from milepost_protocol.signals import SignalClass, catalogue

HEAD = '[profile]\ntitle = "t"\nstanding = "example"\nsource = "s"\n'
UNIT = '[[unit]]\nname = "u"\nrequest = 0x7E0\nresponse = 0x7E8\n'
READ = '[[read]]\nunit = "u"\ndid = 0x2001\nbytes = 2\ninterval_s = 60\n'
FIELD = '[[read.field]]\nsignal = "Vehicle.Milepost.Engine.OilLife"\nstart = 0\n'
EXAMPLE = (
    '[[read.example]]\nrequest = "222001"\nresponse = "6220013200"\n'
    'values = { "Vehicle.Milepost.Engine.OilLife" = 50 }\n'
)
WHOLE = HEAD + UNIT + READ + FIELD + EXAMPLE


def parsed(text: str) -> object:
    profile = parse_profile("p", text, lambda name: name)
    check_profile(profile)
    return profile


# The contract. Loading checks schema, signals, units, bounds and examples; the rest is here.


@pytest.mark.parametrize("name", shipped_names())
def test_each_profile_keeps_the_contract(name: str) -> None:
    profile = load_profile(name)
    check_profile(profile)
    open_listener(profile, [])
    gate = Gate(diagnostics=True, units=[unit.request for unit in profile.units])
    for read in profile.reads:
        gate.check(single_frame(read.unit.request, bytes.fromhex(read.command)))
        gate.check(flow_control(read.unit.request, 1))
        assert read.examples
    for signal in map(catalogue().__getitem__, profile.signals):
        assert signal.signal_class is not SignalClass.FAULT, "faults come from trouble codes"
    conversions = [
        field.conversion for read in profile.reads for field in read.fields if not field.slice.text
    ]
    for conversion in (*conversions, *(listen.conversion for listen in profile.listens)):
        assert conversion.values or (math.isfinite(conversion.minimum) and math.isfinite(conversion.maximum))
    if profile.standing is Standing.EXAMPLE:
        text = (FOLDER / f"{name}.toml").read_text()
        assert "no car is like this" in text
        assert name.startswith("example-")
        assert all(pattern.startswith("XMP") for pattern in profile.vins), "a maker that does not exist"


@pytest.mark.parametrize("name", shipped_names())
@given(data=st.data())
def test_any_answer_gives_values_that_the_catalogue_takes(name: str, data: st.DataObject) -> None:
    for read in load_profile(name).reads:
        payload = b"\x62" + read.did.to_bytes(2, "big") + data.draw(st.binary(max_size=read.bytes + 4))
        try:
            values = read.decode([Message("7E8", payload, Framing.CAN)])
        except ReplyError:
            assert len(payload) < 3 + read.bytes
            continue
        for signal, value in values:
            catalogue()[signal].check(value)


# What is said of one that breaks it.


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no [toml", "is not TOML"),
        ("", "profile: is missing; a file begins with"),
        (WHOLE.replace('title = "t"\n', ""), "profile title: is missing"),
        (WHOLE.replace('"example"', '"sure"'), "standing: is 'sure'; it must be one of"),
        (WHOLE.replace('source = "s"', 'source = "s"\nvins = ["X*"]'), "begins with the three characters"),
        (WHOLE + "[[reed]]\n", "reed: is unknown; there are listen"),
        (WHOLE.replace("bytes = 2", "bytes = 2\nbyte = 3"), "read 1 byte: is unknown"),
        (WHOLE.replace("0x7E0", "0x100"), "request: is 100; diagnostics with 11 bits are from 600"),
        (WHOLE.replace("0x7E0", "0x7DF"), "on which no single unit is asked"),
        (WHOLE.replace("0x7E8", "0x18DAF110"), "cannot answer 7E0"),
        (WHOLE.replace("0x7E0", "0x18DA10F1").replace("0x7E8", "0x18DAF111"), "with 29 bits it is 18DAxxF1"),
        (WHOLE.replace('unit = "u"', 'unit = "v"'), "read 1 unit: is 'v'; there are u"),
        (WHOLE.replace("0x2001", "0x20010"), "did: is 131088; it must be from 0 to 65535"),
        (WHOLE.replace("interval_s = 60", "interval_s = 1"), "interval_s: is 1; it must be from 5"),
        (WHOLE.replace("Engine.OilLife", "Engine.OilLive", 1), "OilLive is not in the catalogue"),
        (WHOLE.replace("start = 0", "start = 2"), "start: is 2; it must be from 0 to 1"),
        (WHOLE.replace("start = 0", "start = 1\nlength = 2"), "length: is 2; it must be from 1 to 1"),
        (WHOLE.replace("start = 0", 'start = 0\nunit = "km"'), "takes percent, ratio"),
        (WHOLE.replace("start = 0", "start = 0\ndivide = 0"), "divide: is 0"),
        (
            WHOLE.replace("start = 0", "start = 0\nmaximum = 200"),
            "must lie in order, within 0 to 100 percent",
        ),
        (WHOLE.replace("start = 0", "start = true"), "start: is True; it must be a whole number"),
        (WHOLE.replace("start = 0", 'start = 0\nvalues = { "two" = 2 }'), "has 'two'; a key is the number"),
        (WHOLE.replace(FIELD, ""), "a read has at least one"),
        (WHOLE.replace(EXAMPLE, ""), "has no example with a value of Vehicle.Milepost.Engine.OilLife"),
        (WHOLE.replace('"222001"', '"222002"'), "asks 222002, the profile asks 222001"),
        (WHOLE.replace('"222001"', '"2E2001"'), "asks 2E2001, the profile asks 222001"),
        (WHOLE.replace("6220013200", "7F2231"), "holds 0 data bytes, not 2"),
        (WHOLE.replace("6220013200", "62200132"), "holds 1 data bytes, not 2"),
        (WHOLE.replace("6220013200", "622001xx00"), "pairs of hex digits"),
        (WHOLE.replace("= 50 }", "= 51 }"), "gives 50.0 for Vehicle.Milepost.Engine.OilLife, not 51"),
        (WHOLE + UNIT.replace("0x7E8", "0x7E9"), "u: is there twice"),
        (WHOLE + READ + FIELD + EXAMPLE, "u:222001: is there twice"),
        (
            WHOLE + '[[unit]]\nname = "v"\nrequest = 0x720\nresponse = 0x728\n'
            '[[unit]]\nname = "w"\nrequest = 0x728\nresponse = 0x730\n',
            "w: is asked on 728, on which v answers",
        ),
        (
            WHOLE.replace("Vehicle.Milepost.Engine.OilLife", "Vehicle.Service.DistanceToService"),
            "has no bounds of its own",
        ),
        (
            WHOLE.replace("Vehicle.Milepost.Engine.OilLife", "Vehicle.VehicleIdentification.VIN"),
            "is a text: set text = true",
        ),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused_with_the_place_and_the_reason(text: str, why: str) -> None:
    with pytest.raises(ProfileError, match=why):
        parsed(text)


def test_the_example_of_these_mistakes_has_none() -> None:
    assert parsed(WHOLE)


def test_profiles_come_by_name_by_file_and_from_a_folder_by_vin(tmp_path: Path) -> None:
    assert open_library("generic").of_vin("XMPC0000000000042").name == "generic"
    assert open_library(AUTO).of_vin("XMPC0000000000042").name == "generic", "an example is of no car"
    for name in ("one", "two"):
        pattern = f'source = "s"\nvins = ["XM{name[0].upper()}*"]'
        (tmp_path / f"{name}.toml").write_text(WHOLE.replace('source = "s"', pattern))
    library = open_library(str(tmp_path))
    assert library.chosen is None
    assert [library.of_vin(f"XM{letter}00000000000042").name for letter in "OTZ"] == ["one", "two", "generic"]
    own = open_library(str(tmp_path / "one.toml"))
    assert own.chosen is not None
    assert own.of_vin("XMZ00000000000042") is own.chosen
    for missing in ("nothing", "./nothing.toml"):
        with pytest.raises(ProfileError, match=r"is unknown|cannot be read"):
            open_library(missing)


@pytest.mark.parametrize(("unit", "wanted"), sorted(CONVERSIONS))
def test_conversions_agree_with_their_way_back(unit: str, wanted: str) -> None:
    there, back = scale(unit, wanted), scale(wanted, unit)
    if back is not None:
        value = 12.5 * there.factor + there.offset
        assert value * back.factor + back.offset == pytest.approx(12.5)


@pytest.mark.parametrize(
    ("unit", "number", "signal", "value"),
    [
        ("mile", 30_000, "Vehicle.TraveledDistance", 48_280_320),
        ("Fahrenheit", 212, "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature", 100.0),
        ("psi", 32, "Vehicle.Chassis.Axle.Row1.Wheel.Left.Tire.Pressure", 221),
        ("bar", 2.3, "Vehicle.Chassis.Axle.Row1.Wheel.Left.Tire.Pressure", 230),
        ("mV", 12_600, "Vehicle.LowVoltageBattery.CurrentVoltage", 12.6),
    ],
)
def test_units_become_those_of_the_catalogue(unit: str, number: float, signal: str, value: float) -> None:
    found = scale(unit, catalogue()[signal].unit)
    assert Conversion(signal, scale=found).value(number) == pytest.approx(value)


def test_the_profile_that_the_documentation_shows_is_one() -> None:
    page = (FOLDER.parents[4] / "docs" / "vehicle-profiles.md").read_text(encoding="utf-8")
    lines = page[page.index("    [profile]\n") : page.index("\n| key of a field")].splitlines()
    dbc = load_profile("example-combustion").dbc
    profile = parse_profile("shown", "\n".join(line.removeprefix("    ") for line in lines), lambda _: dbc)
    check_profile(profile)
    assert open_listener(profile, []).ids
    assert (len(profile.reads), len(profile.listens)) == (1, 1)
