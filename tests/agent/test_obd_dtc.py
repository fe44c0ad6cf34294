"""Trouble codes and the VIN, on CAN and before it."""

from __future__ import annotations

import pytest

from milepost_agent.errors import ReplyError
from milepost_agent.sources.elm327.checksum import sum_checksum
from milepost_agent.sources.elm327.reply import parse_reply
from milepost_agent.sources.obd.dtc import decode_dtc, decode_dtcs
from milepost_agent.sources.obd.messages import Framing, Message
from milepost_agent.sources.obd.vin import decode_vin

VIN = "1C4RJFBG8FC123456"


def codes(payload: str, framing: Framing) -> set[str]:
    return set(decode_dtcs(Message("7E8", bytes.fromhex(payload), framing)))


@pytest.mark.parametrize(
    ("raw", "code"),
    [("0301", "P0301"), ("1ABC", "P1ABC"), ("4123", "C0123"), ("92F0", "B12F0"), ("F00A", "U300A")],
)
def test_two_bytes_are_a_code(raw: str, code: str) -> None:
    assert decode_dtc(*bytes.fromhex(raw)) == code


@pytest.mark.parametrize(
    ("payload", "framing", "expected"),
    [
        ("4300", Framing.CAN, set()),
        ("43010301", Framing.CAN, {"P0301"}),
        ("43020301042000000000", Framing.CAN, {"P0301", "P0420"}),
        ("43030104200000", Framing.LEGACY, {"P0301", "P0420"}),
        ("43000000000000", Framing.LEGACY, set()),
        ("430301", Framing.LEGACY, {"P0301"}),
        ("4300", Framing.BARE, set()),
        ("43010301", Framing.BARE, {"P0301"}),
        ("43030100000000", Framing.BARE, {"P0301"}),
    ],
)
def test_a_count_comes_first_on_can_and_padding_last_elsewhere(
    payload: str, framing: Framing, expected: set[str]
) -> None:
    assert codes(payload, framing) == expected


@pytest.mark.parametrize(
    ("payload", "framing"),
    [
        ("4A0104", Framing.CAN),
        ("4303030104", Framing.CAN),
        ("43030301", Framing.CAN),
        ("43030104", Framing.LEGACY),
    ],
)
def test_half_a_list_is_none(payload: str, framing: Framing) -> None:
    with pytest.raises(ReplyError):
        codes(payload, framing)


def legacy_vin(vin: str, ecu: str = "10") -> list[str]:
    padded = b"\0\0\0" + vin.encode()
    lines = []
    for number in range(5):
        body = bytes.fromhex(f"486B{ecu}4902") + bytes([number + 1]) + padded[4 * number : 4 * number + 4]
        lines.append((body + bytes([sum_checksum(body)])).hex())
    return lines


def vin_of(text: str) -> str:
    return decode_vin(parse_reply("0902", text + "\r\r").messages)


def test_a_vin_comes_in_one_long_message_on_can() -> None:
    assert (
        vin_of("7E8 10 14 49 02 01 31 43 34\r7E8 21 52 4A 46 42 47 38 46\r7E8 22 43 31 32 33 34 35 36") == VIN
    )


def test_a_vin_comes_in_five_lines_before_can_in_any_order() -> None:
    lines = legacy_vin(VIN)
    assert vin_of("\r".join(lines)) == VIN
    assert vin_of("\r".join(reversed(lines))) == VIN


@pytest.mark.parametrize("lost", range(5))
def test_a_vin_with_a_line_lost_is_none(lost: int) -> None:
    lines = legacy_vin(VIN)
    del lines[lost]
    with pytest.raises(ReplyError, match="no VIN"):
        vin_of("\r".join(lines))


def test_a_second_unit_may_know_the_vin_that_the_first_does_not() -> None:
    assert vin_of("\r".join([*legacy_vin("\0" * 17, "10"), *legacy_vin(VIN, "18")])) == VIN


@pytest.mark.parametrize("vin", ["IOQIOQIOQIOQIOQIO", "\xff" * 17, " " * 17])
def test_what_is_no_vin_is_refused(vin: str) -> None:
    payload = bytes.fromhex("490201") + vin.encode("latin-1")
    with pytest.raises(ReplyError):
        decode_vin([Message("7E8", payload, Framing.CAN)])
