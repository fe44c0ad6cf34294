"""Who may do what at the broker: the same rules as NATS subjects and as Mosquitto's ACL."""

from __future__ import annotations

from milepost_protocol import topics
from milepost_protocol.topics import PUBLISHED_BY_DEVICE, Channel

ACCOUNT = "MILEPOST"
INGEST_USER = "milepost-ingest"
CALLOUT_USER = "milepost-callout"
CONTROL_USER = "milepost-control"

# NATS's MQTT needs a client to reach these for its own subscriptions and acknowledgements.
MQTT_SUBSCRIPTIONS = "$MQTT.sub.>"

HEARD_BY_DEVICE = tuple(channel for channel in Channel if channel not in PUBLISHED_BY_DEVICE)
INGEST_SUBSCRIBES = tuple(topics.filter_of(channel) for channel in PUBLISHED_BY_DEVICE)
INGEST_PUBLISHES = tuple(topics.filter_of(channel) for channel in HEARD_BY_DEVICE)


def subject(topic: str) -> str:
    """The NATS subject that an MQTT topic or filter of ours maps to."""
    return topic.replace("/", ".").replace("+", "*")


def device_publishes(device: str) -> list[str]:
    """Subjects on which a device may publish."""
    return [*(subject(topics.topic(device, channel)) for channel in PUBLISHED_BY_DEVICE), MQTT_SUBSCRIPTIONS]


def device_subscribes(device: str) -> list[str]:
    """Subjects to which a device may subscribe."""
    return [subject(topics.topic(device, channel)) for channel in HEARD_BY_DEVICE]
