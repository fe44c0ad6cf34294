"""MQTT topics. The major version stands in the topic, so that a broker's rules can tell versions apart."""

from __future__ import annotations

import enum

from milepost_protocol.errors import TopicError
from milepost_protocol.identity import check_device_id

ROOT = "milepost/v1"


class Channel(enum.StrEnum):
    """What stands below a device's name."""

    UP = "up"
    ACK = "ack"
    STATE = "state"
    CONFIG = "config"
    REPORTED = "reported"


PUBLISHED_BY_DEVICE = (Channel.UP, Channel.STATE, Channel.REPORTED)
"""What a device may publish; it may subscribe to the others. All of it its own only."""

RETAINED = (Channel.STATE, Channel.CONFIG, Channel.REPORTED)
"""Of these the broker keeps the last message for whoever subscribes later."""

UP_QOS = 1
ACK_QOS = 0
"""A lost receipt costs a resend, which changes nothing; an acknowledged one would cost each car bytes."""
DOCUMENT_QOS = 1
"""State, config and reported: nobody sends them again by himself."""


def filter_of(channel: Channel) -> str:
    """The topic filter of a channel of all devices."""
    return f"{ROOT}/+/{channel}"


UP_FILTER = filter_of(Channel.UP)
"""What an ingest worker subscribes to: the batches of all devices."""


def topic(device: str, channel: Channel) -> str:
    """The topic of a channel of ``device``.

    Raises:
        TopicError: the device's id cannot stand in a topic.
    """
    return f"{ROOT}/{check_device_id(device)}/{channel}"


def up(device: str) -> str:
    """Where ``device`` publishes its batches."""
    return topic(device, Channel.UP)


def ack(device: str) -> str:
    """Where ``device`` is told what is durably stored."""
    return topic(device, Channel.ACK)


def state(device: str) -> str:
    """Where ``device`` says that it is there, and its last will that it is not."""
    return topic(device, Channel.STATE)


def config(device: str) -> str:
    """Where ``device`` is told the configuration that is desired of it."""
    return topic(device, Channel.CONFIG)


def reported(device: str) -> str:
    """Where ``device`` says which configuration is in force."""
    return topic(device, Channel.REPORTED)


def split(name: str) -> tuple[str, Channel]:
    """(device, channel) of a topic.

    Raises:
        TopicError: it is no topic of this protocol version.
    """
    root, _, rest = name.rpartition(f"{ROOT}/")
    device, _, channel = rest.partition("/")
    if root or channel not in Channel.__members__.values():
        raise TopicError(f"topic {name[:120]!r} is not {ROOT}/<device>/{' or '.join(Channel)}")
    return check_device_id(device), Channel(channel)


def device_of(name: str) -> str:
    """The device whose topic this is.

    Raises:
        TopicError: it is no topic of this protocol version.
    """
    return split(name)[0]
