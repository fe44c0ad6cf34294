"""MQTT topics. The major version stands in the topic, so that a broker's rules can tell versions apart."""

from __future__ import annotations

from milepost_protocol.errors import TopicError
from milepost_protocol.identity import check_device_id

ROOT = "milepost/v1"
UP_FILTER = f"{ROOT}/+/up"
"""What an ingest worker subscribes to: the batches of all devices."""

UP_QOS = 1
ACK_QOS = 0
"""A lost receipt costs a resend, which changes nothing; an acknowledged one would cost each car bytes."""


def up(device: str) -> str:
    """Where ``device`` publishes its batches."""
    return f"{ROOT}/{check_device_id(device)}/up"


def ack(device: str) -> str:
    """Where ``device`` is told what is durably stored."""
    return f"{ROOT}/{check_device_id(device)}/ack"


def device_of(topic: str) -> str:
    """The device whose ``up`` or ``ack`` topic this is.

    Raises:
        TopicError: it is no topic of this protocol version.
    """
    root, _, rest = topic.rpartition(f"{ROOT}/")
    device, _, channel = rest.partition("/")
    if root or channel not in ("up", "ack"):
        raise TopicError(f"topic {topic[:120]!r} is not {ROOT}/<device>/up or {ROOT}/<device>/ack")
    return check_device_id(device)
