"""MQTT as bytes: packets as the standards have them, whatever way they are cut, and any other bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_agent.uplink.link import Subscription, Will
from milepost_agent.uplink.mqtt import packets, reasons, wire
from milepost_agent.uplink.mqtt.packets import (
    INCOMING_BYTES_MAX,
    Connack,
    Goodbye,
    Login,
    Parser,
    Pong,
    Puback,
    Publish,
    Suback,
)
from milepost_agent.uplink.mqtt.wire import PacketError

VERSIONS = [packets.V311, packets.V5]
TOPICS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=80)
MESSAGES = st.builds(
    Publish,
    topic=TOPICS,
    payload=st.binary(max_size=300),
    is_retained=st.booleans(),
    packet_id=st.none() | st.integers(1, 0xFFFF),
)


def parsed(version: int, data: bytes) -> list[packets.Packet]:
    return list(Parser(version).feed(data))


def test_a_login_as_the_standard_has_it() -> None:
    login = Login("gw-1", "pw", 30, Will("s", b"off"))
    assert packets.connect(packets.V311, login) == bytes.fromhex(
        "10 22 0004 4d515454 04 ee 001e 0004 67772d31 0001 73 0003 6f6666 0004 67772d31 0002 7077"
    )
    assert packets.connect(packets.V5, login) == bytes.fromhex(
        "10 31 0004 4d515454 05 ee 001e 0d 11 00000000 21 0010 27 00010000 0004 67772d31"
        "00 0001 73 0003 6f6666 0004 67772d31 0002 7077"
    )


def test_a_login_without_password_and_will_claims_neither() -> None:
    packet = packets.connect(packets.V311, Login("gw-1", None, 5, None))
    assert packet == bytes.fromhex("10 10 0004 4d515454 04 02 0005 0004 67772d31")


def test_a_subscription_as_the_standard_has_it() -> None:
    asked = [Subscription("a/b", 1), Subscription("c", 0)]
    v311, v5 = (packets.subscribe(version, 10, asked) for version in VERSIONS)
    assert v311 == bytes.fromhex("82 0c 000a 0003 612f62 01 0001 63 00")
    assert v5 == bytes.fromhex("82 0d 000a 00 0003 612f62 01 0001 63 00")


@pytest.mark.parametrize(
    ("version", "data", "packet"),
    [
        (4, "20 02 00 00", Connack(0, {})),
        (4, "20 02 00 05", Connack(5, {})),
        (5, "20 02 00 01", Connack(1, {})),
        (5, "20 08 00 00 05 21 000a 24 01", Connack(0, {"receive_maximum": 10, "maximum_qos": 1})),
        (5, "20 0b 00 00 08 26 0001 61 0002 6263", Connack(0, {})),
        (4, "40 02 0007", Puback(7, 0, "")),
        (5, "40 02 0007", Puback(7, 0, "")),
        (5, "40 03 0007 87", Puback(7, 0x87, "")),
        (5, "40 09 0007 97 05 1f 0002 6f68", Puback(7, 0x97, "oh")),
        (4, "90 04 000a 01 80", Suback(10, (1, 0x80))),
        (5, "90 05 000a 00 01 87", Suback(10, (1, 0x87))),
        (4, "d0 00", Pong()),
        (5, "e0 00", Goodbye(0, "")),
        (5, "e0 01 8e", Goodbye(0x8E, "")),
        (4, "31 05 0001 61 7879", Publish("a", b"xy", is_retained=True, packet_id=None)),
        (5, "32 0a 0001 61 0009 03 23 0001 78", Publish("a", b"x", is_retained=False, packet_id=9)),
    ],
)
def test_packets_of_a_broker_are_understood(version: int, data: str, packet: packets.Packet) -> None:
    assert parsed(version, bytes.fromhex(data)) == [packet]


@pytest.mark.parametrize(
    ("version", "data", "why"),
    [
        (4, "e0 00", "farewell"),
        (4, "10", "0x10"),
        (4, "48 54 54 50", "0x48"),
        (5, "41", "0x41"),
        (4, "34 05 0001 61 0001", "QoS 2"),
        (4, "20 01 00", "too early"),
        (5, "20 04 00 00 01 7f", "no property"),
        (5, "20 05 00 00 02 1f 00", "too early"),
        (4, "30 03 0001 ff", "no UTF-8"),
        (4, "30 ff ff ff ff 01", "more than four"),
        (4, "20 ff ff 7f", "at most"),
    ],
)
def test_what_is_no_packet_is_refused(version: int, data: str, why: str) -> None:
    with pytest.raises(PacketError, match=why):
        parsed(version, bytes.fromhex(data))


@given(st.sampled_from(VERSIONS), st.lists(MESSAGES, max_size=5), st.data())
def test_packets_come_back_however_the_bytes_are_cut(
    version: int, messages: list[Publish], data: st.DataObject
) -> None:
    stream = b"".join(packets.publish(version, message) for message in messages)
    parser, found = Parser(version), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += parser.feed(stream[:size])
        stream = stream[size:]
    assert found == messages


@given(st.sampled_from(VERSIONS), st.binary(max_size=200))
def test_any_bytes_at_all_are_packets_or_refused(version: int, data: bytes) -> None:
    try:
        found = parsed(version, data)
    except PacketError:
        return
    assert len(found) <= len(data) // 2


@given(st.integers(0, 268_435_455))
def test_lengths_come_back(value: int) -> None:
    encoded = wire.length(value)
    assert len(encoded) <= wire.LENGTH_BYTES_MAX
    assert wire.Body(encoded).length() == value


def test_no_more_is_kept_than_one_packet() -> None:
    parser = Parser(packets.V311)
    size = INCOMING_BYTES_MAX
    assert list(parser.feed(b"\x30" + wire.length(size) + wire.text("a") + bytes(size - 4))) == []
    (message,) = parser.feed(b"\x00\xd0")
    assert isinstance(message, Publish)
    assert list(parser.feed(b"\x00")) == [Pong()]


def test_codes_have_words_that_say_what_to_do() -> None:
    assert "protocol" in reasons.connack(1)
    assert "protocol" in reasons.connack(0x84)
    assert "secret" in reasons.connack(5)
    assert reasons.connack(77).endswith("unknown (code 77)")
    assert reasons.reason(0x87, "acl").endswith("(code 0x87, acl)")
    assert reasons.reason(0xFE) == "unknown (code 0xfe)"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("piece", [1000, 65_536, 10**7])
def test_of_a_message_that_is_too_long_the_beginning_is_given_out_and_the_stream_goes_on(
    version: int, piece: int
) -> None:
    long = Publish("config", b"x" * 300_000, is_retained=True, packet_id=7)
    short = Publish("ack", b"y", is_retained=False, packet_id=None)
    data = packets.publish(version, long) + packets.publish(version, short)
    parser = Parser(version)
    got = [packet for at in range(0, len(data), piece) for packet in parser.feed(data[at : at + piece])]
    first, second = got
    assert second == short
    assert isinstance(first, Publish)
    assert (first.topic, first.packet_id) == ("config", 7)
    assert 0.99 * INCOMING_BYTES_MAX < len(first.payload) < INCOMING_BYTES_MAX
