"""The AsyncAPI 3 document of the device contract."""

from __future__ import annotations

from typing import Any, NamedTuple

from milepost_protocol import limits, topics
from milepost_protocol.frame import HEADER_BYTES, MAJOR
from milepost_protocol.identity import DEVICE_ID_PATTERN
from milepost_protocol.topics import Channel

JSON = "application/json"


class _Traffic(NamedTuple):
    """One channel: its message, the operation as seen from the device, and how it is sent."""

    message: str
    operation: str
    action: str
    qos: int


TRAFFIC = {
    Channel.UP: _Traffic("batch", "publishBatch", "send", topics.UP_QOS),
    Channel.ACK: _Traffic("receipt", "receiveReceipt", "receive", topics.ACK_QOS),
    Channel.STATE: _Traffic("state", "publishState", "send", topics.DOCUMENT_QOS),
    Channel.CONFIG: _Traffic("desired", "receiveConfig", "receive", topics.DOCUMENT_QOS),
    Channel.REPORTED: _Traffic("reported", "publishReported", "send", topics.DOCUMENT_QOS),
}


def asyncapi() -> dict[str, Any]:
    """The contract as seen from a device."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Milepost device contract",
            "version": f"{MAJOR}.1.0",
            "description": "MQTT 3.1.1. The reference is docs/protocol.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/octet-stream",
        "channels": {channel.value: _channel(channel) for channel in Channel},
        "operations": {traffic.operation: _operation(channel) for channel, traffic in TRAFFIC.items()},
        "components": {
            "messages": {
                "batch": _batch_message(),
                "receipt": _receipt_message(),
                "state": _document_message(
                    Channel.STATE, "The device is there, with what it is and does; or it is gone, and why."
                ),
                "desired": _document_message(
                    Channel.CONFIG, "The configuration that is desired of the device."
                ),
                "reported": _document_message(
                    Channel.REPORTED, "The configuration that is in force, and what was refused."
                ),
            }
        },
    }


def _channel(channel: Channel) -> dict[str, Any]:
    message = TRAFFIC[channel].message
    return {
        "address": topics.topic("DEVICE", channel).replace("DEVICE", "{device}"),
        "parameters": {
            "device": {"description": f"Device id, {DEVICE_ID_PATTERN}; it is also the MQTT user name."}
        },
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
    }


def _operation(channel: Channel) -> dict[str, Any]:
    traffic = TRAFFIC[channel]
    retain = channel in topics.RETAINED
    return {
        "action": traffic.action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{traffic.message}"}],
        "bindings": {"mqtt": {"qos": traffic.qos, "retain": retain, "bindingVersion": "0.2.0"}},
    }


def _batch_message() -> dict[str, Any]:
    return {
        "name": "batch",
        "summary": "Samples of a contiguous range of seqs, and the gaps in it.",
        "description": (
            f"{HEADER_BYTES} bytes of frame, then the body: MessagePack, compressed as the frame says. "
            f"At most {limits.BATCH_BYTES_MAX} bytes, {limits.BODY_BYTES_MAX} expanded, "
            f"{limits.BATCH_SAMPLES_MAX} samples. The schema is that of the body."
        ),
        "payload": _schema("batch"),
    }


def _receipt_message() -> dict[str, Any]:
    return {
        "name": "receipt",
        "summary": "All samples of (device, epoch) up to a seq are durably stored.",
        "description": "Fixed binary fields; see docs/protocol.md.",
        "payload": {"type": "string", "format": "binary", "minLength": 24, "maxLength": 24 + 16 * 16},
    }


def _document_message(channel: Channel, summary: str) -> dict[str, Any]:
    return {
        "name": TRAFFIC[channel].message,
        "summary": summary,
        "description": f"At most {limits.DOCUMENT_BYTES_MAX} bytes.",
        "contentType": JSON,
        "payload": _schema(channel.value),
    }


def _schema(name: str) -> dict[str, Any]:
    return {
        "schemaFormat": "application/schema+json;version=draft-2020-12",
        "schema": {"$ref": f"./{name}-v{MAJOR}.schema.json"},
    }
