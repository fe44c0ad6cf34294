"""Listening: what the frames of a DBC file become, and what becomes of frames that are none."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_agent import paths
from milepost_agent.errors import ProfileError, SourceConfigError
from milepost_agent.sources.can.gate import Frame
from milepost_agent.sources.can.listening import DBC_BYTES_MAX, open_listener
from milepost_agent.sources.obd.addresses import CanId
from milepost_agent.vehicles import load_profile
from milepost_agent.vehicles.parsing import parse_profile
from milepost_protocol.signals import catalogue
from milepost_simulator.car import broadcast
from support.can_cars import standing_car

EXAMPLE = load_profile("example-combustion")
HEAD = '[profile]\ntitle = "t"\nstanding = "example"\nsource = "s"\n'
GATED = """VERSION ""
BO_ 512 MIXED: 8 X
 SG_ Which M : 0|8@1+ (1,0) [0|0] "" X
 SG_ Speed m1 : 8|16@1+ (0.1,0) [0|0] "km/h" X
 SG_ Life m2 : 8|8@1+ (1,0) [0|0] "%" X
"""


def listen(frame: str, signal: str, path: str, **more: str) -> str:
    rows = "\n".join(f"{key} = {value}" for key, value in more.items())
    return f'[[listen]]\nframe = "{frame}"\nsignal = "{signal}"\npath = "{path}"\n{rows}\n'


def heard(made: broadcast.CanFrame) -> Frame:
    return Frame(CanId(made.number, made.is_extended), made.data)


def test_hears_what_the_simulated_car_says() -> None:
    listener, now = open_listener(EXAMPLE, []), standing_car().state
    said = [reading for b in broadcast.BROADCASTS for reading in listener.readings(heard(b.make(now)), 7.0)]
    assert {r.signal: r.value for r in said} == {
        paths.RPM: 1500.0,
        paths.SPEED: 50.0,
        paths.COOLANT: 83.0,
        paths.OIL_TEMPERATURE: pytest.approx(90.0, abs=1.0),
        paths.VOLTAGE: pytest.approx(14.04),
        paths.SYSTEM_STATE: "ON",
    }
    assert {r.mono_s for r in said} == {7.0}


def test_gives_a_signal_no_more_often_than_wanted() -> None:
    listener, frame = open_listener(EXAMPLE, []), heard(broadcast.BROADCASTS[0].make(standing_car().state))
    times = [n * 0.02 for n in range(500)]
    rpm = [r.mono_s for t in times for r in listener.readings(frame, t) if r.signal == paths.RPM]
    assert 45 <= len(rpm) <= 50
    assert min(b - a for a, b in itertools.pairwise(rpm)) >= 0.2


def test_a_number_that_stands_for_none_is_counted_and_does_not_cost_the_next_its_turn() -> None:
    listener, state = open_listener(EXAMPLE, []), standing_car().state
    unknown = heard(broadcast.BROADCASTS[1].make(state._replace(values={})))
    assert listener.readings(unknown, 0.0) == []
    assert listener.invalid == 1
    known = heard(broadcast.BROADCASTS[1].make(state))
    assert [r.value for r in listener.readings(known, 0.01)] == [50.0]


@given(st.sampled_from([(272, False), (288, False), (0x19000000, True), (272, True)]), st.binary(max_size=8))
def test_any_bytes_give_values_within_the_bounds_of_physics_or_are_counted(
    number: tuple[int, bool], data: bytes
) -> None:
    listener = open_listener(EXAMPLE, [])
    for reading in listener.readings(Frame(CanId(*number), data), 0.0):
        catalogue()[reading.signal].check(reading.value)
    short = not number[1] and len(data) < 8
    assert listener.garbled == (1 if short or (number[1] and number[0] != 272 and len(data) < 4) else 0)


def test_multiplexed_signals_take_turns(tmp_path: Path) -> None:
    dbc = tmp_path / "gated.dbc"
    dbc.write_text(GATED)
    example = '[[listen.example]]\nresponse = "{}"\nvalues = {{ "{}" = {} }}\n'
    life = "Vehicle.Milepost.Engine.OilLife"
    text = (
        HEAD
        + listen("MIXED", "Speed", paths.SPEED)
        + example.format("01F4010000000000", paths.SPEED, 50)
        + listen("MIXED", "Life", life)
        + example.format("0232000000000000", life, 50)
    )
    listener = open_listener(parse_profile("mixed", text, lambda _: ""), [str(dbc)])
    frames = [Frame(CanId(512), bytes.fromhex(data)) for data in ("01F4010000000000", "0232000000000000")]
    assert [(r.signal, r.value) for f in frames for r in listener.readings(f, 1.0)] == [
        (paths.SPEED, 50.0),
        (life, 50.0),
    ]
    assert listener.readings(Frame(CanId(512), bytes.fromhex("09F4010000000000")), 9.0) == []
    assert listener.garbled == 1


@pytest.mark.parametrize(
    ("dbc", "frame", "why"),
    [
        ("no DBC at all {{{", "MIXED", "cannot be read"),
        (GATED, "OTHER", "there is no such frame"),
        (GATED, "MIXED", "the frame has Which, Speed, Life"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, dbc: str, frame: str, why: str) -> None:
    file = tmp_path / "some.dbc"
    file.write_text(dbc)
    profile = parse_profile("p", HEAD + listen(frame, "Pressure", paths.SPEED), lambda _: "")
    with pytest.raises(SourceConfigError, match=why):
        open_listener(profile, [str(file)])


def test_a_file_that_no_car_can_fill_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "some.dbc"
    file.touch()
    os.truncate(file, DBC_BYTES_MAX + 1)
    profile = parse_profile("p", HEAD + listen("MIXED", "Speed", paths.SPEED), lambda _: "")
    with pytest.raises(SourceConfigError, match=r"some\.dbc is longer than 64 MB"):
        open_listener(profile, [str(file)])


def test_an_example_that_gives_another_value_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "some.dbc"
    file.write_text(GATED)
    text = listen("MIXED", "Speed", paths.SPEED) + (
        f'[[listen.example]]\nresponse = "01F4010000000000"\nvalues = {{ "{paths.SPEED}" = 51 }}\n'
    )
    with pytest.raises(ProfileError, match=r"gives 50\.0 .* not 51"):
        open_listener(parse_profile("p", HEAD + text, lambda _: ""), [str(file)])
