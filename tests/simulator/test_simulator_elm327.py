"""The adapter's dialogue, as transcripts: what is typed and every character that comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milepost_simulator.car.ecu import ENGINE_UNIT, TRANSMISSION_UNIT
from milepost_simulator.car.elm327 import PROMPTLY, Addressed, Elm327, Timing
from milepost_simulator.car.snapshot import TroubleCodes
from milepost_simulator.car.uds import UdsModel, UdsUnit

if TYPE_CHECKING:
    from milepost_simulator.clock import ManualClock
    from support.cars import StandingCar


def say(elm: Elm327, command: str) -> str:
    return b"".join(output.data for output in elm.feed(command.encode() + b"\r")).decode("latin-1")


def quiet(elm: Elm327, *commands: str) -> Elm327:
    """Echo off, bus found, and what a test wants besides."""
    for command in ("ATE0", "0100", *commands):
        say(elm, command)
    return elm


def test_greets_after_reset_and_echoes(elm: Elm327) -> None:
    assert say(elm, "ATZ") == "ATZ\r\r\rELM327 v1.5\r\r>"
    assert say(elm, "at e0") == "at e0\rOK\r\r>"
    assert say(elm, "ATI") == "ELM327 v1.5\r\r>"
    assert say(elm, "AT@1") == "OBDII to RS232 Interpreter\r\r>"


def test_finds_the_bus_and_names_it(elm: Elm327) -> None:
    say(elm, "ATE0")
    assert say(elm, "ATDPN") == "A0\r\r>"
    assert say(elm, "0100") == "SEARCHING...\r41 00 80 18 00 00 \r\r>"
    assert say(elm, "0100") == "41 00 80 18 00 00 \r\r>"
    assert say(elm, "ATDPN") == "A6\r\r>"
    assert say(elm, "ATDP") == "AUTO, ISO 15765-4 (CAN 11/500)\r\r>"


def test_an_empty_line_repeats_the_last_command(elm: Elm327) -> None:
    assert say(quiet(elm), "010D") == "41 0D 32 \r\r>"
    assert say(elm, "") == "41 0D 32 \r\r>"


def test_spaces_headers_and_line_feeds_can_be_chosen(elm: Elm327) -> None:
    quiet(elm, "ATS0")
    assert say(elm, "010C") == "410C1AF8\r\r>"
    say(elm, "ATH1")
    assert say(elm, "010C") == "7E804410C1AF8AAAAAA\r\r>"
    say(elm, "ATS1")
    say(elm, "ATL1")
    assert say(elm, "010C") == "7E8 04 41 0C 1A F8 AA AA AA \r\n\r\n>"


def test_without_formatting_the_frame_shows_its_length_byte(elm: Elm327) -> None:
    assert say(quiet(elm, "ATCAF0"), "010C") == "04 41 0C 1A F8 AA AA AA \r\r>"


def test_a_vin_comes_in_three_lines(elm: Elm327) -> None:
    quiet(elm)
    assert say(elm, "0902") == (
        "014\r0: 49 02 01 58 4D 50 \r1: 54 45 53 54 43 41 52 \r2: 30 30 30 30 30 34 32 \r\r>"
    )
    say(elm, "ATH1")
    assert say(elm, "0902") == (
        "7E8 10 14 49 02 01 58 4D 50 \r7E8 21 54 45 53 54 43 41 52 \r7E8 22 30 30 30 30 30 34 32 \r\r>"
    )


def test_the_last_line_shows_its_padding(elm: Elm327, standing: StandingCar) -> None:
    standing.set_values({0x0C: 1726.0, 0x0D: 50.0, 0x05: 83.0})
    assert say(quiet(elm), "010C0D05") == "008\r0: 41 0C 1A F8 0D 32 \r1: 05 7B AA AA AA AA AA \r\r>"


def test_two_units_answer_one_after_the_other(standing: StandingCar, clock: ManualClock) -> None:
    elm = Elm327(standing, clock, models=(ENGINE_UNIT, TRANSMISSION_UNIT), timing=PROMPTLY)
    quiet(elm, "ATH1")
    assert say(elm, "010D") == "7E8 03 41 0D 32 AA AA AA AA \r7E9 03 41 0D 32 AA AA AA AA \r\r>"
    assert say(elm, "010D1") == "7E8 03 41 0D 32 AA AA AA AA \r\r>"
    say(elm, "ATCRA7E9")
    assert say(elm, "010D") == "7E9 03 41 0D 32 AA AA AA AA \r\r>"
    say(elm, "ATCRA")
    say(elm, "ATSH7E1")
    assert say(elm, "010D") == "7E9 03 41 0D 32 AA AA AA AA \r\r>"
    assert say(elm, "0105") == "7E9 03 7F 01 12 AA AA AA AA \r\r>"


def test_a_29_bit_bus_has_long_headers(standing: StandingCar, clock: ManualClock) -> None:
    elm = quiet(Elm327(standing, clock, protocol=7, timing=PROMPTLY), "ATH1")
    assert say(elm, "010D") == "18 DA F1 10 03 41 0D 32 AA AA AA AA \r\r>"


def test_a_unit_of_its_own_answers_its_header_alone_and_needs_its_flow_control(
    standing: StandingCar, clock: ManualClock
) -> None:
    body = UdsUnit(UdsModel(data={0x2001: lambda _: bytes(8)}))
    elm = Elm327(standing, clock, others=[Addressed(0x6A0, 0x6B2, body)], timing=PROMPTLY)
    quiet(elm, "ATH1", "ATS0")
    assert say(elm, "222001") == "NO DATA\r\r>"
    say(elm, "ATSH6A0")
    first, rest = "6B2100B622001000000", "6B221" + "00" * 5 + "AAAA"
    assert say(elm, "222001") == f"{first}\r\r>", "nobody lets the rest come"
    assert say(elm, "ATFCSM1") == "?\r\r>", "with what?"
    for command in ("ATFCSH6A0", "ATFCSD300001", "ATFCSM1"):
        assert say(elm, command) == "OK\r\r>"
    assert say(elm, "222001") == f"{first}\r{rest}\r\r>"
    assert say(elm, "222002") == "6B2037F2231AAAAAAAA\r\r>"
    assert elm.asked[-1] == ("6A0", bytes.fromhex("222002"))


def test_a_bus_before_can_is_kept_awake_unless_that_is_switched_off(
    standing: StandingCar, clock: ManualClock
) -> None:
    elm = quiet(Elm327(standing, clock, protocol=5, timing=PROMPTLY))
    assert elm.keeps_alive
    say(elm, "ATSW00")
    assert not elm.keeps_alive


def test_what_nobody_knows_is_no_data(elm: Elm327) -> None:
    quiet(elm)
    assert say(elm, "0105") == "NO DATA\r\r>"
    assert say(elm, "2210") == "NO DATA\r\r>"


@pytest.mark.parametrize("nonsense", ["ATFOO", "HELLO", "0", "010C0D050B0F110E04", "ATSPD", "AT"])
def test_nonsense_is_a_question_mark(elm: Elm327, nonsense: str) -> None:
    say(elm, "ATE0")
    assert say(elm, nonsense) == "?\r\r>"
    assert elm.refused_commands == 1


@pytest.mark.parametrize(
    "command", ["ATAL", "ATST64", "ATAT2", "ATCAF1", "ATM0", "ATPC", "ATD", "ATSPA6", "ATTP6", "ATCEA"]
)
def test_commands_of_a_real_adapter_are_known(elm: Elm327, command: str) -> None:
    say(elm, "ATE0")
    assert say(elm, command).endswith("OK\r\r>")


def test_measures_voltage_and_ignition_without_a_bus(elm: Elm327, standing: StandingCar) -> None:
    say(elm, "ATE0")
    standing.turn_off(voltage_v=12.37)
    assert say(elm, "ATRV") == "12.4V\r\r>"
    assert say(elm, "ATIGN") == "OFF\r\r>"


def test_ignition_off_is_unable_to_connect(elm: Elm327, standing: StandingCar) -> None:
    say(elm, "ATE0")
    standing.turn_off()
    assert say(elm, "0100") == "SEARCHING...\rUNABLE TO CONNECT\r\r>"
    standing.turn_on()
    assert say(elm, "0100").startswith("SEARCHING...\r41 00")


def test_ignition_going_off_is_no_data_first(elm: Elm327, standing: StandingCar) -> None:
    quiet(elm)
    standing.turn_off()
    assert [say(elm, "010C") for _ in range(3)] == ["NO DATA\r\r>"] * 3
    assert say(elm, "010C") == "SEARCHING...\rUNABLE TO CONNECT\r\r>"


@pytest.mark.parametrize(
    ("select", "answer"),
    [("ATSP3", "BUS INIT: ERROR\r\r>"), ("ATSP8", "CAN ERROR\r\r>"), ("ATSP6", "41 0D 32 \r\r>")],
)
def test_a_protocol_that_was_chosen_is_not_searched(elm: Elm327, select: str, answer: str) -> None:
    say(elm, "ATE0")
    say(elm, select)
    assert say(elm, "010D") == answer


def test_the_older_buses_have_checksums_and_short_messages(standing: StandingCar, clock: ManualClock) -> None:
    standing.set_codes(TroubleCodes(("P0301",)))
    elm = Elm327(standing, clock, protocol=3, timing=PROMPTLY)
    say(elm, "ATE0")
    say(elm, "ATSP3")
    assert say(elm, "010D") == "BUS INIT: OK\r41 0D 32 \r\r>"
    assert say(elm, "03") == "43 03 01 00 00 00 00 \r\r>"
    assert say(elm, "0902") == (
        "49 02 01 00 00 00 58 \r49 02 02 4D 50 54 45 \r49 02 03 53 54 43 41 \r"
        "49 02 04 52 30 30 30 \r49 02 05 30 30 34 32 \r\r>"
    )
    say(elm, "ATH1")
    assert say(elm, "010D") == "48 6B 10 41 0D 32 43 \r\r>"


def test_a_search_takes_its_time_and_then_the_answer_comes(standing: StandingCar, clock: ManualClock) -> None:
    elm = Elm327(standing, clock, timing=Timing(search_s=0.5))
    outputs = elm.feed(b"0100\r")
    assert sum(output.delay_s for output in outputs) >= 0.5
    assert b"".join(elm.interrupt()[0][1:]) == b"STOPPED\r\r>"


def test_reset_forgets_settings_but_not_the_device_id(elm: Elm327) -> None:
    quiet(elm, "ATH1", "AT@3MILEPOST0001")
    say(elm, "ATWS")
    say(elm, "ATE0")
    assert say(elm, "0100").startswith("SEARCHING...\r41 00")
    assert say(elm, "AT@2") == "MILEPOST0001\r\r>"


def test_low_power_ends_with_the_next_character_which_is_lost(elm: Elm327) -> None:
    say(elm, "ATE0")
    assert say(elm, "ATLP") == "OK\r\r>"
    assert elm.is_low_power
    assert say(elm, " ATRV") == ">12.6V\r\r>"
    assert not elm.is_low_power
    assert elm.bus_requests == 0
