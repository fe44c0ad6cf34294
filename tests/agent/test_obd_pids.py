"""The table of requests: every formula of the standard, and only signals that exist."""

from __future__ import annotations

import pytest

from milepost_agent.errors import ReplyError
from milepost_agent.paths import INNER
from milepost_agent.sources.elm327.reply import parse_reply
from milepost_agent.sources.obd.messages import Framing, Message
from milepost_agent.sources.obd.pids import pid_data, requests, supported_pids
from milepost_protocol.signals import catalogue

ENGINE = "Vehicle.Powertrain.CombustionEngine."
NEEDED = {
    f"01{pid}" for pid in ("01", "04", "05", "0B", "0C", "0D", "1F", "21", "31", "42", "5B", "5C", "A6")
}
NEEDED |= {"03", "07", "0A", "0902"}


def decode(command: str, *data: str, ecus: tuple[str, ...] = ("7E8", "7E9")) -> dict[str, object]:
    request = next(r for r in requests() if r.command == command)
    service = f"{int(command[:2], 16) + 0x40:02X}{command[2:]}"
    answers = [
        Message(ecu, bytes.fromhex(service + d), Framing.CAN) for ecu, d in zip(ecus, data, strict=False)
    ]
    return dict(request.decode(answers))


@pytest.mark.parametrize(
    ("command", "data", "signal", "value"),
    [
        ("0104", "3F", "Vehicle.Milepost.Engine.Load", pytest.approx(24.7058823)),
        ("0104", "FF", "Vehicle.Milepost.Engine.Load", 100.0),
        ("0105", "00", f"{ENGINE}EngineCoolant.Temperature", -40),
        ("0105", "7B", f"{ENGINE}EngineCoolant.Temperature", 83),
        ("010B", "65", f"{ENGINE}MAP", 101),
        ("010C", "1AF8", f"{ENGINE}Speed", 1726.0),
        ("010C", "0001", f"{ENGINE}Speed", 0.25),
        ("010D", "FF", "Vehicle.Speed", 255),
        ("011F", "0102", "Vehicle.Milepost.Engine.RunTime", 258),
        ("0121", "0100", "Vehicle.Milepost.Diagnostics.DistanceWithMil", 256),
        ("0131", "FFFF", "Vehicle.Milepost.Diagnostics.DistanceSinceCleared", 65535),
        ("0142", "3039", "Vehicle.LowVoltageBattery.CurrentVoltage", 12.345),
        ("015B", "FF", "Vehicle.Powertrain.TractionBattery.StateOfHealth", 100.0),
        ("015C", "82", f"{ENGINE}EngineOil.Temperature", 90),
        ("01A6", "0012D687", "Vehicle.TraveledDistance", 123_456_700),
    ],
)
def test_formulas_of_the_standard(command: str, data: str, signal: str, value: object) -> None:
    assert decode(command, data) == {signal: value}


def test_lamp_and_count_come_from_one_answer_and_add_up_over_ecus() -> None:
    assert decode("0101", "83076504") == {
        "Vehicle.Milepost.Diagnostics.IsMilOn": True,
        "Vehicle.Diagnostics.DTCCount": 3,
    }
    assert decode("0101", "00076504", "82000000") == {
        "Vehicle.Milepost.Diagnostics.IsMilOn": True,
        "Vehicle.Diagnostics.DTCCount": 2,
    }
    assert decode("0101", "00076504")["Vehicle.Milepost.Diagnostics.IsMilOn"] is False


def test_the_engine_answers_before_other_units() -> None:
    assert decode("0105", "50", "60", ecus=("7E9", "7E8")) == {
        f"{ENGINE}EngineCoolant.Temperature": 0x60 - 40
    }


def test_every_request_that_is_needed_is_there_with_signals_that_exist() -> None:
    assert {r.command for r in requests()} >= NEEDED
    for request in requests():
        for field in request.fields:
            assert field.signal in INNER or field.signal in catalogue(), field.signal


@pytest.mark.parametrize("request_", requests(), ids=lambda r: r.command)
def test_intervals_are_bounded(request_: object) -> None:
    request = next(r for r in requests() if r == request_)
    assert request.interval_s == 0 or 0.2 <= request.interval_s <= 86_400
    assert request.interval_s_standing <= request.interval_s


def test_lengths_are_checked_as_far_as_the_bus_tells_them() -> None:
    assert pid_data("010D", Message("7E8", b"\x41\x0d\x32\x00", Framing.CAN), 1) == b"\x32"
    for framing in (Framing.BARE, Framing.LEGACY):
        with pytest.raises(ReplyError, match="2 data bytes, not 1"):
            pid_data("010D", Message("", b"\x41\x0d\x32\x00", framing), 1)
    with pytest.raises(ReplyError, match="1 data bytes, not 2"):
        pid_data("010C", Message("7E8", b"\x41\x0c\x1a", Framing.CAN), 2)


def test_masks_are_joined_over_ecus() -> None:
    reply = parse_reply("0100", "7E8064100BE3EB811\r7E906410080000001\r\r")
    supported = supported_pids(0x00, reply.messages)
    assert {0x01, 0x03, 0x0C, 0x0D, 0x1C, 0x20} <= supported
    assert 0x02 not in supported
    assert supported_pids(0xA0, [Message("7E8", bytes.fromhex("41A004000000"), Framing.CAN)]) == {0xA6}
