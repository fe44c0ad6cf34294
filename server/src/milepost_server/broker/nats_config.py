"""The configuration file of the embedded NATS server: pure, from settings and secrets to text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from milepost_protocol.limits import BATCH_BYTES_MAX
from milepost_server.broker import rules

if TYPE_CHECKING:
    from pathlib import Path

# Twice the wire's limit: what is a little too large reaches the quarantine, where people can see it.
PAYLOAD_BYTES_MAX = 2 * BATCH_BYTES_MAX
STORE_BYTES_MAX = 1024 * 1024 * 1024
STORE_MEMORY_BYTES_MAX = 64 * 1024 * 1024
CONNECTIONS_MAX = 64 * 1024
ACK_WAIT = "30s"
ACKS_PENDING_MAX = 1024


@dataclass(frozen=True, slots=True)
class NatsSecrets:
    """What the file needs to know of the secrets; ``issuer`` is the public half of the account key."""

    issuer: str
    ingest_password: str
    callout_password: str
    control_password: str


@dataclass(frozen=True, slots=True)
class NatsListeners:
    """Where the broker listens: MQTT for devices, its own protocol for this server alone."""

    mqtt_host: str
    mqtt_port: int
    control_port: int
    tls_cert: str
    tls_key: str


def nats_config(folder: Path, listeners: NatsListeners, secrets: NatsSecrets) -> str:
    """The text of the file; NATS reads JSON as a form of its own syntax. Its store goes into ``folder``."""
    mqtt: dict[str, Any] = {
        "host": listeners.mqtt_host,
        "port": listeners.mqtt_port,
        "ack_wait": ACK_WAIT,
        "max_ack_pending": ACKS_PENDING_MAX,
    }
    if listeners.tls_cert:
        mqtt["tls"] = {"cert_file": listeners.tls_cert, "key_file": listeners.tls_key}
    document = {
        "server_name": "milepost",
        "host": "127.0.0.1",
        "port": listeners.control_port,
        "max_payload": PAYLOAD_BYTES_MAX,
        "max_connections": CONNECTIONS_MAX,
        "pid_file": str(folder / "nats.pid"),
        "jetstream": {
            "store_dir": str(folder / "store"),
            "max_file_store": STORE_BYTES_MAX,
            "max_memory_store": STORE_MEMORY_BYTES_MAX,
        },
        "mqtt": mqtt,
        "accounts": {
            rules.ACCOUNT: {"jetstream": "enabled", "users": [_ingest(secrets)]},
            "AUTH": {"users": [{"user": rules.CALLOUT_USER, "password": secrets.callout_password}]},
            "SYS": {"users": [{"user": rules.CONTROL_USER, "password": secrets.control_password}]},
        },
        "system_account": "SYS",
        "authorization": {
            "timeout": 10,
            "auth_callout": {
                "issuer": secrets.issuer,
                "account": "AUTH",
                "auth_users": [rules.INGEST_USER, rules.CALLOUT_USER, rules.CONTROL_USER],
            },
        },
    }
    return json.dumps(document, indent=2)


def _ingest(secrets: NatsSecrets) -> dict[str, Any]:
    return {
        "user": rules.INGEST_USER,
        "password": secrets.ingest_password,
        "permissions": {
            "publish": [*map(rules.subject, rules.INGEST_PUBLISHES), rules.MQTT_SUBSCRIPTIONS],
            "subscribe": [*map(rules.subject, rules.INGEST_SUBSCRIBES), rules.MQTT_SUBSCRIPTIONS],
        },
    }
