"""The control unit's answers against the formulas of data-path.md, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_simulator.car import pids
from milepost_simulator.car.ecu import Ecu, EcuModel, support_mask
from milepost_simulator.car.snapshot import TroubleCodes
from milepost_simulator.car.trouble import encode_code
from milepost_simulator.errors import UnknownFaultCodeError

if TYPE_CHECKING:
    from support.cars import StandingCar

KNOWN_BYTES = [
    ("coolant 83 C", 0x05, 83.0, "7B"),
    ("coolant -40 C", 0x05, -40.0, "00"),
    ("oil 110 C", 0x5C, 110.0, "96"),
    ("1726 rpm", 0x0C, 1726.0, "1AF8"),
    ("speed 255", 0x0D, 255.0, "FF"),
    ("speed beyond the byte", 0x0D, 300.0, "FF"),
    ("run time 3601 s", 0x1F, 3601.0, "0E11"),
    ("distance with lamp", 0x21, 258.0, "0102"),
    ("distance since cleared", 0x31, 65535.0, "FFFF"),
    ("12.345 V", 0x42, 12.345, "3039"),
    ("pack 100 %", 0x5B, 100.0, "FF"),
    ("pack 50 %", 0x5B, 50.2, "80"),
    ("odometer 123456.7 km", 0xA6, 123456.7, "0012D687"),
    ("load 100 %", 0x04, 100.0, "FF"),
    ("trim -100 %", 0x06, -100.0, "00"),
    ("trim 0 %", 0x07, 0.0, "80"),
    ("timing 10 degrees", 0x0E, 10.0, "94"),
    ("catalyst 424.8 C", 0x3C, 424.8, "1228"),
    ("ratio 1", 0x44, 1.0, "8000"),
]


@pytest.mark.parametrize(
    ("pid", "value", "expected"), [row[1:] for row in KNOWN_BYTES], ids=[r[0] for r in KNOWN_BYTES]
)
def test_encodes_known_bytes(pid: int, value: float, expected: str) -> None:
    assert pids.PIDS[pid].encode(value).hex().upper() == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [("P0301", "0301"), ("C1234", "5234"), ("B2ABC", "AABC"), ("U3FFF", "FFFF"), ("P0000", "0000")],
)
def test_encodes_trouble_codes(code: str, expected: str) -> None:
    assert encode_code(code).hex().upper() == expected


@pytest.mark.parametrize("code", ["", "X0301", "P4301", "P03", "P03011", "PZ301", "P03G1"])
def test_refuses_what_is_no_code(code: str) -> None:
    with pytest.raises(UnknownFaultCodeError) as caught:
        encode_code(code)
    assert caught.value.code == code


@given(st.frozensets(st.integers(1, 0xC0).filter(lambda pid: pid % 0x20)))
def test_walking_the_masks_finds_exactly_what_is_supported(supported: frozenset[int]) -> None:
    found, first = set(), 0
    while True:
        bits = int.from_bytes(support_mask(first, supported), "big")
        found |= {first + n for n in range(1, 33) if bits >> 32 - n & 1}
        if not bits & 1:
            break
        found.discard(first + 32)
        first += 32
    assert found == supported


def test_answers_several_pids_in_the_order_asked(
    standing,
) -> None:
    answer = Ecu(standing).respond(bytes.fromhex("010D0C"), standing.state)
    assert answer == bytes.fromhex("410D320C1AF8")


def test_leaves_out_what_it_does_not_have(standing: StandingCar) -> None:
    ecu = Ecu(standing)
    assert ecu.respond(bytes.fromhex("010D05"), standing.state) == bytes.fromhex("410D32")
    assert ecu.respond(bytes.fromhex("0105"), standing.state) is None


def test_is_silent_to_seven_pids_and_to_none(standing: StandingCar) -> None:
    ecu = Ecu(standing)
    assert ecu.respond(bytes.fromhex("010C0D0C0D0C0D0C"), standing.state) is None
    assert ecu.respond(b"\x01", standing.state) is None
    assert ecu.respond(b"", standing.state) is None


def test_is_silent_with_ignition_off(standing: StandingCar) -> None:
    off = standing.state._replace(is_ignition_on=False)
    assert Ecu(standing).respond(bytes.fromhex("0100"), off) is None


def test_refuses_by_address_what_it_passes_over_in_public(standing: StandingCar) -> None:
    ecu = Ecu(standing)
    assert ecu.respond(bytes.fromhex("0105"), standing.state, is_functional=False) == bytes.fromhex("7F0112")
    assert ecu.respond(bytes.fromhex("2212"), standing.state, is_functional=False) == bytes.fromhex("7F2211")
    assert ecu.respond(bytes.fromhex("2212"), standing.state) is None


def test_an_old_unit_refuses_the_mask_c0(standing: StandingCar) -> None:
    old = Ecu(standing, EcuModel(rejects_c0=True))
    assert old.respond(bytes.fromhex("01C0"), standing.state) == bytes.fromhex("7F0112")
    assert old.respond(bytes.fromhex("0100C0"), standing.state) == bytes.fromhex("7F0112")
    assert Ecu(standing).respond(bytes.fromhex("01C0"), standing.state) is None


def test_lists_codes_by_mode_and_lights_the_lamp(standing: StandingCar) -> None:
    codes = TroubleCodes(("P0301", "C1234"), ("U0100",), ("P0301",), is_mil_on=True)
    now = standing.state._replace(codes=codes)
    ecu = Ecu(standing)
    assert ecu.respond(b"\x03", now) == bytes.fromhex("430203015234")
    assert ecu.respond(b"\x07", now) == bytes.fromhex("4701C100")
    assert ecu.respond(b"\x0a", now) == bytes.fromhex("4A010301")
    assert ecu.respond(bytes.fromhex("0101"), now)[:3] == bytes.fromhex("410182")
    assert ecu.respond(b"\x03", standing.state) == bytes.fromhex("4300")


def test_mode_04_is_refused_unless_allowed(standing: StandingCar) -> None:
    assert Ecu(standing).respond(b"\x04", standing.state) == bytes.fromhex("7F0422")
    assert standing.clearings == 0
    assert Ecu(standing, EcuModel(clears_codes=True)).respond(b"\x04", standing.state) == b"\x44"
    assert standing.clearings == 1


def test_says_who_it_is(standing: StandingCar) -> None:
    ecu = Ecu(standing)
    assert ecu.respond(bytes.fromhex("0902"), standing.state) == b"\x49\x02\x01" + standing.state.vin.encode()
    assert ecu.respond(bytes.fromhex("0900"), standing.state) == bytes.fromhex("490050400000")
    assert len(ecu.respond(bytes.fromhex("090A"), standing.state)) == 3 + 20
    assert ecu.respond(bytes.fromhex("0908"), standing.state) is None


def test_an_unscaled_firmware_shows_ten_times_the_odometer(standing: StandingCar) -> None:
    now = standing.state._replace(values={0xA6: 1000.0})
    honest = Ecu(standing).respond(bytes.fromhex("01A6"), now)
    boastful = Ecu(standing, EcuModel(odometer_factor=10)).respond(bytes.fromhex("01A6"), now)
    assert int.from_bytes(honest[2:], "big") == 10_000
    assert int.from_bytes(boastful[2:], "big") == 100_000
