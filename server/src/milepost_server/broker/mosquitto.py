"""The same access rules for Mosquitto: password file, ACL and a configuration to begin with. Pure text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_protocol import topics
from milepost_server.broker import rules
from milepost_server.broker.nats_config import PAYLOAD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PASSWORDS_FILE = "passwords"
ACL_FILE = "acl"
CONF_FILE = "mosquitto.conf"


def password_file(credentials: Iterable[tuple[str, str]]) -> str:
    """One line for each (user, credential)."""
    return "".join(f"{user}:{stored}\n" for user, stored in credentials)


def acl_file() -> str:
    """Each device on its own topics, whatever its name; the ingest on all of them."""
    lines = [
        "# Milepost: who may do what. Patterns hold for every user; %u is the user's name, a device's id.",
        f"user {rules.INGEST_USER}",
        *(f"topic read {name}" for name in rules.INGEST_SUBSCRIBES),
        *(f"topic write {name}" for name in rules.INGEST_PUBLISHES),
        "",
        *(f"pattern write {topics.ROOT}/%u/{channel}" for channel in topics.PUBLISHED_BY_DEVICE),
        *(f"pattern read {topics.ROOT}/%u/{channel}" for channel in rules.HEARD_BY_DEVICE),
    ]
    return "\n".join([*lines, ""])


def conf_file(folder: Path, host: str, port: int, server_port: int) -> str:
    """A configuration that works as it is, on one machine.

    Devices have a listener of their own: there a connection goes by the user's name, so that no device can
    take another's connection away by its client id. Several servers of one name need each a connection.
    """
    return f"""\
# Milepost: Mosquitto as the broker. Written by `milepost-server broker mosquitto`.
# Run that command again and send mosquitto a SIGHUP after devices were added or revoked.

per_listener_settings false
# For devices; on a network: listener 8883, and certfile, keyfile of the broker's certificate.
listener {port} {host}
use_username_as_clientid true

# For the server.
listener {server_port} 127.0.0.1

allow_anonymous false
password_file {folder / PASSWORDS_FILE}
acl_file {folder / ACL_FILE}

# The broker is a pipe: devices keep what has no receipt and send it again, so that nothing is lost
# when messages are dropped here, and nothing needs to be written to a disk.
persistence false
max_queued_messages 10000
message_size_limit {PAYLOAD_BYTES_MAX}
"""
