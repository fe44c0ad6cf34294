"""Device ids, epochs, VINs and topics."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_protocol import topics
from milepost_protocol.errors import ProtocolError, TopicError, VinError
from milepost_protocol.identity import check_device_id, check_epoch, check_vin, format_epoch


@given(st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z"))
def test_a_devices_topics_name_it(device: str) -> None:
    for channel in topics.Channel:
        assert topics.split(topics.topic(device, channel)) == (device, channel)
    assert topics.device_of(topics.up(device)) == device


@pytest.mark.parametrize("device", ["", "a b", "a/b", "+", "#", "gärtner", "x" * 65, "a\n", "a.b", "*"])
def test_a_device_id_that_a_broker_would_stumble_over_is_refused(device: str) -> None:
    with pytest.raises(TopicError):
        check_device_id(device)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "milepost/v1/up",
        "milepost/v2/gw/up",
        "milepost/v1/gw/down",
        "x/milepost/v1/gw/up",
        "milepost/v1/a/b/up",
    ],
)
def test_a_topic_that_is_not_ours_is_refused(topic: str) -> None:
    with pytest.raises(TopicError):
        topics.device_of(topic)


@given(st.text(max_size=60))
def test_any_text_is_a_topic_of_ours_or_refused(topic: str) -> None:
    try:
        device, channel = topics.split(topic)
    except ProtocolError:
        return
    assert topic == topics.topic(device, channel)


def test_epochs() -> None:
    assert check_epoch(format_epoch(bytes(range(8)))) == "0001020304050607"
    for wrong in ("", "0" * 15, "0" * 17, "G" * 16, "ABCDEF0123456789"):
        with pytest.raises(TopicError):
            check_epoch(wrong)
    with pytest.raises(TopicError, match="8 random bytes"):
        format_epoch(b"short")


def test_a_vin_is_read_as_people_write_it() -> None:
    assert check_vin(" 9brb29bt8e2012345 ") == "9BRB29BT8E2012345"


@pytest.mark.parametrize(
    "vin", ["", "9BRB29BT8E201234", "9BRB29BT8E20123456", "9BRB29BT8E2O12345", "9BRB29BT8E-012345"]
)
def test_a_vin_that_does_not_parse_says_why(vin: str) -> None:
    with pytest.raises(VinError, match="without I, O and Q"):
        check_vin(vin)
